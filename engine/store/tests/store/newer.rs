//! A directory that a later program has written: refused by name, and left as it is.

use crate::support::{Held, Opened};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thermocline_base::checksum::crc32_parts;
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::image::{DIRECTORY_TRAILER_BYTES, TRAILER_VERSION_OFFSET};
use thermocline_store::manifest;
use thermocline_store::tier::page;
use thermocline_wal::Policy;
use thermocline_wal::frame::{FORMAT_VERSION, SEGMENT_HEADER_BYTES};

/// Each file and folder below, when it was changed and what it holds.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).expect("it can be read");
                all.insert(path.clone(), (changed_at(&path), content));
            }
        }
        all.insert(folder.clone(), (changed_at(&folder), Vec::new()));
    }
    all
}

fn changed_at(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).expect("it is there");
    metadata.modified().expect("the system tells")
}

/// The first file of a folder by name.
fn first_of(directory: &Path, folder: &str) -> PathBuf {
    let files = fs::read_dir(directory.join(folder)).expect("it is there");
    let files = files.map(|file| file.expect("it can be listed").path());
    let ending = if folder == "wal" { "wal" } else { "" };
    let files = files.filter(|path| path.to_string_lossy().ends_with(ending));
    files.min().expect("there is one")
}

/// Puts `version` at `at` of `bytes`, and at `crc_at` the crc of all but itself.
fn raise(bytes: &mut [u8], at: usize, version: &[u8], crc_at: usize) {
    bytes[at..at + version.len()].copy_from_slice(version);
    let crc = crc32_parts(&[&bytes[..crc_at], &bytes[crc_at + 4..]]);
    bytes[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Changes `path`, has the start refuse it as `found` beside `newest`, and puts it back.
fn is_refused(
    directory: &Path,
    path: &Path,
    (found, newest): (u32, u32),
    change: impl FnOnce(&mut Vec<u8>),
) {
    let before = fs::read(path).expect("it can be read");
    let mut bytes = before.clone();
    change(&mut bytes);
    fs::write(path, &bytes).expect("it can be written");
    let left = snapshot(directory);
    let disk = Disk::open(directory, BackendChoice::Auto).expect("the directory opens");
    let refused = Opened::on(disk, Some(Policy::Always), 3).err();
    let refused = refused.expect("a newer version is refused").to_string();
    let name = path.strip_prefix(directory).expect("it is below").display();
    let expected = format!("{name} has format version {found}, this program reads up to {newest}");
    assert_eq!(refused, expected);
    assert!(
        snapshot(directory) == left,
        "{name}: the start changed something"
    );
    fs::write(path, &before).expect("it can be written");
}

#[test]
fn a_newer_file_is_refused_by_name_and_nothing_is_changed() {
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path();
    let mut opened = Opened::open(directory, Some(Policy::Always), 1);
    for number in 0..2_000_u32 {
        opened.set(0, &number.to_le_bytes(), &[7; 100], None);
    }
    opened.checkpoint();
    opened.set(0, b"behind", b"the checkpoint", None);
    opened.close(false);

    let newest = manifest::VERSION;
    let path = directory.join(manifest::FILE_NAME);
    is_refused(directory, &path, (newest + 1, newest), |bytes| {
        let version = (newest + 1).to_le_bytes();
        raise(
            bytes,
            manifest::VERSION_OFFSET,
            &version,
            manifest::CRC_OFFSET,
        );
    });
    let path = first_of(directory, "wal");
    let newest = FORMAT_VERSION;
    // One that uses as much of the header as this one, and one that uses more.
    for used_bytes in [72, 80, SEGMENT_HEADER_BYTES] {
        is_refused(directory, &path, (newest + 2, newest), |bytes| {
            let version = (newest + 2).to_le_bytes();
            raise(&mut bytes[..used_bytes], 8, &version, 12);
        });
    }
    let path = first_of(directory, "image");
    let newest = thermocline_store::image::VERSION;
    is_refused(directory, &path, (newest + 1, newest), |bytes| {
        let at = bytes.len() - DIRECTORY_TRAILER_BYTES + TRAILER_VERSION_OFFSET;
        bytes[at..at + 4].copy_from_slice(&(newest + 1).to_le_bytes());
    });
    let path = first_of(directory, "tier");
    let newest = u32::from(page::VERSION);
    is_refused(directory, &path, (newest + 1, newest), |bytes| {
        let version = [page::VERSION + 1];
        raise(
            &mut bytes[..4096],
            page::VERSION_OFFSET,
            &version,
            page::CRC_OFFSET,
        );
    });

    let mut opened = Opened::open(directory, Some(Policy::Always), 2);
    for number in 0..2_000_u32 {
        let held = opened.get(0, &number.to_le_bytes()).map(|(held, _)| held);
        assert_eq!(held, Some(Held::String(vec![7; 100])));
    }
    assert!(opened.get(0, b"behind").is_some());
    opened.close(true);
}
