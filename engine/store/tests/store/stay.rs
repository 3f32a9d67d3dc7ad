//! While keys have to stay, as during CLIENT PAUSE: what has expired is hidden, nothing is
//! removed, and all of it goes as soon as it may.

use crate::support::{Held, Opened};
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{Admission, KeyName, Policy as Eviction, Statistics};
use thermocline_types::{Update, hash::HashEntry};
use thermocline_wal::Policy;

const SEGMENT_BYTES: u64 = 32 << 20;
/// More than a segment holds.
const KEYS: u32 = 9000;

struct Stage {
    opened: Opened,
    time: SimulatedTime,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(directory.path(), BackendChoice::Auto).expect("it opens");
        let time = SimulatedTime::new(UnixMillis(1_000_000));
        let clock = Clock::Simulated(time.clone());
        let opened = Opened::on_clock(disk, Some(Policy::Never), 1, clock).expect("it opens");
        opened.store.settings().set_maxmemory_bytes(4 << 20);
        Self {
            opened,
            time,
            _directory: directory,
        }
    }

    fn fill(&mut self, expiry: Option<UnixMillis>) {
        for number in 0..KEYS {
            self.opened
                .set(0, &number.to_le_bytes(), &value(number), expiry);
        }
        self.opened.checkpoint();
    }

    fn have_keys_stay(&self, stay: bool) {
        let until_ms = if stay { u64::MAX } else { 0 };
        self.opened
            .store
            .settings()
            .set_keys_stay_until_ms(until_ms);
    }

    /// Returns when the keeper has done all that it does in one round: each round ends behind
    /// a checkpoint that was asked for before it.
    fn pass_a_round(&self) {
        for _ in 0..3 {
            self.opened.checkpoint();
        }
    }

    fn put(&mut self, number: u32) {
        let key = number.to_le_bytes();
        let name = KeyName {
            database: 0,
            key: &key,
        };
        self.opened.with(&[name], |access, _| {
            access.put_string(0, &value(number), None);
            Ok(())
        });
    }

    /// Has memory and the tier be full by a policy that evicts, with garbage to be cleaned, while
    /// keys stay.
    fn fill_up_with_what_stays(&mut self) {
        self.have_keys_stay(true);
        let settings = self.opened.store.settings();
        settings.set_policy(Eviction::AllKeysRandom);
        settings.set_tier_max_bytes(SEGMENT_BYTES);
        for number in 0..KEYS / 10 {
            self.put(number);
        }
        for _ in 0..3 {
            self.time.advance(60_000);
            self.pass_a_round();
        }
        let found = self.opened.store.statistics();
        assert_eq!((found.evicted_keys, found.expired_keys), (0, 0));
        assert!(found.segments_cleaned > 0, "{found:?}");
        assert_eq!(self.opened.len(0), u64::from(KEYS));
    }

    /// Overwrites keys, as there is room, until the statistics are as `is_enough` wants them.
    fn overwrite_until(&mut self, is_enough: impl Fn(&Statistics) -> bool) {
        for number in (0..KEYS).cycle().take(3 * KEYS as usize) {
            let found = self.opened.store.statistics();
            if is_enough(&found) {
                return;
            }
            self.time.advance(100);
            if self.opened.store.admit(true) == Admission::Go {
                self.put(number);
            } else {
                self.opened.rest();
            }
        }
        panic!("{:?}", self.opened.store.statistics());
    }

    /// Waits until `count` of the statistics reaches `least`.
    fn wait_for(&self, least: u64, count: impl Fn(&Statistics) -> u64) {
        let mut waited = 0;
        while count(&self.opened.store.statistics()) < least {
            self.opened.rest();
            waited += 1;
            assert!(waited < 5000, "{:?}", self.opened.store.statistics());
        }
    }
}

fn value(key: u32) -> Vec<u8> {
    let mut random = Random::new(key.into());
    (0..500)
        .flat_map(|_| random.next_u64().to_le_bytes())
        .collect()
}

#[test]
fn fields_that_have_expired_go_at_once_when_they_may() {
    let mut stage = Stage::new();
    let expiry = UnixMillis(stage.opened.store.now().0 + 100);
    let name = KeyName {
        database: 0,
        key: b"hash",
    };
    let fields: Vec<HashEntry<'_>> = vec![(b"kept", b"1", None), (b"brief", b"2", Some(expiry))];
    stage.opened.with(&[name], |access, _| {
        let fields = fields.clone();
        let set = access.update(0, &Update::HashSet { fields });
        set.expect("nothing is there");
        Ok(())
    });
    let fields = |stage: &mut Stage| {
        let held = stage.opened.get(0, b"hash");
        let Some((Held::Hash(fields), None)) = held else {
            panic!("{held:?}");
        };
        fields.len()
    };
    stage.have_keys_stay(true);
    // Longer than the search rests at most.
    stage.time.advance(60_000);
    stage.pass_a_round();
    assert_eq!(stage.opened.store.statistics().expired_fields, 0);
    assert_eq!(fields(&mut stage), 2);
    // The time stands still from here on.
    stage.have_keys_stay(false);
    stage.pass_a_round();
    assert_eq!(stage.opened.store.statistics().expired_fields, 1);
    assert_eq!(fields(&mut stage), 1);
    stage.opened.close(false);
}

#[test]
fn a_segment_that_has_expired_is_left_alone_while_its_keys_stay() {
    let mut stage = Stage::new();
    let expiry = UnixMillis(stage.opened.store.now().0 + 60_000);
    stage.fill(Some(expiry));
    let before = stage.opened.store.statistics();
    assert!(
        before.cold_keys > 0 && before.segments_used > 1,
        "{before:?}"
    );
    stage.have_keys_stay(true);
    for _ in 0..3 {
        // Longer than the cleaner rests at most.
        stage.time.advance(60_000);
        stage.pass_a_round();
    }
    let during = stage.opened.store.statistics();
    assert_eq!(during.expired_keys, 0);
    assert_eq!(during.evicted_keys, 0);
    assert_eq!(during.segments_cleaned, before.segments_cleaned);
    assert_eq!(stage.opened.len(0), u64::from(KEYS));
    for number in [0, KEYS / 2, KEYS - 1] {
        assert_eq!(stage.opened.get(0, &number.to_le_bytes()), None);
    }
    assert_eq!(stage.opened.store.statistics().expired_keys, 0);
    stage.have_keys_stay(false);
    // What is in the last segment too, which is not full.
    stage.wait_for(u64::from(KEYS), |found| found.expired_keys);
    stage.opened.close(false);
}

#[test]
fn what_has_expired_and_stays_is_not_evicted_from_a_full_tier() {
    let mut stage = Stage::new();
    let expiry = UnixMillis(stage.opened.store.now().0 + 60_000);
    stage.fill(Some(expiry));
    stage.fill_up_with_what_stays();
    stage.have_keys_stay(false);
    stage.overwrite_until(|found| found.expired_keys > 0);
    stage.opened.close(false);
}

#[test]
fn nothing_is_evicted_while_keys_stay() {
    let mut stage = Stage::new();
    stage.fill(None);
    stage.fill_up_with_what_stays();
    stage.have_keys_stay(false);
    stage.overwrite_until(|found| found.evicted_keys > 0);
    stage.opened.close(false);
}
