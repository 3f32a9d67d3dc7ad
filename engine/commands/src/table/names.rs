//! Finds a command by its name, letter case ignored.
//!
//! Owns the search: the first eight bytes of a name are one number, which is hashed and
//! compared at once; few names are longer. Does not know subcommands. Built once, read-only
//! after that, any thread.
//!
//! INVARIANT: mostly empty, so that a search ends, with one look as a rule.

use super::Command;

/// How many places there are for each name, at least.
const PLACES_PER_NAME: usize = 8;

#[derive(Clone, Copy)]
struct Place {
    head: u64,
    command: &'static Command,
}

/// See the module.
pub(super) struct Names {
    places: Box<[Option<Place>]>,
}

impl Names {
    /// The names of `commands`, which are lower case.
    pub(super) fn new(commands: &[&'static Command]) -> Self {
        let count = commands.len().saturating_mul(PLACES_PER_NAME);
        let mut names = Self {
            places: vec![None; count.next_power_of_two()].into_boxed_slice(),
        };
        for command in commands {
            let head = head(command.name.as_bytes());
            let mut at = names.first(head);
            while names.places[at].is_some() {
                at = names.after(at);
            }
            names.places[at] = Some(Place { head, command });
        }
        names
    }

    /// The command of that name.
    pub(super) fn find(&self, name: &[u8]) -> Option<&'static Command> {
        let head = head(name);
        let mut at = self.first(head);
        loop {
            let place = (*self.places.get(at)?)?;
            if place.head == head && has_rest(place.command.name.as_bytes(), name) {
                return Some(place.command);
            }
            at = self.after(at);
        }
    }

    const fn first(&self, head: u64) -> usize {
        (head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (self.places.len() - 1)
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

/// Whether the names are as long, and equal behind their heads.
fn has_rest(name: &[u8], given: &[u8]) -> bool {
    name.len() == given.len()
        && (name.len() <= size_of::<u64>()
            || name[size_of::<u64>()..].eq_ignore_ascii_case(&given[size_of::<u64>()..]))
}

/// The first eight bytes of a name in lower case, zeros behind a shorter one.
fn head(name: &[u8]) -> u64 {
    if let Some((head, _)) = name.split_first_chunk() {
        return to_lower_case(u64::from_le_bytes(*head));
    }
    let little = |chunk: &[u8; 4]| u64::from(u32::from_le_bytes(*chunk));
    let packed = match (name.split_first_chunk(), name.split_last_chunk()) {
        // The two halves may overlap, in equal bytes.
        (Some((first, _)), Some((_, last))) => {
            little(first) | little(last) << (8 * (name.len() - 4))
        }
        _ => (name.iter().rev()).fold(0, |packed, byte| packed << 8 | u64::from(*byte)),
    };
    to_lower_case(packed)
}

/// Each of eight bytes in lower case, if it is an ASCII letter.
const fn to_lower_case(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f * EACH;
    // Sums of seven bits that reach the eighth, and never the next byte.
    let from_a = (bytes & LOW) + (0x80 - b'A' as u64) * EACH;
    let above_z = (bytes & LOW) + (0x7f - b'Z' as u64) * EACH;
    let is_upper = (from_a & !above_z & !bytes) & (0x80 * EACH);
    bytes | is_upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn letters_alone_change(bytes in any::<[u8; 8]>()) {
            let lower = bytes.map(|byte| byte.to_ascii_lowercase());
            prop_assert_eq!(to_lower_case(u64::from_le_bytes(bytes)), u64::from_le_bytes(lower));
        }

        #[test]
        fn heads_are_the_first_bytes(name in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut bytes = [0; 8];
            let count = name.len().min(8);
            bytes[..count].copy_from_slice(&name[..count]);
            bytes.make_ascii_lowercase();
            prop_assert_eq!(head(&name), u64::from_le_bytes(bytes));
        }
    }

    #[test]
    fn every_name_is_found_in_any_case_and_no_other() {
        for command in super::super::all() {
            let name = command.name.as_bytes();
            let found = |name: &[u8]| super::super::lookup(name).map(|found| found.name);
            assert_eq!(found(name), Some(command.name));
            assert_eq!(found(&name.to_ascii_uppercase()), Some(command.name));
            let with_zero = [name, b"\0"].concat();
            assert_eq!(found(&with_zero), None, "{}", command.name);
            for at in 0..name.len() {
                let mut other = name.to_vec();
                other[at] ^= 0x40;
                assert_eq!(found(&other), None, "{} at {at}", command.name);
            }
        }
        assert_eq!(super::super::lookup(b"").map(|found| found.name), None);
    }
}
