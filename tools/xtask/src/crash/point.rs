//! Named moments at which the daemon is killed: those at which files of its directory
//! come, go and change their names.
//!
//! Owns their names and the wait for one, by the kernel's notices of the directory; the
//! daemon knows nothing of it. A notice comes some microseconds after its cause, so a
//! kill strikes between that step and the next few.

use crate::bench::BenchError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// What has just happened.
    pub(super) name: &'static str,
    /// The folder in the data directory.
    folder: &'static str,
    /// How the file's name begins.
    file: &'static str,
    flags: WatchFlags,
}

/// All of them.
pub(super) const POINTS: [Point; 5] = [
    point("an image was begun", "image", "", WatchFlags::CREATE),
    point("an old image was removed", "image", "", WatchFlags::DELETE),
    point(
        "a new manifest was begun",
        "",
        "manifest.tmp",
        WatchFlags::CREATE,
    ),
    point(
        "the manifest was replaced",
        "",
        "manifest",
        WatchFlags::MOVED_TO,
    ),
    point(
        "a segment of the tier was begun",
        "tier",
        "",
        WatchFlags::CREATE,
    ),
];

const fn point(
    name: &'static str,
    folder: &'static str,
    file: &'static str,
    flags: WatchFlags,
) -> Point {
    Point {
        name,
        folder,
        file,
        flags,
    }
}

/// A wait for a point.
pub(super) struct Watch {
    notices: OwnedFd,
    point: Point,
}

impl Watch {
    /// Waits for `point` from now on, in the data directory `data`; `None` if the point's
    /// folder is not there.
    pub(super) fn new(point: Point, data: &Path) -> Result<Option<Self>, BenchError> {
        let folder = data.join(point.folder);
        if !folder.is_dir() {
            return Ok(None);
        }
        let notices = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let notices = notices.map_err(std::io::Error::from)?;
        let added = inotify::add_watch(&notices, folder, point.flags);
        added.map_err(std::io::Error::from)?;
        Ok(Some(Self { notices, point }))
    }

    /// Whether it came within `limit`.
    pub(super) fn wait(&self, limit: Duration) -> Result<bool, BenchError> {
        let end = Instant::now() + limit;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        loop {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return Ok(false);
            };
            let left = Timespec {
                tv_sec: 0,
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut ready = [PollFd::new(&self.notices, PollFlags::IN)];
            let count = poll(&mut ready, Some(&left)).map_err(std::io::Error::from)?;
            if count == 0 {
                continue;
            }
            let mut reader = inotify::Reader::new(&self.notices, &mut buffer);
            while let Ok(notice) = reader.next() {
                let name = notice.file_name().map_or(&[][..], |name| name.to_bytes());
                if name.starts_with(self.point.file.as_bytes()) {
                    return Ok(true);
                }
                if reader.is_buffer_empty() {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_comes_with_its_file_and_not_with_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let replaced = POINTS[3];
        let watch = Watch::new(replaced, directory.path()).expect("a watch");
        let watch = watch.expect("its folder is there");
        std::fs::write(directory.path().join("manifest.tmp"), b"").expect("a file");
        let soon = Duration::from_millis(20);
        assert!(!watch.wait(soon).expect("a wait"));
        #[expect(clippy::disallowed_methods, reason = "the notice is of a rename")]
        std::fs::rename(
            directory.path().join("manifest.tmp"),
            directory.path().join("manifest"),
        )
        .expect("a rename");
        assert!(watch.wait(soon).expect("a wait"));
    }
}
