//! What a key holds, as its readers show it, in a form that two stores can be
//! compared by.
//!
//! Owns that form, and what of it time takes away. Knows no store. Pure.

use crate::reply::Reply;
use crate::request::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The value of a field and when it expires, in Unix ms.
pub type Field = (Vec<u8>, Option<i64>);

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Fields, which have no order.
    Hash(BTreeMap<Vec<u8>, Field>),
    /// Members, which have none.
    Set(BTreeSet<Vec<u8>>),
    /// Of the other types the reply, without what depends on the course of things.
    Shown(Reply),
}

/// A value and when it expires, in Unix ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the key holds.
    pub value: Value,
    /// When it expires.
    pub expiry_ms: Option<i64>,
}

/// All keys.
pub type State = BTreeMap<Key, Arc<Entry>>;

/// What a key holds after a step, if anything.
pub type Change = (Key, Option<Arc<Entry>>);

/// Whether what expires then is there at `now_ms`: it lives to the end of its
/// millisecond.
#[must_use]
pub fn lives(expiry_ms: Option<i64>, now_ms: i64) -> bool {
    expiry_ms.is_none_or(|expiry_ms| expiry_ms >= now_ms)
}

impl Entry {
    /// Whether a reader finds it at `now_ms`.
    #[must_use]
    pub fn lives(&self, now_ms: i64) -> bool {
        let holds_any = match &self.value {
            Value::Hash(fields) => fields
                .values()
                .any(|(_, expiry_ms)| lives(*expiry_ms, now_ms)),
            Value::Set(_) | Value::Shown(_) => true,
        };
        holds_any && lives(self.expiry_ms, now_ms)
    }

    /// What a reader finds at `now_ms`.
    #[must_use]
    pub fn at(&self, now_ms: i64) -> Option<Self> {
        let mut entry = self.lives(now_ms).then(|| self.clone())?;
        if let Value::Hash(fields) = &mut entry.value {
            fields.retain(|_, (_, expiry_ms)| lives(*expiry_ms, now_ms));
        }
        Some(entry)
    }
}

/// Whether a reader may find `found` at `now_ms` where `entry` was left, if the wall clock
/// showed as much as `peak_ms` on the way: what had expired then may have gone.
#[must_use]
pub fn may_be(entry: Option<&Entry>, found: Option<&Entry>, now_ms: i64, peak_ms: i64) -> bool {
    let expected = entry.and_then(|entry| entry.at(now_ms));
    if expected.as_ref() == found {
        return true;
    }
    let (expected, found) = match (&expected, found) {
        (Some(expected), None) => return !expected.lives(peak_ms),
        (Some(expected), Some(found)) => (expected, found),
        // Fields that had expired, of which nobody knows any more whether they are there.
        (None, Some(found)) => {
            return matches!(&found.value, Value::Hash(_)) && found.at(peak_ms).is_none();
        }
        (None, None) => return true,
    };
    match (&expected.value, &found.value) {
        (Value::Hash(wanted), Value::Hash(held)) => {
            let had_expired = |field: &Field| !lives(field.1, peak_ms);
            expected.expiry_ms == found.expiry_ms
                && wanted
                    .iter()
                    .all(|(name, field)| held.get(name) == Some(field) || had_expired(field))
                && held
                    .iter()
                    .all(|(name, field)| wanted.get(name) == Some(field) || had_expired(field))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(fields: &[(&str, Option<i64>)]) -> Entry {
        let field = |(name, expiry_ms): &(&str, Option<i64>)| {
            (name.as_bytes().to_vec(), (b"v".to_vec(), *expiry_ms))
        };
        Entry {
            value: Value::Hash(fields.iter().map(field).collect()),
            expiry_ms: None,
        }
    }

    #[test]
    fn fields_go_with_their_time_and_the_key_with_the_last() {
        let entry = hash(&[("a", Some(5)), ("b", Some(9))]);
        assert_eq!(entry.at(6), Some(hash(&[("b", Some(9))])));
        assert_eq!(entry.at(10), None);
    }

    #[test]
    fn what_had_expired_may_be_gone_or_not_and_nothing_else() {
        let entry = hash(&[("a", Some(5)), ("b", Some(9))]);
        let (left, none) = (hash(&[("b", Some(9))]), None);
        assert!(may_be(Some(&entry), Some(&entry), 4, 6));
        assert!(may_be(Some(&entry), Some(&left), 4, 6));
        assert!(!may_be(Some(&entry), Some(&left), 4, 5));
        assert!(!may_be(Some(&entry), none, 4, 9));
        assert!(may_be(Some(&entry), none, 4, 10));
        assert!(!may_be(None, Some(&left), 4, 9));
    }
}
