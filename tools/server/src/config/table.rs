//! The directives of a configuration: their names, shapes and defaults.
//!
//! Owns the shape of every directive and the list of those that matter here; `foreign` owns
//! the rest. Does not own values, nor what a change sets in motion (`apply`). Read-only
//! data, any thread.

use std::sync::LazyLock;

use self::Kind::{
    BufferLimits, Events, Integer, Memory, MemoryOrPercent, OneOf, Percentiles, Text, Words, YesNo,
};
use super::foreign;

/// The shape of a directive's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A decimal number within inclusive bounds.
    Integer { least: i64, greatest: i64 },
    /// A size such as `5mb`, kept in bytes, within inclusive bounds.
    Memory { least: u64, greatest: u64 },
    /// A size such as `5mb`, or a share of `maxmemory` such as `5%`.
    MemoryOrPercent,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any one word.
    Text,
    /// Any number of words.
    Words,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Four words a class of client: the class, hard bytes, soft bytes, soft seconds.
    BufferLimits,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Letters for classes of events.
    Events,
}

impl Kind {
    /// Whether the value is a list of words, so that one string from a client is split.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Words | Percentiles | BufferLimits | Self::SavePoints)
    }
}

/// When a directive may be set, and whether it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// At any time.
    Live,
    /// Only before the start.
    Start,
    /// Only before the start; clients see it named protected.
    Protected,
    /// Taken at any time, of no effect.
    Idle,
    /// Taken before the start, of no effect.
    IdleAtStart,
    /// Only its default is taken: the feature behind it does not exist here.
    Only,
}

/// One directive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directive {
    /// Lower case.
    pub(crate) name: &'static str,
    /// A second name.
    pub(crate) alias: Option<&'static str>,
    pub(crate) kind: Kind,
    /// As [`super::value::normalise`] gives it.
    pub(crate) default: &'static str,
    pub(crate) effect: Effect,
}

impl Directive {
    const fn new(name: &'static str, kind: Kind, default: &'static str, effect: Effect) -> Self {
        Self {
            name,
            alias: None,
            kind,
            default,
            effect,
        }
    }

    const fn live(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, default, Effect::Live)
    }

    const fn start(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, default, Effect::Start)
    }

    const fn protected(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, default, Effect::Protected)
    }

    /// Whether `CONFIG GET` shows it only to those who ask for its whole name.
    pub(crate) fn is_hidden(&self) -> bool {
        self.name.contains("-avoid-copy-reply")
    }

    pub(super) const fn idle(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, default, Effect::Idle)
    }

    pub(super) const fn idle_at_start(
        name: &'static str,
        kind: Kind,
        default: &'static str,
    ) -> Self {
        Self::new(name, kind, default, Effect::IdleAtStart)
    }

    pub(super) const fn only(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, default, Effect::Only)
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Whether a client may set it while the server runs.
    pub(crate) const fn is_mutable(&self) -> bool {
        matches!(self.effect, Effect::Live | Effect::Idle | Effect::Only)
    }

    /// Whether it changes nothing whatever its value.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.effect, Effect::Idle | Effect::IdleAtStart)
    }
}

/// A count without an upper bound.
pub(super) const COUNT: Kind = Integer {
    least: 0,
    greatest: i64::MAX,
};
/// A count of 31 bits.
pub(super) const SMALL: Kind = Integer {
    least: 0,
    greatest: i32::MAX as i64,
};
/// A count of 31 bits, not 0.
pub(super) const POSITIVE: Kind = Integer {
    least: 1,
    greatest: i32::MAX as i64,
};
/// A TCP port, 0 for none.
pub(super) const PORT: Kind = Integer {
    least: 0,
    greatest: 65_535,
};
/// A count where -1 means never.
pub(super) const THRESHOLD: Kind = Integer {
    least: -1,
    greatest: i64::MAX,
};
/// A size of any magnitude.
pub(super) const BYTES: Kind = Memory {
    least: 0,
    greatest: u64::MAX,
};
/// A size of at least 1 MiB.
const BUFFER: Kind = Memory {
    least: 1_048_576,
    greatest: u64::MAX,
};

/// Directives that are refused whatever follows them, and why.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("loadmodule", "modules cannot be loaded"),
    ("module", "modules cannot be loaded"),
    (
        "rename-command",
        "commands cannot be renamed; use requirepass and a firewall",
    ),
    ("user", "there is one user, default: use requirepass"),
];

/// The directives that matter here, sorted by name.
static OWN: &[Directive] = &[
    Directive::live(
        "appendfsync",
        OneOf(&["everysec", "always", "no"]),
        "everysec",
    ),
    Directive::start("appendonly", YesNo, "yes"),
    Directive::start("bind", Words, "127.0.0.1 -::1"),
    Directive::live(
        "checkpoint-interval-ms",
        Integer {
            least: 100,
            greatest: i64::MAX,
        },
        "60000",
    ),
    Directive::live("checkpoint-wal-bytes", BUFFER, "268435456"),
    Directive::live(
        "client-output-buffer-limit",
        BufferLimits,
        "normal 1073741824 268435456 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    Directive::live("client-query-buffer-limit", BUFFER, "1073741824"),
    Directive::live("commandlog-execution-slower-than", THRESHOLD, "10000")
        .alias("slowlog-log-slower-than"),
    Directive::live("commandlog-large-reply-max-len", COUNT, "128"),
    Directive::live("commandlog-large-request-max-len", COUNT, "128"),
    Directive::live("commandlog-reply-larger-than", THRESHOLD, "1048576"),
    Directive::live("commandlog-request-larger-than", THRESHOLD, "1048576"),
    Directive::live("busy-reply-threshold", COUNT, "5000").alias("lua-time-limit"),
    Directive::live("commandlog-slow-execution-max-len", COUNT, "128").alias("slowlog-max-len"),
    Directive::start("databases", POSITIVE, "16"),
    Directive::protected("dir", Text, "./thermocline-data"),
    Directive::start("enable-debug-command", OneOf(&["no", "yes", "local"]), "no"),
    Directive::live("hash-max-listpack-entries", COUNT, "512").alias("hash-max-ziplist-entries"),
    Directive::live("hash-max-listpack-value", BYTES, "64").alias("hash-max-ziplist-value"),
    Directive::live(
        "list-max-listpack-size",
        Integer {
            least: i32::MIN as i64,
            greatest: i32::MAX as i64,
        },
        "-2",
    )
    .alias("list-max-ziplist-size"),
    Directive::live("hll-sparse-max-bytes", BYTES, "3000"),
    Directive::live("stream-node-max-bytes", BYTES, "4096"),
    Directive::live("stream-node-max-entries", COUNT, "100"),
    Directive::live("availability-zone", Text, ""),
    Directive::start("io-backend", OneOf(&["auto", "io_uring", "posix"]), "auto"),
    Directive::start(
        "io-threads",
        Integer {
            least: 1,
            greatest: 256,
        },
        "0",
    ),
    Directive::live("latency-monitor-threshold", COUNT, "0"),
    Directive::live("latency-tracking", YesNo, "yes"),
    Directive::live(
        "latency-tracking-info-percentiles",
        Percentiles,
        "50 99 99.9",
    ),
    Directive::start("logfile", Text, ""),
    Directive::live(
        "loglevel",
        OneOf(&["debug", "verbose", "notice", "warning", "nothing"]),
        "notice",
    ),
    Directive::live(
        "maxclients",
        Integer {
            least: 1,
            greatest: 4_294_967_295,
        },
        "10000",
    ),
    Directive::live("maxmemory", BYTES, "0"),
    Directive::live("maxmemory-clients", MemoryOrPercent, "0"),
    Directive::live(
        "maxmemory-policy",
        OneOf(&[
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ]),
        "noeviction",
    ),
    Directive::live("notify-keyspace-events", Events, ""),
    Directive::start("pidfile", Text, ""),
    Directive::start("port", PORT, "6379"),
    Directive::live("protected-mode", YesNo, "yes"),
    Directive::live(
        "proto-max-bulk-len",
        Memory {
            least: 1_048_576,
            greatest: 512 << 20,
        },
        "536870912",
    ),
    Directive::live("requirepass", Text, ""),
    Directive::live("set-max-intset-entries", COUNT, "512"),
    Directive::live("set-max-listpack-entries", COUNT, "128"),
    Directive::live("set-max-listpack-value", COUNT, "64"),
    Directive::live("shutdown-timeout", SMALL, "10"),
    Directive::start(
        "supervised",
        OneOf(&["upstart", "systemd", "auto", "no"]),
        "no",
    ),
    Directive::start("tcp-backlog", SMALL, "511"),
    Directive::live("tcp-keepalive", SMALL, "300"),
    Directive::start("tier", YesNo, "yes"),
    Directive::live("tier-max-bytes", BYTES, "0"),
    Directive::live("timeout", SMALL, "0"),
    Directive::live("tracking-table-max-keys", COUNT, "1000000"),
    Directive::start("unixsocket", Text, ""),
    Directive::start("unixsocketperm", Text, "0"),
    Directive::live("wal-retention", BYTES, "0"),
    Directive::live("wal-retention-seconds", COUNT, "0"),
    Directive::live("zset-max-listpack-entries", COUNT, "128").alias("zset-max-ziplist-entries"),
    Directive::live("zset-max-listpack-value", BYTES, "64").alias("zset-max-ziplist-value"),
];

static SORTED: LazyLock<Vec<&'static Directive>> = LazyLock::new(|| {
    let mut sorted: Vec<_> = OWN.iter().chain(foreign::DIRECTIVES).collect();
    sorted.sort_unstable_by_key(|directive| directive.name);
    sorted
});

/// Every directive, sorted by name; a directive's number is its position here.
pub(crate) fn all() -> &'static [&'static Directive] {
    &SORTED
}

/// The number of the directive of that name or alias, letter case ignored.
pub(crate) fn number(name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    all()
        .binary_search_by_key(&lower.as_str(), |directive| directive.name)
        .ok()
        .or_else(|| {
            all()
                .iter()
                .position(|directive| directive.alias == Some(lower.as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::super::value::normalise;
    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for directive in all() {
            if directive.name == "io-threads" {
                continue; // its default is the number of cores
            }
            let words: Vec<&str> = if directive.kind.is_list() {
                directive.default.split_whitespace().collect()
            } else {
                vec![directive.default]
            };
            assert_eq!(
                normalise(directive.kind, &words, directive.default).as_deref(),
                Ok(directive.default),
                "{}",
                directive.name
            );
        }
    }

    #[test]
    fn names_and_aliases_are_unique_and_found() {
        let mut names: Vec<&str> = all().iter().map(|directive| directive.name).collect();
        names.extend(all().iter().filter_map(|directive| directive.alias));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(
            number("SlowLog-Max-Len"),
            number("commandlog-slow-execution-max-len")
        );
        assert_eq!(number("nothing"), None);
    }
}
