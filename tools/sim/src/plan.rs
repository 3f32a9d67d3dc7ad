//! What a seed decides for all its processes: the policy, how long they live, and
//! what the disk does to them.
//!
//! Owns the draw, and of each fault where it strikes and when. Does not judge. One
//! thread.
//!
//! A fault that may meet any call is seldom the one in a thousand that matters, so
//! half of the seeds with faults aim them: at the files of the log or of the tier,
//! often, and with what must come before and after made likely.

use crate::history::Promise;
use crate::workload::Traits;
use thermocline_base::Random;
use thermocline_disk::{FaultAction, FaultRepeat, Injury, SimulatedDisk};
use thermocline_wal::Policy;

/// What a seed decides.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Of the log.
    pub policy: Policy,
    /// Processes.
    pub lives: u64,
    /// Turns of a process at most.
    pub turns: u64,
    /// What the disk does.
    pub harm: Harm,
    /// Where it does it.
    pub aim: Aim,
    /// What clients do beside the usual.
    pub traits: Traits,
}

/// What the disk does to its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing but what a loss of power does.
    None,
    /// Errors, short transfers and delays.
    Errors,
    /// Blocks that are lost, go astray or are read wrong.
    Damage,
}

/// Where harm is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// At any file, once in a life.
    Anywhere,
    /// At the log, again and again; power may go soon after.
    Log,
    /// At the tier, again and again, with many checkpoints.
    Tier,
}

impl Aim {
    /// How the names of the files begin.
    const fn files(self) -> &'static str {
        match self {
            Self::Anywhere => "",
            Self::Log => "wal",
            Self::Tier => "tier",
        }
    }
}

/// When the faults of one process begin and end, in its turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The first fault is armed.
    pub injured_at: u64,
    /// From then on one more every so many turns; 0 for no more.
    pub again_every: u64,
    /// The disk is well.
    pub healed_at: u64,
}

impl Schedule {
    /// Whether a fault is armed before `turn`.
    pub const fn is_due(&self, turn: u64) -> bool {
        turn == self.injured_at
            || turn > self.injured_at
                && turn < self.healed_at
                && self.again_every > 0
                && (turn - self.injured_at).is_multiple_of(self.again_every)
    }
}

impl Plan {
    /// What follows from `random`.
    pub fn draw(random: &mut Random) -> Self {
        let harm = match random.below(30) {
            0..3 => Harm::Damage,
            3..13 => Harm::Errors,
            _ => Harm::None,
        };
        let aim = match random.below(4) {
            _ if harm == Harm::None => Aim::Anywhere,
            0 => Aim::Log,
            1 => Aim::Tier,
            _ => Aim::Anywhere,
        };
        Self {
            policy: if random.chance(3) {
                Policy::EverySecond
            } else {
                Policy::Always
            },
            lives: 3 + random.below(5),
            turns: 60 + random.below(200),
            harm,
            aim,
            traits: Traits::draw(random),
        }
    }

    /// The wall clock after it was set, if it is now: hours forward, or seconds to hours
    /// back.
    pub fn jump(&self, random: &mut Random, now_ms: i64) -> Option<i64> {
        const HOUR_MS: u64 = 3_600_000;
        if !self.traits.has_jumps || !random.chance(3) {
            return None;
        }
        Some(match random.below(4) {
            0 => now_ms + random.below(3 * HOUR_MS) as i64,
            1 => now_ms - random.below(3 * HOUR_MS) as i64,
            _ => now_ms - 1000 - random.below(20_000) as i64,
        })
    }

    /// What is promised of a process that is cut off at `now_ms` of the monotonic clock.
    pub fn promise(&self, is_slow: bool, has_faults: bool, now_ms: i64) -> Promise {
        match self.policy {
            _ if self.harm == Harm::Damage && has_faults => Promise::None,
            Policy::Always => Promise::All,
            _ if is_slow || has_faults => Promise::AllButASecond,
            _ => Promise::Until(now_ms - 1000),
        }
    }

    /// When a process of `turns` is harmed; `None` if never.
    pub fn schedule(&self, random: &mut Random, turns: u64) -> Option<Schedule> {
        if self.harm == Harm::None {
            return None;
        }
        let injured_at = random.below(turns);
        let again_every = match self.aim {
            Aim::Anywhere => 0,
            Aim::Log | Aim::Tier => 2 + random.below(12),
        };
        Some(Schedule {
            injured_at,
            again_every,
            healed_at: injured_at + 1 + random.below(60),
        })
    }

    /// Arms one fault, which meets one of the next calls.
    pub fn injure(&self, random: &mut Random, disk: &SimulatedDisk) {
        const ACTIONS: [FaultAction; 8] = [
            FaultAction::Open,
            FaultAction::Read,
            FaultAction::Write,
            FaultAction::Write,
            FaultAction::Sync,
            FaultAction::Sync,
            FaultAction::Rename,
            FaultAction::SyncDirectory,
        ];
        let most = if self.aim == Aim::Anywhere { 12 } else { 3 };
        let nth = 1 + random.below(most);
        let mut repeat = FaultRepeat::Once;
        let (action, injury) = if self.harm == Harm::Damage {
            match random.below(3) {
                0 => (FaultAction::Write, Injury::IsLost),
                1 => (FaultAction::Write, Injury::GoesAstray),
                _ => (FaultAction::Read, Injury::ReadsWrong),
            }
        } else {
            let action = match self.aim {
                Aim::Log | Aim::Tier if random.chance(2) => FaultAction::Sync,
                _ => ACTIONS[random.below(ACTIONS.len() as u64) as usize],
            };
            if self.aim == Aim::Anywhere && random.chance(3) {
                repeat = FaultRepeat::Forever;
            }
            (action, error(random))
        };
        disk.injure_files(self.aim.files(), action, nth, injury, repeat);
    }
}

/// Something a call may meet that is no damage.
pub fn error(random: &mut Random) -> Injury {
    const ERRORS: [i32; 7] = [5, 28, 122, 4, 11, 30, 24];
    match random.below(9) {
        0 => Injury::IsShort,
        1 => Injury::TakesMs(random.below(1500) as i64),
        number => Injury::Fails(ERRORS[number as usize - 2]),
    }
}
