//! Sets: members without values.
//!
//! Owns the three forms (few integers [`integers`], few members [`packed`], many
//! [`full`]) and the one way to read them all, [`SetRef`]. Does not know keys.
//! When a form is changed is `update`'s. Runs on whichever thread holds the
//! shard, or holds a capture.

pub mod full;
pub mod integers;
pub mod member;
pub mod packed;
pub(crate) mod update;

pub use full::FullSet;
pub use integers::IntegerSet;
pub use member::Member;
pub use packed::PackedSet;
pub use update::SetForm;

use crate::number::parse_integer;
use thermocline_base::Random;

/// A set to read, whichever its form.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Integers only, in ascending order, read in place.
    Integers(IntegerSet<'a>),
    /// A small one, read in place.
    Packed(PackedSet<'a>),
    /// A large one.
    Full(&'a FullSet),
}

impl<'a> SetRef<'a> {
    /// How many members it has. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Packed(packed) => packed.len(),
            Self::Full(full) => full.len(),
        }
    }

    /// Whether it has no member. O(1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which form it has.
    #[must_use]
    pub const fn form(&self) -> SetForm {
        match self {
            Self::Integers(_) => SetForm::Integers,
            Self::Packed(_) => SetForm::Packed,
            Self::Full(_) => SetForm::Full,
        }
    }

    /// Whether `member` is in it.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Integers(integers) => {
                parse_integer(member).is_some_and(|number| integers.find(number).is_ok())
            }
            Self::Packed(packed) => packed.contains(member),
            Self::Full(full) => full.contains(member),
        }
    }

    /// All members: integers in ascending order, those of a packed set as they
    /// were added, those of a full one in the order of its nodes.
    pub fn iter(&self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let integers = match *self {
            Self::Integers(integers) => Some(integers),
            _ => None,
        };
        let packed = match *self {
            Self::Packed(packed) => Some(packed),
            _ => None,
        };
        let full = match *self {
            Self::Full(full) => Some(full),
            _ => None,
        };
        let numbers = integers.into_iter().flat_map(IntegerSet::iter);
        let members = packed.into_iter().flat_map(|packed| packed.iter());
        let members = members.chain(full.into_iter().flat_map(FullSet::iter));
        numbers
            .map(Member::integer)
            .chain(members.map(Member::Bytes))
    }

    /// One step of a scan begun with cursor 0: some members, `count` or a
    /// little more when there are as many, and the cursor to go on with, 0 at
    /// the end. A member that is there throughout the scan is returned at least
    /// once, whatever comes and goes meanwhile. A small set comes whole.
    #[must_use]
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<Member<'a>>) {
        match *self {
            Self::Full(full) => {
                let mut members = Vec::new();
                let next = full.scan(cursor, count, |member| members.push(Member::Bytes(member)));
                (next, members)
            }
            _ => (0, self.iter().collect()),
        }
    }

    /// A random member; `None` if there is none.
    pub fn random(&self, random: &mut Random) -> Option<Member<'a>> {
        match *self {
            Self::Full(full) => full.random(random).map(Member::Bytes),
            Self::Integers(integers) => {
                let at = random.below(integers.len() as u64) as usize;
                integers.get(at).map(Member::integer)
            }
            Self::Packed(packed) => {
                let at = random.below(packed.len() as u64) as usize;
                packed.iter().nth(at).map(Member::Bytes)
            }
        }
    }
}
