//! Damage is found where it is, told, and costs only what needs the damaged
//! bytes.

use crate::support::{Place, done, dumped, run, string};
use std::path::{Path, PathBuf};
use thermocline_disk::{BackendChoice, Disk};

fn keys() -> Vec<String> {
    let mut lines = vec![string("marked", "needle-in-a-segment")];
    lines.extend((0..200).map(|number| {
        // A value that fills more than half of a page has it to itself.
        let value: String = (0..2200_u32)
            .map(|at| char::from(b'a' + ((at * at * (number + 3)) % 7919 % 26) as u8))
            .collect();
        string(&format!("key:{number:03}"), &value)
    }));
    lines
}

fn sorted_keys() -> Vec<String> {
    let mut keys = keys();
    keys.sort();
    keys
}

/// The file in `directory` that holds `needle`, and where.
fn find(directory: &Path, needle: &[u8]) -> (PathBuf, usize) {
    for entry in directory.read_dir().expect("it is there") {
        let path = entry.expect("it is readable").path();
        let bytes = std::fs::read(&path).expect("it is readable");
        if let Some(at) = bytes.windows(needle.len()).position(|it| it == needle) {
            return (path, at);
        }
    }
    panic!("{needle:?} is nowhere")
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).expect("it is readable");
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).expect("it is writable");
}

#[test]
fn a_damaged_page_is_found_at_its_offset_and_the_rest_is_dumped() {
    let (place, directory) = Place::with(&keys());
    let (path, at) = find(&place.path("data/tier"), b"needle-in-a-segment");
    flip(&path, at);
    let verified = run(&["verify", &directory]);
    assert_eq!(verified.code, Some(1), "{}", verified.messages);
    let expected = format!(
        "tier/00000.segment at offset {}: expected page CRC",
        at / 4096 * 4096
    );
    assert!(verified.output.contains(&expected), "{}", verified.output);
    assert!(
        verified.output.contains("1 places damaged"),
        "{}",
        verified.output
    );

    let dump = run(&["dump", &directory]);
    assert_eq!(dump.code, Some(1));
    assert!(dump.messages.contains(&expected), "{}", dump.messages);
    assert!(!dump.output.contains("needle"));
    // Whatever shared the page is missing, everything else is there.
    let keys = keys();
    let lines: Vec<_> = dump.output.lines().map(str::to_owned).collect();
    assert!((keys.len() - 20..keys.len()).contains(&lines.len()));
    assert!(lines.iter().all(|line| keys.contains(line)));
}

#[test]
fn damage_of_each_kind_of_file_ends_with_1() {
    for (file, offset) in [
        ("manifest", 40),
        ("image/0000000001.image", 30),
        ("wal", 4096 + 10),
    ] {
        let (place, directory) = Place::with(&keys());
        let path = match file {
            "wal" => find(&place.path("data/wal"), b"THERMWAL").0,
            file => place.path("data").join(file),
        };
        let before = std::fs::read(&path).expect("it is readable");
        if file == "wal" {
            // The sealed log's last frame is what a start relies on: cut it.
            let mut bytes = before.clone();
            bytes[4096..].fill(0);
            std::fs::write(&path, bytes).expect("it is writable");
        } else {
            flip(&path, offset);
        }
        let verified = run(&["verify", &directory]);
        let text = format!("{}{}", verified.output, verified.messages);
        assert_eq!(verified.code, Some(1), "{file}: {text}");
        assert!(text.contains(file), "{file}: {text}");
        std::fs::write(&path, before).expect("it is writable");
        assert_eq!(run(&["verify", &directory]).code, Some(0), "{file}");
    }
}

#[test]
fn a_directory_in_use_is_refused() {
    let (place, directory) = Place::with(&keys());
    let disk = Disk::open(&place.path("data"), BackendChoice::Posix).expect("it opens");
    let lock = disk
        .lock_directory(std::time::Duration::ZERO)
        .expect("it is free");
    for command in ["verify", "dump"] {
        let ended = run(&[command, &directory]);
        assert_eq!(ended.code, Some(2));
        assert!(ended.messages.contains("in use by another process"));
    }
    drop(lock);
    assert_eq!(dumped(&directory, &[]).len(), keys().len());
}

#[test]
fn repair_salvages_what_is_intact_in_a_damaged_page_and_tells_what_is_not() {
    // Small values share pages.
    let keys: Vec<_> = (0..400)
        .map(|number| {
            string(
                &format!("key:{number:03}"),
                &format!("needle-{number:03}-{}", "x".repeat(60)),
            )
        })
        .collect();
    let (place, directory) = Place::with(&keys);
    let (path, at) = find(&place.path("data/tier"), b"needle-200-");
    flip(&path, at);
    let new = place.text("new");
    let repaired = run(&["repair", &directory, &new]);
    assert_eq!(repaired.code, Some(1), "{}", repaired.messages);
    let told = repaired.output.lines().last().unwrap_or_default();
    assert!(told.starts_with("399 keys salvaged"), "{}", repaired.output);
    assert!(
        repaired.output.contains(&format!(
            "lost: 1 key at tier/00000.segment at offset {}",
            at / 4096 * 4096
        )),
        "{}",
        repaired.output
    );
    let salvaged = dumped(&new, &[]);
    let expected: Vec<_> = keys
        .iter()
        .filter(|line| !line.contains("key:200"))
        .cloned()
        .collect();
    assert_eq!(salvaged, expected);
    let differs = run(&["diff", &directory, &new]);
    // The damaged directory misses the whole page when it is only read.
    assert_eq!(differs.code, Some(1));
    // Not over what is there.
    assert_eq!(run(&["repair", &directory, &new]).code, Some(2));
}

#[test]
fn repair_finds_the_keys_of_a_lost_image_in_the_tier() {
    let (place, directory) = Place::with(&keys());
    let image = place.path("data/image/0000000001.image");
    let length = std::fs::metadata(&image).expect("it is there").len() as usize;
    // The directory of the image stands at its end.
    flip(&image, length - 9);
    let lost = run(&["dump", &directory]);
    assert_eq!((lost.code, lost.output.lines().count()), (Some(1), 0));
    let new = place.text("new");
    let repaired = run(&["repair", &directory, &new]);
    assert_eq!(repaired.code, Some(1));
    assert!(
        repaired
            .output
            .contains("shards had no image: 201 keys of them were found in the tier"),
        "{}",
        repaired.output
    );
    assert_eq!(dumped(&new, &[]).len(), keys().len());
    done(&["verify", &new]);
}

#[test]
fn repair_needs_no_manifest_while_its_copy_is_there() {
    let (place, directory) = Place::with(&keys());
    for name in ["gone", "flipped"] {
        let manifest = place.path("data/manifest");
        let before = std::fs::read(&manifest).expect("it is there");
        if name == "gone" {
            std::fs::remove_file(&manifest).expect("it is removed");
        } else {
            flip(&manifest, 40);
        }
        let new = place.text(name);
        let repaired = run(&["repair", &directory, &new]);
        assert_eq!(repaired.code, Some(1), "{}", repaired.messages);
        let told = &repaired.output;
        assert!(
            told.contains("manifest.copy took the manifest's place"),
            "{told}"
        );
        assert!(
            told.contains("0 keys lost by name, 0 keys whose names"),
            "{told}"
        );
        assert_eq!(dumped(&new, &[]), sorted_keys());
        std::fs::write(&manifest, before).expect("it is writable");
    }
    // A damaged copy is told before it is needed.
    flip(&place.path("data/manifest.copy"), 40);
    let verified = run(&["verify", &directory]);
    assert_eq!(verified.code, Some(1));
    assert!(
        verified.output.contains("damage: manifest.copy"),
        "{}",
        verified.output
    );
    assert_eq!(dumped(&directory, &[]), sorted_keys());
}

#[test]
fn repair_without_manifest_and_copy_searches_the_tier_and_the_log() {
    let (place, directory) = Place::with(&keys());
    // One key is in the log only.
    let file = place.file("more", &[string("late", "v")]);
    done(&["restore", &directory, &file]);
    for name in ["manifest", "manifest.copy"] {
        std::fs::remove_file(place.path("data").join(name)).expect("it is removed");
    }
    let new = place.text("new");
    let repaired = run(&["repair", &directory, &new]);
    assert_eq!(repaired.code, Some(1), "{}", repaired.messages);
    assert!(
        repaired
            .output
            .contains("the tier and the log were searched"),
        "{}",
        repaired.output
    );
    let mut expected = sorted_keys();
    expected.push(string("late", "v"));
    expected.sort();
    assert_eq!(dumped(&new, &[]), expected);
    done(&["verify", &new]);
    // Where nothing at all is left, nothing is made up.
    std::fs::remove_dir_all(place.path("data/wal")).expect("it is removed");
    std::fs::remove_dir_all(place.path("data/tier")).expect("it is removed");
    std::fs::remove_dir_all(place.path("data/image")).expect("it is removed");
    assert_eq!(
        run(&["repair", &directory, &place.text("none")]).code,
        Some(2)
    );
}
