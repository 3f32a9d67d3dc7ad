//! The bytes of replies, in pieces that are never moved.
//!
//! Owns where a piece ends and the next begins. Does not know what the bytes mean, nor how
//! many there may be. On the connection's thread.

use std::borrow::Cow;

/// Length of a piece.
const PIECE_BYTES: usize = 64 * 1024;
/// Length from which a piece is left as it is if what comes next does not fit.
const FULL_BYTES: usize = PIECE_BYTES / 4;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// Pieces that nothing is added to, the first first.
    full: Vec<Vec<u8>>,
    /// The sum of their lengths, and of what they take.
    full_bytes: usize,
    full_capacity: usize,
    /// What comes behind them: what is written is appended here.
    pub(crate) open: Vec<u8>,
    /// Whether all is one piece, however long.
    is_whole: bool,
}

/// What it takes to append so many bytes more.
pub(crate) struct Growth {
    /// Whether they begin a piece.
    begins_piece: bool,
    /// What all other pieces take.
    before_bytes: usize,
    /// The least that the piece for them takes, and what it would better take.
    needed_bytes: usize,
    usual_bytes: usize,
}

impl Growth {
    /// Lengths of the piece, the best first, and what all pieces then take. Less than is usual
    /// where there is not so much, but never so little that what is one piece would be moved
    /// for each of its elements.
    pub(crate) fn choices(&self) -> impl Iterator<Item = (usize, usize)> {
        let needed = self.needed_bytes;
        let lengths = [self.usual_bytes, needed.saturating_add(needed / 8), needed];
        let before_bytes = self.before_bytes;
        let with_all = move |length: usize| (length, before_bytes.saturating_add(length));
        lengths.into_iter().map(with_all)
    }
}

impl Pieces {
    /// Of one piece, however long it gets.
    pub(crate) fn whole() -> Self {
        Self {
            is_whole: true,
            ..Self::default()
        }
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.full_bytes.saturating_add(self.open.len())
    }

    /// Whether so many bytes more fit where they are.
    #[inline]
    pub(crate) fn has_room(&self, more_bytes: usize) -> bool {
        self.open.capacity().wrapping_sub(self.open.len()) >= more_bytes
    }

    /// What it takes to have room for so many bytes more.
    pub(crate) fn growth(&self, more_bytes: usize) -> Growth {
        let (length, capacity) = (self.open.len(), self.open.capacity());
        if !self.is_whole && length >= FULL_BYTES {
            // What is long has a piece of its own, for the next would not fill the rest.
            let is_long = more_bytes >= FULL_BYTES;
            return Growth {
                begins_piece: true,
                before_bytes: self.full_capacity.saturating_add(capacity),
                needed_bytes: more_bytes,
                usual_bytes: if is_long { more_bytes } else { PIECE_BYTES },
            };
        }
        let needed_bytes = length.saturating_add(more_bytes);
        Growth {
            begins_piece: false,
            before_bytes: self.full_capacity,
            needed_bytes,
            usual_bytes: needed_bytes.max(capacity.saturating_mul(2)),
        }
    }

    /// Grows, with a piece of `length` bytes.
    pub(crate) fn grow(&mut self, growth: &Growth, length: usize) {
        if growth.begins_piece {
            let full = std::mem::replace(&mut self.open, Vec::with_capacity(length));
            self.full_bytes = self.full_bytes.saturating_add(full.len());
            self.full_capacity = growth.before_bytes;
            self.full.push(full);
        } else {
            let more_bytes = length.saturating_sub(self.open.len());
            self.open.reserve_exact(more_bytes);
        }
    }

    /// Everything behind the first `offset` bytes; a copy, if that is in several pieces.
    pub(crate) fn since(&self, offset: usize) -> Cow<'_, [u8]> {
        if let Some(offset) = offset.checked_sub(self.full_bytes) {
            return Cow::Borrowed(self.open.get(offset..).unwrap_or_default());
        }
        let mut found = Vec::with_capacity(self.len().saturating_sub(offset));
        let mut left = offset;
        for piece in self.iter() {
            found.extend_from_slice(piece.get(left..).unwrap_or_default());
            left = left.saturating_sub(piece.len());
        }
        Cow::Owned(found)
    }

    /// The byte behind the first `offset` ones.
    #[inline]
    pub(crate) fn byte(&self, offset: usize) -> Option<u8> {
        if let Some(offset) = offset.checked_sub(self.full_bytes) {
            return self.open.get(offset).copied();
        }
        let mut left = offset;
        self.full.iter().find_map(|piece| {
            let found = piece.get(left).copied();
            left = left.saturating_sub(piece.len());
            found
        })
    }

    /// The pieces that hold something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let full = self.full.iter().map(Vec::as_slice);
        full.chain((!self.open.is_empty()).then_some(self.open.as_slice()))
    }

    /// Takes the pieces that hold something.
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        let mut pieces = self.take_full();
        if !self.open.is_empty() {
            pieces.push(std::mem::take(&mut self.open));
        }
        pieces
    }

    /// Forgets everything, and the last piece's room too if that is above `kept_bytes`;
    /// whether room was given back.
    #[inline]
    pub(crate) fn clear(&mut self, kept_bytes: usize) -> bool {
        self.open.clear();
        let gives_back = !self.full.is_empty() || self.open.capacity() > kept_bytes;
        if gives_back {
            self.take_full();
            if self.open.capacity() > kept_bytes {
                self.open = Vec::new();
            }
        }
        gives_back
    }

    /// Forgets everything behind the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        while length < self.full_bytes
            && let Some(last) = self.full.pop()
        {
            self.full_bytes = self.full_bytes.saturating_sub(last.len());
            self.full_capacity = self.full_capacity.saturating_sub(last.capacity());
            self.open = last;
        }
        self.open.truncate(length.saturating_sub(self.full_bytes));
    }

    fn take_full(&mut self) -> Vec<Vec<u8>> {
        self.full_bytes = 0;
        self.full_capacity = 0;
        std::mem::take(&mut self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(pieces: &mut Pieces, bytes: &[u8]) {
        if !pieces.has_room(bytes.len()) {
            let growth = pieces.growth(bytes.len());
            let (length, _) = growth.choices().next().unwrap();
            pieces.grow(&growth, length);
        }
        pieces.open.extend_from_slice(bytes);
    }

    #[test]
    fn what_is_long_is_in_pieces_and_the_same() {
        for (elements, length) in [(3, 10), (40_000, 10), (400, 5000), (30, 100_000)] {
            let (mut pieces, mut whole) = (Pieces::default(), Pieces::whole());
            let mut offsets = Vec::new();
            for index in 0..elements {
                offsets.push(pieces.len());
                let mut element = vec![index as u8; length];
                element[0] = b'^';
                append(&mut pieces, &element);
                append(&mut whole, &element);
            }
            assert!(matches!(whole.since(0), Cow::Borrowed(_)));
            assert_eq!(pieces.since(0), whole.since(0));
            assert_eq!(pieces.len(), whole.len());
            assert!(pieces.full_capacity <= pieces.full_bytes / 4 * 5);
            for offset in offsets.iter().step_by(7) {
                assert_eq!(pieces.byte(*offset), Some(b'^'));
                assert_eq!(pieces.since(*offset).len(), pieces.len() - offset);
            }
            assert_eq!(pieces.byte(pieces.len()), None);
            for offset in offsets.into_iter().rev() {
                pieces.truncate(offset);
                assert_eq!((pieces.len(), pieces.byte(offset)), (offset, None));
            }
            assert_eq!(pieces.full_capacity, 0);
            let all = whole.since(0).into_owned();
            all.chunks(length)
                .for_each(|part| append(&mut pieces, part));
            assert_eq!(pieces.take().concat(), all);
            assert_eq!(pieces.len(), 0);
        }
    }

    #[test]
    fn room_is_kept_up_to_a_bound() {
        let mut pieces = Pieces::default();
        append(&mut pieces, &[1; 100]);
        assert!(!pieces.clear(1000) && pieces.open.capacity() >= 100);
        append(&mut pieces, &[1; 2000]);
        assert!(pieces.clear(1000) && pieces.open.capacity() == 0);
        (0..30).for_each(|_| append(&mut pieces, &[1; 10_000]));
        assert!(pieces.clear(usize::MAX) && pieces.len() == 0);
    }
}
