//! Nothing leads out of a data directory, and nothing in it makes anybody wait.

use crate::{BackendChoice, Disk, DiskError, OpenMode};
use rustix::fs::{CWD, FileType, Mode};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A place with `data`, whose disk this is, and `outside` with a file in it.
fn place() -> (TempDir, Disk) {
    let place = tempfile::tempdir().expect("a directory");
    let disk = Disk::open(&place.path().join("data"), BackendChoice::Posix).expect("it opens");
    std::fs::create_dir(place.path().join("outside")).expect("it is made");
    std::fs::write(place.path().join("outside/file"), b"secret").expect("it is written");
    (place, disk)
}

fn refused<T>(result: Result<T, DiskError>, with: &str) {
    match result {
        Ok(_) => panic!("expected {with:?}"),
        Err(error) => assert!(error.to_string().contains(with), "{error}"),
    }
}

/// What is outside is as it was.
fn untouched(place: &Path) {
    let mut names = place.join("outside").read_dir().expect("it is there");
    let name = names.next().expect("a file").expect("it is readable");
    assert_eq!(name.file_name(), "file");
    assert!(names.next().is_none());
    let text = std::fs::read(place.join("outside/file")).expect("it is there");
    assert_eq!(text, b"secret");
}

#[test]
fn a_linked_subdirectory_is_refused_by_every_call() {
    let (place, disk) = place();
    symlink(place.path().join("outside"), place.path().join("data/tier")).expect("a link");
    let other = Disk::open(&place.path().join("other"), BackendChoice::Posix).expect("it opens");
    other.create_directory("tier").expect("it is made");
    disk.create_directory("image").expect("it is made");
    let with = "\"tier\" is a symbolic link";
    for mode in [OpenMode::Read, OpenMode::ReadWrite, OpenMode::CreateNew] {
        refused(disk.open_file("tier/file", mode, false), with);
    }
    refused(disk.list("tier"), with);
    refused(disk.create_directory("tier"), with);
    refused(disk.create_directory("tier/deeper"), with);
    refused(disk.remove("tier/file"), with);
    refused(disk.link("tier/file", &other), with);
    refused(disk.link_count("tier/file"), with);
    refused(disk.sync_directory("tier"), with);
    refused(disk.replace_durably("tier/file", b"other"), with);
    refused(disk.list("tier"), "mount --bind");
    let file = other
        .open_file("tier/file", OpenMode::CreateNew, false)
        .expect("it is made");
    file.write_all_at(0, b"mine").expect("it is written");
    refused(other.link("tier/file", &disk), with);
    untouched(place.path());
}

#[test]
fn a_linked_file_is_refused_and_removing_or_replacing_it_spares_what_it_leads_to() {
    let (place, disk) = place();
    let to = place.path().join("outside/file");
    for name in ["a", "b"] {
        symlink(&to, place.path().join("data").join(name)).expect("a link");
    }
    for mode in [OpenMode::Read, OpenMode::ReadWrite] {
        refused(
            disk.open_file("a", mode, true),
            "\"a\" is a symbolic link, and none is followed",
        );
    }
    disk.remove("a").expect("the link is removed");
    disk.replace_durably("b", b"new").expect("it is replaced");
    assert_eq!(disk.read_whole("b", 9).expect("it is there"), b"new");
    untouched(place.path());
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let (place, disk) = place();
    let data = place.path().join("data");
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(CWD, data.join("pipe"), FileType::Fifo, mode, 0).expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(data.join("socket")).expect("a socket");
    disk.create_directory("directory").expect("it is made");
    std::fs::write(data.join("file"), b"").expect("it is written");
    for mode in [OpenMode::Read, OpenMode::ReadWrite] {
        refused(
            disk.open_file("pipe", mode, false),
            "cannot open \"pipe\": \"pipe\" is a named pipe; a regular file belongs there",
        );
        refused(disk.open_file("socket", mode, false), "is a socket");
        refused(disk.open_file("directory", mode, false), "is a directory");
    }
    refused(
        disk.open_file("file/below", OpenMode::Read, false),
        "\"file\" is a regular file; a directory belongs there",
    );
}

#[test]
fn what_is_made_is_for_its_owner_only() {
    let (place, disk) = place();
    disk.create_directory("tier/deeper").expect("it is made");
    disk.replace_durably("tier/file", b"x").expect("it is made");
    drop(disk.lock_directory(Duration::ZERO).expect("it is free"));
    for (name, expected) in [
        ("", 0o700),
        ("tier", 0o700),
        ("tier/deeper", 0o700),
        ("tier/file", 0o600),
        ("LOCK", 0o600),
    ] {
        let found = std::fs::metadata(place.path().join("data").join(name)).expect("it is there");
        assert_eq!(found.mode() & 0o777, expected, "{name:?}");
    }
}

#[test]
fn the_path_of_the_directory_itself_may_be_a_link() {
    let (place, _) = place();
    let link = place.path().join("link");
    symlink(place.path().join("data"), &link).expect("a link");
    let disk = Disk::open(&link, BackendChoice::Posix).expect("it opens");
    disk.replace_durably("file", b"x").expect("it is written");
    assert!(place.path().join("data/file").exists());
    assert_eq!(disk.list("").expect("it is listed"), ["file"]);
}

#[test]
fn who_only_reads_makes_nothing_and_keeps_out_only_who_writes() {
    let (place, disk) = place();
    let data = place.path().join("data");
    let missing = place.path().join("missing");
    assert!(Disk::open_existing(&missing, BackendChoice::Posix).is_err());
    assert!(!missing.exists());
    drop(disk.lock_to_read(Duration::ZERO).expect("nobody has it"));
    assert!(!data.join("LOCK").exists());
    let held = disk.lock_directory(Duration::ZERO).expect("it is free");
    assert!(matches!(
        disk.lock_to_read(Duration::ZERO),
        Err(DiskError::Locked { .. })
    ));
    drop(held);
    let first = disk.lock_to_read(Duration::ZERO).expect("it is free");
    let second = disk.lock_to_read(Duration::ZERO).expect("it is shared");
    assert!(disk.lock_directory(Duration::ZERO).is_err());
    drop((first, second));
    drop(disk.lock_directory(Duration::ZERO).expect("it is free"));
}

#[test]
fn a_lock_that_is_a_link_makes_no_file_elsewhere() {
    let (place, disk) = place();
    let elsewhere = place.path().join("outside/made");
    symlink(&elsewhere, place.path().join("data/LOCK")).expect("a link");
    refused(
        disk.lock_to_read(Duration::ZERO),
        "\"LOCK\" is a symbolic link",
    );
    refused(
        disk.lock_directory(Duration::ZERO),
        "\"LOCK\" is a symbolic link",
    );
    untouched(place.path());
}

#[test]
fn a_directory_contains_what_is_below_it_by_whatever_path() {
    let (place, disk) = place();
    let data = place.path().join("data");
    symlink(&data, place.path().join("link")).expect("a link");
    for (name, expected) in [
        ("data", true),
        ("data/new", true),
        ("data/new/deeper", true),
        ("link/new", true),
        ("outside/../data/new", true),
        ("database", false),
        ("outside/new", false),
    ] {
        let found = disk.contains(&place.path().join(name)).expect("it is told");
        assert_eq!(found, expected, "{name}");
    }
}
