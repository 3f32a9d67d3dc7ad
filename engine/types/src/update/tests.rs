//! Model tests: random updates against plain maps and vectors, in both forms.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use thermocline_base::{HashSeed, Random};

/// As [`apply`], and a large value is changed where it lies too: to the same one.
pub(crate) fn apply_both(
    current: Option<Value>,
    update: &Update<'_>,
    limits: &Limits,
) -> Result<Value, TypeError> {
    let twin = match &current {
        Some(Value::Object(object)) => Some(object.clone()),
        _ => None,
    };
    let changed = apply(current, update, limits);
    let Some(mut twin) = twin else {
        return changed;
    };
    let small = apply_in_place(&mut twin, update, limits);
    let in_place = small.map(|small| small.unwrap_or(Value::Object(twin)));
    let serialized = |value: &Result<Value, TypeError>| {
        value.as_ref().map_err(|error| *error).map(|value| {
            let mut bytes = Vec::new();
            (value.serialize_into(&mut bytes), bytes)
        })
    };
    assert_eq!(serialized(&in_place), serialized(&changed));
    changed
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<(u16, Vec<u8>, Option<i64>)>),
    Delete(Vec<u16>),
    Expire(u16, Option<i64>),
}

fn name(field: u16) -> Vec<u8> {
    format!("field:{field}").into_bytes()
}

fn changes(fields: u16) -> impl Strategy<Value = Vec<Change>> {
    let expiry = || proptest::option::of(0..100_i64);
    let value = vec(any::<u8>(), 0..70);
    vec(
        prop_oneof![
            3 => vec((0..fields, value, expiry()), 1..12).prop_map(Change::Set),
            2 => vec(0..fields, 1..6).prop_map(Change::Delete),
            1 => (0..fields, expiry()).prop_map(|(field, expiry)| Change::Expire(field, expiry)),
        ],
        1..60,
    )
}

/// Applies `change` to both, through the bytes of the update.
fn step(value: &mut Option<Value>, model: &mut Model, change: &Change, limits: &Limits) {
    let names: Vec<Vec<u8>>;
    let update = match change {
        Change::Set(fields) => {
            names = fields.iter().map(|(field, ..)| name(*field)).collect();
            let fields = fields.iter().zip(&names);
            let fields: Vec<HashEntry<'_>> = fields
                .map(|((_, value, expiry), name)| {
                    (name.as_slice(), value.as_slice(), expiry.map(UnixMillis))
                })
                .collect();
            for (field, value, expiry) in &fields {
                model.insert(field.to_vec(), (value.to_vec(), *expiry));
            }
            Update::HashSet { fields }
        }
        Change::Delete(fields) => {
            names = fields.iter().map(|field| name(*field)).collect();
            if value.is_some() {
                names.iter().for_each(|name| drop(model.remove(name)));
            }
            let fields = names.iter().map(Vec::as_slice).collect();
            Update::HashDelete { fields }
        }
        Change::Expire(field, expiry) => {
            names = vec![name(*field)];
            let (field, expiry) = (names[0].as_slice(), expiry.map(UnixMillis));
            if let Some(entry) = model.get_mut(field) {
                entry.1 = expiry;
            }
            Update::HashExpire { field, expiry }
        }
    };
    let mut bytes = Vec::new();
    update.encode_into(&mut bytes);
    let decoded = Update::decode(&bytes).expect("was just encoded");
    assert_eq!(decoded, update);
    let checked = decoded.check(value.as_ref().map(Value::as_ref));
    if value.is_none() && !matches!(change, Change::Set(_)) {
        assert_eq!(checked, Err(TypeError::NoValue));
        return;
    }
    *value = Some(apply_both(value.take(), &decoded, limits).expect("was checked"));
}

fn contents(value: &Value) -> Model {
    let hash = value.as_ref().hash().expect("is a hash");
    hash.iter(SHOW_ALL)
        .map(|(field, value, expiry)| (field.to_vec(), (value.to_vec(), expiry)))
        .collect()
}

const SHOW_ALL: UnixMillis = crate::hash::SHOW_EXPIRED;

fn assert_equal(value: &Value, model: &Model) {
    let hash = value.as_ref().hash().expect("is a hash");
    assert_eq!(&contents(value), model);
    assert_eq!(hash.len(), model.len());
    assert_eq!(hash.is_empty(), model.is_empty());
    let expiries = || model.values().filter_map(|(_, expiry)| *expiry);
    assert_eq!(hash.expiring_fields(), expiries().count());
    assert!(hash.earliest_expiry_hint() <= expiries().min() || expiries().count() == 0);
    for now in [0, 50, 100].map(UnixMillis) {
        let is_live = |expiry: &Option<UnixMillis>| expiry.is_none_or(|expiry| now <= expiry);
        let live: Vec<&Vec<u8>> = (model.iter())
            .filter(|(_, (_, expiry))| is_live(expiry))
            .map(|(field, _)| field)
            .collect();
        let seen: BTreeSet<&[u8]> = hash.iter(now).map(|entry| entry.0).collect();
        assert_eq!(seen, live.iter().map(|field| field.as_slice()).collect());
        assert_eq!(hash.live_len(now), live.len());
        assert_eq!(
            hash.expired(now, usize::MAX).len(),
            model.len() - live.len()
        );
        assert!(live.iter().all(|field| hash.contains(field, now)));
        let random = hash.random(&mut Random::new(3), now);
        assert_eq!(random.is_some(), !live.is_empty());
        assert!(random.is_none_or(|entry| hash.get(entry.0, now) == Some(entry)));
        let mut scanned = BTreeSet::new();
        let mut cursor = 0;
        loop {
            let (next, entries) = hash.scan(cursor, 3, now);
            scanned.extend(entries.into_iter().map(|entry| entry.0));
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, seen);
    }
}

fn limits(entries: usize) -> Limits {
    Limits {
        hash_max_listpack_entries: entries,
        hash_max_listpack_value: 256,
        field_seed: HashSeed(11),
        ..Limits::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hashes_of_both_forms_do_what_a_map_does(
        changes in changes(200),
        entries in prop_oneof![Just(0_usize), 0..40_usize, Just(10_000)],
    ) {
        let (mut value, mut model, limits) = (None, Model::new(), limits(entries));
        for (number, change) in changes.iter().enumerate() {
            step(&mut value, &mut model, change, &limits);
            if number % 16 == 0 && let Some(value) = &value {
                assert_equal(value, &model);
            }
        }
        if let Some(value) = &value {
            assert_equal(value, &model);
            let mut bytes = Vec::new();
            let form = value.serialize_into(&mut bytes);
            let read = Value::deserialize(form, &bytes).expect("was just written");
            prop_assert_eq!(read.encoding_name(), value.encoding_name());
            assert_equal(&read, &model);
        }
    }

    #[test]
    fn a_capture_does_not_see_later_updates(
        before in changes(300),
        after in changes(300),
        entries in prop_oneof![Just(0_usize), Just(10_000)],
    ) {
        let (mut value, mut model, limits) = (None, Model::new(), limits(entries));
        for change in &before {
            step(&mut value, &mut model, change, &limits);
        }
        let capture = value.as_ref().map(|value| value.as_ref().capture());
        let captured = model.clone();
        for change in &after {
            step(&mut value, &mut model, change, &limits);
        }
        if let Some(capture) = capture {
            assert_equal(&capture, &captured);
        }
        if let Some(value) = value {
            assert_equal(&value, &model);
        }
    }

    #[test]
    fn strings_do_what_a_vector_does(
        steps in vec((any::<bool>(), 0..20_000_u64, vec(any::<u8>(), 0..3000)), 1..12),
    ) {
        let (mut value, mut model) = (None, Vec::new());
        for (append, offset, bytes) in &steps {
            let offset = *offset;
            let update = if *append {
                model.extend_from_slice(bytes);
                Update::StringAppend(bytes)
            } else {
                if !bytes.is_empty() {
                    let end = offset as usize + bytes.len();
                    model.resize(model.len().max(end), 0);
                    model[offset as usize..end].copy_from_slice(bytes);
                }
                Update::StringSetRange { offset, bytes }
            };
            let mut encoded = Vec::new();
            update.encode_into(&mut encoded);
            prop_assert_eq!(&Update::decode(&encoded).unwrap(), &update);
            let captured: Option<Value> = value.clone();
            let before = model_of(captured.as_ref());
            value = Some(apply_both(value, &update, &Limits::default()).unwrap());
            prop_assert_eq!(before, model_of(captured.as_ref()));
            prop_assert_eq!(&model_of(value.as_ref()), &model);
            let mut out = Vec::new();
            let form = value.as_ref().unwrap().serialize_into(&mut out);
            let read = Value::deserialize(form, &out).unwrap();
            prop_assert_eq!(read.encoding_name(), value.as_ref().unwrap().encoding_name());
            prop_assert_eq!(&model_of(Some(&read)), &model);
        }
    }

    #[test]
    fn no_bytes_panic(form in any::<u8>(), bytes in vec(0..12_u8, 0..60), raw in vec(any::<u8>(), 0..60)) {
        for bytes in [&bytes, &raw] {
            for form in [form, 1, 2, 3, 4] {
                if let Ok(form) = Form::from_u8(form)
                    && let Ok(value) = Value::deserialize(form, bytes)
                {
                    let mut again = Vec::new();
                    prop_assert_eq!(value.serialize_into(&mut again), form);
                    prop_assert!(Value::deserialize(form, &again).is_ok());
                }
            }
            for first in 0..6 {
                let mut update = vec![first];
                update.extend_from_slice(bytes);
                if let Ok(update) = Update::decode(&update) {
                    let _ = apply(None, &update, &Limits::default());
                }
            }
            // Bytes that were never checked must be safe to read too.
            let hash = ValueRef::Inline { form: Form::HashPacked, bytes }.hash().unwrap();
            let _ = (hash.iter(SHOW_ALL).count(), hash.random(&mut Random::new(1), SHOW_ALL));
        }
    }
}

fn model_of(value: Option<&Value>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| {
        value.as_ref().string().expect("is a string").to_vec()
    })
}

#[test]
fn encodings_change_at_the_limits_and_never_back() {
    let set = |value, count: usize, bytes: usize| {
        let names: Vec<String> = (0..count).map(|field| field.to_string()).collect();
        let long = vec![b'x'; bytes];
        let fields = names
            .iter()
            .map(|name| (name.as_bytes(), long.as_slice(), None))
            .collect();
        apply(value, &Update::HashSet { fields }, &Limits::default()).expect("is a hash")
    };
    assert_eq!(set(None, 512, 64).encoding_name(), "listpack");
    assert_eq!(set(None, 1, 65).encoding_name(), "hashtable");
    let full = set(None, 513, 1);
    assert_eq!(full.encoding_name(), "hashtable");
    let names: Vec<String> = (0..513).map(|field| field.to_string()).collect();
    let fields = names.iter().map(String::as_bytes).collect();
    let delete = Update::HashDelete { fields };
    let emptied = apply(Some(full), &delete, &Limits::default()).expect("is a hash");
    assert_eq!(emptied.encoding_name(), "hashtable");
    assert!(emptied.as_ref().is_empty_collection());
    let string = Value::from_string(b"12".to_vec()).expect("is short");
    assert_eq!(string.encoding_name(), "int");
    let raw = apply(
        Some(string),
        &Update::StringAppend(b"3"),
        &Limits::default(),
    );
    assert_eq!(raw.expect("is a string").encoding_name(), "raw");
}

#[test]
fn wrong_kinds_missing_values_and_oversize_are_refused() {
    let string = Value::from_string(b"s".to_vec()).expect("is short");
    let expire = Update::HashExpire {
        field: b"f",
        expiry: None,
    };
    let wrong = TypeError::WrongKind {
        expected: ValueKind::Hash,
        found: ValueKind::String,
    };
    assert_eq!(expire.check(Some(string.as_ref())), Err(wrong));
    assert_eq!(expire.check(None), Err(TypeError::NoValue));
    let far = Update::StringSetRange {
        offset: 512 * 1024 * 1024,
        bytes: b"x",
    };
    assert!(matches!(
        far.check(Some(string.as_ref())),
        Err(TypeError::TooLarge { .. })
    ));
    assert!(apply(Some(string), &far, &Limits::default()).is_err());
}

#[test]
fn update_bytes_are_as_format_md_rules_them() {
    let bytes = |update: Update<'_>| {
        let mut out = Vec::new();
        update.encode_into(&mut out);
        out
    };
    assert_eq!(bytes(Update::StringAppend(b"ab")), b"\x01ab");
    let range = Update::StringSetRange {
        offset: 300,
        bytes: b"z",
    };
    assert_eq!(bytes(range), b"\x02\xac\x02z");
    let fields = vec![(&b"f"[..], &b"v"[..], Some(UnixMillis(1)))];
    assert_eq!(
        bytes(Update::HashSet { fields }),
        b"\x03\x01\x01f\x01v\x01\0\0\0\0\0\0\0"
    );
    let fields = vec![&b"f"[..], b"gh"];
    assert_eq!(bytes(Update::HashDelete { fields }), b"\x04\x01f\x02gh");
    let field = b"f";
    let expiry = None;
    assert_eq!(
        bytes(Update::HashExpire { field, expiry }),
        b"\x05\0\x01f\0"
    );
}
