//! `dump`: every key as a line of JSON.
//!
//! Owns the filters and the summary. The line itself is `line`'s.

use crate::arguments::Dump;
use crate::failure::{Failure, Outcome};
use crate::walk::{self, Damages, OnKey};
use crate::{line, output};
use std::io::Write;
use thermocline_commands::glob::{self, Case};
use thermocline_store::offline::OfflineKey;

/// Runs the command.
pub(crate) fn run(
    arguments: &Dump,
    standard: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let mut damages = Damages::new(messages);
    // Before the output is made: a mistyped directory leaves no empty file.
    let (offline, tail) = walk::open(&arguments.directory, &mut damages)?;
    let path = arguments.output.as_deref();
    let written = output::with(path, arguments.force, standard, |writer| {
        let mut lines = Lines {
            arguments,
            writer,
            written: 0,
        };
        walk::walk(&offline, tail, &mut damages, &mut lines)?;
        Ok(lines.written)
    })?;
    let damage_count = damages.finish()?;
    match damage_count {
        0 => writeln!(messages, "{written} keys written")?,
        count => writeln!(
            messages,
            "{written} keys written; {count} places are damaged, and what needs them is missing"
        )?,
    }
    Ok(Outcome::of(damage_count))
}

struct Lines<'a> {
    arguments: &'a Dump,
    writer: &'a mut dyn Write,
    written: u64,
}

impl Lines<'_> {
    fn wants(&self, key: &OfflineKey<'_>) -> bool {
        let arguments = self.arguments;
        let is_match = arguments.pattern.as_ref().is_none_or(|pattern| {
            pattern == "*" || glob::matches(pattern.as_bytes(), key.key, Case::Sensitive)
        });
        is_match
            && arguments.database.is_none_or(|it| it == key.database)
            && arguments
                .kind
                .is_none_or(|kind| kind.value_kind() == key.value.kind())
    }
}

impl OnKey for Lines<'_> {
    fn key(&mut self, key: OfflineKey<'_>) -> Result<(), Failure> {
        if self.wants(&key) {
            line::write(self.writer, &key)?;
            self.written += 1;
        }
        Ok(())
    }
}
