//! RDB files, as Redis 5 to 8.2 and Valkey 7.2 to 9 write them.
//!
//! ```text
//! +---------------------+-------------+------+---------------------+
//! | REDIS and 4 digits, | elements .. | 0xff | CRC-64 of all above |
//! | VALKEY and 3        |             |      | u64 LE, 0 is none   |
//! +---------------------+-------------+------+---------------------+
//!
//! element   first byte
//! key       0..=25      the type; then the key, a string, and its value
//! expiry    0xfc, 0xfd  of the next key: i64 LE milliseconds, i32 LE seconds
//! use       0xf9, 0xf8  of the next key: frequency u8, idle seconds a length
//! database  0xfe        of the keys that follow: a length
//! sizes     0xfb        two lengths
//! auxiliary 0xfa        two strings
//! function  0xf5        a library: a string
//! module    0xf7        what a module keeps beside the keys
//! slots     0xf4        three lengths
//! import    0xf3        a string, and as many pairs of lengths as a length says
//! ```
//!
//! Owns the file; the values in it are `thermocline_types::rdb`'s. Reads and
//! writes in a stream. One thread for each file.
//!
//! INVARIANT: what is read is hostile until it has been checked: memory grows
//! with what was really read, and no element is larger than [`ELEMENT_MAX_BYTES`].

mod read;
mod write;

pub use read::{Element, RawKey, RdbFileError, RdbReader, is_magic};
pub use write::RdbWriter;
pub(crate) use write::{put_database, put_key, put_library};

/// The largest element, in bytes: a key with its value.
pub const ELEMENT_MAX_BYTES: usize = 2 << 30;

const OPCODE_SLOT_IMPORT: u8 = 0xf3;
const OPCODE_SLOT_INFO: u8 = 0xf4;
const OPCODE_FUNCTION: u8 = 0xf5;
const OPCODE_MODULE: u8 = 0xf7;
const OPCODE_IDLE: u8 = 0xf8;
const OPCODE_FREQUENCY: u8 = 0xf9;
const OPCODE_AUXILIARY: u8 = 0xfa;
const OPCODE_SIZES: u8 = 0xfb;
const OPCODE_EXPIRY_MS: u8 = 0xfc;
const OPCODE_EXPIRY: u8 = 0xfd;
const OPCODE_DATABASE: u8 = 0xfe;
const OPCODE_END: u8 = 0xff;

#[cfg(test)]
mod tests;
