//! Where a backup may be made, and for whom.

use crate::support::Opened;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use thermocline_wal::Policy;

#[test]
fn a_backup_is_made_beside_the_data_and_never_inside_it() {
    let place = tempfile::tempdir().expect("a directory");
    let data = place.path().join("data");
    let mut opened = Opened::open(&data, Some(Policy::EverySecond), 1);
    opened.set(0, b"key", b"value", None);
    symlink(&data, place.path().join("link")).expect("a link");
    symlink(place.path().join("nowhere"), place.path().join("dangling")).expect("a link");
    for (path, reason) in [
        ("data", "exists already"),
        ("dangling", "exists already"),
        ("data/backup", "is inside the data directory"),
        ("data/a/b", "is inside the data directory"),
        ("link/backup", "is inside the data directory"),
        ("new/../data/backup", "has .. in it"),
    ] {
        let refused = opened.backup(&place.path().join(path)).expect_err(path);
        assert!(refused.contains(reason), "{path}: {refused}");
        assert!(!data.join("backup").exists() && !data.join("a").exists());
    }
    assert!(!place.path().join("nowhere").exists());
    let backup = place.path().join("deeper/backup");
    opened.backup(&backup).expect("it is made");
    opened.close(true);
    for_owner_only(&data);
    for_owner_only(&backup);
}

/// Whoever may read a file of it reads all data.
fn for_owner_only(directory: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!(mode(directory), 0o700, "{directory:?}");
    let mut files = 0;
    for entry in directory.read_dir().expect("it is there") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            for_owner_only(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{path:?}");
            files += 1;
        }
    }
    assert!(files > 0, "{directory:?}");
}
