//! A short history that is always the same: for harm done to its files or its
//! calls.
//!
//! Owns its course: clients, a checkpoint, keys that sink, a restart, cleaning, a
//! second checkpoint, and a log that goes on. Does not judge. One thread.

use crate::history::History;
use crate::life::{Life, Memory, NotStarted, Treatment};
use crate::workload::{Traits, Workload};
use thermocline_base::{Random, SimulatedTime, UnixMillis};
use thermocline_disk::SimulatedDisk;
use thermocline_wal::Policy;

const START_MS: i64 = 1_795_000_000_000;
/// Turns of each of its two processes.
const TURNS: u64 = 60;

/// A disk with its clock, and what chance decides.
pub struct Scene {
    /// The disk.
    pub disk: SimulatedDisk,
    /// The clock.
    pub time: SimulatedTime,
    /// Of all that follows.
    pub random: Random,
    /// Of the log.
    pub policy: Policy,
}

impl Scene {
    /// An empty disk; the same for the same `seed`.
    #[must_use]
    pub fn new(seed: u64, policy: Policy) -> Self {
        let disk = SimulatedDisk::new(seed);
        let time = SimulatedTime::new(UnixMillis(START_MS));
        disk.set_time(time.clone());
        Self {
            disk,
            time,
            random: Random::new(seed),
            policy,
        }
    }

    /// What clients know before anything.
    #[must_use]
    pub fn memory(seed: u64) -> Memory {
        Memory {
            history: History::default(),
            workload: Workload::new(seed, Traits::default()),
        }
    }

    /// Starts a process.
    ///
    /// # Errors
    /// Why it does not start, and what clients know.
    pub fn start(&mut self, memory: Memory) -> Result<Life, NotStarted> {
        Life::start(
            &self.disk,
            &self.time,
            self.policy,
            &mut self.random,
            memory,
        )
    }

    /// Starts a process, again if a fault kept it from starting.
    ///
    /// # Errors
    /// If it does not start though no fault is left.
    pub fn start_in_the_end(&mut self, memory: Memory) -> Result<Life, String> {
        match self.start(memory) {
            Ok(life) => Ok(life),
            Err(refused) => {
                let (error, memory) = *refused;
                if self.disk.faults_met() == 0 {
                    return Err(format!("it does not start: {error}"));
                }
                self.disk.set_between(None);
                self.disk.clear_faults();
                self.disk.kill();
                let again = self.start(memory);
                again.map_err(|refused| format!("it does not start again: {}", refused.0))
            }
        }
    }

    /// The disk is well again, if it was not.
    pub fn well(&self) {
        if self.disk.faults_met() > 0 {
            self.disk.clear_faults();
        }
    }

    /// What the clients of one process do.
    ///
    /// # Errors
    /// What was wrong meanwhile.
    pub fn play(&self, life: &mut Life) -> Result<(), String> {
        for turn in 0..TURNS {
            life.turn(self.policy, Treatment::default());
            if turn == TURNS / 2 || turn == TURNS - 10 {
                life.store().request_checkpoint();
                life.step_keeper();
            }
            let wrong = life.load.lock().wrong.take();
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        Ok(())
    }
}
