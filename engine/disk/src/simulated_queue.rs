//! The queue of the simulated disk. Owns operations in flight; performs them in
//! an order drawn from the disk's seed, so a sync may overtake a write that was
//! not awaited. Invariant: `poll` completes at least one if any is in flight.

use crate::posix::perform;
use crate::queue::{Completion, Operation};
use crate::simulated::SimulatedDisk;

#[derive(Debug)]
pub(crate) struct SimulatedQueue {
    disk: SimulatedDisk,
    operations: Vec<Operation>,
    depth: usize,
}

impl SimulatedQueue {
    pub(crate) fn new(disk: SimulatedDisk, depth: usize) -> Self {
        Self {
            disk,
            operations: Vec::new(),
            depth,
        }
    }

    pub(crate) fn submit(&mut self, operation: Operation) -> Result<(), Operation> {
        if self.operations.len() >= self.depth {
            return Err(operation);
        }
        self.operations.push(operation);
        Ok(())
    }

    pub(crate) fn poll(&mut self, completions: &mut Vec<Completion>) -> usize {
        let held = self.operations.len() as u64;
        if held == 0 {
            return 0;
        }
        let count = self.disk.draw(held) as usize + 1;
        for _ in 0..count {
            let index = self.disk.draw(self.operations.len() as u64) as usize;
            completions.push(perform(self.operations.swap_remove(index)));
        }
        count
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.operations.len()
    }
}

impl Drop for SimulatedQueue {
    fn drop(&mut self) {
        self.poll_all();
    }
}

impl SimulatedQueue {
    fn poll_all(&mut self) {
        let mut completions = Vec::new();
        while self.poll(&mut completions) > 0 {}
    }
}
