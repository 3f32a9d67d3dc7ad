//! What a script has done is taken back whole, or stays whole: flushes and swaps of databases
//! too, and nobody hears of it before it stays.

use crate::support::{Held as Value, Opened};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use thermocline_base::Lsn;
use thermocline_store::{Access, Change, FaultSet, Held, KeyName, Observer, Store};
use thermocline_wal::Policy;

/// Keeps what it is told.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Observer for Recorder {
    fn observe(&self, changes: &[Change<'_>], _lsn: Lsn) {
        let changes = changes.iter().map(|change| match change {
            Change::Key(key) => String::from_utf8_lossy(key).into_owned(),
            other => format!("{other:?}"),
        });
        self.0.lock().unwrap().extend(changes);
    }

    fn settle(&self) {}
}

fn name(database: u8, key: &[u8]) -> KeyName<'_> {
    KeyName { database, key }
}

/// Begins what may be taken back, with all shards held.
fn begin(store: &Store) -> Held<'_> {
    let mut access = Access::new(store, &[]);
    access.keep_journal();
    let acquired = access.acquire(&FaultSet::new(), true);
    acquired.expect("all has come up");
    access.suspend()
}

fn step<'s>(
    held: Held<'s>,
    names: &[KeyName<'_>],
    run: impl FnOnce(&mut Access<'_, '_>),
) -> Held<'s> {
    let mut access = Access::resume(held, names);
    let acquired = access.acquire_more(&FaultSet::new());
    acquired.expect("the keys are at hand");
    run(&mut access);
    access.suspend()
}

fn set<'s>(held: Held<'s>, database: u8, key: &[u8], value: &[u8]) -> Held<'s> {
    step(held, &[name(database, key)], |access| {
        access.put_string(0, value, None);
    })
}

fn delete<'s>(held: Held<'s>, database: u8, key: &[u8]) -> Held<'s> {
    step(held, &[name(database, key)], |access| {
        assert!(access.delete(0));
    })
}

fn swap(held: Held<'_>, first: u8, second: u8) -> Held<'_> {
    step(held, &[], |access| access.swap(first, second).unwrap())
}

fn flush(held: Held<'_>, database: Option<u8>) -> Held<'_> {
    step(held, &[], |access| access.flush(database).unwrap())
}

fn len(held: Held<'_>, database: u8, expected: u64) -> Held<'_> {
    step(held, &[], |access| {
        assert_eq!(access.database_len(database).unwrap(), expected);
    })
}

/// All that three databases hold.
fn contents(opened: &mut Opened) -> Vec<(u8, Vec<u8>, Value)> {
    let mut found = Vec::new();
    for database in 0..3 {
        let keys = opened.keys(database);
        assert_eq!(opened.len(database), keys.len() as u64);
        for key in keys {
            let (value, _) = opened.get(database, &key).expect("it was met by a scan");
            found.push((database, key, value));
        }
    }
    found
}

struct Watched {
    opened: Opened,
    recorder: Arc<Recorder>,
    flags: [Arc<AtomicBool>; 3],
    directory: tempfile::TempDir,
}

/// Some keys in two databases, one of them large; `a` in both and `gone`, which is nowhere,
/// are watched, and somebody waits for `queue`.
fn watched() -> Watched {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = Opened::open(directory.path(), Some(Policy::Never), 1);
    opened.settle();
    for database in 0..2 {
        opened.set(database, b"a", b"first", None);
        opened.set(database, b"large", &[b'0' + database; 100_000], None);
    }
    opened.set(0, b"only", b"here", None);
    let watched = [(0, &b"a"[..]), (1, b"a"), (0, b"gone")];
    let flags = watched.map(|(database, key)| {
        let flag = Arc::new(AtomicBool::new(false));
        opened.store.watch(name(database, key), &flag);
        flag
    });
    opened.with(&[name(0, b"queue")], |access, _| {
        access.wait(0, 7, false);
        Ok(())
    });
    let recorder = Arc::new(Recorder::default());
    let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(&recorder);
    opened.store.set_observer(observer);
    opened.store.ask_for_changes(true);
    Watched {
        opened,
        recorder,
        flags,
        directory,
    }
}

impl Watched {
    fn flagged(&self) -> [bool; 3] {
        [0, 1, 2].map(|at: usize| self.flags[at].load(Ordering::Acquire))
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.recorder.0.lock().unwrap())
    }

    fn restart(self, checkpoint: bool) -> Vec<(u8, Vec<u8>, Value)> {
        self.opened.close(checkpoint);
        let mut opened = Opened::open(self.directory.path(), Some(Policy::Never), 2);
        opened.settle();
        contents(&mut opened)
    }
}

#[test]
fn flushes_and_swaps_are_taken_back_unheard() {
    for checkpoint in [false, true] {
        let mut watched = watched();
        let before = contents(&mut watched.opened);
        let store = Arc::clone(&watched.opened.store);
        let mut held = begin(&store);
        held = set(held, 0, b"a", b"second");
        held = set(held, 1, b"new", b"1");
        held = flush(held, Some(0));
        held = len(held, 0, 0);
        held = set(held, 0, b"a", b"third");
        held = set(held, 0, b"large", &[b'x'; 100_000]);
        held = swap(held, 0, 1);
        held = len(held, 0, 3);
        held = delete(held, 0, b"a");
        held = flush(held, None);
        held = set(held, 2, b"queue", b"1");
        held = swap(held, 0, 2);
        held = set(held, 0, b"queue", b"2");
        held.rollback();
        assert_eq!(contents(&mut watched.opened), before);
        assert_eq!(watched.flagged(), [false; 3]);
        assert_eq!(watched.told(), [""; 0]);
        assert!(!store.has_ready_key());
        // All who watch and wait do so as before.
        watched.opened.set(1, b"a", b"changed", None);
        assert_eq!(watched.flagged(), [false, true, false]);
        watched.opened.set(0, b"gone", b"1", None);
        assert_eq!(watched.flagged(), [false, true, true]);
        watched.opened.set(0, b"queue", b"1", None);
        let ready = store.take_ready_key().expect("it is waited for");
        assert_eq!((ready.database, &*ready.key), (0, &b"queue"[..]));
        drop(store);
        let last = contents(&mut watched.opened);
        assert_eq!(watched.restart(checkpoint), last);
    }
}

#[test]
fn flushes_and_swaps_that_stay_are_told_once() {
    for checkpoint in [false, true] {
        let mut watched = watched();
        let store = Arc::clone(&watched.opened.store);
        let mut held = begin(&store);
        held = set(held, 0, b"a", b"second");
        held = flush(held, Some(0));
        held = set(held, 0, b"b", b"third");
        held = swap(held, 0, 2);
        assert_eq!(watched.told(), [""; 0]);
        assert_eq!(watched.flagged(), [false; 3]);
        held.finish();
        assert_eq!(watched.told(), ["a", "Flushed", "b"]);
        assert_eq!(watched.flagged(), [true, false, false]);
        // The database of its number is another one. It may be looked at more often.
        let mut ready = std::iter::from_fn(|| store.take_ready_key());
        assert!(ready.any(|ready| (ready.database, &*ready.key) == (0, b"queue")));
        drop(store);
        let last = contents(&mut watched.opened);
        let keys: Vec<_> = last
            .iter()
            .map(|(database, key, _)| (*database, &**key))
            .collect();
        let expected: [(u8, &[u8]); 3] = [(1, b"a"), (1, b"large"), (2, b"b")];
        assert_eq!(keys, expected);
        assert_eq!(watched.restart(checkpoint), last);
    }
}

/// A key that is gone when databases are swapped is not changed by that, but was by what came
/// before it.
#[test]
fn who_watches_a_key_is_told_of_its_change_before_a_swap_and_a_flush() {
    let watched = watched();
    let store = Arc::clone(&watched.opened.store);
    let mut held = begin(&store);
    held = delete(held, 0, b"a");
    held = delete(held, 1, b"a");
    held = swap(held, 0, 1);
    held = flush(held, None);
    held.finish();
    assert_eq!(watched.flagged(), [true, true, false]);
}

/// Whether a thread, by its directory, waits for something.
fn sleeps(thread: &Path) -> bool {
    let text = std::fs::read_to_string(thread.join("stat")).unwrap();
    let (_, after_name) = text.rsplit_once(')').expect("the name is in brackets");
    after_name.trim_start().starts_with('S')
}

#[test]
fn statistics_know_nothing_of_a_flush_that_is_taken_back() {
    let watched = watched();
    let store = &watched.opened.store;
    let expected = store.statistics().databases[0].keys;
    assert_eq!(expected, 3);
    let held = flush(begin(store), None);
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let asked = scope.spawn(move || {
            tell.send(std::fs::read_link("/proc/thread-self").unwrap())
                .unwrap();
            store.statistics().databases[0].keys
        });
        // All it can wait for is a shard.
        let thread = Path::new("/proc").join(told.recv().unwrap());
        while !sleeps(&thread) {
            std::thread::yield_now();
        }
        held.rollback();
        assert_eq!(asked.join().unwrap(), expected);
    });
}
