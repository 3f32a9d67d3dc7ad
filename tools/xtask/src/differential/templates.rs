//! The commands that are sent, with their weights.
//!
//! Owns the choice of commands and options, a file for each group of families;
//! `grammar` owns the language and `generator` what fills the slots. Data.
//!
//! Relative times are far away (`$ttl`, `$pttl`) and points in time far off or
//! long past: which side of a short expiry a command falls on is no difference
//! between servers. Commands that may wait do so for a moment only, which ends the
//! same on both. Those that end the server or the connection are left out.

mod collections;
mod keys;
pub(super) mod scripts;
mod server;
mod sorted;
mod streams;

/// All of them: weight and template.
pub(super) fn templates() -> impl Iterator<Item = (u64, &'static str)> {
    [
        keys::TEMPLATES,
        collections::TEMPLATES,
        sorted::TEMPLATES,
        streams::TEMPLATES,
        server::TEMPLATES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// What the templates change of the configuration, as it is at the start: a
/// server that starts again has forgotten it.
pub(super) const CONFIGURATION: &[&str] = &[
    "config set hash-max-listpack-entries 512",
    "config set hash-max-listpack-value 64",
    "config set set-max-intset-entries 512",
    "config set set-max-listpack-entries 128",
    "config set set-max-listpack-value 64",
    "config set zset-max-listpack-entries 128",
    "config set zset-max-listpack-value 64",
    "config set stream-node-max-entries 100",
    "config set stream-node-max-bytes 4096",
    "config set hll-sparse-max-bytes 3000",
];

/// What is one of these throughout a run, by its seed: how nodes that were made under
/// another limit are split and joined is each server's own matter.
pub(super) const LIST_LIMITS: [&str; 2] = [
    "config set list-max-listpack-size -2",
    "config set list-max-listpack-size 4",
];

/// Commands that are as rare as one in so many of the others: most empty the large
/// pools, and PFSELFTEST takes Valkey more than a second.
pub(super) const RARE: (u64, &[&str]) = (
    40_000,
    &[
        "flushdb",
        "flushdb async",
        "flushall sync",
        "swapdb 0 1",
        "pfselftest",
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::grammar::Template;

    #[test]
    fn every_template_can_be_read() {
        for (weight, text) in templates() {
            assert!(weight > 0);
            Template::new(text);
        }
        for text in RARE.1 {
            Template::new(text);
        }
    }
}
