//! The settings of the allocator: huge pages for the records and none for the rest, and
//! large blocks that go back to the system at once.
//!
//! Owns these settings. They are read from the environment before
//! `main` begins, so the program starts itself once more with them set: the same
//! process, the same arguments. Main thread, before any other.
//!
//! A lookup of a random key touches lines all over the records. With 4 KiB pages
//! each of them misses the TLB too; with huge pages a GET costs a fifth to a
//! quarter less of the processor, so the store asks for them where its records
//! lie. What is left to the allocator is small and scattered: there huge pages
//! took some 20 MiB that held nothing. Where the kernel grants none, none of
//! this does anything.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What mimalloc reads: how long it keeps large blocks that were freed, in units of the
/// time it keeps others; for 0 it does not. A client's buffer that grows leaves one behind
/// with each step, and the next is of another size: kept, they came to several times the
/// memory that all clients may hold.
const KEEP_VARIABLE: &str = "MIMALLOC_ARENA_PURGE_MULT";
/// What mimalloc reads: 0 keeps it from asking for huge pages, and has it
/// forbid them to the whole process.
const VARIABLE: &str = "MIMALLOC_ALLOW_THP";

/// Starts the program again with the allocator told to do without huge pages
/// and to keep no large blocks, unless that was done or the operator has set the
/// former, either way; then allows huge pages to the rest. Returns in the second
/// program, or if there can be none.
pub fn set() {
    if let Some(value) = std::env::var_os(VARIABLE) {
        if value == "0" {
            // The store asks for them where it wants them.
            let _ = rustix::thread::disable_transparent_huge_pages(false);
        }
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words).env(VARIABLE, "0");
    if std::env::var_os(KEEP_VARIABLE).is_none() {
        command.env(KEEP_VARIABLE, "0");
    }
    // Only returns if it fails; the allocator then does as it would.
    let _ = command.exec();
}
