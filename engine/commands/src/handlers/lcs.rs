//! LCS: the longest common subsequence of two strings, and where it lies.
//!
//! Owns the algorithm and the layout of its reply. Runs under the locks of the
//! access.
//!
//! The answer is that of the table T(i, j) of the lengths for all prefixes, of
//! which many subsequences may be longest: the walk back through the table
//! decides, so it is Valkey's step by step. The table itself is not kept, only
//! the outcome of the one comparison the walk makes in each cell: a bit instead
//! of four bytes. Its size is still refused where Valkey refuses it, which bounds
//! the time as well.

use crate::arguments::{LcsOptions, parse_lcs};
use crate::context::{Context, Failure, Handler};
use crate::error::CommandError;
use crate::reply::ReplyBuffer;

pub(super) const HANDLERS: &[(&str, Handler)] = &[("lcs", lcs)];

/// Bytes of a cell of Valkey's table.
const CELL_BYTES: u128 = 4;

fn lcs(context: &mut Context<'_, '_, '_>) -> Result<(), Failure> {
    // Both are used, whatever the first is.
    let is_other = [0, 1].map(|index| {
        let entry = context.get(index);
        entry.is_some_and(|entry| entry.value.string().is_err())
    });
    if is_other.contains(&true) {
        return Err(CommandError::LcsNotStrings.into());
    }
    let options = parse_lcs(&context.arguments[3..])?;
    let string = |index: usize| {
        let entry = context.access.peek(context.keys[index]);
        entry.and_then(|entry| entry.value.string().ok())
    };
    let first = string(0).unwrap_or_default();
    let second = string(1).unwrap_or_default();
    let cells = (first.len() as u128 + 1) * (second.len() as u128 + 1);
    if cells * CELL_BYTES > context.string_max_bytes as u128 {
        return Err(CommandError::LcsTooLarge.into());
    }
    let table = Table::new(first, second, !options.length);
    if options.length {
        context.reply.integer(table.length.into());
    } else if options.indexes {
        reply_places(context.reply, &table.places(), table.length, options);
    } else {
        context.reply.bulk(&table.subsequence());
    }
    Ok(())
}

fn reply_places(reply: &mut ReplyBuffer, places: &[Place], length: u32, options: LcsOptions) {
    let wanted = |place: &&Place| place.bytes as u64 >= options.match_min_bytes;
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(places.iter().filter(wanted).count());
    for place in places.iter().filter(wanted) {
        reply.array(if options.match_lengths { 3 } else { 2 });
        for start in [place.first, place.second] {
            reply.array(2);
            reply.integer(start as i64);
            reply.integer((start + place.bytes - 1) as i64);
        }
        if options.match_lengths {
            reply.integer(place.bytes as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(length.into());
}

/// Bytes in a row that both strings have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Where they begin in the first string.
    first: usize,
    /// Where they begin in the second string.
    second: usize,
    /// How many, at least 1.
    bytes: usize,
}

/// What is left of the table once it was filled in. Its rows are the longer
/// string's, so that the one row kept is short.
struct Table<'a> {
    rows: &'a [u8],
    columns: &'a [u8],
    /// Whether the rows are the second string's.
    swapped: bool,
    length: u32,
    /// A bit for each cell, row by row: whether the walk leaves it for the row
    /// before. Empty if only the length was wanted.
    leaves_row: Vec<u64>,
}

impl<'a> Table<'a> {
    fn new(first: &'a [u8], second: &'a [u8], keep: bool) -> Self {
        let swapped = first.len() < second.len();
        let (rows, columns) = if swapped {
            (second, first)
        } else {
            (first, second)
        };
        let cells = if keep { rows.len() * columns.len() } else { 0 };
        let mut leaves_row = vec![0_u64; cells.div_ceil(64)];
        let mut lengths = vec![0_u32; columns.len() + 1];
        let mut cell = 0;
        for byte in rows {
            // The lengths in the cell before this one in the row, and above that.
            let (mut left, mut corner) = (0, 0);
            for (other, length) in columns.iter().zip(lengths.iter_mut().skip(1)) {
                let up = *length;
                *length = if byte == other {
                    corner + 1
                } else {
                    up.max(left)
                };
                if keep {
                    // Of two equal ways the one along the second string is taken.
                    let leaves = up > left || (swapped && up == left);
                    leaves_row[cell / 64] |= u64::from(leaves) << (cell % 64);
                    cell += 1;
                }
                (left, corner) = (*length, up);
            }
        }
        Self {
            rows,
            columns,
            swapped,
            length: lengths.last().copied().unwrap_or(0),
            leaves_row,
        }
    }

    /// The positions of the subsequence in the first and in the second string,
    /// last first.
    fn walk_back(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut row, mut column) = (self.rows.len(), self.columns.len());
        std::iter::from_fn(move || {
            while row > 0 && column > 0 {
                if self.rows[row - 1] == self.columns[column - 1] {
                    row -= 1;
                    column -= 1;
                    return Some(if self.swapped {
                        (column, row)
                    } else {
                        (row, column)
                    });
                }
                let cell = (row - 1) * self.columns.len() + (column - 1);
                if self.leaves_row[cell / 64] >> (cell % 64) & 1 == 1 {
                    row -= 1;
                } else {
                    column -= 1;
                }
            }
            None
        })
    }

    fn subsequence(&self) -> Vec<u8> {
        let common = |(first, second)| self.rows[if self.swapped { second } else { first }];
        let mut bytes: Vec<u8> = self.walk_back().map(common).collect();
        bytes.reverse();
        bytes
    }

    /// The subsequence as runs, last first.
    fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for (first, second) in self.walk_back() {
            match places.last_mut() {
                Some(place) if place.first == first + 1 && place.second == second + 1 => {
                    *place = Place {
                        first,
                        second,
                        bytes: place.bytes + 1,
                    };
                }
                _ => places.push(Place {
                    first,
                    second,
                    bytes: 1,
                }),
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The length by the definition.
    fn length(first: &[u8], second: &[u8]) -> usize {
        let mut table = vec![vec![0; second.len() + 1]; first.len() + 1];
        for i in 1..=first.len() {
            for j in 1..=second.len() {
                table[i][j] = if first[i - 1] == second[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        table[first.len()][second.len()]
    }

    #[test]
    fn the_first_of_several_longest_is_the_one_valkey_takes() {
        for (first, second, expected) in [
            ("ohmytext", "mynewtext", "mytext"),
            ("abcd", "badc", "bd"),
            ("aabb", "bbaa", "bb"),
            ("xaxbxc", "cbaabc", "abc"),
            ("xaxbxc", "cbaabcyyyy", "abc"),
            ("cbaabcyyyy", "xaxbxc", "abc"),
            ("badcyyy", "abcd", "ac"),
            ("abcd", "badcyyy", "bd"),
            ("", "abc", ""),
        ] {
            let table = Table::new(first.as_bytes(), second.as_bytes(), true);
            let found = String::from_utf8_lossy(&table.subsequence()).into_owned();
            assert_eq!(found, expected, "{first} {second}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_common_and_longest(
            first in proptest::collection::vec(0_u8..4, 0..40),
            second in proptest::collection::vec(0_u8..4, 0..40),
        ) {
            let table = Table::new(&first, &second, true);
            prop_assert_eq!(table.length as usize, length(&first, &second));
            prop_assert_eq!(Table::new(&first, &second, false).length, table.length);
            prop_assert_eq!(table.subsequence().len(), table.length as usize);
            let mut joined = Vec::new();
            for place in table.places().iter().rev() {
                let bytes = &first[place.first..place.first + place.bytes];
                prop_assert_eq!(bytes, &second[place.second..place.second + place.bytes]);
                joined.extend_from_slice(bytes);
            }
            prop_assert_eq!(joined, table.subsequence());
        }
    }
}
