//! Huge pages for the records, and none for the rest.
//!
//! Owns the one setting of the allocator. It is read from the environment before
//! `main` begins, so the program starts itself once more with it set: the same
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

/// What mimalloc reads: 0 keeps it from asking for huge pages, and has it
/// forbid them to the whole process.
const VARIABLE: &str = "MIMALLOC_ALLOW_THP";

/// Starts the program again with the allocator told to do without huge pages,
/// unless that was done or the operator has set it, either way; then allows
/// them to the rest. Returns in the second program, or if there can be none.
pub fn ask() {
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
    // Only returns if it fails; the allocator then uses them too.
    let _ = command.args(words).env(VARIABLE, "0").exec();
}
