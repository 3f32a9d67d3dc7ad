//! The commands that are asked for, with their weights.
//!
//! Owns the choice of commands; the module above fills the places, which are words in
//! capitals that name what stands there. Data.
//!
//! What was the simulation's first workload is still the most of it: short histories of
//! few commands on few keys find most of what can be found.

/// Weights and templates.
type Templates = &'static [(u64, &'static str)];

/// The keys of one kind and what is done to them.
pub(super) struct Family {
    /// The first letter of their names.
    pub(super) kind: char,
    /// How many there are in a database.
    pub(super) keys: u64,
    pub(super) weight: u64,
    /// How many of a hundred requests are of those for all kinds.
    pub(super) generic_percent: u64,
    /// Those for all kinds.
    pub(super) generic: Templates,
    pub(super) templates: Templates,
}

/// Commands that write and are in no template, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[];

const fn family(kind: char, keys: u64, weight: u64, templates: Templates) -> Family {
    Family {
        kind,
        keys,
        weight,
        generic_percent: 25,
        generic: GENERIC,
        templates,
    }
}

/// The usual kinds.
pub(super) const KINDS: &[Family] = &[
    family('s', 4, 15, STRINGS),
    family('n', 3, 9, NUMBERS),
    family('b', 2, 2, BITS),
    family('p', 2, 2, HYPERLOGLOGS),
    family('h', 4, 13, HASHES),
    Family {
        generic: UNTIMED,
        ..family('e', 3, 6, EXPIRING_HASHES)
    },
    family('l', 4, 14, LISTS),
    family('t', 4, 13, SETS),
    family('z', 4, 13, SORTED_SETS),
    family('g', 2, 3, PLACES),
    family('x', 3, 14, STREAMS),
];

const fn large(kind: char, templates: Templates) -> Family {
    Family {
        generic_percent: 12,
        generic: LARGE_GENERIC,
        ..family(kind, 1, 1, templates)
    }
}

/// Kinds of large things.
pub(super) const LARGE: &[Family] = &[
    large('S', LARGE_STRINGS),
    large('H', LARGE_HASHES),
    large('L', LARGE_LISTS),
    large('T', LARGE_SETS),
    large('Z', LARGE_SORTED_SETS),
    large('X', LARGE_STREAMS),
];

const GENERIC: Templates = &[
    (300, "DEL KEY"),
    (70, "UNLINK KEY ANY"),
    (220, "PEXPIRE KEY MS"),
    (30, "PEXPIREAT KEY ATMS"),
    (20, "EXPIRE KEY SECONDS"),
    (20, "EXPIREAT KEY ATSECONDS"),
    (110, "PERSIST KEY"),
    (70, "RENAME KEY OTHER"),
    (15, "RENAMENX KEY OTHER"),
    (70, "COPY KEY OTHER REPLACE"),
    (15, "COPY KEY OTHER DB DATABASE"),
    (15, "MOVE KEY DATABASE"),
    (15, "RESTORE KEY 0 PAYLOAD REPLACE"),
    (10, "RESTORE KEY ATMS PAYLOAD ABSTTL"),
    (6, "FLUSHDB"),
    (1, "FLUSHALL"),
    (9, "SWAPDB 0 1"),
];

/// For hashes whose fields expire: the key does not.
const UNTIMED: Templates = &[
    (300, "DEL KEY"),
    (70, "UNLINK KEY ANY"),
    (70, "RENAME KEY OTHER"),
    (15, "RENAMENX KEY OTHER"),
    (70, "COPY KEY OTHER REPLACE"),
    (15, "COPY KEY OTHER DB DATABASE"),
    (15, "MOVE KEY DATABASE"),
    (15, "RESTORE KEY 0 PAYLOAD REPLACE"),
];

const LARGE_GENERIC: Templates = &[
    (3, "DEL KEY"),
    (1, "UNLINK KEY"),
    (3, "PEXPIRE KEY MS"),
    (2, "PERSIST KEY"),
];

const STRINGS: Templates = &[
    (300, "APPEND KEY WORD"),
    (160, "SET KEY VALUE PX MS"),
    (200, "MSET KEY VALUE ANY VALUE"),
    (250, "SET KEY VALUE"),
    (15, "SET KEY VALUE NX"),
    (15, "SET KEY VALUE KEEPTTL GET"),
    (20, "SETRANGE KEY BIT WORD"),
    (15, "GETSET KEY VALUE"),
    (15, "GETDEL KEY"),
    (15, "GETEX KEY PX MS"),
    (10, "GETEX KEY PERSIST"),
    (15, "SETEX KEY SECONDS VALUE"),
    (15, "PSETEX KEY MS VALUE"),
    (15, "SETNX KEY VALUE"),
    (15, "MSETNX KEY VALUE ANY VALUE"),
    (15, "MSETEX 2 KEY VALUE ANY VALUE PX MS"),
    (10, "DELIFEQ KEY WORD"),
];

const NUMBERS: Templates = &[
    (80, "INCRBY KEY NUMBER"),
    (5, "INCR KEY"),
    (5, "DECR KEY"),
    (5, "DECRBY KEY NUMBER"),
    (5, "SET KEY NUMBER"),
    (5, "INCRBYFLOAT KEY FRACTION"),
];

const BITS: Templates = &[
    (4, "SETBIT KEY BIT 1"),
    (4, "BITFIELD KEY incrby u8 BIT NUMBER set i16 INDEX NUMBER"),
    (2, "BITOP XOR KEY ANY OTHER"),
    (1, "BITOP NOT KEY ANY"),
    (1, "SETRANGE KEY BIT WORD"),
];

const HYPERLOGLOGS: Templates = &[
    (6, "PFADD KEY WORD VALUE"),
    (2, "PFMERGE KEY OTHER"),
    (1, "PFDEBUG TODENSE KEY"),
];

const HASHES: Templates = &[
    (200, "HDEL KEY WORD"),
    (300, "HINCRBY KEY count NUMBER"),
    (100, "HSET KEY WORD VALUE WORD VALUE"),
    (330, "HSET KEY WORD VALUE"),
    (20, "HMSET KEY WORD VALUE WORD VALUE"),
    (20, "HSETNX KEY WORD VALUE"),
    (20, "HINCRBYFLOAT KEY share FRACTION"),
    (20, "HGETDEL KEY FIELDS 2 WORD WORD"),
];

const EXPIRING_HASHES: Templates = &[
    (60, "HSET KEY WORD VALUE WORD VALUE"),
    (30, "HINCRBY KEY count NUMBER"),
    (15, "HDEL KEY WORD"),
    (30, "HPEXPIRE KEY MS FIELDS 2 WORD WORD"),
    (10, "HPEXPIREAT KEY ATMS FIELDS 1 WORD"),
    (10, "HEXPIRE KEY SECONDS FIELDS 1 WORD"),
    (10, "HEXPIREAT KEY ATSECONDS NX FIELDS 1 WORD"),
    (15, "HPERSIST KEY FIELDS 2 WORD WORD"),
    (10, "HSETEX KEY PX MS FIELDS 2 WORD VALUE WORD VALUE"),
    (10, "HSETEX KEY FNX PXAT ATMS FIELDS 1 WORD VALUE"),
    (10, "HGETEX KEY PX MS FIELDS 2 WORD WORD"),
    (10, "HGETDEL KEY FIELDS 1 WORD"),
];

const LISTS: Templates = &[
    (100, "LPOP KEY"),
    (90, "RPOP KEY"),
    (110, "LTRIM KEY 0 6"),
    (280, "LPUSH KEY VALUE"),
    (250, "RPUSH KEY VALUE WORD"),
    (15, "LPUSHX KEY WORD"),
    (15, "RPUSHX KEY WORD"),
    (20, "LSET KEY INDEX VALUE"),
    (20, "LINSERT KEY BEFORE WORD WORD"),
    (20, "LREM KEY 0 WORD"),
    (20, "LMOVE KEY ANY LEFT RIGHT"),
    (15, "RPOPLPUSH KEY ANY"),
    (15, "LMPOP 2 KEY ANY RIGHT COUNT 2"),
    (10, "SORT KEY ALPHA LIMIT 0 5 STORE ANY"),
    (3, "BLPOP KEY ANY 0.01"),
    (3, "BRPOP KEY 0.01"),
    (3, "BLMOVE KEY ANY RIGHT LEFT 0.01"),
    (3, "BRPOPLPUSH KEY ANY 0.01"),
    (3, "BLMPOP 0.01 1 KEY LEFT"),
];

const SETS: Templates = &[
    (250, "SREM KEY WORD"),
    (600, "SADD KEY WORD WORD"),
    (20, "SADD KEY NUMBER NUMBER"),
    (20, "SPOP KEY"),
    (10, "SPOP KEY 2"),
    (20, "SMOVE KEY OTHER WORD"),
    (20, "SDIFFSTORE KEY ANY ANY"),
    (20, "SINTERSTORE KEY ANY ANY"),
    (20, "SUNIONSTORE KEY ANY ANY"),
];

const SORTED_SETS: Templates = &[
    (180, "ZREM KEY WORD"),
    (90, "ZPOPMIN KEY"),
    (280, "ZINCRBY KEY NUMBER WORD"),
    (350, "ZADD KEY NUMBER WORD"),
    (20, "ZADD KEY GT CH NUMBER WORD FRACTION WORD"),
    (15, "ZPOPMAX KEY 2"),
    (10, "ZMPOP 2 KEY ANY MIN"),
    (10, "ZRANGESTORE KEY ANY 0 4"),
    (10, "ZREMRANGEBYRANK KEY 0 1"),
    (10, "ZREMRANGEBYSCORE KEY 0 9"),
    (10, "ZREMRANGEBYLEX KEY [w1 [w2"),
    (10, "ZDIFFSTORE KEY 2 ANY ANY"),
    (10, "ZINTERSTORE KEY 2 ANY SET"),
    (10, "ZUNIONSTORE KEY 2 ANY ANY WEIGHTS 1 2"),
    (3, "BZPOPMIN KEY 0.01"),
    (3, "BZPOPMAX KEY 0.01"),
    (3, "BZMPOP 0.01 1 KEY MAX"),
];

const PLACES: Templates = &[
    (6, "GEOADD KEY LONGITUDE LATITUDE WORD"),
    (1, "ZREM KEY WORD"),
    (
        2,
        "GEOSEARCHSTORE KEY ANY FROMLONLAT 20 20 BYRADIUS 5000 km",
    ),
    (1, "GEORADIUS KEY 20 20 5000 km STORE ANY"),
    (1, "GEORADIUSBYMEMBER KEY WORD 4000 km STOREDIST ANY"),
];

const STREAMS: Templates = &[
    (170, "XTRIM KEY MAXLEN 3"),
    (560, "XADD KEY NEWID f VALUE"),
    (60, "XADD KEY MAXLEN 4 * f WORD"),
    (15, "XADD KEY MINID ID NEWID f WORD"),
    (40, "XGROUP CREATE KEY GROUP 0 MKSTREAM"),
    (6, "XGROUP CREATE KEY GROUP $"),
    (6, "XGROUP CREATECONSUMER KEY GROUP CONSUMER"),
    (4, "XGROUP DELCONSUMER KEY GROUP CONSUMER"),
    (4, "XGROUP DESTROY KEY GROUP"),
    (6, "XGROUP SETID KEY GROUP ID"),
    (60, "XREADGROUP group GROUP CONSUMER COUNT 2 STREAMS KEY >"),
    (
        10,
        "XREADGROUP group GROUP CONSUMER NOACK COUNT 1 STREAMS KEY >",
    ),
    (20, "XACK KEY GROUP ID ID"),
    (10, "XACKDEL KEY GROUP ACKED IDS 1 ID"),
    (15, "XCLAIM KEY GROUP CONSUMER 0 ID ID"),
    (15, "XAUTOCLAIM KEY GROUP CONSUMER 0 0 COUNT 2"),
    (20, "XDEL KEY ID ID"),
    (10, "XDELEX KEY DELREF IDS 2 ID ID"),
    (6, "XSETID KEY NEWID"),
];

pub(super) const SCRIPTS: Templates = &[
    (4, "EVAL SCRIPT 2 KEY ANY VALUE"),
    (4, "FCALL f0 1 KEY"),
    (1, "FCALL f1 1 KEY"),
    (3, "FUNCTION LOAD REPLACE LIBRARY"),
    (1, "FUNCTION DELETE lib1"),
    (1, "FUNCTION FLUSH"),
    (2, "FUNCTION RESTORE LIBRARIES REPLACE"),
];

/// Two writes and a read.
pub(super) const SCRIPT: &str = "redis.call('SET', KEYS[1], ARGV[1]) \
     redis.call('APPEND', KEYS[2], 'e') return redis.call('STRLEN', KEYS[2])";

/// A library whose one function appends; `#` is its number.
pub(super) const LIBRARY: &str = "#!lua name=lib#\nredis.register_function('f#', \
     function(keys, arguments) redis.call('APPEND', keys[1], 'f#') \
     return redis.call('STRLEN', keys[1]) end)";

const LARGE_STRINGS: Templates = &[
    (2, "SET KEY LONG"),
    (2, "APPEND KEY LONG"),
    (3, "SETRANGE KEY FAR WORD"),
    (1, "SETBIT KEY FAR 1"),
    (1, "APPEND KEY WORD"),
];

const LARGE_HASHES: Templates = &[
    (4, "HSET KEY PAIRS"),
    (2, "HINCRBY KEY MEMBER NUMBER"),
    (1, "HSET KEY MEMBER VALUE"),
    (2, "HDEL KEY MEMBERS"),
    (2, "HDEL KEY MEMBER"),
];

const LARGE_LISTS: Templates = &[
    (4, "RPUSH KEY MEMBERS"),
    (2, "LPUSH KEY MEMBERS"),
    (1, "LSET KEY MEDIUM VALUE"),
    (1, "LINSERT KEY AFTER MEMBER WORD"),
    (1, "LREM KEY 1 MEMBER"),
    (1, "LTRIM KEY 30 600"),
    (2, "LPOP KEY 40"),
    (1, "LMOVE KEY KEY LEFT RIGHT"),
];

const LARGE_SETS: Templates = &[
    (5, "SADD KEY MEMBERS"),
    (2, "SREM KEY MEMBERS"),
    (2, "SREM KEY MEMBER"),
    (1, "SPOP KEY 20"),
];

const LARGE_SORTED_SETS: Templates = &[
    (5, "ZADD KEY SCORED"),
    (2, "ZINCRBY KEY NUMBER MEMBER"),
    (2, "ZREM KEY MEMBERS"),
    (1, "ZREMRANGEBYSCORE KEY 10 20"),
    (1, "ZPOPMIN KEY 20"),
];

const LARGE_STREAMS: Templates = &[
    (6, "XADD KEY NEWID PAIRS"),
    (1, "XTRIM KEY MAXLEN 20"),
    (1, "XGROUP CREATE KEY GROUP 0 MKSTREAM"),
    (2, "XREADGROUP group GROUP CONSUMER COUNT 10 STREAMS KEY >"),
    (1, "XACK KEY GROUP ID ID ID"),
];
