//! Lists against a plain deque: contents, counts, forms and captures.

use super::*;
use crate::update::tests::apply_both;
use crate::update::{Update, apply};
use crate::value::{Limits, ValueRef};
use proptest::prelude::*;

type Model = Vec<Vec<u8>>;

fn limits(size: i32) -> Limits {
    Limits {
        list_max_listpack_size: size,
        ..Limits::default()
    }
}

fn elements(value: &Value) -> Model {
    let list = value.as_ref().list().unwrap();
    list.iter().map(|element| element.to_vec()).collect()
}

fn apply_to_model(model: &mut Model, update: &ListUpdate<'_>) {
    let len = model.len();
    match update {
        ListUpdate::Push { end, elements } => {
            for element in elements {
                let at = if *end == End::Head { 0 } else { model.len() };
                model.insert(at, element.to_vec());
            }
        }
        ListUpdate::Pop { end, count } => {
            let count = (*count as usize).min(len);
            let range = match end {
                End::Head => 0..count,
                End::Tail => len - count..len,
            };
            model.drain(range);
        }
        ListUpdate::Insert {
            index,
            is_after,
            element,
        } => {
            let index = *index as usize;
            if index < len {
                model.insert(index + usize::from(*is_after), element.to_vec());
            }
        }
        ListUpdate::Set { index, element } => {
            if let Some(place) = model.get_mut(*index as usize) {
                *place = element.to_vec();
            }
        }
        ListUpdate::Remove { count, element } => {
            let mut left = match count.unsigned_abs() {
                0 => usize::MAX,
                most => most as usize,
            };
            let mut keep = |held: &Vec<u8>| {
                let goes = left > 0 && *held == *element;
                left -= usize::from(goes);
                !goes
            };
            if *count < 0 {
                model.reverse();
                model.retain(&mut keep);
                model.reverse();
            } else {
                model.retain(&mut keep);
            }
        }
        ListUpdate::Trim { start, stop } => {
            let stop = (*stop as usize).min(len);
            let start = (*start as usize).min(stop);
            *model = model[start..stop].to_vec();
        }
        ListUpdate::Rotate { from, to } if len > 0 => {
            let at = if *from == End::Head { 0 } else { len - 1 };
            let element = model.remove(at);
            let at = if *to == End::Head { 0 } else { len - 1 };
            model.insert(at, element);
        }
        ListUpdate::Rotate { .. } => {}
    }
}

/// Everything that must hold of a value whose elements are `model`.
fn check(value: &Value, model: &Model) {
    assert_eq!(elements(value), *model);
    let list = value.as_ref().list().unwrap();
    assert_eq!(list.len(), model.len());
    let mut reversed: Model = list.iter().rev().map(|element| element.to_vec()).collect();
    reversed.reverse();
    assert_eq!(reversed, *model);
    for at in [
        0,
        1,
        model.len() / 2,
        model.len().saturating_sub(1),
        model.len(),
    ] {
        let found = list.get(at).map(|element| element.to_vec());
        assert_eq!(found.as_ref(), model.get(at));
        let tail: Model = list.iter_from(at).map(|element| element.to_vec()).collect();
        assert_eq!(tail, model[at.min(model.len())..]);
    }
    let mut bytes = Vec::new();
    let form = value.serialize_into(&mut bytes);
    let read = Value::deserialize(form, &bytes).unwrap();
    assert_eq!(elements(&read), *model);
    assert_eq!(read.encoding_name(), value.encoding_name());
    if let ValueRef::Object(Object::List(list)) = value.as_ref() {
        assert_eq!(list.heap_bytes(), list.recounted_heap_bytes());
    }
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..6_u8).prop_map(|number| vec![b'0' + number]),
        4 => (0..900_usize).prop_map(|length| vec![b'x'; length]),
        1 => (3000..9000_usize).prop_map(|length| vec![b'y'; length]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Push(bool, Vec<Vec<u8>>),
    Pop(bool, u64),
    Insert(u16, bool, Vec<u8>),
    Set(u16, Vec<u8>),
    Remove(i64, Vec<u8>),
    Trim(u16, u16),
    Rotate(bool, bool),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), proptest::collection::vec(texts(), 1..20))
            .prop_map(|(end, texts)| Step::Push(end, texts)),
        2 => (any::<bool>(), 0..12_u64).prop_map(|(end, count)| Step::Pop(end, count)),
        3 => (any::<u16>(), any::<bool>(), texts())
            .prop_map(|(at, after, text)| Step::Insert(at, after, text)),
        3 => (any::<u16>(), texts()).prop_map(|(at, text)| Step::Set(at, text)),
        2 => (-3..4_i64, texts()).prop_map(|(count, text)| Step::Remove(count, text)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(start, stop)| Step::Trim(start, stop)),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(from, to)| Step::Rotate(from, to)),
    ]
}

fn update<'a>(step: &'a Step, len: usize) -> ListUpdate<'a> {
    let end = |head| if head { End::Head } else { End::Tail };
    // Past the end now and then.
    let at = |number: u16| u64::from(number) % (len as u64 + 1);
    match step {
        Step::Push(head, texts) => ListUpdate::Push {
            end: end(*head),
            elements: texts.iter().map(Vec::as_slice).collect(),
        },
        Step::Pop(head, count) => ListUpdate::Pop {
            end: end(*head),
            count: *count,
        },
        Step::Insert(index, is_after, element) => ListUpdate::Insert {
            index: at(*index),
            is_after: *is_after,
            element,
        },
        Step::Set(index, element) => ListUpdate::Set {
            index: at(*index),
            element,
        },
        Step::Remove(count, element) => ListUpdate::Remove {
            count: *count,
            element,
        },
        Step::Rotate(from, to) => ListUpdate::Rotate {
            from: end(*from),
            to: end(*to),
        },
        Step::Trim(start, stop) => ListUpdate::Trim {
            start: at(*start).min(3),
            stop: (len as u64).saturating_sub(at(*stop).min(3)),
        },
    }
}

proptest! {
    #[test]
    fn lists_hold_what_a_deque_holds(
        steps in proptest::collection::vec(steps(), 1..40),
        size in prop_oneof![Just(-2), Just(-1), Just(3), Just(128), Just(0), Just(-5)],
    ) {
        let limits = limits(size);
        let mut model = Model::new();
        let mut value: Option<Value> = None;
        for step in &steps {
            let update = Update::List(update(step, model.len()));
            let mut bytes = Vec::new();
            update.encode_into(&mut bytes);
            prop_assert_eq!(Update::decode(&bytes), Ok(update.clone()));
            if update.check(value.as_ref().map(Value::as_ref)).is_err() {
                prop_assert!(value.is_none());
                continue;
            }
            let capture = value.as_ref().map(|value| value.as_ref().capture());
            let before = model.clone();
            let Update::List(change) = &update else { unreachable!() };
            apply_to_model(&mut model, change);
            let changed = apply_both(value.take(), &update, &limits).unwrap();
            check(&changed, &model);
            if let Some(capture) = capture {
                prop_assert_eq!(elements(&capture), before);
            }
            value = (!model.is_empty()).then_some(changed);
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        number in 16..32_u8,
    ) {
        for form in [Form::ListPacked, Form::ListFull] {
            if let Ok(value) = Value::deserialize(form, &bytes) {
                let list = value.as_ref().list().unwrap();
                prop_assert_eq!(list.iter().count(), list.len());
            }
        }
        let mut update = vec![number];
        update.extend(&bytes);
        let _ = Update::decode(&update);
    }
}

fn pushed(count: usize, text: &[u8], limits: &Limits) -> Value {
    let elements = vec![text; count];
    let end = End::Tail;
    let update = Update::List(ListUpdate::Push { end, elements });
    apply(None, &update, limits).unwrap()
}

#[test]
fn the_form_changes_where_the_reference_changes_it() {
    let limits = limits(-2);
    // 1,634 entries of five bytes and the frame are 8,177 bytes; the text is
    // counted without its encoding when it joins.
    let value = pushed(1, b"abc", &limits);
    assert_eq!(value.encoding_name(), "listpack");
    assert_eq!(
        pushed(1, &[b'x'; 8185], &limits).encoding_name(),
        "listpack"
    );
    let value = pushed(1, &[b'x'; 8186], &limits);
    assert_eq!(value.encoding_name(), "quicklist");
    let update = Update::List(ListUpdate::Set {
        index: 0,
        element: b"y",
    });
    let value = apply(Some(value), &update, &limits).unwrap();
    assert_eq!(value.encoding_name(), "listpack");
    let value = pushed(200, &[b'x'; 60], &limits);
    assert_eq!(value.encoding_name(), "quicklist");
    let pop = |value, count| {
        let end = End::Head;
        apply(
            Some(value),
            &Update::List(ListUpdate::Pop { end, count }),
            &limits,
        )
        .unwrap()
    };
    // 66 elements of 62 bytes and the frame: above half of a node, and 65 are not.
    let value = pop(value, 134);
    assert_eq!(value.encoding_name(), "quicklist");
    assert_eq!(pop(value, 1).encoding_name(), "listpack");
}

#[test]
fn counted_limits_are_of_elements() {
    let limits = limits(3);
    assert_eq!(pushed(3, b"a", &limits).encoding_name(), "listpack");
    let value = pushed(4, b"a", &limits);
    assert_eq!(value.encoding_name(), "quicklist");
    let ValueRef::Object(Object::List(list)) = value.as_ref() else {
        panic!("a quicklist is an object");
    };
    let counts: Vec<usize> = list.nodes().map(|node| node.count).collect();
    assert_eq!(counts, [3, 1]);
}

#[test]
fn damaged_bytes_are_refused() {
    let limits = limits(-2);
    let mut bytes = Vec::new();
    let form = pushed(3, b"a", &limits).serialize_into(&mut bytes);
    assert_eq!(form, Form::ListPacked);
    assert_eq!(bytes, [3, 0x81, b'a', 2, 0x81, b'a', 2, 0x81, b'a', 2]);
    for (at, byte) in [(0, 2), (0, 4), (1, 0x82), (3, 1), (1, 0xff)] {
        let mut damaged = bytes.clone();
        damaged[at] = byte;
        assert!(Value::deserialize(form, &damaged).is_err(), "{at}");
    }
    for node in [
        &[2, 1, 1, 5][..],
        &[0, 0, 0],
        &[1, 2, 2, b'a', b'b'],
        &[1, 1, 1, b'5'],
        &[0, 2, 2, 5, 1],
        &[0, 1, 3, 5, 1],
    ] {
        assert!(
            Value::deserialize(Form::ListFull, node).is_err(),
            "{node:?}"
        );
    }
    let node = [0, 1, 2, 5, 1];
    assert_eq!(
        elements(&Value::deserialize(Form::ListFull, &node).unwrap()),
        [b"5"]
    );
}
