//! The address of a record on the tier: a page and how much to read there.
//!
//! Owns the packing into 31 bits, which is what a slot of the index and the
//! header of a record keep. Does not know files, segments or what lies at an
//! address. Pure; any thread.
//!
//! ```text
//!  31  30                                     3 2      0
//! +---+----------------------------------------+--------+
//! | 0 |            page 28                     | class 3|
//! +---+----------------------------------------+--------+
//! ```
//!
//! LIMIT: 2²⁸ pages of 4 KiB are a tier of 1 TiB.
//!
//! INVARIANT: bit 31 is never set; [`crate::index`] relies on it.

/// What an address counts in, bytes.
pub const PAGE_BYTES: usize = 4096;

/// Where a record lies on the tier: 31 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u32);

impl Address {
    /// Bits an address takes.
    pub const BITS: u32 = 31;
    /// How many pages can be addressed: 1 TiB of them.
    pub const PAGE_COUNT: u32 = 1 << 28;
    /// The length class of a record of 128 pages or more, whose header tells
    /// the rest.
    pub const LAST_CLASS: u8 = 7;
    const CLASS_BITS: u32 = 3;

    /// The address of a record that starts in `page` and whose extent, counted
    /// from the start of that page, is `pages` pages (0 counts as 1). The
    /// length is kept rounded up to a power of two. `None` if `page` is not
    /// below [`Address::PAGE_COUNT`].
    #[must_use]
    pub const fn new(page: u32, pages: u32) -> Option<Self> {
        if page >= Self::PAGE_COUNT {
            return None;
        }
        let class = if pages <= 1 {
            0
        } else {
            // ceil(log2(pages)).
            32_u32.saturating_sub(pages.saturating_sub(1).leading_zeros())
        };
        let class = if class > Self::LAST_CLASS as u32 {
            Self::LAST_CLASS as u32
        } else {
            class
        };
        Some(Self((page << Self::CLASS_BITS) | class))
    }

    /// The address of 31 bits as [`Address::to_bits`] gave them, `None` if bit
    /// 31 is set.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits >> Self::BITS == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The address of the low 31 bits of `bits`.
    #[must_use]
    pub(crate) const fn from_low_bits(bits: u32) -> Self {
        Self(bits & (u32::MAX >> 1))
    }

    /// The address as 31 bits.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The page in which the record starts.
    #[must_use]
    pub const fn page(self) -> u32 {
        self.0 >> Self::CLASS_BITS
    }

    /// The byte of the tier at which the page starts.
    #[must_use]
    pub const fn byte_offset(self) -> u64 {
        (self.page() as u64) << PAGE_BYTES.trailing_zeros()
    }

    /// The length class: the base-two logarithm of [`Address::pages`].
    #[must_use]
    pub const fn class(self) -> u8 {
        (self.0 & ((1 << Self::CLASS_BITS) - 1)) as u8
    }

    /// How many pages the first read must take: 1, 2, 4, 8, 16, 32, 64 or 128.
    #[must_use]
    pub const fn pages(self) -> u32 {
        1 << self.class()
    }

    /// Whether [`Address::pages`] is only the least the record may take, and
    /// its header tells how much to read on.
    #[must_use]
    pub const fn is_open_ended(self) -> bool {
        self.class() == Self::LAST_CLASS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_rounded_up_to_a_class() {
        for (pages, read) in [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (64, 64), (65, 128)] {
            let address = Address::new(9, pages).expect("the page is in range");
            assert_eq!((address.page(), address.pages()), (9, read));
        }
        let long = Address::new(9, u32::MAX).expect("the page is in range");
        assert!(long.is_open_ended());
        assert_eq!(long.pages(), 128);
    }

    #[test]
    fn bits_read_back_and_the_last_page_fits() {
        let last = Address::new(Address::PAGE_COUNT - 1, 200).expect("the page is in range");
        assert_eq!(Address::from_bits(last.to_bits()), Some(last));
        assert_eq!(last.byte_offset(), (1 << 40) - 4096);
        assert_eq!(Address::new(Address::PAGE_COUNT, 1), None);
        assert_eq!(Address::from_bits(1 << 31), None);
    }
}
