//! The keys of one writer and which register of its ledger each has.
//!
//! Owns names and numbers; pure. Registers stand in this order: strings, fields of hashes,
//! expire times of strings, queues, and strings that expire while the writer runs.

use super::queues::{self, QUEUES};

/// Strings a writer has.
pub(super) const STRINGS: usize = 1200;
/// Hashes a writer has.
pub(super) const HASHES: usize = 24;
/// The longest usual string.
pub(super) const STRING_BYTES: usize = 16_384;
/// The longest value of a field.
pub(super) const FIELD_BYTES: usize = 200;
/// Strings that expire while the writer runs.
pub(super) const BRIEFS: usize = 60;
/// In the year 2100, Unix ms.
const FAR_MS: u64 = 4_102_444_800_000;
const SMALL_FIELDS: usize = 16;
/// More than a compact hash may have.
const LARGE_FIELDS: usize = 600;
const LARGE_HASH_ONE_IN: usize = 8;

/// How many fields hash number `hash` can have.
pub(super) const fn fields(hash: usize) -> usize {
    if hash.is_multiple_of(LARGE_HASH_ONE_IN) {
        LARGE_FIELDS
    } else {
        SMALL_FIELDS
    }
}

/// All registers of a writer.
pub(super) fn registers() -> usize {
    brief_register(BRIEFS)
}

/// The register of when a string expires.
pub(super) fn time_register(string: usize) -> usize {
    field_register(HASHES, 0) + string
}

/// The register of a queue.
pub(super) fn queue_register(queue: usize) -> usize {
    time_register(STRINGS) + queue
}

/// The register of a string that expires soon.
pub(super) fn brief_register(brief: usize) -> usize {
    queue_register(QUEUES) + brief
}

/// When a string expires that operation `operation` gave a time: in some decades.
pub(super) const fn far_ms(operation: u64) -> u64 {
    FAR_MS + operation
}

/// The operation that gave a string this time.
pub(super) const fn operation_of(far_ms: u64) -> Option<u64> {
    far_ms.checked_sub(FAR_MS)
}

pub(super) fn brief_key(writer: usize, brief: usize) -> Vec<u8> {
    format!("b:{writer}:{brief}").into_bytes()
}

/// The register of a field; that of a string is the string's number.
pub(super) fn field_register(hash: usize, field: usize) -> usize {
    STRINGS + (0..hash).map(fields).sum::<usize>() + field
}

pub(super) fn string_key(writer: usize, string: usize) -> Vec<u8> {
    format!("s:{writer}:{string}").into_bytes()
}

pub(super) fn hash_key(writer: usize, hash: usize) -> Vec<u8> {
    format!("h:{writer}:{hash}").into_bytes()
}

pub(super) fn field_name(field: usize) -> Vec<u8> {
    format!("f{field}").into_bytes()
}

/// The number of a field by its name.
pub(super) fn field_number(hash: usize, name: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(name.strip_prefix(b"f")?).ok()?;
    digits.parse().ok().filter(|&field| field < fields(hash))
}

/// What the value of a field names as its own.
pub(super) fn field_value_name(writer: usize, hash: usize, field: usize) -> Vec<u8> {
    format!("h:{writer}:{hash}.f{field}").into_bytes()
}

/// What register `register` of a writer stands for, for people.
pub(super) fn describe(writer: usize, register: usize) -> String {
    if register < STRINGS {
        return format!("key s:{writer}:{register}");
    }
    let after = |first: usize| register.checked_sub(first);
    if let Some(brief) = after(brief_register(0)) {
        return format!("key b:{writer}:{brief}");
    }
    if let Some(queue) = after(queue_register(0)) {
        return format!("key {}", queues::key(writer, queue).escape_ascii());
    }
    if let Some(string) = after(time_register(0)) {
        return format!("expire time of key s:{writer}:{string}");
    }
    let hash = (0..HASHES)
        .rev()
        .find(|&hash| field_register(hash, 0) <= register)
        .unwrap_or(0);
    let field = register - field_register(hash, 0);
    format!("key h:{writer}:{hash} field f{field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_register_of_its_own() {
        let mut next = STRINGS;
        for hash in 0..HASHES {
            for field in 0..fields(hash) {
                assert_eq!(field_register(hash, field), next);
                assert_eq!(describe(3, next), format!("key h:3:{hash} field f{field}"));
                assert_eq!(field_number(hash, &field_name(field)), Some(field));
                next += 1;
            }
            assert_eq!(field_number(hash, &field_name(fields(hash))), None);
        }
        assert_eq!(time_register(0), next);
        assert_eq!(describe(3, time_register(7)), "expire time of key s:3:7");
        assert_eq!(describe(3, queue_register(0)), "key l:3:0");
        assert_eq!(describe(3, brief_register(2)), "key b:3:2");
        assert_eq!(registers(), brief_register(BRIEFS));
    }
}
