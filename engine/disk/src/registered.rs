//! What a ring has registered with the kernel, so that a read neither looks a
//! descriptor up nor pins its memory: a table of files, and the slab's pages as
//! one buffer.
//!
//! Owns the slot of each file in the kernel's table and the reasons why
//! something is not registered; without registration everything works, slower.
//! INVARIANT: a slot is used again only when nobody but the kernel's table
//! holds its file, so no request on its way means another file than it named.
//! The ring's thread.
#![expect(unsafe_code, reason = "the kernel is handed the slab's address")]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Weak};

use io_uring::Submitter;

use crate::slab::Slab;
use crate::system::SystemFile;

/// Sizes of the table of files, the first that the kernel grants: it refuses
/// more than the process may have files open.
const TABLE_SIZES: [u32; 3] = [4096, 1024, 256];
/// The number of the slab among the registered buffers.
pub(crate) const SLAB_INDEX: u16 = 0;

/// See the module.
pub(crate) struct Registered {
    /// Direct-mapped: a file may stand where its number falls, or nowhere.
    files: Vec<Weak<SystemFile>>,
    slab: bool,
    missing: Vec<String>,
}

impl Registered {
    /// Registers room for files, and `slab`, as far as `submitter` grants it.
    pub(crate) fn new(submitter: &Submitter<'_>, slab: &Slab) -> Self {
        Self::with_table(submitter, slab, &TABLE_SIZES)
    }

    /// As [`Self::new`], with a table of the first of `sizes` that is granted.
    pub(crate) fn with_table(submitter: &Submitter<'_>, slab: &Slab, sizes: &[u32]) -> Self {
        let mut files = Ok(0);
        for &size in sizes {
            files = submitter.register_files_sparse(size).map(|()| size);
            if files.is_ok() {
                break;
            }
        }
        Self::granted(files, &register_slab(submitter, slab))
    }

    fn granted(files: io::Result<u32>, slab: &io::Result<()>) -> Self {
        let mut missing = Vec::new();
        let mut size = 0;
        match files {
            Ok(granted) => size = granted as usize,
            Err(error) => missing.push(format!("files are not registered: {error}")),
        }
        if let Err(error) = slab {
            let hint = if error.kind() == io::ErrorKind::OutOfMemory {
                " (the limit on locked memory, ulimit -l)"
            } else {
                ""
            };
            missing.push(format!("buffers are not registered: {error}{hint}"));
        }
        Self {
            files: (0..size).map(|_| Weak::new()).collect(),
            slab: slab.is_ok(),
            missing,
        }
    }

    /// Nothing, for `reason`.
    #[cfg(test)]
    pub(crate) fn refused() -> Self {
        let refused = || io::Error::from(io::ErrorKind::OutOfMemory);
        Self::granted(Err(refused()), &Err(refused()))
    }

    /// Why something is not registered.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Whether requests may name the slab as a registered buffer.
    pub(crate) const fn has_slab(&self) -> bool {
        self.slab
    }

    /// The slot of `file` in the kernel's table, entered if its place is free;
    /// `None` if another file that is still held has it.
    pub(crate) fn slot(
        &mut self,
        submitter: &Submitter<'_>,
        file: &Arc<SystemFile>,
    ) -> Option<u32> {
        let place = usize::try_from(file.number % (self.files.len() as u64).max(1)).ok()?;
        let known = self.files.get(place)?;
        if std::ptr::eq(known.as_ptr(), Arc::as_ptr(file)) {
            return Some(place as u32);
        }
        if known.strong_count() > 0 {
            return None;
        }
        self.forget_closed(submitter);
        let descriptor = [file.handle.as_raw_fd()];
        submitter
            .register_files_update(place as u32, &descriptor)
            .ok()?;
        self.files[place] = Arc::downgrade(file);
        Some(place as u32)
    }

    /// Lets the kernel close what only its table still holds, so that a file
    /// that was removed gives its room back. Runs when a file is entered, which
    /// is as rare as files are opened.
    fn forget_closed(&mut self, submitter: &Submitter<'_>) {
        for (place, file) in (0_u32..).zip(&mut self.files) {
            if file.strong_count() == 0 && !file.ptr_eq(&Weak::new()) {
                // Refused, it stays open until its place is taken.
                let _ = submitter.register_files_update(place, &[-1]);
                *file = Weak::new();
            }
        }
    }
}

fn register_slab(submitter: &Submitter<'_>, slab: &Slab) -> io::Result<()> {
    let (start, bytes) = slab.extent();
    let extent = libc::iovec {
        iov_base: start.cast(),
        iov_len: bytes,
    };
    // SAFETY: the kernel pins these pages itself; that requests stay inside
    // memory that is theirs is upheld by `ring`, whose slots hold the buffers.
    unsafe { submitter.register_buffers(&[extent]) }
}
