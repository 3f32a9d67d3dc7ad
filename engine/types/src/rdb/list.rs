//! Lists in RDB form: the nodes of a quicklist, and the older forms, which are
//! only read.
//!
//! ```text
//! type 18: node count | per node: container (1 plain, 2 packed) | string
//! type 14: node count | per node: a ziplist as a string
//! type 10: a ziplist as a string
//! type  1: element count | elements
//! ```
//!
//! Pure; runs on any thread. INVARIANT: a restored list is never empty.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use super::encode::{put_length, put_string};
use super::listpack::{self, END};
use super::primitive::Decoder;
use super::{RdbError, ziplist};
use crate::list::List;

pub(super) const TYPE_LIST: u8 = 1;
pub(super) const TYPE_LIST_ZIPLIST: u8 = 10;
pub(super) const TYPE_LIST_QUICKLIST: u8 = 14;
pub(super) const TYPE_LIST_QUICKLIST_2: u8 = 18;

const CONTAINER_PLAIN: u64 = 1;
const CONTAINER_PACKED: u64 = 2;

/// The list of a payload of type `kind`, whose first byte was read.
pub(super) fn restore(
    kind: u8,
    decoder: &mut Decoder<'_>,
    limit_bytes: usize,
) -> Result<List, RdbError> {
    let mut list = List::quicklist();
    match kind {
        TYPE_LIST => {
            for _ in 0..decoder.length()? {
                list.append(&decoder.string()?);
            }
        }
        TYPE_LIST_ZIPLIST => append_ziplist(&mut list, decoder, limit_bytes)?,
        TYPE_LIST_QUICKLIST => {
            for _ in 0..decoder.length()? {
                append_ziplist(&mut list, decoder, limit_bytes)?;
            }
        }
        _ => {
            for _ in 0..decoder.length()? {
                match decoder.length()? {
                    CONTAINER_PLAIN => list.append_plain_node(&decoder.string()?),
                    CONTAINER_PACKED => {
                        let packed = decoder.blob()?;
                        let entries = listpack::entries(&packed, limit_bytes)?;
                        charge(decoder, &entries)?;
                        list.append_packed_node(&entries);
                    }
                    _ => return Err(decoder.bad("a container of list elements")),
                }
            }
        }
    }
    if list.is_empty() {
        return Err(decoder.bad("at least one element"));
    }
    Ok(list)
}

fn append_ziplist(
    list: &mut List,
    decoder: &mut Decoder<'_>,
    limit_bytes: usize,
) -> Result<(), RdbError> {
    let packed = decoder.blob()?;
    let entries = ziplist::entries(&packed, limit_bytes)?;
    charge(decoder, &entries)?;
    list.append_packed_node(&entries);
    Ok(())
}

/// The limit is that of all nodes together.
fn charge(decoder: &mut Decoder<'_>, entries: &[Vec<u8>]) -> Result<(), RdbError> {
    let bytes = entries.iter().map(Vec::len).sum();
    decoder.charge(bytes)
}

/// Appends the list's value; its type is [`TYPE_LIST_QUICKLIST_2`].
pub(super) fn put(out: &mut Vec<u8>, list: &List) {
    put_length(out, list.node_bodies().count() as u64);
    for (body, count, is_plain) in list.node_bodies() {
        if is_plain {
            put_length(out, CONTAINER_PLAIN);
            put_string(out, body);
            continue;
        }
        put_length(out, CONTAINER_PACKED);
        let mut packed = Vec::with_capacity(body.len().saturating_add(7));
        let total = u32::try_from(body.len().saturating_add(7)).unwrap_or(u32::MAX);
        packed.extend_from_slice(&total.to_le_bytes());
        // A greater count is left untold.
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        packed.extend_from_slice(&count.to_le_bytes());
        packed.extend_from_slice(body);
        packed.push(END);
        put_string(out, &packed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::super::{RdbValue, dump, restore as restore_payload};
    use super::*;
    use crate::value::{Limits, Value};
    use crc_fast::{CrcAlgorithm, checksum};

    const LIMIT_BYTES: usize = 1 << 20;

    fn sealed(value: &[u8]) -> Vec<u8> {
        let mut payload = value.to_vec();
        payload.extend_from_slice(&11_u16.to_le_bytes());
        let sum = checksum(CrcAlgorithm::Crc64Redis, &payload);
        payload.extend_from_slice(&sum.to_le_bytes());
        payload
    }

    fn list_of(payload: &[u8]) -> Result<List, RdbError> {
        match restore_payload(payload, LIMIT_BYTES)? {
            RdbValue::List(list) => Ok(list),
            other => panic!("{other:?} is no list"),
        }
    }

    fn elements(list: &List) -> Vec<Vec<u8>> {
        list.iter().map(|element| element.to_vec()).collect()
    }

    #[test]
    fn a_payload_of_the_reference_restores_and_dumps_the_same() {
        // Of Valkey 9.1.2: RPUSH k a 1 -5 300 hello.
        let golden = b"\x12\x01\x02\x19\x19\x00\x00\x00\x05\x00\x81a\x02\x01\x01\xdf\xfb\x02\xc1,\
            \x02\x85hello\x06\xffP\x00\xf4.\x9c-\xac\xc4E:";
        let list = list_of(golden).unwrap();
        let expected: [&[u8]; 5] = [b"a", b"1", b"-5", b"300", b"hello"];
        assert_eq!(elements(&list), expected);
        let dumped = dump(&RdbValue::List(list.clone()), false);
        let value = golden.get(..golden.len() - 10).unwrap();
        assert_eq!(dumped, sealed(value));
        let value = Value::from_list(list, &Limits::default());
        assert_eq!(value.encoding_name(), "listpack");
    }

    #[test]
    fn nodes_stay_as_they_stand() {
        let mut list = List::quicklist();
        list.append_packed_node(&[b"a".to_vec(), b"7".to_vec()]);
        list.append_plain_node(&[b'x'; 9000]);
        list.append_packed_node(&[b"-1".to_vec()]);
        let payload = dump(&RdbValue::List(list.clone()), false);
        assert_eq!(list_of(&payload), Ok(list.clone()));
        let value = Value::from_list(list, &Limits::default());
        assert_eq!(value.encoding_name(), "quicklist");
    }

    #[test]
    fn older_forms_restore() {
        let plain = sealed(b"\x01\x03\x01a\xc0\x05\x02bc");
        assert_eq!(
            elements(&list_of(&plain).unwrap()),
            [&b"a"[..], b"5", b"bc"]
        );
        // A ziplist of "a" and 5.
        let ziplist = b"\x10\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf6\xff";
        let mut ziplists = b"\x0a".to_vec();
        ziplists.extend_from_slice(ziplist);
        assert_eq!(
            elements(&list_of(&sealed(&ziplists)).unwrap()),
            [b"a", b"5"]
        );
        let quicklist = [&b"\x0e\x02"[..], ziplist, ziplist].concat();
        let restored = list_of(&sealed(&quicklist)).unwrap();
        assert_eq!(elements(&restored), [b"a", b"5", b"a", b"5"]);
    }

    #[test]
    fn hostile_lists_are_refused() {
        for value in [
            &b"\x01\x00"[..],
            b"\x12\x00",
            b"\x12\x01\x03\x01a",
            b"\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff",
            b"\x12\x81\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x01\x02\x01a",
            b"\x0e\x01\x01a",
        ] {
            assert!(list_of(&sealed(value)).is_err(), "{value:?}");
        }
        let large = dump(&RdbValue::String(vec![b'x'; 10]), false);
        assert!(restore_payload(&large, 5).is_err());
        let mut list = List::quicklist();
        list.append_packed_node(&vec![b"abc".to_vec(); 100]);
        list.append_packed_node(&vec![b"abc".to_vec(); 100]);
        let payload = dump(&RdbValue::List(list), false);
        assert!(restore_payload(&payload, 599).is_err());
        assert!(restore_payload(&payload, 600).is_ok());
    }
}
