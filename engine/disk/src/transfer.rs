//! Calls that came back with less than was asked: they go on where they were.
//! Owns the loops around one read or write of any form of a file; makes no call
//! itself. Any thread.

use std::io;

/// Calls again as long as a signal interrupts.
pub(crate) fn resume<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Fills `bytes` by calls of `read`, which is given what is left and how much
/// was read before. Ends early where a call reads nothing, or where `has_ended`
/// says so of what was read in all.
pub(crate) fn read_full(
    bytes: &mut [u8],
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    has_ended: impl Fn(usize) -> bool,
) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        let moved = resume(|| read(&mut bytes[done..], done as u64))?;
        done += moved;
        if moved == 0 || has_ended(done) {
            break;
        }
    }
    Ok(done)
}

/// Writes all of `bytes` by calls of `write`, which is given what is left and
/// how much was written before.
pub(crate) fn write_full(
    bytes: &[u8],
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let moved = resume(|| write(&bytes[done..], done as u64))?;
        if moved == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        done += moved;
    }
    Ok(())
}
