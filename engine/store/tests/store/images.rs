//! What a checkpoint writes of the index: as much as has changed.

use crate::support::{Held, Opened};
use std::collections::BTreeMap;
use std::path::Path;
use thermocline_base::Random;
use thermocline_wal::Policy;

/// The newest image file's length, and how many there are.
fn newest_image(directory: &Path) -> (u64, usize) {
    let files = std::fs::read_dir(directory.join("image")).expect("there are images");
    let mut files: Vec<_> = files
        .map(|file| file.expect("it can be listed"))
        .map(|file| (file.file_name(), file.metadata().expect("a size").len()))
        .collect();
    files.sort();
    (files.last().expect("one at least").1, files.len())
}

#[test]
fn an_image_grows_with_the_change_and_not_with_the_data() {
    const KEYS: u32 = 200_000;
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::Never), 1);
    let mut expected = BTreeMap::new();
    for number in 0..KEYS {
        opened.set(0, &number.to_le_bytes(), b"first", None);
        expected.insert(number, Some(0_u32));
    }
    opened.checkpoint();
    let (whole_bytes, _) = newest_image(directory.path());
    assert!(whole_bytes > u64::from(KEYS) * 8);
    opened.set(0, &3_u32.to_le_bytes(), &3_u32.to_le_bytes(), None);
    expected.insert(3, Some(3));
    opened.checkpoint();
    let (bytes, _) = newest_image(directory.path());
    // The directory names 1,024 pieces and one more in 32 bytes each.
    assert!(
        bytes < 32 * 1026 + 1024,
        "{bytes} of {whole_bytes} bytes for one key"
    );
    let mut random = Random::new(5);
    for round in 1..200_u32 {
        for _ in 0..3 {
            let number = (random.next_u64() % u64::from(KEYS + 1000)) as u32;
            if round % 4 == 0 {
                opened.delete(0, &number.to_le_bytes());
                expected.insert(number, None);
            } else {
                opened.set(0, &number.to_le_bytes(), &round.to_le_bytes(), None);
                expected.insert(number, Some(round));
            }
        }
        opened.checkpoint();
        let (_, files) = newest_image(directory.path());
        assert!(files <= 66, "{files} image files");
    }
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::Never), 2);
    let alive = expected.values().flatten().count() as u64;
    assert_eq!(opened.len(0), alive);
    for (number, state) in expected {
        let value = match state {
            None => None,
            Some(0) => Some(b"first".to_vec()),
            Some(round) => Some(round.to_le_bytes().to_vec()),
        };
        let found = opened.get(0, &number.to_le_bytes());
        assert_eq!(found.map(|it| it.0), value.map(Held::String), "{number}");
    }
    opened.close(false);
}

/// One key a shard at most, so that every change of it is a piece: the shard's pieces are
/// written as one before they are too many.
#[test]
fn many_small_changes_of_a_shard_are_put_together() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut opened = Opened::open(directory.path(), Some(Policy::Never), 1);
    for number in 0..50_000_u32 {
        opened.set(0, &number.to_le_bytes(), b"first", None);
    }
    opened.checkpoint();
    for round in 0..30_u32 {
        opened.set(0, &7_u32.to_le_bytes(), &round.to_le_bytes(), None);
        opened.set(0, &round.to_le_bytes(), b"next", None);
        opened.checkpoint();
    }
    opened.close(false);
    let mut opened = Opened::open(directory.path(), Some(Policy::Never), 2);
    assert_eq!(opened.len(0), 50_000);
    for number in 0..50_000_u32 {
        let value = match number {
            7 => 29_u32.to_le_bytes().to_vec(),
            0..30 => b"next".to_vec(),
            _ => b"first".to_vec(),
        };
        let found = opened.get(0, &number.to_le_bytes()).map(|it| it.0);
        assert_eq!(found, Some(Held::String(value)), "{number}");
    }
    opened.close(false);
}
