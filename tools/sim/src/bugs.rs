//! Whether the simulation finds the bugs that are planted for it.
//!
//! Owns the search: seed after seed until a promise is broken, with the harm that
//! the bug needs where it needs some. One thread: which bug is planted is known to
//! the whole process.

use crate::plan::{Aim, Harm};
use crate::round;
use thermocline_base::bugs::{Bug, plant};

/// How a bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The bug.
    pub bug: Bug,
    /// How many seeds it took, and what the last one said; `None` if it was not
    /// found.
    pub by: Option<(u64, String)>,
}

/// The harm that `bug` shows under; most need nothing but losses of power.
const fn harm(bug: Bug) -> Option<(Harm, Aim)> {
    match bug {
        Bug::SkippedTierCrc => Some((Harm::Damage, Aim::Tier)),
        Bug::SyncedAgain => Some((Harm::Errors, Aim::Log)),
        Bug::FailedTierSyncForgotten => Some((Harm::Errors, Aim::Tier)),
        _ => None,
    }
}

/// Plants `bug` and runs seeds from `first` on, at most `most`, until one fails.
#[must_use]
pub fn find(bug: Bug, first: u64, most: u64) -> Found {
    plant(Some(bug));
    let seeds = first..first.saturating_add(most);
    let by = seeds.zip(1..).find_map(|(seed, count)| {
        round::run_with(seed, harm(bug))
            .err()
            .map(|wrong| (count, wrong))
    });
    plant(None);
    Found { bug, by }
}
