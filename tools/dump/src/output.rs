//! The file a dump is written to.
//!
//! Owns how it is made: never over an existing one unless asked to, and
//! readable by its owner only, since it holds all data. Its name comes from the
//! command line, never from what is dumped.

use crate::failure::Failure;
use crate::input::is_standard;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens `path` to be written from its start.
fn create(path: &Path, force: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)
}

/// Has `write` fill the file `path`, or `standard` without one or for `-`. What was
/// written to a file is durable on return.
pub(crate) fn with<T>(
    path: Option<&Path>,
    force: bool,
    standard: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(path) = path.filter(|path| !is_standard(path)) else {
        return write(standard);
    };
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let mut file = BufWriter::with_capacity(1 << 20, create(path, force).map_err(failed)?);
    let result = write(&mut file)?;
    let file = file
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn an_existing_file_is_kept_unless_forced_and_others_may_not_read_a_new_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("dump");
        create(&path, false).expect("it is new");
        let mode = std::fs::metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "kept").expect("it can be written");
        let refused = with(Some(&path), false, &mut Vec::new(), |_| Ok(()));
        assert!(matches!(refused, Err(Failure::File { .. })));
        assert_eq!(std::fs::read(&path).expect("it is there"), b"kept");
        let forced = with(Some(&path), true, &mut Vec::new(), |file| {
            Ok(file.write_all(b"new")?)
        });
        forced.expect("it is replaced");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"new");
    }
}
