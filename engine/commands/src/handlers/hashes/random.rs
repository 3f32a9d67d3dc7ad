//! Random entries of a hash for HRANDFIELD.
//!
//! Owns that an expired one is never drawn; `draw` owns how it is done. Pure;
//! any thread.

use super::super::draw::Source;
use thermocline_base::{Random, UnixMillis};
use thermocline_types::{HashEntry, HashRef};

fn source<'a>(
    hash: HashRef<'a>,
    now: UnixMillis,
) -> Source<impl FnMut(&mut Random) -> Option<HashEntry<'a>>, impl Fn() -> Vec<HashEntry<'a>>> {
    Source {
        len: hash.len(),
        is_large: matches!(hash, HashRef::Full(_)),
        one: move |random: &mut Random| hash.random(random, now),
        all: move || hash.iter(now).collect(),
    }
}

/// At most `count` different entries, all of them where there are no more.
pub(super) fn unique<'a>(
    hash: HashRef<'a>,
    count: usize,
    random: &mut Random,
    now: UnixMillis,
) -> Vec<HashEntry<'a>> {
    source(hash, now).unique(count, random)
}

/// `count` entries with repetition, none if the hash has none to give. `None`
/// if they and a reply of them would take more than `limit_bytes`.
pub(super) fn repeating<'a>(
    hash: HashRef<'a>,
    count: usize,
    random: &mut Random,
    now: UnixMillis,
    limit_bytes: usize,
) -> Option<Vec<HashEntry<'a>>> {
    let bytes_of = |entry: &HashEntry<'_>| entry.0.len() + entry.1.len();
    source(hash, now).repeating(count, random, bytes_of, limit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use thermocline_types::{Limits, Update, Value, apply};

    const NOW: UnixMillis = UnixMillis(1000);

    /// A hash of `live` fields that stay and `dead` ones that have expired.
    fn hash(live: usize, dead: usize, packed_fields: usize) -> Value {
        let names: Vec<String> = (0..live + dead).map(|number| number.to_string()).collect();
        let limits = Limits {
            hash_max_listpack_entries: packed_fields,
            ..Limits::default()
        };
        let fields = names.iter().enumerate().map(|(number, name)| {
            let expiry = (number >= live).then_some(UnixMillis(1));
            (name.as_bytes(), &b"value"[..], expiry)
        });
        let fields = fields.collect();
        apply(None, &Update::HashSet { fields }, &limits).expect("fits")
    }

    fn both_forms(live: usize, dead: usize) -> [Value; 2] {
        [hash(live, dead, 10_000), hash(live, dead, 0)]
    }

    #[test]
    fn unique_entries_are_live_and_as_many_as_asked_for() {
        for value in both_forms(100, 50) {
            let hash = value.as_ref().hash().expect("a hash");
            for count in [0, 1, 5, 40, 99, 100, 101, usize::MAX] {
                let entries = unique(hash, count, &mut Random::new(3), NOW);
                assert_eq!(entries.len(), count.min(100));
                let fields: BTreeSet<_> = entries.iter().map(|entry| entry.0).collect();
                assert_eq!(fields.len(), entries.len());
                assert!(entries.iter().all(|entry| hash.contains(entry.0, NOW)));
            }
        }
    }

    #[test]
    fn unique_entries_end_where_nearly_all_have_expired() {
        for value in both_forms(2, 2000) {
            let hash = value.as_ref().hash().expect("a hash");
            assert_eq!(unique(hash, 300, &mut Random::new(4), NOW).len(), 2);
        }
    }

    #[test]
    fn every_entry_can_be_drawn() {
        for value in both_forms(20, 0) {
            let hash = value.as_ref().hash().expect("a hash");
            let mut random = Random::new(5);
            let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..1000 {
                once.extend(unique(hash, 2, &mut random, NOW));
            }
            again.extend(repeating(hash, 1000, &mut random, NOW, usize::MAX).expect("no limit"));
            assert_eq!((once.len(), again.len()), (20, 20));
        }
    }

    #[test]
    fn repetition_is_held_to_the_limit_and_needs_a_live_field() {
        for value in both_forms(1, 5) {
            let hash = value.as_ref().hash().expect("a hash");
            let mut random = Random::new(6);
            let entries = repeating(hash, 7, &mut random, NOW, 1000);
            assert_eq!(entries.map(|entries| entries.len()), Some(7));
            assert_eq!(repeating(hash, usize::MAX, &mut random, NOW, 1000), None);
        }
        for value in both_forms(0, 5) {
            let hash = value.as_ref().hash().expect("a hash");
            let entries = repeating(hash, usize::MAX, &mut Random::new(7), NOW, 1000);
            assert_eq!(entries, Some(Vec::new()));
        }
    }
}
