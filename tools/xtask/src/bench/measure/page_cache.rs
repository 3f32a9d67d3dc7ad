//! Keeps a file out of the page cache while somebody else reads it.
//!
//! Owns a thread that drops the file's clean pages again and again; what is
//! not written yet stays until it is.

use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A page lives at most this long.
const EVERY: Duration = Duration::from_millis(50);

/// While it lives, the file's pages are dropped.
pub(super) struct Dropped {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dropped {
    /// Begins with the file at `path`, which may not exist yet.
    pub(super) fn start(path: &Path) -> Self {
        let path: PathBuf = path.to_owned();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Ok(file) = File::open(&path) {
                    // Advice only: a kernel that refuses it changes no result
                    // but the peer's, for the better.
                    let _ = fadvise(&file, 0, None, Advice::DontNeed);
                }
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
