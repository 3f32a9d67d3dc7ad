//! The file a dump is written to.
//!
//! Owns how it is made: never over an existing one unless asked to, and
//! readable by its owner only, since it holds all data. Its name comes from the
//! command line, never from what is dumped.

use crate::failure::Failure;
use crate::input::is_standard;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Refuses what is there already: anything unless it is to be replaced, and whatever is no
/// plain file even then. A link is not followed.
fn check(path: &Path, force: bool) -> io::Result<()> {
    let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) if !force => refuse("it exists already"),
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => refuse("it is no plain file, and is not replaced"),
    }
}

/// Has `write` fill the file `path`, or `standard` without one or for `-`. The file has its
/// name only once it is whole, and then durably.
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
    check(path, force).map_err(failed)?;
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    // Made with a name of its own that was not there, for its owner only.
    let mut file = NamedTempFile::new_in(parent).map_err(failed)?;
    let mut writer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    let result = write(&mut writer)?;
    writer
        .into_inner()
        .map_err(|error| failed(error.into_error()))?
        .sync_all()
        .map_err(failed)?;
    if force {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    }
    .map_err(|error| failed(error.error))?;
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(failed)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn an_existing_file_is_kept_unless_forced_and_others_may_not_read_a_new_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("dump");
        let write = |path: &Path, force: bool, text: &str| {
            with(Some(path), force, &mut Vec::new(), |file| {
                Ok(file.write_all(text.as_bytes())?)
            })
        };
        let content = || std::fs::read_to_string(&path).expect("it is there");
        write(&path, false, "first").expect("it is new");
        let mode = std::fs::metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = write(&path, false, "second");
        assert!(matches!(refused, Err(Failure::File { .. })));
        assert_eq!(content(), "first");
        write(&path, true, "third").expect("it is replaced");
        assert_eq!(content(), "third");
        // What fails leaves what was there, and nothing else.
        let failed = with(Some(&path), true, &mut Vec::new(), |file| {
            file.write_all(b"half")?;
            Err::<(), _>(Failure::Twice)
        });
        assert!(matches!(failed, Err(Failure::Twice)));
        assert_eq!(content(), "third");
        // Nor is a link followed.
        let link = directory.path().join("link");
        symlink(&path, &link).expect("it can be made");
        for force in [false, true] {
            let refused = write(&link, force, "through the link");
            assert!(matches!(refused, Err(Failure::File { .. })));
        }
        assert_eq!(content(), "third");
        let names = directory.path().read_dir().expect("it is there").count();
        assert_eq!(names, 2);
    }
}
