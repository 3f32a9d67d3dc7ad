//! A small file system of its own, in a file, mounted through a loop device.
//!
//! Owns the mount: a dropped device is unmounted. Main thread.

use crate::bench::BenchError;
use crate::step::{self, StepError};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A file system that is busy for longer is left so.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Device {
    mounted_at: PathBuf,
    is_mounted: bool,
}

impl Device {
    /// An ext4 of `bytes` mounted at `directory/data`.
    ///
    /// # Errors
    /// What is missing for it, root above all.
    pub(super) fn mount(directory: &Path, bytes: u64) -> Result<Self, BenchError> {
        if !rustix::process::geteuid().is_root() {
            return Err(StepError::Missing(
                "full-disk mounts a file system of its own, which only root can: run it as root"
                    .to_owned(),
            )
            .into());
        }
        let image = directory.join("device");
        let mounted_at = directory.join("data");
        File::create(&image)?.set_len(bytes)?;
        std::fs::create_dir_all(&mounted_at)?;
        step::run(
            Command::new("mkfs.ext4")
                .args(["-q", "-F", "-m", "0"])
                .arg(&image),
        )?;
        step::run(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&mounted_at),
        )
        .map_err(|error| {
            StepError::Missing(format!(
                "full-disk needs a loop device, and cannot have one here: {error}"
            ))
        })?;
        Ok(Self {
            mounted_at,
            is_mounted: true,
        })
    }

    fn filler(&self) -> PathBuf {
        self.mounted_at.join("filler")
    }

    /// Takes `bytes` of it, for [`Device::make_room`].
    pub(super) fn fill(&self, bytes: u64) -> Result<(), BenchError> {
        let file = File::create(self.filler())?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)
            .map_err(std::io::Error::from)?;
        Ok(())
    }

    /// Gives back what [`Device::fill`] took.
    pub(super) fn make_room(&self) -> Result<(), BenchError> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    /// Ends the mount; nothing may have a file open on it.
    pub(super) fn unmount(mut self) -> Result<(), BenchError> {
        // The kernel closes what a ring has registered a little after the process is gone.
        let begin = Instant::now();
        while begin.elapsed() < UNMOUNT_LIMIT {
            let mut command = Command::new("umount");
            command.arg(&self.mounted_at).stderr(Stdio::null());
            if command.status()?.success() {
                self.is_mounted = false;
                return Ok(());
            }
            std::thread::sleep(UNMOUNT_LIMIT / 100);
        }
        self.is_mounted = false;
        step::run(Command::new("umount").arg(&self.mounted_at))?;
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily: a server of a run that failed may still be ending.
            let _ = step::run(Command::new("umount").arg("--lazy").arg(&self.mounted_at));
        }
    }
}
