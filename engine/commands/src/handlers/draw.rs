//! Random elements of a collection for HRANDFIELD, SRANDMEMBER, ZRANDMEMBER and
//! SPOP.
//!
//! Owns how they are drawn, with or without repetition; the caller says how one
//! is found. INVARIANT: no more is allocated than the collection holds or the
//! limit allows, whatever count was asked for. Pure; any thread.

use std::collections::BTreeSet;
use thermocline_base::Random;

/// Up to one in this many elements are drawn one by one; for a larger part the
/// whole collection is gone through.
const SPARSE_PART: usize = 3;

/// The most that a draw with repetition may take: its reply grows with a number
/// the client chose.
pub(super) const REPEATED_MAX_BYTES: usize = 128 * 1024 * 1024;

/// A collection to draw from.
pub(super) struct Source<One, All> {
    /// How many elements it has at most.
    pub(super) len: usize,
    /// Whether finding one costs little, however many there are.
    pub(super) is_large: bool,
    /// Draws one; `None` if there is none.
    pub(super) one: One,
    /// All of them.
    pub(super) all: All,
}

impl<T, One, All> Source<One, All>
where
    T: Copy + Ord,
    One: FnMut(&mut Random) -> Option<T>,
    All: Fn() -> Vec<T>,
{
    /// At most `count` different elements, all of them where there are no more.
    pub(super) fn unique(mut self, count: usize, random: &mut Random) -> Vec<T> {
        if self.is_large
            && count <= self.len / SPARSE_PART
            && let Some(drawn) = self.drawn_sparsely(count, random)
        {
            return drawn;
        }
        let mut elements = (self.all)();
        let count = count.min(elements.len());
        if count < elements.len() {
            // The first steps of a Fisher-Yates shuffle.
            for at in 0..count {
                let left = (elements.len() - at) as u64;
                elements.swap(at, at + random.below(left) as usize);
            }
            elements.truncate(count);
        }
        elements
    }

    /// Draws until `count` different elements are found; `None` if that takes
    /// long because few can be drawn.
    fn drawn_sparsely(&mut self, count: usize, random: &mut Random) -> Option<Vec<T>> {
        let mut elements = Vec::new();
        let mut seen = BTreeSet::new();
        let tries = count.saturating_mul(4).saturating_add(64);
        for _ in 0..tries {
            if elements.len() == count {
                break;
            }
            let element = (self.one)(random)?;
            if seen.insert(element) {
                elements.push(element);
            }
        }
        (elements.len() == count).then_some(elements)
    }

    /// `count` elements with repetition, none if there are none to draw. `None`
    /// if they and a reply of them, `bytes_of` each, would take more than
    /// `limit_bytes`.
    pub(super) fn repeating(
        mut self,
        count: usize,
        random: &mut Random,
        bytes_of: impl Fn(&T) -> usize,
        limit_bytes: usize,
    ) -> Option<Vec<T>> {
        // A small collection is walked once instead of for each draw.
        let small = (!self.is_large).then(|| (self.all)());
        let mut drawn = Vec::new();
        let mut reply_bytes = 0_usize;
        while drawn.len() < count {
            let element = match &small {
                Some(elements) => {
                    let at = random.below(elements.len() as u64) as usize;
                    elements.get(at).copied()
                }
                None => (self.one)(random),
            };
            let Some(element) = element else { break };
            let element_bytes = bytes_of(&element).saturating_add(size_of::<T>());
            reply_bytes = reply_bytes.saturating_add(element_bytes);
            if reply_bytes > limit_bytes {
                return None;
            }
            drawn.push(element);
        }
        Some(drawn)
    }
}
