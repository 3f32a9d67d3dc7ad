//! The store: shards, tier, log and the threads that tend them.
//!
//! Owns what all threads share. Does not own what one command does with its
//! keys (`access`), nor the background work (`keeper`). Any thread.

use crate::access::{Access, KeyName};
use crate::address::Address;
use crate::control::{BackupRequest, Control};
use crate::effect::DatabaseMap;
use crate::fault::{Fault, FaultSet};
use crate::index::KeyTable;
use crate::keeper::{BackupReport, Keeper};
use crate::log::Log;
use crate::memory::Memory;
use crate::objects::{OBJECT_FORM, Objects};
use crate::observe::Observed;
use crate::record::{ChunkPool, RecordParts};
use crate::recovery::{self, Opened};
use crate::settings::{LogSizes, Settings};
use crate::shard::Shard;
use crate::tier::volume::Volume;
use crate::tier::{Dictionary, SpaceState};
use crate::waiting::{Ready, ReadyKey, Ticket};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use thermocline_base::limits::{DATABASE_COUNT, PAGE_BYTES};
use thermocline_base::{Clock, DatabaseId, HashSeed, KeyHash, Lsn, Random, ShardId, UnixMillis};
use thermocline_disk::{Backend, DirectoryLock, Disk, DiskError};
use thermocline_types::{Limits, Object};
use thermocline_wal::{Flusher, FlusherThread, Policy};
use tokio::sync::oneshot;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// When the log is synced; `None` keeps none (`appendonly no`).
    pub log: Option<Policy>,
    /// Whether values may sink to the SSD (`tier`).
    pub tier: bool,
    /// Where the time comes from.
    pub clock: Clock,
    /// Randomness of the operating system.
    pub seed: u64,
}

/// What was found at the start.
#[derive(Clone, Debug, Default)]
pub struct StartReport {
    /// Whether the directory held nothing.
    pub is_new: bool,
    /// Whether the last stop was clean.
    pub was_sealed: bool,
    /// Keys of the last checkpoint.
    pub image_keys: u64,
    /// Frames of the log that came after it.
    pub frames: u64,
    /// Bytes of the log that came after it.
    pub log_bytes: u64,
    /// How long it took until the first command could run.
    pub duration: Duration,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] thermocline_wal::WalError),
    /// A file of the tier, the image or the manifest is not what was written.
    #[error(transparent)]
    Format(#[from] crate::tier::FormatError),
    /// A frame of the log passed its checksum and is no list of effects.
    #[error("the log's frame at {lsn} is not understood: {reason}")]
    Frame {
        /// Where the frame starts.
        lsn: Lsn,
        /// What is wrong.
        reason: String,
    },
    /// The data of another time was asked for than there is.
    #[error(
        "the position {until} of the log cannot be had: the data here can be that of {first} to {last}"
    )]
    NotThen {
        /// What was asked for.
        until: Lsn,
        /// The earliest that there is.
        first: Lsn,
        /// The latest.
        last: Lsn,
    },
    /// The data of this time is not here.
    #[error("the data of {} ms after 1970 cannot be had: what is here does not reach back to it", .at.0)]
    NotAtTime {
        /// What was asked for.
        at: UnixMillis,
        /// The earliest that there is, if the log tells any.
        first: Option<UnixMillis>,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// Numbers of all threads.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) tier_reads: AtomicU64,
    pub(crate) tier_read_bytes: AtomicU64,
    pub(crate) tier_written_bytes: AtomicU64,
    pub(crate) demoted_raw_bytes: AtomicU64,
    pub(crate) demoted_stored_bytes: AtomicU64,
    pub(crate) segments_cleaned: AtomicU64,
    pub(crate) relocations: AtomicU64,
    pub(crate) changes: AtomicU64,
    /// What the keeper holds for its work, in bytes.
    pub(crate) keeper_bytes: AtomicU64,
}

/// From here on an object is freed by a thread of its own, bytes: some dozens of nodes.
const LARGE_OBJECT_BYTES: usize = 64 << 10;

/// Tables of databases that were flushed, to be freed in slices.
pub(crate) type Buried = (ShardId, KeyTable);

struct Ends {
    keeper: JoinHandle<Result<(), String>>,
    flusher: FlusherThread,
    _lock: DirectoryLock,
}

/// A store and who tends it.
pub(crate) struct Built {
    pub(crate) store: Arc<Store>,
    pub(crate) keeper: Keeper,
    pub(crate) flusher: Option<Flusher>,
    pub(crate) lock: DirectoryLock,
    pub(crate) report: StartReport,
}

/// See the module.
pub struct Store {
    pub(crate) settings: Settings,
    pub(crate) disk: Disk,
    pub(crate) seed: HashSeed,
    /// Where the shards' records get their memory.
    pub(crate) pool: Arc<ChunkPool>,
    pub(crate) shards: Box<[Mutex<Shard>]>,
    pub(crate) volume: Volume,
    pub(crate) log: Log,
    pub(crate) memory: Memory,
    pub(crate) control: Control,
    pub(crate) totals: Totals,
    pub(crate) ready: Ready,
    pub(crate) observed: Observed,
    pub(crate) has_tier: bool,
    pub(crate) clock: Clock,
    identities: [AtomicU32; DATABASE_COUNT],
    map: Mutex<DatabaseMap>,
    dictionaries: RwLock<Vec<Dictionary>>,
    dictionary_epoch: AtomicU64,
    graveyard: Mutex<Vec<Buried>>,
    /// To the thread that frees large values.
    discarded: mpsc::Sender<Box<Object>>,
    random: AtomicU64,
    ends: Mutex<Option<Ends>>,
}

/// A number no set of dictionaries of this process had before: a thread keeps
/// one set loaded, and may serve several stores.
fn next_dictionary_epoch() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Starts the thread that frees large values, which ends with the store.
fn spawn_reaper() -> std::io::Result<mpsc::Sender<Box<Object>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        .name("reaper".to_owned())
        .spawn(move || receiver.into_iter().for_each(drop))?;
    Ok(sender)
}

impl Store {
    /// Opens the data directory of `disk` and starts the threads that tend it;
    /// the directory stays locked until [`Store::close`].
    ///
    /// # Errors
    /// A directory in use, damage with file, offset, expected and found, and
    /// what the disk refuses; nothing was changed then.
    pub fn open(disk: Disk, options: StoreOptions) -> Result<(Arc<Self>, StartReport), StoreError> {
        let opened = recovery::open(&disk, &options, LogSizes::default())?;
        let built = Self::build(disk, options, opened, false)?;
        let (store, mut keeper) = (built.store, built.keeper);
        let Some(flusher) = built.flusher else {
            unreachable!("only a stepped store keeps it");
        };
        let flusher = thermocline_wal::spawn(flusher).map_err(StoreError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keeper.run())
            .map_err(StoreError::Thread)?;
        *store.ends.lock() = Some(Ends {
            keeper: thread,
            flusher,
            _lock: built.lock,
        });
        Ok((store, built.report))
    }

    /// The store of what was opened, and who tends it. The flusher is the
    /// store's own if it is stepped.
    pub(crate) fn build(
        disk: Disk,
        options: StoreOptions,
        opened: Opened,
        is_stepped: bool,
    ) -> Result<Built, StoreError> {
        let Opened {
            report,
            manifest,
            directory,
            lock,
            pool,
            shards,
            map,
            volume,
            wal,
            flusher,
            ring_bytes,
            tail,
        } = opened;
        let (own, others) = if is_stepped {
            (Some(flusher), None)
        } else {
            (None, Some(flusher))
        };
        let policy = options.log.unwrap_or_default();
        let store = Arc::new(Self {
            settings: Settings::default(),
            seed: manifest.hash_seed,
            pool,
            shards: shards.into_iter().map(Mutex::new).collect(),
            volume,
            log: Log::new(
                wal,
                own,
                options.log.is_some(),
                policy,
                ring_bytes,
                options.clock.clone(),
            ),
            memory: Memory::default(),
            control: Control::new(&manifest),
            totals: Totals::default(),
            ready: Ready::default(),
            observed: Observed::default(),
            has_tier: options.tier,
            identities: map.identities.map(|identity| AtomicU32::new(identity.0)),
            map: Mutex::new(map),
            dictionaries: RwLock::new(manifest.dictionaries.clone()),
            dictionary_epoch: AtomicU64::new(next_dictionary_epoch()),
            graveyard: Mutex::default(),
            discarded: spawn_reaper().map_err(StoreError::Thread)?,
            random: AtomicU64::new(options.seed),
            ends: Mutex::new(None),
            clock: options.clock,
            disk,
        });
        for shard in &store.shards {
            store.recount(&mut shard.lock());
        }
        let weak = Arc::downgrade(&store);
        store.log.wal().subscribe(Box::new(move |durable| {
            let Some(store) = weak.upgrade() else { return };
            match store.log.wal().policy() {
                Policy::Always => store.control.durable.tell(durable),
                // They wait until nothing is overdue.
                _ => store.control.durable.tell_all(),
            }
        }));
        let keeper = Keeper::new(Arc::clone(&store), manifest, directory, tail)?;
        Ok(Built {
            store,
            keeper,
            flusher: others,
            lock,
            report,
        })
    }

    /// Makes everything durable, with a last checkpoint if `checkpoint`, seals
    /// the log, ends the threads and gives the directory up. No access may
    /// follow.
    ///
    /// # Errors
    /// What the disk refused; what was acknowledged is in the log all the same.
    pub fn close(&self, checkpoint: bool) -> Result<(), StoreError> {
        let Some(ends) = self.ends.lock().take() else {
            return Ok(());
        };
        self.control.stop(checkpoint);
        match ends.keeper.join() {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => tracing::warn!(reason, "the last checkpoint failed"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        ends.flusher.close()?;
        Ok(())
    }

    /// What an operator may change while the store runs.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which form of disk queue is in use and why.
    #[must_use]
    pub fn backend(&self) -> (Backend, String) {
        self.disk.backend()
    }

    /// The wall clock of the store.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Up to where collections stay compact.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            hash_max_listpack_entries: self.settings.hash_max_listpack_entries(),
            hash_max_listpack_value: self.settings.hash_max_listpack_value(),
            list_max_listpack_size: self.settings.list_max_listpack_size(),
            set_max_intset_entries: self.settings.set_max_intset_entries(),
            set_max_listpack_entries: self.settings.set_max_listpack_entries(),
            set_max_listpack_value: self.settings.set_max_listpack_value(),
            zset_max_listpack_entries: self.settings.zset_max_listpack_entries(),
            zset_max_listpack_value: self.settings.zset_max_listpack_value(),
            stream_node_max_bytes: self.settings.stream_node_max_bytes(),
            stream_node_max_entries: self.settings.stream_node_max_entries(),
            field_seed: self.seed,
        }
    }

    /// A generator of its own for whoever asks.
    pub(crate) fn random(&self) -> Random {
        Random::new(self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed))
    }

    /// The identity that a database's number has now; that of the system's database for
    /// [`crate::SYSTEM_DATABASE`]. It stays while any shard's lock is held.
    pub(crate) fn identity(&self, number: u8) -> DatabaseId {
        let known = self.identities.get(usize::from(number));
        known.map_or(DatabaseId::SYSTEM, |known| DatabaseId(known.load(Relaxed)))
    }

    /// The map of databases. It stays while any shard's lock is held; without one it may be
    /// that of a script which is taken back.
    pub(crate) fn database_map(&self) -> DatabaseMap {
        *self.map.lock()
    }

    /// The number that a database's identity has now; `None` for a flushed one. It stays
    /// while any shard's lock is held.
    pub(crate) fn number(&self, identity: DatabaseId) -> Option<u8> {
        let mut numbers = (0..).zip(&self.identities);
        numbers.find_map(|(number, known)| (known.load(Relaxed) == identity.0).then_some(number))
    }

    /// Under all shard locks.
    pub(crate) fn set_database_map(&self, map: DatabaseMap) {
        *self.map.lock() = map;
        for (atomic, identity) in self.identities.iter().zip(map.identities) {
            atomic.store(identity.0, Relaxed);
        }
    }

    /// Leaves tables of a flushed database to the keeper.
    pub(crate) fn bury(&self, shard: ShardId, tables: Vec<KeyTable>) {
        let mut graveyard = self.graveyard.lock();
        graveyard.extend(tables.into_iter().map(|table| (shard, table)));
    }

    /// Frees an object that nothing refers to any more. A large one takes too long for a
    /// shard's lock: another thread does it.
    pub(crate) fn discard(&self, object: Option<Box<Object>>) {
        let Some(object) = object else { return };
        if object.heap_bytes() >= LARGE_OBJECT_BYTES {
            // Without the thread it is freed here.
            let _ = self.discarded.send(object);
        }
    }

    pub(crate) fn exhume(&self) -> Option<Buried> {
        self.graveyard.lock().pop()
    }

    /// Adds what has changed of the shard's memory to the sum.
    pub(crate) fn recount(&self, shard: &mut Shard) {
        let bytes = shard.memory_bytes();
        if bytes != shard.counted_bytes {
            self.memory.moved(shard.counted_bytes, bytes);
            shard.counted_bytes = bytes;
        }
    }

    /// About how many bytes the tier's copy at `address` of a record takes,
    /// whose value may be one of `objects`.
    pub(crate) fn copy_bytes_hint(
        &self,
        address: Address,
        parts: &RecordParts<'_>,
        objects: &Objects,
    ) -> u32 {
        const PAGE: u32 = PAGE_BYTES as u32;
        let object = (parts.form == OBJECT_FORM).then(|| objects.get(parts.value));
        let value_bytes = object.flatten().map_or(parts.value.len(), |object| {
            object.heap_bytes().max(parts.value.len())
        });
        let hint = match self.stored_bytes_hint(parts.key.len() + value_bytes) {
            bytes @ 0..PAGE => bytes,
            bytes => bytes.next_multiple_of(PAGE),
        };
        // The address knows how many pages it takes, up to a factor of two.
        let pages = address.pages();
        if address.is_open_ended() {
            hint.max(pages / 2 * PAGE)
        } else {
            hint.clamp(pages / 2 * PAGE, pages * PAGE)
        }
    }

    /// About how many bytes a value of `raw_bytes` takes on the tier.
    fn stored_bytes_hint(&self, raw_bytes: usize) -> u32 {
        const HEADER_BYTES: u64 = 24;
        let raw = self.totals.demoted_raw_bytes.load(Relaxed);
        let stored = self.totals.demoted_stored_bytes.load(Relaxed);
        let bytes = if raw == 0 {
            raw_bytes as u64
        } else {
            (u128::from(stored) * raw_bytes as u128 / u128::from(raw)) as u64
        };
        u32::try_from(bytes + HEADER_BYTES).unwrap_or(u32::MAX)
    }

    pub(crate) fn note_change(&self) {
        self.totals.changes.fetch_add(1, Relaxed);
    }

    pub(crate) fn changes_since_checkpoint(&self) -> u64 {
        let at = self.control.checkpoint().changes;
        self.totals.changes.load(Relaxed).saturating_sub(at)
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        self.totals.tier_reads.fetch_add(1, Relaxed);
        self.totals.tier_read_bytes.fetch_add(bytes, Relaxed);
    }

    /// Which set of dictionaries is in use; no other set of this process has the
    /// same number, another store's neither.
    pub(crate) fn dictionary_epoch(&self) -> u64 {
        self.dictionary_epoch
            .load(std::sync::atomic::Ordering::Acquire)
    }

    pub(crate) fn dictionaries(&self) -> Vec<Dictionary> {
        self.dictionaries.read().clone()
    }

    pub(crate) fn publish_dictionary(&self, dictionary: &Dictionary) {
        self.dictionaries.write().push(dictionary.clone());
        self.dictionary_epoch.store(
            next_dictionary_epoch(),
            std::sync::atomic::Ordering::Release,
        );
    }

    /// Whether what has expired or is to be evicted may be removed now: the setting allows it,
    /// and the log has room. Until then it is hidden, or stays.
    pub(crate) fn may_remove(&self) -> bool {
        !self.keys_stay() && self.log.has_room()
    }

    /// Whether the setting keeps keys from being removed now.
    pub(crate) fn keys_stay(&self) -> bool {
        let until_ms = self.settings.keys_stay_until_ms();
        until_ms != 0 && self.clock.monotonic().as_millis() < u128::from(until_ms)
    }

    /// Removes those of the keys that have expired and are still there.
    ///
    /// # Errors
    /// What has to be read first; nothing was changed.
    pub fn remove_expired(&self, names: &[KeyName<'_>], faults: &FaultSet) -> Result<Lsn, Fault> {
        let mut access = Access::new(self, names);
        access.acquire(faults, false)?;
        Ok(access.finish())
    }

    /// From now on `flag` is set when the key changes, is deleted, expires, or
    /// its database is flushed or swapped: `WATCH`.
    pub fn watch(&self, name: KeyName<'_>, flag: &Arc<AtomicBool>) {
        self.with_watchers(name, |shard, identity| {
            shard.watchers.add(identity, name.key, flag);
        });
    }

    /// Takes back all that was asked for with `flag`.
    pub fn unwatch(&self, name: KeyName<'_>, flag: &Arc<AtomicBool>) {
        self.with_watchers(name, |shard, identity| {
            shard.watchers.remove(identity, name.key, flag);
        });
    }

    fn with_watchers(&self, name: KeyName<'_>, change: impl FnOnce(&mut Shard, DatabaseId)) {
        loop {
            let identity = self.identity(name.database);
            let hash = self.seed.hash(identity, name.key);
            let mut shard = self.shards[hash.shard().index()].lock();
            if self.identity(name.database) == identity {
                return change(&mut shard, identity);
            }
        }
    }

    /// The ticket leaves the queue at a key: see `Access::wait`.
    pub fn unwait(&self, name: KeyName<'_>, ticket: Ticket) {
        self.with_watchers(name, |shard, identity| {
            shard.queues.remove(identity, name.key, ticket);
        });
    }

    /// The first ticket above `after` that waits for the key; only of those who
    /// want to know that the key is gone, if it is `absent`.
    #[must_use]
    pub fn next_ticket(&self, name: KeyName<'_>, after: Ticket, absent: bool) -> Option<Ticket> {
        let mut next = None;
        self.with_watchers(name, |shard, identity| {
            next = shard.queues.next(identity, name.key, after, absent);
        });
        next
    }

    /// Whether a waited key may have changed: one load.
    #[must_use]
    pub fn has_ready_key(&self) -> bool {
        self.ready.is_some()
    }

    /// Takes the waited key that has changed first.
    #[must_use]
    pub fn take_ready_key(&self) -> Option<ReadyKey> {
        self.ready.pop()
    }

    /// Has those served who wait for the key behind `after`.
    pub fn make_ready(&self, name: KeyName<'_>, after: Ticket) {
        self.ready.push(ReadyKey {
            database: name.database,
            key: name.key.into(),
            after,
        });
    }

    /// Returns when a waited key has changed without a command: it expired or was
    /// evicted.
    pub async fn ready_key(&self) {
        Control::wait(&self.ready.told, || self.ready.is_some()).await;
    }

    /// Under its shard's lock: those who wait for a key have to look at it.
    pub(crate) fn raise(&self, database: DatabaseId, key: &[u8]) {
        let number = (0..DATABASE_COUNT as u8).find(|number| self.identity(*number) == database);
        if let Some(database) = number {
            self.make_ready(KeyName { database, key }, 0);
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.control.is_settled()
    }

    /// Returns when what the image and the log hold for these keys has come up,
    /// or cannot: an access then says why.
    pub async fn hydrate(&self, keys: &[KeyHash]) {
        self.control.want(keys);
        let is_over = |key: &KeyHash| {
            let shard = self.shards[key.shard().index()].lock();
            shard.has_come_up(*key) || shard.damage.is_some()
        };
        Control::wait(&self.control.loaded, || keys.iter().all(is_over)).await;
    }

    /// As [`Store::hydrate`], without waiting: for what will be needed soon.
    pub fn hydrate_soon(&self, keys: &[KeyHash]) {
        self.control.want(keys);
    }

    /// Returns when all shards have come up and the log's tail is applied, or
    /// that cannot be: what needs it then says why.
    pub async fn settled(&self) {
        let is_over = || self.is_settled() || self.control.damage().is_some();
        Control::wait(&self.control.loaded, is_over).await;
    }

    /// When the log is synced, from now on: CONFIG SET appendfsync.
    pub fn set_log_policy(&self, policy: Policy) {
        self.log.set_policy(policy);
        self.control.durable.tell_all();
    }

    /// Asks for a checkpoint: BGSAVE. Whether none was running.
    pub fn request_checkpoint(&self) -> bool {
        let is_idle = !self.control.checkpoint().is_running;
        self.control.request_checkpoint();
        is_idle
    }

    /// Returns when a checkpoint begun after this call is durable: SAVE.
    ///
    /// # Errors
    /// Why it failed, for people.
    pub async fn checkpoint(&self) -> Result<(), String> {
        let ticket = self.control.request_checkpoint();
        let is_over = || self.control.checkpoint().served >= ticket;
        Control::wait(&self.control.checkpointed, is_over).await;
        self.control.checkpoint().failure.map_or(Ok(()), Err)
    }

    /// Makes a checkpoint and a copy of it in the new directory `path`, on which a
    /// daemon can start. Files that are never written again are shared by hard links
    /// where the file system allows.
    ///
    /// # Errors
    /// Why it failed, for people; what was made of the directory stays, and no daemon
    /// starts on it.
    pub async fn backup(&self, path: PathBuf) -> Result<BackupReport, String> {
        let (done, made) = oneshot::channel();
        self.control.request_backup(BackupRequest { path, done });
        made.await
            .unwrap_or_else(|_| Err("the daemon is stopping".to_owned()))
    }

    /// What the tier takes on the disk, in bytes.
    #[must_use]
    pub fn tier_used_bytes(&self) -> u64 {
        self.volume.with_table(|table| table.used_bytes())
    }

    /// How full the tier is.
    pub(crate) fn space_state(&self) -> SpaceState {
        self.volume.with_table(|table| table.space_state())
    }
}
