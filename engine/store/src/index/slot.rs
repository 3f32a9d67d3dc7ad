//! A slot: the 8 bytes the index spends on a key.
//!
//! Owns the packing. Does not own the record a hot slot points to. Pure; under
//! the shard's lock, any thread.
//!
//! ```text
//!        63 62 61 60 59                        31 30                           0
//!       +-----+-----+----------------------------+------------------------------+
//! cold  | 1 0 | freq|       stored hash 29       |       tier address 31        |
//!       +-----+-----+------------+---------------+------------------------------+
//! hot   | 0 1 | freq|   tag 12   |                  pointer 48                  |
//!       +-----+-----+------------+----------------------------------------------+
//! empty |                                  all 0                                |
//!       +-----------------------------------------------------------------------+
//! state 1 1 is never made.
//! ```
//!
//! The tag is the low 12 bits of the stored hash: the high ones already choose
//! segment and bucket.

use crate::address::Address;
use crate::record::RawRecord;
use thermocline_base::KeyHash;

const STATE_SHIFT: u32 = 62;
const FREQUENCY_SHIFT: u32 = 60;
const HOT: u64 = 1;
const COLD: u64 = 2;
const POINTER_BITS: u32 = 48;
const TAG_BITS: u32 = FREQUENCY_SHIFT - POINTER_BITS;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;
const STORED_MASK: u32 = (1 << KeyHash::STORED_BITS) - 1;

const _: () = assert!(KeyHash::STORED_BITS + Address::BITS == FREQUENCY_SHIFT);

/// What the index keeps of a key. The default is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Slot(u64);

/// Where a slot says the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In memory.
    Hot(RawRecord),
    /// On the tier only.
    Cold(Address),
}

impl Location {
    /// Where on the tier, if it is not in memory.
    #[must_use]
    pub const fn address(self) -> Option<Address> {
        match self {
            Self::Hot(_) => None,
            Self::Cold(address) => Some(address),
        }
    }
}

impl Slot {
    /// The slot of no key.
    pub const EMPTY: Self = Self(0);
    /// The highest frequency a slot can keep.
    pub const FREQUENCY_LIMIT: u8 = 3;

    /// The slot of a key of `hash` whose record is in memory, frequency 0.
    ///
    /// # Panics
    /// If the allocator handed out an address above 48 bits.
    #[must_use]
    pub fn hot(record: RawRecord, hash: KeyHash) -> Self {
        let pointer = record.to_exposed() as u64;
        assert!(
            pointer >> POINTER_BITS == 0,
            "user memory lies below 48 bits"
        );
        let tag = u64::from(hash.stored() & TAG_MASK);
        Self((HOT << STATE_SHIFT) | (tag << POINTER_BITS) | pointer)
    }

    /// The hot slot of the same key, whose record lies elsewhere now.
    #[must_use]
    pub(super) fn with_record(self, record: RawRecord) -> Self {
        debug_assert!(self.0 >> STATE_SHIFT == HOT);
        let pointer = record.to_exposed() as u64;
        assert!(
            pointer >> POINTER_BITS == 0,
            "user memory lies below 48 bits"
        );
        Self((self.0 & !((1 << POINTER_BITS) - 1)) | pointer)
    }

    /// The slot of a key of `hash` whose record is on the tier only,
    /// frequency 0.
    #[must_use]
    pub fn cold(address: Address, hash: KeyHash) -> Self {
        let stored = u64::from(hash.stored()) << Address::BITS;
        Self((COLD << STATE_SHIFT) | stored | u64::from(address.to_bits()))
    }

    /// The slot of `bits` as [`Slot::to_bits`] gave them; `None` if they are
    /// not those of a cold slot, the only kind that means something elsewhere.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits >> STATE_SHIFT == COLD {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The slot as it is drawn above.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// All 29 stored bits of the key's hash; `None` unless the slot is cold.
    #[must_use]
    pub const fn cold_stored(self) -> Option<u32> {
        if self.0 >> STATE_SHIFT == COLD {
            Some((self.0 >> Address::BITS) as u32 & STORED_MASK)
        } else {
            None
        }
    }

    /// Whether the key is on the tier only.
    #[must_use]
    pub const fn is_cold(self) -> bool {
        self.0 >> STATE_SHIFT == COLD
    }

    /// Whether this is the slot of no key.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Where the record is, `None` for an empty slot.
    #[must_use]
    pub fn location(self) -> Option<Location> {
        match self.0 >> STATE_SHIFT {
            HOT => {
                let pointer = self.0 & ((1 << POINTER_BITS) - 1);
                RawRecord::from_exposed(pointer as usize).map(Location::Hot)
            }
            COLD => Some(Location::Cold(Address::from_low_bits(self.0 as u32))),
            _ => None,
        }
    }

    /// How often the key was used lately, 0 to [`Slot::FREQUENCY_LIMIT`].
    #[must_use]
    pub const fn frequency(self) -> u8 {
        ((self.0 >> FREQUENCY_SHIFT) & 3) as u8
    }

    /// The same slot with another frequency, at most
    /// [`Slot::FREQUENCY_LIMIT`]. An empty slot stays empty.
    #[must_use]
    pub fn with_frequency(self, frequency: u8) -> Self {
        if self.is_empty() {
            return self;
        }
        let bits = u64::from(frequency.min(Self::FREQUENCY_LIMIT)) << FREQUENCY_SHIFT;
        Self((self.0 & !(3 << FREQUENCY_SHIFT)) | bits)
    }

    /// The stored hash of the key; a hot record is asked for it.
    pub(super) fn stored(self, hasher: &impl Fn(RawRecord) -> KeyHash) -> u32 {
        match self.location() {
            Some(Location::Hot(record)) => hasher(record).stored(),
            Some(Location::Cold(_)) | None => (self.0 >> Address::BITS) as u32 & STORED_MASK,
        }
    }
}

/// What a slot of a key looks like, hot or cold, but for its frequency and location.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    hot: u64,
    cold: u64,
}

impl Wanted {
    const HOT_MASK: u64 = (3 << STATE_SHIFT) | ((TAG_MASK as u64) << POINTER_BITS);
    const COLD_MASK: u64 = (3 << STATE_SHIFT) | ((STORED_MASK as u64) << Address::BITS);

    /// For the key whose stored hash bits these are.
    pub(super) const fn new(stored: u32) -> Self {
        Self {
            hot: (HOT << STATE_SHIFT) | (((stored & TAG_MASK) as u64) << POINTER_BITS),
            cold: (COLD << STATE_SHIFT) | (((stored & STORED_MASK) as u64) << Address::BITS),
        }
    }

    /// Whether the slot may be that key's.
    pub(super) const fn may_be(self, slot: Slot) -> bool {
        (slot.0 & Self::HOT_MASK == self.hot) | (slot.0 & Self::COLD_MASK == self.cold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cold_slot_reads_back(hash in any::<u64>(), bits in 0..1_u32 << 31, frequency in 0..4_u8) {
            let hash = KeyHash(hash);
            let address = Address::from_bits(bits).expect("31 bits");
            let slot = Slot::cold(address, hash).with_frequency(frequency);
            prop_assert_eq!(slot.location(), Some(Location::Cold(address)));
            prop_assert_eq!(slot.frequency(), frequency);
            prop_assert_eq!(slot.stored(&|_| unreachable!("cold")), hash.stored());
            prop_assert!(Wanted::new(hash.stored()).may_be(slot));
            prop_assert!(!Wanted::new(hash.stored() ^ (1 << 20)).may_be(slot));
            prop_assert_eq!(slot.cold_stored(), Some(hash.stored()));
            prop_assert_eq!(Slot::from_bits(slot.to_bits()), Some(slot));
        }

        #[test]
        fn hot_slot_reads_back(hash in any::<u64>(), pointer in 1..1_usize << 48, frequency in 0..4_u8) {
            let hash = KeyHash(hash);
            let record = RawRecord::from_exposed(pointer).expect("not null");
            let slot = Slot::hot(record, hash).with_frequency(frequency);
            prop_assert_eq!(slot.location(), Some(Location::Hot(record)));
            prop_assert_eq!(slot.frequency(), frequency);
            prop_assert_eq!(slot.stored(&|_| hash), hash.stored());
            prop_assert!(Wanted::new(hash.stored()).may_be(slot));
            prop_assert!(!Wanted::new(hash.stored() ^ 1).may_be(slot));
            prop_assert_eq!(slot.cold_stored(), None);
            prop_assert_eq!(Slot::from_bits(slot.to_bits()), None);
            let elsewhere = RawRecord::from_exposed(8).expect("not null");
            let moved = slot.with_record(elsewhere);
            prop_assert_eq!(moved, Slot::hot(elsewhere, hash).with_frequency(frequency));
        }
    }

    #[test]
    fn empty_slot_has_nothing() {
        assert!(Slot::default().is_empty());
        assert_eq!(Slot::EMPTY.location(), None);
        assert!(!Wanted::new(0).may_be(Slot::EMPTY));
        assert!(Slot::EMPTY.with_frequency(3).is_empty());
        assert_eq!(Slot::from_bits(0), None);
        assert_eq!(Slot::from_bits(3 << 62), None);
    }
}
