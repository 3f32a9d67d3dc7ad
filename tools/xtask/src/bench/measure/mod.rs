//! `cargo xtask bench --measure N`: what the project aims at, number by
//! number, beside Valkey, Redis and memcached in the same run.
//!
//! Owns the list of measures and which function takes which. Measures that
//! share their work are taken together when several are asked for. Each gives
//! tables and verdicts; none fails because a goal is missed.
//!
//! Use order: `verdict` and `contender` stand alone; each file of measures
//! uses both, some `mixed`; `page`, with `plot`, shows what the files of results hold.

pub(crate) mod contender;
pub(crate) mod page;
pub(crate) mod verdict;

mod beyond;
mod checkpoint;
mod durable;
mod growth;
mod hot;
mod mixed;
mod page_cache;
mod plot;
mod resident;
mod revive;
mod sunk;
mod total;
mod traces;
mod written;

use crate::bench::BenchError;
use crate::bench::report::{self, Table};
use crate::bench::setup::Context;
use verdict::Verdict;

/// What a group of measures found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) tables: Vec<Table>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// Those asked for of a group.
type Wanted<'a> = &'a [&'static str];

/// Measures that share their work.
struct Group {
    numbers: &'static [&'static str],
    run: fn(&Context, Wanted<'_>) -> Result<Findings, BenchError>,
}

const GROUPS: &[Group] = &[
    Group {
        numbers: &["1", "2", "3", "4"],
        run: hot::run,
    },
    Group {
        numbers: &["5"],
        run: total::run,
    },
    Group {
        numbers: &["6", "7"],
        run: resident::run,
    },
    Group {
        numbers: &["8"],
        run: sunk::run,
    },
    Group {
        numbers: &["9", "10"],
        run: beyond::run,
    },
    Group {
        numbers: &["10a"],
        run: traces::run,
    },
    Group {
        numbers: &["11"],
        run: written::run,
    },
    Group {
        numbers: &["12"],
        run: checkpoint::run,
    },
    Group {
        numbers: &["13"],
        run: revive::run,
    },
    Group {
        numbers: &["14"],
        run: durable::run,
    },
    Group {
        numbers: &["15"],
        run: growth::run,
    },
];

/// Takes the measures of these numbers, `all` for every one.
pub(crate) fn run(context: &Context, names: &[String]) -> Result<(), BenchError> {
    let known = || GROUPS.iter().flat_map(|group| group.numbers);
    let is_known = |name: &&String| *name == "all" || known().any(|number| number == name);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        let numbers: Vec<_> = known().copied().collect();
        return Err(BenchError::Unexpected(format!(
            "no measure {name}; there are {} and all",
            numbers.join(", ")
        )));
    }
    let mut verdicts = Vec::new();
    for group in GROUPS {
        let is_wanted = |number: &&&str| names.iter().any(|name| name == "all" || name == *number);
        let wanted: Vec<&'static str> = group.numbers.iter().filter(is_wanted).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let found = (group.run)(context, &wanted)?;
        // Kept at once: what comes later may fail, or be ended.
        report::keep_measures(context, &wanted, &found)?;
        verdicts.extend(found.verdicts);
    }
    verdict::table(&verdicts).print();
    Ok(())
}
