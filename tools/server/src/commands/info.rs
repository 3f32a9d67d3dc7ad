//! INFO: which sections, in which order.
//!
//! Owns the list of sections and how a section is written. The sections stand in
//! `info_sections` (the server's) and `info_store` (the store's).

use std::fmt::{Display, Write};

use thermocline_store::Statistics;

use super::{CommandResult, Family, Invocation, Outcome, info_sections, info_store};

pub(super) static COMMANDS: Family = &[("info", info)];

/// Where the sections are written.
#[derive(Debug, Default)]
pub(super) struct Report {
    text: String,
}

impl Report {
    fn section(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.line(format_args!("# {title}"));
    }

    /// One line.
    pub(super) fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{line}\r\n");
    }

    /// A field with its value.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// Fields with their values.
    pub(super) fn fields(&mut self, fields: &[(&str, &dyn Display)]) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }

    /// A number of bytes, and again for people.
    pub(super) fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

/// Bytes as Redis shows them to people.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut number = bytes as f64 / 1024.0;
    for unit in UNITS {
        if number < 1024.0 {
            return format!("{number:.2}{unit}");
        }
        number /= 1024.0;
    }
    format!("{bytes}B")
}

/// What a section is written from.
pub(super) struct Source<'a> {
    pub(super) invocation: &'a Invocation<'a>,
    pub(super) statistics: &'a Statistics,
}

type Section = fn(&Source<'_>, &mut Report);

/// When a section is part of the report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By default.
    Default,
    /// With `all` and `everything`.
    All,
}

/// Title, when it is shown, and what writes it, in the order of the report.
static SECTIONS: &[(&str, Shown, Section)] = &[
    ("Server", Shown::Default, info_sections::server),
    ("Clients", Shown::Default, info_sections::clients),
    ("Memory", Shown::Default, info_store::memory),
    ("Persistence", Shown::Default, info_store::persistence),
    ("Tiering", Shown::Default, info_store::tiering),
    ("Stats", Shown::Default, info_sections::stats),
    ("Replication", Shown::Default, info_sections::replication),
    ("CPU", Shown::Default, info_sections::cpu),
    ("Modules", Shown::Default, |_, _| {}),
    ("Commandstats", Shown::All, info_sections::command_stats),
    ("Errorstats", Shown::Default, info_sections::error_stats),
    ("Latencystats", Shown::All, info_sections::latency_stats),
    ("Cluster", Shown::Default, info_sections::cluster),
    ("Keyspace", Shown::Default, info_store::keyspace),
];

/// Whether the words of a request ask for a section.
fn is_wanted(words: &[&[u8]], title: &str, shown: Shown) -> bool {
    let is_default = shown == Shown::Default;
    if words.is_empty() {
        return is_default;
    }
    words.iter().any(|word| {
        word.eq_ignore_ascii_case(title.as_bytes())
            || word.eq_ignore_ascii_case(b"all")
            || word.eq_ignore_ascii_case(b"everything")
            || (is_default && word.eq_ignore_ascii_case(b"default"))
    })
}

fn info(invocation: &mut Invocation<'_>) -> CommandResult {
    let statistics = invocation.statistics();
    let mut report = Report::default();
    let words = invocation.arguments.get(1..).unwrap_or_default();
    let source = Source {
        invocation,
        statistics: &statistics,
    };
    for (title, shown, write) in SECTIONS {
        if is_wanted(words, title, *shown) {
            report.section(title);
            write(&source, &mut report);
        }
    }
    invocation.reply.verbatim(*b"txt", report.text.as_bytes());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_chosen_by_name_or_group() {
        let wanted = |words: &[&[u8]]| -> Vec<&str> {
            let sections = SECTIONS.iter();
            sections
                .filter(|(title, shown, _)| is_wanted(words, title, *shown))
                .map(|(title, ..)| *title)
                .collect()
        };
        assert_eq!(
            wanted(&[b"KEYSPACE", b"server", b"nothing"]),
            ["Server", "Keyspace"]
        );
        assert!(wanted(&[b"nothing"]).is_empty());
        assert_eq!(wanted(&[]), wanted(&[b"default"]));
        assert!(!wanted(&[]).contains(&"Commandstats"));
        assert!(wanted(&[b"default", b"commandstats"]).contains(&"Commandstats"));
        assert_eq!(wanted(&[b"all"]).len(), SECTIONS.len());
    }

    #[test]
    fn bytes_are_shown_as_redis_does() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_215_760, "1.16M"),
            (25_276_502_016, "23.54G"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn sections_are_parted_by_an_empty_line() {
        let mut report = Report::default();
        report.section("A");
        report.field("x", 1);
        report.section("B");
        assert_eq!(report.text, "# A\r\nx:1\r\n\r\n# B\r\n");
    }
}
