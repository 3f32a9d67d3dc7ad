//! Tests of streams against a plain model.

use super::*;
use crate::update::tests::apply_both;
use crate::value::{Form, Limits, Value};
use crate::{Update, apply};
use std::collections::BTreeMap;
use thermocline_base::{Random, UnixMillis};

fn limits() -> Limits {
    Limits {
        stream_node_max_bytes: 300,
        stream_node_max_entries: 8,
        ..Limits::default()
    }
}

fn assert_true_counts(stream: &Stream) {
    let live: u64 = stream.nodes().map(|(_, node)| node.live()).sum();
    assert_eq!(live, stream.length);
    let nodes: usize = stream.nodes().map(|(_, node)| node.heap_bytes()).sum();
    assert_eq!(nodes, stream.node_bytes);
    let groups: usize = stream
        .groups()
        .map(|(name, group)| GROUP_BYTES + name.len() + group.heap_bytes())
        .sum();
    assert_eq!(groups, stream.group_bytes);
    for (_, group) in stream.groups() {
        let pending: usize = group.consumers().map(|(_, it)| it.pending_len()).sum();
        assert_eq!(pending, group.pending_len());
    }
}

fn all(stream: &Stream) -> Vec<(StreamId, Vec<u8>)> {
    let entries = stream.range(StreamId::MIN..=StreamId::MAX);
    let texts = |entry: StreamEntry<'_>| {
        let fields = entry.fields();
        let texts: Vec<_> = fields.flat_map(|(name, value)| [name, value]).collect();
        texts.join(&b' ')
    };
    entries.map(|entry| (entry.id, texts(entry))).collect()
}

/// One random change, and what it does to the model.
fn change(
    random: &mut Random,
    stream: &Stream,
    model: &mut BTreeMap<StreamId, Vec<u8>>,
) -> StreamUpdate<'static> {
    const NAMES: [&[u8]; 4] = [b"name", b"other", b"12", b"-7"];
    const CONSUMERS: [&[u8]; 3] = [b"a", b"b", b"c"];
    let chosen = |random: &mut Random| StreamId::new(random.below(60), random.below(4));
    let consumer = CONSUMERS[random.below(3) as usize];
    let at = UnixMillis(random.below(1000) as i64);
    match random.below(12) {
        0..5 => {
            let step = StreamId::new(random.below(2), random.below(3) + 1);
            let last = stream.last_id();
            let id = StreamId::new(last.ms + step.ms, last.sequence + step.sequence);
            let count = 2 * (1 + random.below(2) as usize);
            let fields: Vec<&[u8]> = (0..count)
                .map(|at| NAMES[at % 3 + random.below(2) as usize])
                .collect();
            model.insert(id, fields.join(&b' '));
            StreamUpdate::Add { id, fields }
        }
        5 => {
            let ids: Vec<_> = (0..3).map(|_| chosen(random)).collect();
            ids.iter().for_each(|id| {
                model.remove(id);
            });
            StreamUpdate::Delete {
                ids,
                is_remembered: true,
            }
        }
        6 => {
            let most = random.below(40);
            let trim = Trim {
                to: TrimTo::Length(most),
                is_approximate: random.chance(2),
                limit: random.below(2) * 9,
            };
            let plan = stream.plan_trim(trim);
            let before = model.len();
            model.retain(|id, _| *id > plan.through);
            assert_eq!((before - model.len()) as u64, plan.entries);
            if !trim.is_approximate && trim.limit == 0 {
                assert_eq!(model.len() as u64, most.min(before as u64));
            }
            StreamUpdate::Trim {
                through: plan.through,
            }
        }
        7 => StreamUpdate::CreateGroup {
            group: b"g",
            last_id: chosen(random),
            entries_read: -1,
        },
        8 => StreamUpdate::TouchConsumer {
            group: b"g",
            consumer,
            seen_at: at,
            active_at: None,
        },
        9 => StreamUpdate::Deliver {
            group: b"g",
            consumer,
            entries: vec![(chosen(random), at, 2)],
        },
        10 => StreamUpdate::Acknowledge {
            group: b"g",
            ids: vec![chosen(random)],
        },
        _ if random.chance(20) => StreamUpdate::DestroyGroup { group: b"g" },
        _ if random.chance(8) => StreamUpdate::RemoveConsumer {
            group: b"g",
            consumer,
        },
        _ => StreamUpdate::SetGroupId {
            group: b"g",
            last_id: chosen(random),
            entries_read: 3,
        },
    }
}

#[test]
fn behaves_as_a_plain_map_and_reads_back_after_every_change() {
    let mut random = Random::new(9);
    for _ in 0..20 {
        let mut model = BTreeMap::new();
        let first = StreamUpdate::CreateGroup {
            group: b"g",
            last_id: StreamId::MIN,
            entries_read: 0,
        };
        let mut value = apply(None, &Update::Stream(first), &limits()).expect("makes a stream");
        for _ in 0..300 {
            let capture = value.clone();
            let stream = capture.as_ref().stream().expect("is a stream");
            let before = all(stream);
            let update = Update::Stream(change(&mut random, stream, &mut model));
            let mut encoded = Vec::new();
            update.encode_into(&mut encoded);
            assert_eq!(Update::decode(&encoded), Ok(update.clone()));
            value = apply_both(Some(value), &update, &limits()).expect("applies");
            let changed = value.as_ref().stream().expect("is a stream");
            let expected: Vec<_> = model.clone().into_iter().collect();
            assert_eq!(all(changed), expected, "{update:?}");
            assert_eq!(
                changed.first_id(),
                model.keys().next().copied().unwrap_or_default()
            );
            assert_eq!(changed.last_entry_id(), model.keys().last().copied());
            assert_eq!(all(stream), before, "a capture stays");
            assert_true_counts(changed);
            let mut bytes = Vec::new();
            assert_eq!(value.serialize_into(&mut bytes), Form::Stream);
            let read = Value::deserialize(Form::Stream, &bytes).expect("reads back");
            assert_eq!(read.as_ref().stream().expect("is a stream"), changed);
        }
    }
}

#[test]
fn ranges_go_both_ways() {
    let mut stream = Stream::default();
    for number in 1..50 {
        stream.add(StreamId::new(number, 0), &[b"f", b"v"], 4096, 7);
    }
    let (start, end) = (StreamId::new(6, 1), StreamId::new(23, 0));
    let forward: Vec<u64> = stream.range(start..=end).map(|entry| entry.id.ms).collect();
    assert_eq!(forward, (7..=23).collect::<Vec<_>>());
    let back: Vec<u64> = stream
        .range_back(start..=end)
        .map(|entry| entry.id.ms)
        .collect();
    assert_eq!(back, (7..=23).rev().collect::<Vec<_>>());
    assert_eq!(stream.range(end..=start).count(), 0);
    assert_eq!(stream.range(StreamId::MAX..=StreamId::MAX).count(), 0);
}

#[test]
fn damaged_bytes_are_refused_or_are_another_stream() {
    let mut stream = Stream::default();
    for number in 1..20 {
        stream.add(
            StreamId::new(number, 3),
            &[b"field", b"value", b"n", b"17"],
            200,
            0,
        );
    }
    stream.add_group(b"g", Group::new(StreamId::new(4, 3), 4));
    stream.change_group(b"g", |group| {
        group.touch(b"c", UnixMillis(5), None);
        group.deliver(StreamId::new(4, 3), b"c", UnixMillis(5), 1);
    });
    let mut bytes = Vec::new();
    serialize(&stream, &mut bytes);
    for at in 0..bytes.len() {
        assert!(deserialize(&bytes[..at]).is_err(), "{at}");
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(read) = deserialize(&damaged) {
                assert_true_counts(&read);
                assert_eq!(all(&read).len() as u64, read.len());
            }
        }
    }
}
