//! A disk in memory that loses power. Owns names, their durability, injected
//! faults and the seed; the bytes of a file are in `simulated_content`.
//! Invariants: the same seed and calls give the same outcome; a handle opened
//! before a crash fails ever after; a name's change is volatile until its
//! directory is synced, and at a crash each is kept or lost on its own (a
//! rename by target and source, so both names may remain). Directories
//! themselves survive. Any thread; one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;
use thermocline_base::Random;

use crate::error::DiskError;
use crate::simulated_content::{Change, Content};
use crate::{OpenMode, Space, parent_of};

const TOTAL_BYTES: u64 = 1 << 40;
const LARGEST_FILE_BYTES: u64 = 1 << 40;

/// Which calls an injected fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// Opening or creating a file.
    Open,
    /// Reads.
    Read,
    /// Writes, allocations, hole punches and truncations.
    Write,
    /// Those of them that make a file longer: a full device.
    Grow,
    /// Syncs of a file; unsynced writes may be lost for good.
    Sync,
    /// The rename of [`crate::Disk::replace_durably`].
    Rename,
    /// Removals.
    Remove,
    /// Syncs of a directory.
    SyncDirectory,
}

/// How long an injected fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultRepeat {
    /// It meets one call.
    Once,
    /// It meets that call and all after, until [`SimulatedDisk::clear_faults`].
    Forever,
}

#[derive(Debug)]
struct Fault {
    action: FaultAction,
    countdown: u64,
    errno: i32,
    repeat: FaultRepeat,
}

type Node = Arc<Mutex<Content>>;

#[derive(Debug)]
struct World {
    seed: u64,
    random: Random,
    visible: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    directories: BTreeSet<String>,
    faults: Vec<Fault>,
    operations: u64,
    power_off_at: Option<u64>,
    generation: u64,
    locked: bool,
}

/// A disk in memory; clones share it. See the module for what a crash may do.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    world: Arc<Mutex<World>>,
}

impl SimulatedDisk {
    /// An empty disk whose every choice follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            world: Arc::new(Mutex::new(World {
                seed,
                random: Random::new(seed),
                visible: BTreeMap::new(),
                durable: BTreeMap::new(),
                directories: BTreeSet::new(),
                faults: Vec::new(),
                operations: 0,
                power_off_at: None,
                generation: 0,
                locked: false,
            })),
        }
    }

    /// Lets the `nth` next call of `action` (1 is the next) fail with `errno`.
    pub fn fail_next(&self, action: FaultAction, nth: u64, errno: i32, repeat: FaultRepeat) {
        self.world.lock().faults.push(Fault {
            action,
            countdown: nth.max(1),
            errno,
            repeat,
        });
    }

    /// Ends all injected faults.
    pub fn clear_faults(&self) {
        self.world.lock().faults.clear();
    }

    /// How many operations that change the disk were performed: writes and
    /// other changes of files, syncs, creations, removals, renames.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world.lock().operations
    }

    /// After `n` more operations (as [`Self::operations`] counts) everything
    /// fails with EIO until [`Self::restart`].
    pub fn power_off_after(&self, n: u64) {
        let mut world = self.world.lock();
        world.power_off_at = Some(world.operations.saturating_add(n));
    }

    /// Loses power now and restarts: see the module for what remains. Open
    /// handles and the directory lock are gone.
    pub fn crash(&self) {
        self.world.lock().crash();
    }

    /// Ends a power-off; the disk is as after [`Self::crash`].
    pub fn restart(&self) {
        self.crash();
    }

    pub(crate) fn reason(&self) -> String {
        format!("simulated with seed {}", self.world.lock().seed)
    }

    pub(crate) fn draw(&self, bound: u64) -> u64 {
        self.world.lock().random.below(bound)
    }

    pub(crate) fn open_file(&self, name: &str, mode: OpenMode) -> io::Result<SimulatedFile> {
        let mut world = self.world.lock();
        world.meet(FaultAction::Open, mode == OpenMode::CreateNew)?;
        let node = match (world.visible.get(name), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(Errno::EXIST.into()),
            (Some(node), _) => Arc::clone(node),
            (None, OpenMode::CreateNew) => {
                let parent = parent_of(name);
                if !parent.is_empty() && !world.directories.contains(parent) {
                    return Err(Errno::NOENT.into());
                }
                let node = Node::default();
                world.visible.insert(name.to_owned(), Arc::clone(&node));
                node
            }
            (None, _) => return Err(Errno::NOENT.into()),
        };
        Ok(SimulatedFile {
            shared: Arc::new(Handle {
                name: name.to_owned(),
                generation: world.generation,
                writable: mode != OpenMode::Read,
                world: Arc::clone(&self.world),
                node,
            }),
        })
    }

    pub(crate) fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        world.powered()?;
        let names = world.visible.keys().chain(&world.directories);
        let mut names: Vec<String> = names
            .filter(|name| parent_of(name) == directory)
            .filter_map(|name| name.rsplit('/').next())
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn create_directory(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.powered()?;
        let mut part = name;
        while !part.is_empty() {
            world.directories.insert(part.to_owned());
            part = parent_of(part);
        }
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        if !world.visible.contains_key(name) {
            world.powered()?;
            return Err(Errno::NOENT.into());
        }
        world.meet(FaultAction::Remove, true)?;
        world.visible.remove(name);
        Ok(())
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.meet(FaultAction::Rename, true)?;
        let node = world.visible.remove(from).ok_or(Errno::NOENT)?;
        world.visible.insert(to.to_owned(), node);
        Ok(())
    }

    pub(crate) fn sync_directory(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.meet(FaultAction::SyncDirectory, true)?;
        let world = &mut *world;
        world.durable.retain(|file, _| parent_of(file) != name);
        for (file, node) in &world.visible {
            if parent_of(file) == name {
                world.durable.insert(file.clone(), Arc::clone(node));
            }
        }
        Ok(())
    }

    pub(crate) fn lock(&self) -> Result<SimulatedLock, DiskError> {
        let mut world = self.world.lock();
        if world.locked {
            return Err(DiskError::Locked {
                path: "LOCK".to_owned(),
            });
        }
        world.locked = true;
        Ok(SimulatedLock {
            world: Arc::clone(&self.world),
            generation: world.generation,
        })
    }

    pub(crate) fn space(&self) -> io::Result<Space> {
        let world = self.world.lock();
        world.powered()?;
        let used = world.visible.values().map(|node| node.lock().size()).sum();
        Ok(Space {
            free_bytes: TOTAL_BYTES.saturating_sub(used),
            total_bytes: TOTAL_BYTES,
        })
    }
}

impl World {
    fn powered(&self) -> io::Result<()> {
        match self.power_off_at {
            Some(at) if self.operations >= at => Err(Errno::IO.into()),
            _ => Ok(()),
        }
    }

    /// Counts the call and lets an injected fault meet it.
    fn meet(&mut self, action: FaultAction, counted: bool) -> io::Result<()> {
        self.powered()?;
        self.operations += u64::from(counted);
        let mut met = None;
        self.faults.retain_mut(|fault| {
            if fault.action != action {
                return true;
            }
            fault.countdown = fault.countdown.saturating_sub(1);
            if fault.countdown > 0 {
                return true;
            }
            met = Some(fault.errno);
            fault.repeat == FaultRepeat::Forever
        });
        met.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn crash(&mut self) {
        let names: BTreeSet<String> = self
            .visible
            .keys()
            .chain(self.durable.keys())
            .cloned()
            .collect();
        let mut after = BTreeMap::new();
        let mut settled: Vec<Node> = Vec::new();
        for name in names {
            let (visible, durable) = (self.visible.get(&name), self.durable.get(&name));
            let same = match (visible, durable) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                _ => false,
            };
            let kept = if same || self.random.chance(2) {
                visible
            } else {
                durable
            };
            let Some(node) = kept.cloned() else { continue };
            if !settled.iter().any(|known| Arc::ptr_eq(known, &node)) {
                node.lock().crash(&mut self.random);
                settled.push(Arc::clone(&node));
            }
            after.insert(name, node);
        }
        self.durable.clone_from(&after);
        self.visible = after;
        self.power_off_at = None;
        self.generation += 1;
        self.locked = false;
    }
}

/// The simulated directory lock.
#[derive(Debug)]
pub(crate) struct SimulatedLock {
    world: Arc<Mutex<World>>,
    generation: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if world.generation == self.generation {
            world.locked = false;
        }
    }
}

#[derive(Debug)]
struct Handle {
    name: String,
    generation: u64,
    writable: bool,
    world: Arc<Mutex<World>>,
    node: Node,
}

/// An open simulated file.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFile {
    shared: Arc<Handle>,
}

impl SimulatedFile {
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

    fn change(&self, end: u64, change: Change) -> io::Result<()> {
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        if !self.shared.writable {
            return Err(Errno::BADF.into());
        }
        if end > LARGEST_FILE_BYTES {
            return Err(Errno::FBIG.into());
        }
        if end > self.shared.node.lock().size() {
            world.meet(FaultAction::Grow, false)?;
        }
        world.meet(FaultAction::Write, true)?;
        self.shared.node.lock().change(change);
        Ok(())
    }

    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        let world = self.shared.world.lock();
        self.alive(&world)?;
        Ok(self.shared.node.lock().size())
    }

    pub(crate) fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = offset.saturating_add(len);
        self.change(end, Change::Grow(end))
    }

    pub(crate) fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.change(0, Change::Zero(offset, offset.saturating_add(len)))
    }

    pub(crate) fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(len, Change::Cut(len))
    }

    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        world.meet(FaultAction::Read, false)?;
        Ok(self.shared.node.lock().read(offset, bytes))
    }

    pub(crate) fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        self.change(end, Change::Write(offset, bytes.to_vec()))
    }

    pub(crate) fn sync_data(&self) -> io::Result<()> {
        let mut world = self.shared.world.lock();
        self.alive(&world)?;
        let outcome = world.meet(FaultAction::Sync, true);
        let mut content = self.shared.node.lock();
        match &outcome {
            Ok(()) => content.sync(),
            Err(_) => content.fail_sync(&mut world.random),
        }
        outcome
    }
}
