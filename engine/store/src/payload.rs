//! The payload of a data frame of the log: effects, whole or a part of them.
//!
//! Owns the first bytes of a payload (`FORMAT.md`, "Log payload") and putting
//! chains together again. Does not know frames, nor what an effect is. Pure;
//! the log's appenders write, start-up and the offline tool read.
//!
//! Effects too long for one frame are a chain: each frame but the last says
//! that more follows, and only the last one commits. A chain that a power cut
//! left without its last part is void, whatever follows it in the log.
//!
//! INVARIANT: memory grows only with payloads that were fed, never by what one
//! of them declares.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::borrow::Cow;
use std::collections::HashMap;
use thermocline_base::{CodecError, Lsn, Reader};

/// The kind of a payload whose effects follow, all of them.
pub const WHOLE: u8 = 0;
/// The kind of a part of a chain that more parts follow.
pub const PART: u8 = 1;
/// The kind of the last part of a chain.
pub const LAST: u8 = 2;
/// What the first part of a chain, which cannot know yet where its frame will
/// start, says instead of that. No frame starts here.
pub const NEW_CHAIN: Lsn = Lsn(u64::MAX);

/// Offset of the kind.
pub const KIND_OFFSET: usize = 0;
/// Offset of the chain, where its first frame starts, in a part.
pub const CHAIN_OFFSET: usize = 1;
/// Where the effects start in a part.
pub const CHAIN_HEAD_BYTES: usize = 9;

/// The first bytes of a payload that is a part of a chain: `kind` is [`PART`]
/// or [`LAST`], `chain` where the chain's first frame starts, in that frame
/// [`NEW_CHAIN`].
#[must_use]
pub fn chain_head(kind: u8, chain: Lsn) -> [u8; CHAIN_HEAD_BYTES] {
    let mut head = [kind; CHAIN_HEAD_BYTES];
    if let Some(field) = head.get_mut(CHAIN_OFFSET..) {
        field.copy_from_slice(&chain.0.to_le_bytes());
    }
    head
}

/// Effects that committed: the position at which they apply, and their bytes.
pub type Committed<'a> = (Lsn, Cow<'a, [u8]>);

/// Puts the effects of frames together, fed in the order of the log. What is
/// left in it at the end of the log is void.
#[derive(Debug, Default)]
pub struct Chains {
    /// The parts so far, by where the chain's first frame starts.
    open: HashMap<Lsn, Vec<u8>>,
}

impl Chains {
    /// Takes the payload of the data frame that starts at `frame_start`. If it
    /// commits effects, those, for `effect::decode_all`; they apply at the
    /// position of this frame.
    ///
    /// # Errors
    /// [`CodecError`] if the payload is none, or continues a chain that was not
    /// begun.
    pub fn feed<'a>(
        &mut self,
        frame_start: Lsn,
        payload: &'a [u8],
    ) -> Result<Option<Committed<'a>>, CodecError> {
        let mut reader = Reader::new(payload);
        let kind = reader.u8()?;
        if kind == WHOLE {
            return Ok(Some((frame_start, reader.rest().into())));
        }
        if kind != PART && kind != LAST {
            return Err(reader.invalid("payload kind"));
        }
        let chain = Lsn(reader.u64()?);
        let part = reader.rest();
        if chain == NEW_CHAIN {
            if kind == LAST {
                return Ok(Some((frame_start, part.into())));
            }
            self.open.insert(frame_start, part.to_vec());
            return Ok(None);
        }
        let Some(effects) = self.open.get_mut(&chain) else {
            return Err(reader.invalid("chain"));
        };
        effects.extend_from_slice(part);
        if kind == PART {
            return Ok(None);
        }
        let effects = self.open.remove(&chain).unwrap_or_default();
        Ok(Some((frame_start, effects.into())))
    }

    /// How many chains were begun and not ended.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(kind: u8, chain: Lsn, effects: &[u8]) -> Vec<u8> {
        [&chain_head(kind, chain), effects].concat()
    }

    fn whole(effects: &[u8]) -> Vec<u8> {
        [&[WHOLE], effects].concat()
    }

    fn fed(chains: &mut Chains, start: u64, payload: &[u8]) -> Option<(u64, Vec<u8>)> {
        let fed = chains.feed(Lsn(start), payload).unwrap();
        fed.map(|(start, effects)| (start.0, effects.into_owned()))
    }

    #[test]
    fn a_whole_payload_commits_at_its_frame() {
        let mut chains = Chains::default();
        let committed = fed(&mut chains, 16, &whole(b"effects"));
        assert_eq!(committed, Some((16, b"effects".to_vec())));
        assert_eq!(fed(&mut chains, 24, &whole(b"")), Some((24, Vec::new())));
    }

    #[test]
    fn a_chain_commits_at_its_last_frame_even_if_it_begins_the_log() {
        for first in [0, 640] {
            let mut chains = Chains::default();
            let chain = Lsn(first);
            assert_eq!(fed(&mut chains, first, &part(PART, NEW_CHAIN, b"a")), None);
            assert_eq!(fed(&mut chains, 800, &part(PART, chain, b"b")), None);
            // Others append between its frames.
            assert!(fed(&mut chains, 880, &whole(b"other")).is_some());
            assert_eq!(chains.open_count(), 1);
            let committed = fed(&mut chains, 960, &part(LAST, chain, b"c"));
            assert_eq!(committed, Some((960, b"abc".to_vec())));
            assert_eq!(chains.open_count(), 0);
        }
    }

    #[test]
    fn a_chain_without_its_last_part_is_void_and_disturbs_no_other() {
        let mut chains = Chains::default();
        assert_eq!(fed(&mut chains, 0, &part(PART, NEW_CHAIN, b"lost")), None);
        assert_eq!(fed(&mut chains, 80, &part(PART, NEW_CHAIN, b"a")), None);
        let committed = fed(&mut chains, 160, &part(LAST, Lsn(80), b"b"));
        assert_eq!(committed, Some((160, b"ab".to_vec())));
        assert_eq!(chains.open_count(), 1);
    }

    #[test]
    fn a_chain_of_one_part_commits() {
        let mut chains = Chains::default();
        let committed = fed(&mut chains, 8, &part(LAST, NEW_CHAIN, b"a"));
        assert_eq!(committed, Some((8, b"a".to_vec())));
    }

    #[test]
    fn what_continues_nothing_is_refused() {
        let mut chains = Chains::default();
        for kind in [PART, LAST] {
            assert!(chains.feed(Lsn(80), &part(kind, Lsn(0), b"x")).is_err());
        }
        assert!(chains.feed(Lsn(80), &[]).is_err());
        assert!(chains.feed(Lsn(80), &[3]).is_err());
        assert!(chains.feed(Lsn(80), &[PART; 8]).is_err());
        assert_eq!(chains.open_count(), 0);
    }

    proptest! {
        #[test]
        fn any_cut_of_effects_comes_together_again(
            effects in proptest::collection::vec(any::<u8>(), 1..200), size in 1..50_usize,
        ) {
            let mut chains = Chains::default();
            let mut parts = effects.chunks(size).enumerate().peekable();
            let mut committed = None;
            while let Some((number, bytes)) = parts.next() {
                let chain = if number == 0 { NEW_CHAIN } else { Lsn(0) };
                let kind = if parts.peek().is_some() { PART } else { LAST };
                committed = fed(&mut chains, number as u64 * 80, &part(kind, chain, bytes));
                prop_assert_eq!(committed.is_some(), kind == LAST);
            }
            prop_assert_eq!(committed.unwrap().1, effects);
        }

        #[test]
        fn no_bytes_panic(payloads in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..20), 0..5)) {
            let mut chains = Chains::default();
            for (number, payload) in (0..).zip(&payloads) {
                if chains.feed(Lsn(number * 80), payload).is_ok() {
                    prop_assert!(payload[0] <= LAST);
                }
            }
        }
    }
}
