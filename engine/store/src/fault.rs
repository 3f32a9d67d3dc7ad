//! What a command still needs from the disk before it can run, and what was
//! read for it.
//!
//! Owns the request and the fetched pages of one command or batch. Does not
//! read: the caller gives the requests to a [`crate::reader`] and puts the
//! pages here. One thread.
//!
//! INVARIANT: a page is used only while the slot that led to it still holds
//! the same address; an address is not reused while its page is wanted, because
//! every page carries its segment's incarnation.

use crate::address::Address;
use crate::resolve::Cold;
use crate::tier::{Corruption, PagePlace, TierRecord, page};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use thermocline_base::{DatabaseId, KeyHash, UnixMillis};
use thermocline_disk::AlignedBuffer;

/// A page or run of the tier to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Where the slot says the record is.
    pub address: Address,
    /// The same place with the life of its segment.
    pub place: PagePlace,
}

/// A long value that was read and is to be checked and decoded: that takes too long for a
/// shard's lock, and for a thread that serves others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongValue {
    pub(crate) database: DatabaseId,
    pub(crate) key: Box<[u8]>,
    pub(crate) address: Address,
    pub(crate) place: PagePlace,
}

/// A [`LongValue`] decoded, for the [`FaultSet`].
#[derive(Debug)]
pub struct DecodedValue {
    pub(crate) long: LongValue,
    pub(crate) value: Decoded,
}

/// What was found where a long value may be.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// The value, and where its parts are and how long each is if it has any.
    Value(Box<Cold>, Option<Vec<(Address, u32)>>),
    /// Its head, and parts that must be read first.
    Parts(Vec<Address>),
    /// Another key's.
    OtherKey,
}

impl Decoded {
    /// The same, whose value is a capture.
    fn capture(&self) -> Self {
        match self {
            Self::Value(cold, parts) => Self::Value(Box::new(cold.capture()), parts.clone()),
            Self::Parts(parts) => Self::Parts(parts.clone()),
            Self::OtherKey => Self::OtherKey,
        }
    }
}

/// Why a command could not run yet; it changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// These pages must be read and put into the [`FaultSet`].
    Reads(SmallVec<[ReadRequest; 2]>),
    /// These values were read and must be decoded with [`crate::Store::decode_long`] and
    /// put into the [`FaultSet`].
    Long(Vec<LongValue>),
    /// These keys have not come up since the start, neither their parts of the
    /// index nor what the log holds for them: wait for
    /// [`crate::Store::hydrate`].
    Recovering(SmallVec<[KeyHash; 2]>),
    /// What is on the disk is not what was written, or cannot be read: the
    /// command fails with this reason.
    Damaged(String),
    /// Everything must have come up since the start, the log's tail too: wait
    /// for [`crate::Store::settled`].
    Unsettled,
}

/// The pages read for one command or batch, and its time.
#[derive(Debug, Default)]
pub struct FaultSet {
    pages: HashMap<Address, FetchedPage>,
    /// An access takes captures of them: until they are forgotten, what it changes is copied.
    decoded: Vec<DecodedValue>,
    bytes: usize,
    now: Option<UnixMillis>,
    leaves_no_trace: bool,
}

/// A page or run as it was read.
#[derive(Clone, Debug)]
pub struct FetchedPage {
    /// Where it was read.
    pub place: PagePlace,
    /// What was read there: whole pages.
    pub bytes: Arc<AlignedBuffer>,
}

impl FetchedPage {
    /// The record of `key`, if the page holds it.
    ///
    /// # Errors
    /// [`Corruption`] if the page is not what was written to its place.
    pub fn find(
        &self,
        database: DatabaseId,
        key: &[u8],
    ) -> Result<Option<TierRecord<'_>>, Corruption> {
        page::find(&self.bytes, self.place, database, key)
    }

    /// All records of the page.
    ///
    /// # Errors
    /// As [`FetchedPage::find`].
    pub fn records(&self) -> Result<Vec<TierRecord<'_>>, Corruption> {
        page::records(&self.bytes, self.place)?.collect()
    }
}

impl FaultSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the accesses of a batch take this for the time, so that the clock is
    /// not asked for each; `None` has them ask.
    pub const fn set_now(&mut self, now: Option<UnixMillis>) {
        self.now = now;
    }

    /// The time of the batch.
    #[must_use]
    pub const fn now(&self) -> Option<UnixMillis> {
        self.now
    }

    /// Whether reads are to leave frequency and place of their keys alone.
    pub const fn set_leaves_no_trace(&mut self, leaves_no_trace: bool) {
        self.leaves_no_trace = leaves_no_trace;
    }

    /// Whether reads leave frequency and place of their keys alone.
    #[must_use]
    pub const fn leaves_no_trace(&self) -> bool {
        self.leaves_no_trace
    }

    /// Adds what was read at `address`.
    pub fn insert(&mut self, address: Address, page: FetchedPage) {
        self.bytes += page.bytes.len();
        if let Some(old) = self.pages.insert(address, page) {
            self.bytes -= old.bytes.len();
        }
    }

    /// The same pages, without what was decoded of them: for another thread.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            pages: self.pages.clone(),
            bytes: self.bytes,
            ..Self::default()
        }
    }

    /// Adds a value decoded from pages that are here.
    pub fn insert_decoded(&mut self, decoded: DecodedValue) {
        let all = &mut self.decoded;
        all.retain(|other| other.long != decoded.long);
        all.push(decoded);
    }

    /// What was found at `address` when it was decoded for this key, if it was.
    pub(crate) fn decoded(
        &self,
        database: DatabaseId,
        key: &[u8],
        address: Address,
        place: PagePlace,
    ) -> Option<Decoded> {
        let found = self.decoded.iter().find(|it| {
            (it.long.database, it.long.address, it.long.place) == (database, address, place)
                && *it.long.key == *key
        })?;
        Some(found.value.capture())
    }

    /// Lets go of what was decoded: to be called once a command has run, and not before. One
    /// that had its keys may still turn out to need more, and begins again.
    pub fn forget_decoded(&mut self) {
        self.decoded.clear();
    }

    /// Forgets what was read at `address`.
    pub fn remove(&mut self, address: Address) {
        self.decoded.retain(|other| other.long.address != address);
        if let Some(old) = self.pages.remove(&address) {
            self.bytes -= old.bytes.len();
        }
    }

    /// Whether the page of `request` is there as it was asked for.
    #[must_use]
    pub fn holds(&self, request: &ReadRequest) -> bool {
        self.get(request.address)
            .is_some_and(|page| page.place == request.place)
    }

    /// Bytes of all pages.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The page read at `address`.
    #[must_use]
    pub fn get(&self, address: Address) -> Option<&FetchedPage> {
        self.pages.get(&address)
    }

    /// Everything that was read.
    pub fn pages(&self) -> impl Iterator<Item = &FetchedPage> {
        self.pages.values()
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Forgets everything, before the next command.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.decoded.clear();
        self.bytes = 0;
    }
}
