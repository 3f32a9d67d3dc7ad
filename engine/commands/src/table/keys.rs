//! Where the keys of a request are.
//!
//! Owns key specifications and their evaluation over hostile requests; it does not own the
//! keys. Invariant: every position handed out lies inside the request. Nothing is allocated
//! from a declared count. Pure functions, called by any thread.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects
)]

use smallvec::SmallVec;

use super::{Command, Flag, KeyFlag, KeyFlags, find};
use crate::arguments::parse_integer;
use crate::error::CommandError;

/// How the last key is found from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySearch {
    /// The last key stands `last` after the first; a negative one counts from the end.
    Range {
        /// Relative position of the last key.
        last: i32,
    },
    /// The number of keys stands `count` after the start, the first key `first` after it.
    Counted {
        /// Relative position of the count.
        count: u32,
        /// Relative position of the first key.
        first: u32,
    },
    /// Not by position: by what a value holds, or behind STORE wherever that stands. Only
    /// of SORT and SORT_RO.
    Unknown {
        /// What a client is told of it.
        notes: &'static str,
    },
    /// One key behind a word, STORE or STOREDIST: of all these options in a request only
    /// the last names a key.
    StoreOption {
        /// The word, in capitals.
        word: &'static str,
    },
    /// The first key stands behind a word, which is looked for from the start on; they are
    /// the first half of what is left of the request.
    Keyword {
        /// The word, in capitals.
        word: &'static str,
    },
}

/// One group of keys in the arguments of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Position in the request where the group starts.
    pub start: u32,
    /// How it goes on from there.
    pub search: KeySearch,
    /// Distance between two keys, at least 1.
    pub step: u32,
    /// What the command does to these keys.
    pub flags: KeyFlags,
    /// What a client is told of it beside that; mostly nothing.
    pub notes: &'static str,
}

impl KeySpec {
    pub(super) const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    pub(super) const fn range(start: u32, last: i32, step: u32, flags: &[KeyFlag]) -> Self {
        Self {
            start,
            search: KeySearch::Range { last },
            step,
            flags: KeyFlags::of(flags),
            notes: "",
        }
    }

    pub(super) const fn counted(
        start: u32,
        count: u32,
        first: u32,
        step: u32,
        flags: &[KeyFlag],
    ) -> Self {
        let search = KeySearch::Counted { count, first };
        Self {
            start,
            search,
            step,
            flags: KeyFlags::of(flags),
            notes: "",
        }
    }

    pub(super) const fn unknown(notes: &'static str, flags: &[KeyFlag]) -> Self {
        Self {
            start: 0,
            search: KeySearch::Unknown { notes },
            step: 1,
            flags: KeyFlags::of(flags),
            notes: "",
        }
    }

    pub(super) const fn store_option(word: &'static str, start: u32, flags: &[KeyFlag]) -> Self {
        Self {
            start,
            search: KeySearch::StoreOption { word },
            step: 1,
            flags: KeyFlags::of(flags),
            notes: "",
        }
    }

    pub(super) const fn after_keyword(word: &'static str, start: u32, flags: &[KeyFlag]) -> Self {
        Self {
            start,
            search: KeySearch::Keyword { word },
            step: 1,
            flags: KeyFlags::of(flags),
            notes: "",
        }
    }

    /// The keys of this group, or `None` where the request breaks the specification.
    fn evaluate<A: AsRef<[u8]>>(&self, request: &[A]) -> Option<KeyRange> {
        let start = usize::try_from(self.start).ok()?;
        let step = usize::try_from(self.step).ok()?.max(1);
        let (first, count) = match self.search {
            KeySearch::Range { last } => {
                let distance = usize::try_from(last.unsigned_abs()).ok()?;
                let last = if last < 0 {
                    request.len().checked_sub(distance)?
                } else {
                    start.checked_add(distance)?
                };
                // Keys that may be left out, such as the sources of PFMERGE, begin behind
                // the end of a request without them.
                let places = last.checked_add(1)?.saturating_sub(start);
                (start, places.div_ceil(step))
            }
            KeySearch::Counted { count, first } => {
                let position = start.checked_add(usize::try_from(count).ok()?)?;
                let declared = parse_integer(request.get(position)?.as_ref()).ok()?;
                let first = start.checked_add(usize::try_from(first).ok()?)?;
                (first, usize::try_from(declared).ok()?)
            }
            KeySearch::Unknown { .. } if self.flags.contains(KeyFlag::Overwrite) => {
                match store_target(request) {
                    Some(position) => (position, 1),
                    None => (start, 0),
                }
            }
            KeySearch::Unknown { .. } => (start, 0),
            KeySearch::StoreOption { word } => {
                let last = last_store_option(request, start);
                let is_this = |at: usize| {
                    let found = request.get(at).map(AsRef::as_ref);
                    found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
                };
                match last.filter(|at| is_this(*at)) {
                    Some(at) => (at.checked_add(1)?, 1),
                    None => (start, 0),
                }
            }
            KeySearch::Keyword { word } => {
                let first = keyword_position(request, word)?.checked_add(1)?;
                let left = request.len().checked_sub(first)?;
                (first, left.checked_div(2)?)
            }
        };
        let range = KeyRange {
            first,
            count,
            step,
            flags: self.flags,
        };
        match count {
            0 => Some(range),
            _ => (range.position(count.checked_sub(1)?)? < request.len()).then_some(range),
        }
    }
}

/// Where the last STORE or STOREDIST stands that has a key behind it.
fn last_store_option<A: AsRef<[u8]>>(request: &[A], start: usize) -> Option<usize> {
    let mut last = None;
    let mut at = start;
    while let Some([option, _]) = request.get(at..at.checked_add(2)?) {
        let option = option.as_ref();
        let is_store =
            option.eq_ignore_ascii_case(b"store") || option.eq_ignore_ascii_case(b"storedist");
        if is_store {
            last = Some(at);
        }
        at = at.checked_add(if is_store { 2 } else { 1 })?;
    }
    last
}

/// Where the word stands among the options of XREAD or XREADGROUP: not where it is what an
/// option is told.
fn keyword_position<A: AsRef<[u8]>>(request: &[A], word: &str) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        let option = request.get(at)?.as_ref();
        if option.eq_ignore_ascii_case(word.as_bytes()) {
            return Some(at);
        }
        let told = match option.to_ascii_lowercase().as_slice() {
            b"block" | b"count" => 1,
            b"group" => 2,
            b"noack" => 0,
            _ => return None,
        };
        at = at.checked_add(told)?.checked_add(1)?;
    }
}

/// Keys at equal distances in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Position of the first key in the request; the command's name is at 0.
    pub first: usize,
    /// Number of keys.
    pub count: usize,
    /// Distance between two keys.
    pub step: usize,
    /// What the command does to these keys.
    pub flags: KeyFlags,
}

impl KeyRange {
    fn position(&self, index: usize) -> Option<usize> {
        self.first.checked_add(index.checked_mul(self.step)?)
    }

    /// The positions of the keys, ascending, all inside the request.
    pub fn positions(self) -> impl Iterator<Item = usize> {
        (0..self.count).filter_map(move |index| self.position(index))
    }
}

/// The groups of keys of a request; hardly a command has more than two.
pub type KeyRanges = SmallVec<[KeyRange; 2]>;

/// Where the command's keys are, shard channels left out.
fn keys_of(command: &Command) -> impl Iterator<Item = &'static KeySpec> {
    let specs = command.keys.iter();
    specs.filter(|spec| !spec.flags.contains(KeyFlag::NotKey))
}

/// The keys of a request that [`super::find`] resolved to `command`.
///
/// A request that breaks the specification (a count that is not a number or larger than the
/// request) has no keys here: the command itself reports the error.
pub fn request_keys<A: AsRef<[u8]>>(command: &Command, request: &[A]) -> KeyRanges {
    let mut ranges = KeyRanges::new();
    for spec in keys_of(command) {
        let Some(mut range) = spec.evaluate(request) else {
            return KeyRanges::new();
        };
        if range.flags.contains(KeyFlag::VariableFlags) {
            range.flags = if command.name == "bitfield" {
                bitfield_flags(request)
            } else {
                set_flags(request)
            };
        }
        if range.count > 0 {
            ranges.push(range);
        }
    }
    ranges
}

/// Where the target of SORT stands: behind the last STORE that is no other option's
/// argument.
fn store_target<A: AsRef<[u8]>>(request: &[A]) -> Option<usize> {
    let mut target = None;
    let mut position = 2_usize;
    while let Some(option) = request.get(position) {
        let is = |name: &[u8]| option.as_ref().eq_ignore_ascii_case(name);
        let arguments = if is(b"limit") {
            2
        } else if is(b"get") || is(b"by") || is(b"store") {
            1
        } else {
            0
        };
        let next = position.saturating_add(1);
        if is(b"store") && next < request.len() {
            target = Some(next);
        }
        position = next.saturating_add(arguments);
    }
    target
}

/// `BITFIELD` changes its key only when it is told more than to read.
fn bitfield_flags<A: AsRef<[u8]>>(request: &[A]) -> KeyFlags {
    let mut words = request.iter().skip(2).map(AsRef::as_ref);
    let changes =
        |word: &[u8]| word.eq_ignore_ascii_case(b"set") || word.eq_ignore_ascii_case(b"incrby");
    if words.any(changes) {
        KeyFlags::of(&[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])
    } else {
        KeyFlags::of(&[KeyFlag::ReadOnly, KeyFlag::Access])
    }
}

/// `SET` reads the old value only when asked to return it.
fn set_flags<A: AsRef<[u8]>>(request: &[A]) -> KeyFlags {
    let mut options = request.iter().skip(3);
    if options.any(|option| option.as_ref().eq_ignore_ascii_case(b"get")) {
        KeyFlags::of(&[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])
    } else {
        KeyFlags::of(&[KeyFlag::Overwrite, KeyFlag::Update])
    }
}

/// What `COMMAND GETKEYS` answers for a request, given from its command name on.
///
/// # Errors
/// In this order: an unknown command, one without keys, a wrong number of arguments,
/// arguments from which the keys cannot be told.
pub fn get_keys<A: AsRef<[u8]>>(request: &[A]) -> Result<KeyRanges, CommandError> {
    let command = find(request).ok_or(CommandError::InvalidCommand)?;
    if keys_of(command).next().is_none() {
        return Err(CommandError::NoKeyArguments);
    }
    if !command.accepts(request.len()) {
        return Err(CommandError::InvalidArgumentCount);
    }
    let ranges = request_keys(command, request);
    if ranges.is_empty() && !command.flags.contains(Flag::NoMandatoryKeys) {
        return Err(CommandError::InvalidArguments);
    }
    Ok(ranges)
}
