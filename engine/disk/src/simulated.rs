//! A disk in memory that loses power. Owns names, their durability and the
//! seed; open files are in `file`, their bytes in `simulated_content`, what goes
//! wrong on demand in `simulated_faults`.
//! Invariants: the same seed and calls give the same outcome; a handle opened
//! before a crash fails ever after; a name's change is volatile until its
//! directory is synced, and at a crash each is kept or lost on its own (a
//! rename by target and source, so both names may remain). Directories
//! themselves survive. A process that ends without a power loss takes nothing
//! along. Any thread; one lock.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::io::Errno;
use thermocline_base::checksum::crc32;
use thermocline_base::{Random, SimulatedTime};

use crate::error::DiskError;
use crate::simulated_content::{Change, Content};
use crate::simulated_faults::{FaultAction, FaultRepeat, Faults, Injury};
use crate::transfer;
use crate::{OpenMode, Space, parent_of};
use file::Handle;
pub(crate) use file::SimulatedFile;

const TOTAL_BYTES: u64 = 1 << 40;

type Node = Arc<Mutex<Content>>;

/// What runs between two operations: see [`SimulatedDisk::set_between`].
#[derive(Clone)]
struct Between(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Between {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Between")
    }
}

#[derive(Debug)]
struct World {
    seed: u64,
    random: Random,
    visible: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    directories: BTreeSet<String>,
    faults: Faults,
    time: Option<SimulatedTime>,
    between: Option<Between>,
    trace: u64,
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
                faults: Faults::default(),
                time: None,
                between: None,
                trace: 0,
                operations: 0,
                power_off_at: None,
                generation: 0,
                locked: false,
            })),
        }
    }

    /// Lets the `nth` next call of `action` (1 is the next) fail with `errno`.
    pub fn fail_next(&self, action: FaultAction, nth: u64, errno: i32, repeat: FaultRepeat) {
        self.injure_next(action, nth, Injury::Fails(errno), repeat);
    }

    /// Lets the `nth` next call of `action` (1 is the next) meet `injury`.
    pub fn injure_next(&self, action: FaultAction, nth: u64, injury: Injury, repeat: FaultRepeat) {
        self.injure_files("", action, nth, injury, repeat);
    }

    /// Lets the `nth` next call of `action` on a file whose name begins with `files`
    /// (or on a directory, for its syncs) meet `injury`.
    pub fn injure_files(
        &self,
        files: &str,
        action: FaultAction,
        nth: u64,
        injury: Injury,
        repeat: FaultRepeat,
    ) {
        let mut world = self.world.lock();
        world.faults.add(files, action, nth, injury, repeat);
    }

    /// Lets the `nth` next call that a fault can meet (as [`Self::calls`] counts)
    /// meet `injury`; if for ever, all calls of its action after it too.
    pub fn injure_call(&self, nth: u64, injury: Injury, repeat: FaultRepeat) {
        self.world.lock().faults.set_at_call(nth, injury, repeat);
    }

    /// How many calls there were that a fault can meet.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world.lock().faults.calls()
    }

    /// What each of those calls did, from the first on.
    #[must_use]
    pub fn actions(&self) -> Vec<FaultAction> {
        self.world.lock().faults.actions().to_vec()
    }

    /// How many calls have met a fault.
    #[must_use]
    pub fn faults_met(&self) -> u64 {
        self.world.lock().faults.met()
    }

    /// The clock that a slow call moves on.
    pub fn set_time(&self, time: SimulatedTime) {
        self.world.lock().time = Some(time);
    }

    /// Has `between` called before each write and each sync of a file, when
    /// nothing of the disk is locked: what others do meanwhile. `None` ends that.
    pub fn set_between(&self, between: Option<Arc<dyn Fn() + Send + Sync>>) {
        self.world.lock().between = between.map(Between);
    }

    /// A digest of all calls so far and of what was written: two runs that agree
    /// in it did the same.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.world.lock().trace
    }

    /// Ends the process, not the power: open handles and the directory lock are
    /// gone, and what was written and not synced is still to be had.
    pub fn kill(&self) {
        let mut world = self.world.lock();
        world.generation += 1;
        world.locked = false;
        world.power_off_at = None;
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.world.lock().powered().is_err()
    }

    /// A disk of its own with the same files, all durable.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let copy = Self::new(seed);
        let world = self.world.lock();
        {
            let mut other = copy.world.lock();
            other.directories.clone_from(&world.directories);
            for (name, node) in &world.visible {
                let node = Arc::new(Mutex::new(node.lock().settled()));
                other.durable.insert(name.clone(), Arc::clone(&node));
                other.visible.insert(name.clone(), node);
            }
        }
        copy
    }

    /// A disk of its own in the same state, with what is written and not durable; its
    /// choices follow from `seed`. Handles, the directory lock, faults and clock stay here.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        let copy = Self::new(seed);
        let world = self.world.lock();
        {
            let mut other = copy.world.lock();
            other.directories.clone_from(&world.directories);
            // A file may have two names, or one that is not durable.
            let mut copied: BTreeMap<*const Mutex<Content>, Node> = BTreeMap::new();
            let mut copies = |names: &BTreeMap<String, Node>| {
                let of = |(name, node): (&String, &Node)| {
                    let new = || Arc::new(Mutex::new(node.lock().clone()));
                    let copied = copied.entry(Arc::as_ptr(node)).or_insert_with(new);
                    (name.clone(), Arc::clone(copied))
                };
                names.iter().map(of).collect()
            };
            other.visible = copies(&world.visible);
            other.durable = copies(&world.durable);
        }
        copy
    }

    /// The files and their sizes in bytes.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        let world = self.world.lock();
        let files = world.visible.iter();
        files
            .map(|(name, node)| (name.clone(), node.lock().size()))
            .collect()
    }

    /// The blocks of 4 KiB of a file that may hold other bytes than zeros.
    #[must_use]
    pub fn blocks(&self, name: &str) -> Vec<u64> {
        let world = self.world.lock();
        let file = world.visible.get(name);
        file.map_or(Vec::new(), |node| node.lock().blocks())
    }

    /// Damages a file: the bit `bit` of the byte at `offset` is another.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) {
        let world = self.world.lock();
        if let Some(node) = world.visible.get(name) {
            let mut content = node.lock();
            let mut byte = [0];
            content.read(offset, &mut byte);
            byte[0] ^= 1 << (bit % 8);
            content.change(Change::Write(offset, byte.into()));
            content.sync();
        }
    }

    /// Damages a file: it ends after `len` bytes.
    pub fn cut(&self, name: &str, len: u64) {
        let world = self.world.lock();
        if let Some(node) = world.visible.get(name) {
            let mut content = node.lock();
            content.change(Change::Cut(len));
            content.sync();
        }
    }

    /// Damages the directory: the file is gone.
    pub fn lose(&self, name: &str) {
        let mut world = self.world.lock();
        world.visible.remove(name);
        world.durable.remove(name);
    }

    fn pass_between(world: &Mutex<World>) {
        let between = world.lock().between.clone();
        if let Some(Between(between)) = between {
            between();
        }
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
        transfer::resume(|| self.try_open(name, mode))
    }

    fn try_open(&self, name: &str, mode: OpenMode) -> io::Result<SimulatedFile> {
        let mut world = self.world.lock();
        world.meet(name, FaultAction::Open, mode == OpenMode::CreateNew)?;
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
        Ok(SimulatedFile::new(Handle {
            name: name.to_owned(),
            generation: world.generation,
            writable: mode != OpenMode::Read,
            world: Arc::clone(&self.world),
            node,
        }))
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
        world.mark(name.as_bytes());
        world.meet(name, FaultAction::Remove, true)?;
        world.visible.remove(name);
        Ok(())
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.meet(to, FaultAction::Rename, true)?;
        let node = world.visible.remove(from).ok_or(Errno::NOENT)?;
        world.visible.insert(to.to_owned(), node);
        Ok(())
    }

    pub(crate) fn sync_directory(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.mark(name.as_bytes());
        transfer::resume(|| world.meet(name, FaultAction::SyncDirectory, true))?;
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

    /// Adds to the trace.
    fn mark(&mut self, bytes: &[u8]) {
        let mark = u64::from(crc32(bytes)) ^ self.operations << 32;
        self.trace = Random::new(self.trace ^ mark).next_u64();
    }

    /// Counts the call and lets an injected fault meet it; what is left of the
    /// fault for the call itself.
    fn meet(
        &mut self,
        name: &str,
        action: FaultAction,
        counted: bool,
    ) -> io::Result<Option<Injury>> {
        self.powered()?;
        self.operations += u64::from(counted);
        self.mark(&[action as u8]);
        match self.faults.meet(name, action) {
            Some(Injury::Fails(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Injury::TakesMs(ms)) => {
                if let Some(time) = &self.time {
                    time.advance(ms);
                }
                Ok(None)
            }
            injury => Ok(injury),
        }
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
