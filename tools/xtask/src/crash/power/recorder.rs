//! A device that logs its writes, and mounts.
//!
//! Owns the processes and mounts: a file served by `qemu-storage-daemon` through
//! its `blklogwrites` driver and FUSE, a loop device on it, a file system. What is
//! dropped is taken down. Main thread.

use super::FileSystem;
use crate::bench::BenchError;
use crate::step::{self, StepError};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The export is there within this time, or never.
const EXPORT_LIMIT: Duration = Duration::from_secs(10);

/// A killed daemon's files are closed within this time.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(10);

/// A loop device.
pub(super) struct Loop {
    path: PathBuf,
    is_attached: bool,
}

impl Loop {
    /// A loop device on `file`.
    pub(super) fn new(file: &Path) -> Result<Self, BenchError> {
        let found = step::output(Command::new("losetup").args(["--find", "--show"]).arg(file))?;
        let path = PathBuf::from(String::from_utf8_lossy(&found).trim());
        Ok(Self {
            path,
            is_attached: true,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the device back; nothing may be mounted from it.
    pub(super) fn end(mut self) -> Result<(), BenchError> {
        self.is_attached = false;
        step::output(Command::new("losetup").arg("--detach").arg(&self.path))?;
        Ok(())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if self.is_attached {
            let _ = step::output(Command::new("losetup").arg("--detach").arg(&self.path));
        }
    }
}

/// A mounted file system.
pub(super) struct Mount {
    at: PathBuf,
    is_mounted: bool,
}

impl Mount {
    /// Mounts what is on `device`; its journal is replayed.
    pub(super) fn new(device: &Path, at: &Path) -> Result<Self, BenchError> {
        std::fs::create_dir_all(at)?;
        step::output(Command::new("mount").arg(device).arg(at))?;
        Ok(Self {
            at: at.to_owned(),
            is_mounted: true,
        })
    }

    /// Ends the mount, as soon as the ring of a daemon that was killed has let its
    /// files go.
    pub(super) fn end(mut self) -> Result<(), BenchError> {
        let begun = Instant::now();
        loop {
            let ended = Command::new("umount").arg(&self.at).output()?;
            if ended.status.success() {
                self.is_mounted = false;
                return Ok(());
            }
            if begun.elapsed() > UNMOUNT_LIMIT {
                let reason = String::from_utf8_lossy(&ended.stderr).into_owned();
                return Err(BenchError::Unexpected(reason));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily: a server of a run that failed may still be ending.
            let _ = step::output(Command::new("umount").arg("--lazy").arg(&self.at));
        }
    }
}

/// A device whose writes and flushes are logged, with a fresh file system on it.
pub(super) struct Recorder {
    device: Option<Loop>,
    server: Child,
    log: PathBuf,
    base: PathBuf,
}

impl Recorder {
    /// A device of `bytes`. Its file system is made before the log begins, and a
    /// copy of the device as it then is is kept.
    pub(super) fn new(
        directory: &Path,
        file_system: FileSystem,
        bytes: u64,
    ) -> Result<Self, BenchError> {
        if !rustix::process::geteuid().is_root() {
            return Err(StepError::Missing(
                "powercut mounts file systems of its own, which only root can: run it as root"
                    .to_owned(),
            )
            .into());
        }
        let [live, base, log, export] =
            ["device", "base", "log", "export"].map(|name| directory.join(name));
        File::create(&live)?.set_len(bytes)?;
        let made = match file_system {
            FileSystem::Ext4 => Command::new("mkfs.ext4")
                .args(["-q", "-F", "-m", "0"])
                .arg(&live)
                .status(),
            FileSystem::Xfs => Command::new("mkfs.xfs")
                .args(["-q", "-f"])
                .arg(&live)
                .status(),
        };
        if !made.is_ok_and(|status| status.success()) {
            return Err(StepError::Missing(format!(
                "cannot make {file_system:?} on {}: is its mkfs installed?",
                live.display()
            ))
            .into());
        }
        super::image::copy_sparse(&live, &base)?;
        File::create(&log)?;
        File::create(&export)?;
        let node = |driver: &str, rest: &str| format!("driver={driver},{rest}");
        let server = Command::new("qemu-storage-daemon")
            .arg("--blockdev")
            .arg(node(
                "file",
                &format!("node-name=live,filename={}", live.display()),
            ))
            .arg("--blockdev")
            .arg(node(
                "file",
                &format!("node-name=log,filename={}", log.display()),
            ))
            .arg("--blockdev")
            .arg(node(
                "blklogwrites",
                "node-name=recorded,file=live,log=log,log-sector-size=512",
            ))
            .arg("--export")
            .arg(format!(
                "type=fuse,id=export,node-name=recorded,mountpoint={},writable=on",
                export.display()
            ))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| {
                StepError::Missing(format!(
                    "powercut needs qemu-storage-daemon (Debian: qemu-utils, fuse3): {error}"
                ))
            })?;
        let mut recorder = Self {
            device: None,
            server,
            log,
            base,
        };
        let begun = Instant::now();
        while std::fs::metadata(&export)?.len() != bytes {
            let ended = recorder.server.try_wait()?;
            if ended.is_some() || begun.elapsed() > EXPORT_LIMIT {
                return Err(StepError::Missing(
                    "qemu-storage-daemon exports nothing: is FUSE there?".to_owned(),
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        recorder.device = Some(Loop::new(&export)?);
        Ok(recorder)
    }

    /// The device.
    pub(super) fn device(&self) -> &Path {
        self.device.as_ref().map_or(Path::new(""), Loop::path)
    }

    /// How long the log is. What the device has done is in it.
    pub(super) fn log_bytes(&self) -> Result<u64, BenchError> {
        Ok(std::fs::metadata(&self.log)?.len())
    }

    /// Ends the recording; gives the log and the device as it was before.
    pub(super) fn finish(mut self) -> Result<(PathBuf, PathBuf), BenchError> {
        if let Some(device) = self.device.take() {
            device.end()?;
        }
        Ok((self.log.clone(), self.base.clone()))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.device = None;
        if let Some(pid) = rustix::process::Pid::from_raw(self.server.id().cast_signed()) {
            // It takes its export down; it may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.server.wait();
    }
}
