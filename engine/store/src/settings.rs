//! What an operator may change while the store runs.
//!
//! Owns the numbers, each behind an atomic. Does not know their names in a
//! configuration file. Any thread reads and writes.

use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use thermocline_base::limits::DATABASE_COUNT;

/// What happens when memory (or, with a tier, the tier) is full:
/// `maxmemory-policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// Writes that need memory are refused.
    #[default]
    NoEviction = 0,
    /// The least recently used of all keys goes.
    AllKeysLru = 1,
    /// The least recently used of the keys that expire goes.
    VolatileLru = 2,
    /// The least frequently used of all keys goes.
    AllKeysLfu = 3,
    /// The least frequently used of the keys that expire goes.
    VolatileLfu = 4,
    /// Any key goes.
    AllKeysRandom = 5,
    /// Any key that expires goes.
    VolatileRandom = 6,
    /// The key that expires soonest goes.
    VolatileTtl = 7,
}

impl Policy {
    /// All of them with their names in a configuration.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::NoEviction, "noeviction"),
        (Self::AllKeysLru, "allkeys-lru"),
        (Self::VolatileLru, "volatile-lru"),
        (Self::AllKeysLfu, "allkeys-lfu"),
        (Self::VolatileLfu, "volatile-lfu"),
        (Self::AllKeysRandom, "allkeys-random"),
        (Self::VolatileRandom, "volatile-random"),
        (Self::VolatileTtl, "volatile-ttl"),
    ];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// The policy of that name, letter case ignored.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(policy, _)| policy)
    }

    /// Whether only keys that expire may go.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl
        )
    }

    /// Whether any key may go.
    #[must_use]
    pub const fn evicts_any(self) -> bool {
        !self.is_volatile() && !matches!(self, Self::NoEviction)
    }

    /// Whether `OBJECT FREQ` has an answer.
    #[must_use]
    pub const fn counts_frequency(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }
}

/// How large the log's parts are, for as long as a store is open.
#[derive(Clone, Copy, Debug)]
pub struct LogSizes {
    /// Size of a segment's file in bytes.
    pub segment_bytes: u64,
    /// What is not durable yet is all in memory, in a ring of so many bytes.
    pub ring_bytes: usize,
}

impl Default for LogSizes {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            ring_bytes: 8 << 20,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Settings {
    /// What the process may take, in bytes; 0 is no limit.
    maxmemory_bytes: AtomicU64,
    policy: AtomicU8,
    /// What the tier may take on the disk, in bytes.
    tier_max_bytes: AtomicU64,
    hash_max_listpack_entries: AtomicUsize,
    hash_max_listpack_value: AtomicUsize,
    list_max_listpack_size: AtomicI32,
    set_max_intset_entries: AtomicUsize,
    set_max_listpack_entries: AtomicUsize,
    set_max_listpack_value: AtomicUsize,
    zset_max_listpack_entries: AtomicUsize,
    zset_max_listpack_value: AtomicUsize,
    hll_sparse_max_bytes: AtomicUsize,
    stream_node_max_bytes: AtomicUsize,
    stream_node_max_entries: AtomicUsize,
    /// Bytes of log after which a checkpoint begins.
    checkpoint_wal_bytes: AtomicU64,
    /// Bytes of log kept beyond what the checkpoint needs.
    wal_retention_bytes: AtomicU64,
    /// How long log is kept beyond what the checkpoint needs, in seconds.
    wal_retention_seconds: AtomicU64,
    /// After how long with changes a checkpoint begins, in ms.
    checkpoint_interval_ms: AtomicU64,
    active_expire: AtomicBool,
    /// Until when nothing is removed but by a write, in ms of the store's monotonic clock.
    keys_stay_until_ms: AtomicU64,
    /// Numbers of databases that commands may name.
    databases: AtomicU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            maxmemory_bytes: AtomicU64::new(0),
            policy: AtomicU8::new(0),
            tier_max_bytes: AtomicU64::new(u64::MAX),
            hash_max_listpack_entries: AtomicUsize::new(512),
            hash_max_listpack_value: AtomicUsize::new(64),
            list_max_listpack_size: AtomicI32::new(-2),
            set_max_intset_entries: AtomicUsize::new(512),
            set_max_listpack_entries: AtomicUsize::new(128),
            set_max_listpack_value: AtomicUsize::new(64),
            zset_max_listpack_entries: AtomicUsize::new(128),
            zset_max_listpack_value: AtomicUsize::new(64),
            hll_sparse_max_bytes: AtomicUsize::new(3000),
            stream_node_max_bytes: AtomicUsize::new(4096),
            stream_node_max_entries: AtomicUsize::new(100),
            checkpoint_wal_bytes: AtomicU64::new(256 << 20),
            wal_retention_bytes: AtomicU64::new(0),
            wal_retention_seconds: AtomicU64::new(0),
            checkpoint_interval_ms: AtomicU64::new(60_000),
            active_expire: AtomicBool::new(true),
            keys_stay_until_ms: AtomicU64::new(0),
            databases: AtomicU32::new(DATABASE_COUNT as u32),
        }
    }
}

macro_rules! setting {
    ($(#[$doc:meta])* $name:ident, $set:ident, $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> $type {
            self.$name.load(Relaxed)
        }

        /// Sets what the method of the same name without `set_` gives.
        pub fn $set(&self, value: $type) {
            self.$name.store(value, Relaxed);
        }
    };
}

impl Settings {
    setting!(
        /// What the process may take of memory, in bytes; 0 is no limit.
        maxmemory_bytes, set_maxmemory_bytes, u64);
    setting!(
        /// What the tier may take on the disk, in bytes.
        tier_max_bytes, set_tier_max_bytes, u64);
    setting!(
        /// Fields of a hash in its compact form.
        hash_max_listpack_entries, set_hash_max_listpack_entries, usize);
    setting!(
        /// Bytes of a field or value of a hash in its compact form.
        hash_max_listpack_value, set_hash_max_listpack_value, usize);
    setting!(
        /// What a node of a list holds: elements if positive, -1 to -5 for 4 to 64 KiB.
        list_max_listpack_size, set_list_max_listpack_size, i32);
    setting!(
        /// Members of a set of integers.
        set_max_intset_entries, set_set_max_intset_entries, usize);
    setting!(
        /// Members of another set in its compact form.
        set_max_listpack_entries, set_set_max_listpack_entries, usize);
    setting!(
        /// Bytes of a member of a set in its compact form.
        set_max_listpack_value, set_set_max_listpack_value, usize);
    setting!(
        /// Members of a sorted set in its compact form.
        zset_max_listpack_entries, set_zset_max_listpack_entries, usize);
    setting!(
        /// Bytes of a member of a sorted set in its compact form.
        zset_max_listpack_value, set_zset_max_listpack_value, usize);
    setting!(
        /// Bytes of a HyperLogLog in its sparse form.
        hll_sparse_max_bytes, set_hll_sparse_max_bytes, usize);
    setting!(
        /// Bytes of a stream's node above which another begins; 0 is no limit.
        stream_node_max_bytes, set_stream_node_max_bytes, usize);
    setting!(
        /// Entries of a stream's node, deleted ones included; 0 is no limit.
        stream_node_max_entries, set_stream_node_max_entries, usize);
    setting!(
        /// Bytes of log after which a checkpoint begins.
        checkpoint_wal_bytes, set_checkpoint_wal_bytes, u64);
    setting!(
        /// Bytes of log, counted back from its durable end, that a checkpoint does not
        /// retire: for going back in time from an older backup.
        wal_retention_bytes, set_wal_retention_bytes, u64);
    setting!(
        /// How far back the log reaches that a checkpoint does not retire, in seconds:
        /// for the same.
        wal_retention_seconds, set_wal_retention_seconds, u64);
    setting!(
        /// After how long with changes a checkpoint begins, in ms.
        checkpoint_interval_ms, set_checkpoint_interval_ms, u64);
    setting!(
        /// Whether expired keys go without being asked for.
        active_expire, set_active_expire, bool);
    setting!(
        /// Until when nothing is evicted, and expired keys and fields are hidden and not
        /// removed, in ms of the monotonic clock; writes remove them yet.
        keys_stay_until_ms, set_keys_stay_until_ms, u64);
    setting!(
        /// How many databases commands may name, from 0 on: at most
        /// `DATABASE_COUNT`.
        databases, set_databases, u32);

    /// What happens when there is no room.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::NAMES[usize::from(self.policy.load(Relaxed)) % Policy::NAMES.len()].0
    }

    /// Sets what happens when there is no room.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(policy as u8, Relaxed);
    }
}
