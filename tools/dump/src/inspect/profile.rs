//! How keys are spread: over prefixes, sizes and times to live.
//!
//! Owns the classes and their tables. INVARIANT: memory does not grow with the
//! keys: there are at most [`PREFIXES_MAX`] prefixes, what has others is "(other)".

use comfy_table::{Table, presets};
use std::collections::BTreeMap;
use thermocline_base::UnixMillis;

/// How many prefixes are told apart.
const PREFIXES_MAX: usize = 10_000;
/// How many are shown.
const PREFIXES_SHOWN: usize = 20;
/// What ends a prefix.
const SEPARATOR: u8 = b':';
/// A key without a separator in so many bytes has no prefix.
const PREFIX_BYTES_MAX: usize = 64;
const OTHER: &str = "(other)";
const NONE: &str = "(no prefix)";

/// Upper ends of the classes of sizes, in bytes.
const SIZES: [(u64, &str); 8] = [
    (32, "up to 32 B"),
    (128, "128 B"),
    (512, "512 B"),
    (2 << 10, "2 KiB"),
    (16 << 10, "16 KiB"),
    (256 << 10, "256 KiB"),
    (4 << 20, "4 MiB"),
    (u64::MAX, "more"),
];

/// Upper ends of the classes of times to live, in ms; before them "none" and
/// "expired".
const TIMES: [(i64, &str); 7] = [
    (60_000, "up to 1 minute"),
    (3_600_000, "1 hour"),
    (86_400_000, "1 day"),
    (7 * 86_400_000, "1 week"),
    (30 * 86_400_000, "30 days"),
    (365 * 86_400_000, "1 year"),
    (i64::MAX, "more"),
];

/// Keys of a class and the bytes of their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) keys: u64,
    pub(super) bytes: u64,
}

impl Class {
    const fn add(&mut self, bytes: u64) {
        self.keys += 1;
        self.bytes += bytes;
    }
}

/// See the module.
pub(super) struct Profile {
    now: UnixMillis,
    prefixes: BTreeMap<String, Class>,
    sizes: [Class; SIZES.len()],
    unlimited: Class,
    expired: Class,
    times: [Class; TIMES.len()],
}

/// A chart or table: its title, and each class by name.
pub(super) type Chart = (&'static str, Vec<(String, Class)>);

impl Profile {
    pub(super) fn new(now: UnixMillis) -> Self {
        Self {
            now,
            prefixes: BTreeMap::new(),
            sizes: Default::default(),
            unlimited: Class::default(),
            expired: Class::default(),
            times: Default::default(),
        }
    }

    /// Counts a key.
    pub(super) fn add(&mut self, key: &[u8], bytes: u64, expiry: Option<UnixMillis>) {
        let prefix = prefix(key);
        let name = if self.prefixes.len() < PREFIXES_MAX || self.prefixes.contains_key(&prefix) {
            prefix
        } else {
            OTHER.to_owned()
        };
        self.prefixes.entry(name).or_default().add(bytes);
        if let Some(at) = SIZES.iter().position(|(end, _)| bytes <= *end) {
            self.sizes[at].add(bytes);
        }
        let left_ms = expiry.map(|at| at.0.saturating_sub(self.now.0));
        match left_ms {
            None => self.unlimited.add(bytes),
            Some(..=0) => self.expired.add(bytes),
            Some(left_ms) => {
                if let Some(at) = TIMES.iter().position(|(end, _)| left_ms <= *end) {
                    self.times[at].add(bytes);
                }
            }
        }
    }

    /// What is shown, in order.
    pub(super) fn charts(&self) -> Vec<Chart> {
        let mut prefixes: Vec<_> = self.prefixes.iter().map(|(a, b)| (a.clone(), *b)).collect();
        prefixes.sort_by_key(|(_, class)| std::cmp::Reverse(class.bytes));
        prefixes.truncate(PREFIXES_SHOWN);
        let sizes = SIZES.iter().zip(&self.sizes);
        let sizes = sizes.map(|((_, name), class)| ((*name).to_owned(), *class));
        let times = TIMES.iter().zip(&self.times);
        let times = times.map(|((_, name), class)| ((*name).to_owned(), *class));
        let mut living = vec![
            ("no expiry".to_owned(), self.unlimited),
            ("expired".to_owned(), self.expired),
        ];
        living.extend(times);
        vec![
            ("biggest prefixes", prefixes),
            ("size of the value", sizes.collect()),
            ("time to live", living),
        ]
    }
}

/// A chart as a table.
pub(super) fn table((title, classes): &Chart) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([*title, "keys", "bytes of values"]);
    for (name, class) in classes {
        let (keys, bytes) = (class.keys.to_string(), class.bytes.to_string());
        table.add_row([name.clone(), keys, bytes]);
    }
    table
}

/// What of the key stands before its first separator, that included; escaped.
fn prefix(key: &[u8]) -> String {
    let start = &key[..key.len().min(PREFIX_BYTES_MAX)];
    match start.iter().position(|byte| *byte == SEPARATOR) {
        Some(at) => start[..=at].escape_ascii().to_string(),
        None => NONE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_into_their_classes() {
        let mut profile = Profile::new(UnixMillis(1000));
        profile.add(b"user:1", 32, None);
        profile.add(b"user:2", 33, Some(UnixMillis(1000)));
        profile.add(b"\xff:x", 1 << 30, Some(UnixMillis(61_000)));
        profile.add(b"plain", 0, Some(UnixMillis(i64::MAX)));
        let charts = profile.charts();
        let find = |chart: usize, name: &str| {
            let (_, classes) = &charts[chart];
            let found = classes.iter().find(|(it, _)| it == name);
            found.map(|(_, class)| class.keys)
        };
        assert_eq!(find(0, "user:"), Some(2));
        assert_eq!(find(0, "\\xff:"), Some(1));
        assert_eq!(find(0, NONE), Some(1));
        assert_eq!(charts[0].1[0].0, "\\xff:");
        assert_eq!(
            (find(1, "up to 32 B"), find(1, "128 B")),
            (Some(2), Some(1))
        );
        assert_eq!((find(1, "more"), find(1, "4 MiB")), (Some(1), Some(0)));
        assert_eq!(
            (find(2, "no expiry"), find(2, "expired")),
            (Some(1), Some(1))
        );
        assert_eq!(
            (find(2, "up to 1 minute"), find(2, "more")),
            (Some(1), Some(1))
        );
    }

    #[test]
    fn prefixes_are_bounded() {
        let mut profile = Profile::new(UnixMillis(0));
        for number in 0..PREFIXES_MAX + 5 {
            profile.add(format!("{number}:").as_bytes(), 1, None);
        }
        assert_eq!(profile.prefixes.len(), PREFIXES_MAX + 1);
        assert_eq!(profile.prefixes[OTHER].keys, 5);
    }
}
