//! A member of a set as it is read: bytes of the set, or the text of an integer
//! of it.
//!
//! Owns only that text. Pure; runs on any thread.

use std::ops::Deref;

/// The longest text of a 64-bit integer, in bytes.
const TEXT_BYTES: usize = 20;

/// Bytes of a member, wherever they are: it dereferences to them.
#[derive(Clone, Copy, Debug)]
pub enum Member<'a> {
    /// Bytes of the set itself.
    Bytes(&'a [u8]),
    /// The text of an integer.
    Integer {
        /// The text, at the start.
        text: [u8; TEXT_BYTES],
        /// How long it is, in bytes.
        text_bytes: usize,
    },
}

impl Member<'_> {
    /// The member that is this integer.
    #[must_use]
    pub fn integer(number: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number).as_bytes();
        let mut text = [0; TEXT_BYTES];
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = *digit;
        }
        Self::Integer {
            text,
            text_bytes: digits.len(),
        }
    }
}

impl Deref for Member<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer { text, text_bytes } => text.get(..*text_bytes).unwrap_or_default(),
        }
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Member<'_> {}

impl PartialOrd for Member<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for Member<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_and_its_text_are_the_same_member() {
        for number in [0, -1, 42, i64::MIN, i64::MAX] {
            let text = number.to_string();
            assert_eq!(Member::integer(number), Member::Bytes(text.as_bytes()));
        }
        assert!(Member::integer(10) < Member::integer(9));
    }
}
