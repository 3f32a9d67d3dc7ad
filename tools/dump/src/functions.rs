//! Libraries of functions, which a directory keeps beside the keys.
//!
//! Owns how they are told apart from keys. A library is its text; what it is called
//! stands in its first line.

use thermocline_commands::scripts::{LIBRARIES, LIBRARIES_MAX_BYTES, library_name};
use thermocline_types::ValueRef;
use thermocline_types::rdb::restore_libraries;

/// The texts of the libraries in what the server keeps under `name`; none in anything
/// else it keeps.
///
/// # Errors
/// Why it is no list of libraries.
pub(crate) fn texts(name: &[u8], value: ValueRef<'_>) -> Result<Vec<Vec<u8>>, String> {
    if name != LIBRARIES {
        return Ok(Vec::new());
    }
    let payload = value.string().map_err(|error| error.to_string())?;
    restore_libraries(payload, LIBRARIES_MAX_BYTES).map_err(|error| error.to_string())
}

/// The name of a library, as it is shown. Names are letters, digits and underscores.
///
/// # Errors
/// What is wrong with the first line of its text.
pub(crate) fn name(text: &[u8]) -> Result<String, String> {
    let name = library_name(text)?;
    Ok(name.escape_ascii().to_string())
}
