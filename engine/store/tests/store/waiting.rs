//! Those who wait for a key learn of every change of it, whatever made it.

use crate::support::Opened;
use std::time::Duration;
use thermocline_store::{KeyName, ReadyKey};
use thermocline_wal::Policy;

fn opened() -> (Opened, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let opened = Opened::open(directory.path(), Some(Policy::Never), 1);
    (opened, directory)
}

fn wait(opened: &mut Opened, database: u8, key: &[u8], ticket: u64) {
    opened.with(&[KeyName { database, key }], |access, _| {
        access.wait(0, ticket, false);
        Ok(())
    });
}

fn ready(opened: &Opened) -> Vec<(u8, Vec<u8>)> {
    let keys = std::iter::from_fn(|| opened.store.take_ready_key());
    keys.map(|ReadyKey { database, key, .. }| (database, key.to_vec()))
        .collect()
}

fn name(database: u8, key: &[u8]) -> KeyName<'_> {
    KeyName { database, key }
}

#[test]
fn writes_deletions_and_expiries_make_a_key_ready() {
    let (mut opened, _directory) = opened();
    wait(&mut opened, 0, b"a", 1);
    opened.set(0, b"b", b"x", None);
    opened.set(1, b"a", b"x", None);
    assert!(!opened.store.has_ready_key());
    opened.set(0, b"a", b"x", None);
    assert!(opened.store.has_ready_key());
    let expected = [(0, b"a".to_vec())];
    assert_eq!(ready(&opened), expected);
    assert!(!opened.store.has_ready_key());
    assert!(opened.delete(0, b"a"));
    assert_eq!(ready(&opened), expected);
    // A reader meets the key when its time has passed, and takes it away.
    opened.store.settings().set_active_expire(false);
    let soon = opened.store.now().0 + 1;
    opened.set(0, b"a", b"x", Some(thermocline_base::UnixMillis(soon)));
    assert_eq!(ready(&opened), expected);
    while opened.get(0, b"a").is_some() {
        std::thread::yield_now();
    }
    assert_eq!(ready(&opened), expected);
    opened.store.unwait(name(0, b"a"), 1);
    opened.set(0, b"a", b"x", None);
    assert!(!opened.store.has_ready_key());
}

#[test]
fn a_key_that_goes_by_itself_is_told() {
    let (mut opened, _directory) = opened();
    wait(&mut opened, 0, b"a", 1);
    let soon = opened.store.now().0 + 1;
    opened.set(0, b"a", b"x", Some(thermocline_base::UnixMillis(soon)));
    ready(&opened);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let told = opened.store.ready_key();
        tokio::time::timeout(Duration::from_secs(60), told)
            .await
            .expect("the keeper removes the key");
    });
    assert_eq!(ready(&opened), [(0, b"a".to_vec())]);
}

#[test]
fn queues_stay_with_the_number_of_their_database() {
    let (mut opened, _directory) = opened();
    // A swap needs all shards to have come up.
    opened.with(&[], |access, _| access.database_len(0));
    wait(&mut opened, 0, b"a", 5);
    wait(&mut opened, 1, b"a", 6);
    wait(&mut opened, 0, b"a", 3);
    opened.with_all(|access| access.swap(0, 1).unwrap());
    let mut swapped = ready(&opened);
    swapped.sort();
    assert_eq!(swapped, [(0, b"a".to_vec()), (1, b"a".to_vec())]);
    let next = |opened: &Opened, database, after| {
        opened.store.next_ticket(name(database, b"a"), after, false)
    };
    assert_eq!(next(&opened, 0, 0), Some(3));
    assert_eq!(next(&opened, 0, 3), Some(5));
    assert_eq!(next(&opened, 1, 0), Some(6));
    opened.with_all(|access| access.flush(Some(0)).unwrap());
    assert_eq!(ready(&opened), [(0, b"a".to_vec())]);
    assert_eq!(next(&opened, 0, 3), Some(5));
    opened.set(0, b"a", b"x", None);
    assert_eq!(ready(&opened), [(0, b"a".to_vec())]);
    opened.store.make_ready(name(1, b"a"), 6);
    assert_eq!(ready(&opened), [(1, b"a".to_vec())]);
}
