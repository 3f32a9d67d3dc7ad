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
    /// How the name of the file in it begins; `None` for the folder itself.
    file: Option<&'static str>,
    flags: WatchFlags,
    /// Whether it comes with the first writes of a daemon and seldom later, so that it is
    /// waited for from there on.
    pub(super) is_early: bool,
    /// Whether it comes only after many megabytes of log, which somebody has to write.
    pub(super) needs_log: bool,
}

/// All of them.
pub(super) const POINTS: [Point; 8] = [
    point("an image was begun", "image", Some(""), WatchFlags::CREATE),
    point(
        "an old image was removed",
        "image",
        Some(""),
        WatchFlags::DELETE,
    ),
    point(
        "a new manifest was begun",
        "",
        Some("manifest.tmp"),
        WatchFlags::CREATE,
    ),
    point(
        "the manifest was replaced",
        "",
        Some("manifest"),
        WatchFlags::MOVED_TO,
    ),
    // Nearly all segments begin in a file that is there from an earlier life. Once it serves, the
    // daemon opens the folder for one thing only: to make the name of a segment's file durable,
    // once for each, before anything is written to it.
    Point {
        is_early: true,
        ..point(
            "a segment of the tier was begun",
            "tier",
            None,
            WatchFlags::OPEN,
        )
    },
    // A running log opens the file of a segment, one that was retired or a new one, to write
    // its header, and then notes it as the latest.
    of_log("a segment of the log was begun", "0", WatchFlags::OPEN),
    of_log(
        "the latest segment of the log was noted",
        "latest",
        WatchFlags::MODIFY,
    ),
    of_log("a file for the log was made", "0", WatchFlags::CREATE),
];

/// One of the log, which comes with so many bytes written: see [`Point::needs_log`].
const fn of_log(name: &'static str, file: &'static str, flags: WatchFlags) -> Point {
    Point {
        needs_log: true,
        is_early: true,
        ..point(name, "wal", Some(file), flags)
    }
}

const fn point(
    name: &'static str,
    folder: &'static str,
    file: Option<&'static str>,
    flags: WatchFlags,
) -> Point {
    Point {
        name,
        folder,
        file,
        flags,
        is_early: false,
        needs_log: false,
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
                let is_it = match (self.point.file, notice.file_name()) {
                    (Some(begin), Some(name)) => name.to_bytes().starts_with(begin.as_bytes()),
                    (None, None) => true,
                    _ => false,
                };
                if is_it {
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

    #[test]
    fn a_segment_begins_when_its_folder_is_opened_and_not_with_a_file_in_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let tier = directory.path().join("tier");
        std::fs::create_dir(&tier).expect("a folder");
        let watch = Watch::new(POINTS[4], directory.path()).expect("a watch");
        let watch = watch.expect("its folder is there");
        std::fs::write(tier.join("00001.segment"), b"").expect("a file");
        let soon = Duration::from_millis(20);
        assert!(!watch.wait(soon).expect("a wait"));
        let folder = std::fs::File::open(&tier).expect("it is there");
        folder.sync_all().expect("it is synced");
        assert!(watch.wait(soon).expect("a wait"));
    }
}
