//! Any bytes as the payload of a frame of the log: no panic, and what is read is written
//! as it stood; updates among them apply to a value or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thermocline_base::Lsn;
use thermocline_store::effect::{Effect, decode_all};
use thermocline_store::payload::Chains;
use thermocline_types::{Form, Limits, Update, Value, apply};

/// A string is not made longer than this: the limit of the product is half a gigabyte.
const STRING_MAX_BYTES: u64 = 1 << 20;

fn apply_all(effects: &[Effect<'_>]) {
    let limits = Limits {
        hash_max_listpack_entries: 4,
        list_max_listpack_size: 4,
        set_max_intset_entries: 4,
        set_max_listpack_entries: 4,
        zset_max_listpack_entries: 4,
        stream_node_max_entries: 3,
        ..Limits::default()
    };
    let mut value: Option<Value> = None;
    for effect in effects {
        match *effect {
            Effect::Put {
                form, value: bytes, ..
            } => {
                let Ok(form) = Form::from_u8(form) else {
                    return;
                };
                value = Value::deserialize(form, bytes).ok();
            }
            Effect::Delete { .. } => value = None,
            Effect::Update { update, .. } => {
                let Ok(update) = Update::decode(update) else {
                    return;
                };
                let is_long = matches!(
                    update,
                    Update::StringSetRange { offset, .. } if offset > STRING_MAX_BYTES
                );
                let current = value.as_ref().map(Value::as_ref);
                if is_long || update.check(current).is_err() {
                    return;
                }
                value = apply(value.take(), &update, &limits).ok();
            }
            Effect::Expire { .. } | Effect::Databases(_) => {}
        }
        let Some(value) = &value else { continue };
        let mut bytes = Vec::new();
        let form = value.serialize_into(&mut bytes);
        // A collection that has become empty is deleted before it is ever written.
        if !value.as_ref().is_empty_collection() {
            let read = Value::deserialize(form, &bytes).expect("what was written can be read");
            let mut again = Vec::new();
            assert_eq!(read.serialize_into(&mut again), form);
            assert_eq!(again, bytes);
        }
    }
}

fuzz_target!(|payload: &[u8]| {
    let mut chains = Chains::default();
    let Ok(Some((_, effects))) = chains.feed(Lsn::ZERO, payload) else {
        return;
    };
    let Ok(effects) = decode_all(&effects) else {
        return;
    };
    let mut written = Vec::new();
    for effect in &effects {
        effect.encode_into(&mut written);
    }
    assert_eq!(decode_all(&written).as_ref(), Ok(&effects));
    apply_all(&effects);
});
