//! A file of the simulated disk that is open. Owns what each operation on it does and what
//! an injected fault leaves of it.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::{Node, SimulatedDisk, World};
use crate::simulated_content::{Change, SECTOR_BYTES};
use crate::simulated_faults::{FaultAction, Injury};
use crate::transfer;

const LARGEST_FILE_BYTES: u64 = 1 << 40;
const BLOCK_BYTES: u64 = 4096;

#[derive(Debug)]
pub(super) struct Handle {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) writable: bool,
    pub(super) world: Arc<Mutex<World>>,
    pub(super) node: Node,
}

/// An open simulated file.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFile {
    shared: Arc<Handle>,
}

impl SimulatedFile {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            shared: Arc::new(handle),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    fn alive(&self, world: &World) -> io::Result<()> {
        if world.generation == self.shared.generation {
            world.powered()
        } else {
            Err(Errno::IO.into())
        }
    }

    fn change(&self, end: u64, change: &Change) -> io::Result<()> {
        transfer::resume(|| self.try_change(end, change.clone()).map(drop))
    }

    /// How many bytes were written, of a write.
    fn try_change(&self, end: u64, change: Change) -> io::Result<usize> {
        SimulatedDisk::pass_between(&self.shared.world);
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        if !self.shared.writable {
            return Err(Errno::BADF.into());
        }
        if end > LARGEST_FILE_BYTES {
            return Err(Errno::FBIG.into());
        }
        if end > self.shared.node.lock().size() {
            world.meet(&self.shared.name, FaultAction::Grow, false)?;
        }
        let injury = world.meet(&self.shared.name, FaultAction::Write, true)?;
        let Change::Write(offset, bytes) = change else {
            self.shared.node.lock().change(change);
            return Ok(0);
        };
        world.mark(self.shared.name.as_bytes());
        world.mark(&offset.to_le_bytes());
        world.mark(&bytes);
        let count = bytes.len();
        let mut content = self.shared.node.lock();
        match injury {
            Some(Injury::IsLost) => {}
            Some(Injury::GoesAstray) => {
                // To a block before or behind, but within the file.
                let blocks = (content.size() / BLOCK_BYTES).max(1);
                let block = world.random.below(blocks);
                content.change(Change::Write(block * BLOCK_BYTES, bytes));
            }
            Some(Injury::IsShort) => {
                let moved = part_of(count);
                content.change(Change::Write(offset, bytes[..moved].into()));
                return Ok(moved);
            }
            _ => content.change(Change::Write(offset, bytes)),
        }
        Ok(count)
    }

    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        let world = self.shared.world.lock();
        self.alive(&world)?;
        Ok(self.shared.node.lock().size())
    }

    pub(crate) fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = offset.saturating_add(len);
        self.change(end, &Change::Grow(end))
    }

    pub(crate) fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.change(0, &Change::Zero(offset, offset.saturating_add(len)))
    }

    pub(crate) fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(len, &Change::Cut(len))
    }

    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let read = |left: &mut [u8], done| self.read_once(offset.saturating_add(done), left);
        transfer::read_full(bytes, read, |_| false)
    }

    fn read_once(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        let injury = world.meet(&self.shared.name, FaultAction::Read, false)?;
        let moved = match injury {
            Some(Injury::IsShort) => part_of(bytes.len()),
            _ => bytes.len(),
        };
        let read = self.shared.node.lock().read(offset, &mut bytes[..moved]);
        if injury == Some(Injury::ReadsWrong) && read > 0 {
            let bit = world.random.below(read as u64 * 8);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        Ok(read)
    }

    pub(crate) fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        transfer::write_full(bytes, |left, done| {
            let offset = offset.saturating_add(done);
            let end = offset.saturating_add(left.len() as u64);
            self.try_change(end, Change::Write(offset, left.into()))
        })
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        transfer::resume(|| self.try_sync())
    }

    fn try_sync(&self) -> io::Result<()> {
        SimulatedDisk::pass_between(&self.shared.world);
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        world.mark(self.shared.name.as_bytes());
        let outcome = world.meet(&self.shared.name, FaultAction::Sync, true);
        let mut content = self.shared.node.lock();
        match outcome {
            Ok(_) => {
                content.sync();
                Ok(())
            }
            // Nothing was tried.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                content.fail_sync(&mut world.random);
                Err(error)
            }
        }
    }
}

/// What a short transfer moves of `count` bytes: whole sectors, and something.
const fn part_of(count: usize) -> usize {
    let sector_bytes = SECTOR_BYTES as usize;
    let half = count / 2 / sector_bytes * sector_bytes;
    if half == 0 { count } else { half }
}
