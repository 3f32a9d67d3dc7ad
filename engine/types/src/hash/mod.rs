//! Hashes: fields with values, each with an expiry of its own if it has one.
//!
//! Owns the two forms (small ones [`packed`], large ones [`full`]) and the one
//! way to read both, [`HashRef`]. Does not know keys, the clock (the caller
//! says what time it is) or when a form is changed ([`crate::update`] does).
//! Runs on whichever thread holds the shard, or holds a capture.
//!
//! A field is expired once `now` is past its expiry. Expired fields are hidden
//! from reads and stay until an update deletes them, so that replay never looks
//! at the clock; [`HashRef::len`] counts them, as `HLEN` does.

pub mod full;
pub mod packed;

pub use full::FullHash;
pub use packed::PackedHash;
use packed::{Entries, next_entry, put_entry};
use thermocline_base::codec::put_varint;
use thermocline_base::{CodecError, HashSeed, Random, Reader, UnixMillis};

/// A field, its value and its expiry.
pub type HashEntry<'a> = (&'a [u8], &'a [u8], Option<UnixMillis>);

/// Pass as `now` to see expired fields too.
pub const SHOW_EXPIRED: UnixMillis = UnixMillis(i64::MIN);

fn is_live(entry: &HashEntry<'_>, now: UnixMillis) -> bool {
    entry.2.is_none_or(|expiry| now <= expiry)
}

/// A hash to read, whichever its form.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// A small one, read in place.
    Packed(PackedHash<'a>),
    /// A large one.
    Full(&'a FullHash),
}

impl<'a> HashRef<'a> {
    /// How many fields it holds, expired ones included. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Full(full) => full.len(),
        }
    }

    /// Whether it holds no field, not even an expired one. O(1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many fields have not expired. O(1) unless some may have.
    #[must_use]
    pub fn live_len(&self, now: UnixMillis) -> usize {
        match self.earliest_expiry_hint() {
            Some(earliest) if now > earliest => self.iter(now).count(),
            _ => self.len(),
        }
    }

    /// The entry of `field`, unless it has expired.
    #[must_use]
    pub fn get(&self, field: &[u8], now: UnixMillis) -> Option<HashEntry<'a>> {
        let entry = match self {
            Self::Packed(packed) => packed::find(packed.body(), field).map(|(_, entry)| entry),
            Self::Full(full) => full.get(field),
        };
        entry.filter(|entry| is_live(entry, now))
    }

    /// Whether `field` is there and has not expired.
    #[must_use]
    pub fn contains(&self, field: &[u8], now: UnixMillis) -> bool {
        self.get(field, now).is_some()
    }

    fn iter_all(&self) -> impl Iterator<Item = HashEntry<'a>> + use<'a> {
        let (body, full) = match *self {
            Self::Packed(packed) => (packed.body(), None),
            Self::Full(full) => (&[][..], Some(full)),
        };
        Entries::new(body)
            .map(|(_, entry)| entry)
            .chain(full.into_iter().flat_map(FullHash::iter))
    }

    /// The entries that have not expired: a packed hash in the order its
    /// fields were first set, a full one in that of its nodes.
    pub fn iter(&self, now: UnixMillis) -> impl Iterator<Item = HashEntry<'a>> + use<'a> {
        self.iter_all().filter(move |entry| is_live(entry, now))
    }

    /// At most `most` fields that have expired, to be deleted by an update.
    #[must_use]
    pub fn expired(&self, now: UnixMillis, most: usize) -> Vec<&'a [u8]> {
        if self
            .earliest_expiry_hint()
            .is_none_or(|earliest| now <= earliest)
        {
            return Vec::new();
        }
        self.iter_all()
            .filter(|entry| !is_live(entry, now))
            .map(|entry| entry.0)
            .take(most)
            .collect()
    }

    /// One step of a scan begun with cursor 0: some entries, `count` or a
    /// little more when there are as many, and the cursor to go on with, 0 at
    /// the end. A field that is there throughout the scan is returned at least
    /// once, whatever is set and deleted meanwhile. A packed hash comes whole.
    #[must_use]
    pub fn scan(&self, cursor: u64, count: usize, now: UnixMillis) -> (u64, Vec<HashEntry<'a>>) {
        match *self {
            Self::Packed(_) => (0, self.iter(now).collect()),
            Self::Full(full) => {
                let mut entries = Vec::new();
                let next = full.scan(cursor, count, |entry| {
                    if is_live(&entry, now) {
                        entries.push(entry);
                    }
                });
                (next, entries)
            }
        }
    }

    /// A random entry that has not expired; `None` if there is none.
    pub fn random(&self, random: &mut Random, now: UnixMillis) -> Option<HashEntry<'a>> {
        match *self {
            Self::Packed(_) => {
                let live = self.live_len(now) as u64;
                self.iter(now).nth(random.below(live) as usize)
            }
            Self::Full(full) => full.random(random, |entry| is_live(entry, now)),
        }
    }

    /// How many fields carry an expiry. O(1) in the full form.
    #[must_use]
    pub fn expiring_fields(&self) -> usize {
        match self {
            Self::Packed(_) => self.iter_all().filter(|entry| entry.2.is_some()).count(),
            Self::Full(full) => full.expiring(),
        }
    }

    /// A time not after the earliest expiry of a field: before it nothing can
    /// have expired. `None` if no field expires. O(1) in the full form.
    #[must_use]
    pub fn earliest_expiry_hint(&self) -> Option<UnixMillis> {
        match self {
            Self::Packed(_) => self.iter_all().filter_map(|entry| entry.2).min(),
            Self::Full(full) => full.earliest_expiry_hint(),
        }
    }
}

/// Appends the serialised full form: seed, count, entries.
pub(crate) fn serialize_full(full: &FullHash, out: &mut Vec<u8>) {
    out.extend_from_slice(&full.seed().0.to_le_bytes());
    put_varint(out, full.len() as u64);
    for entry in full.iter() {
        put_entry(out, entry);
    }
}

/// Reads what [`serialize_full`] wrote, checking every field and the count.
pub(crate) fn deserialize_full(bytes: &[u8]) -> Result<FullHash, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut full = FullHash::new(HashSeed(reader.u64()?));
    let count = reader.varint()?;
    while !reader.is_empty() {
        if !full.set(next_entry(&mut reader)?) {
            return Err(reader.invalid("hash field, it stands twice"));
        }
    }
    if full.len() as u64 != count {
        return Err(reader.invalid("hash field count"));
    }
    Ok(full)
}
