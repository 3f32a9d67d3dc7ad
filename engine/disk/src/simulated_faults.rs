//! What a simulated disk is told to do wrong, and when.
//! Owns the faults and the count of calls that one can meet; does none of the
//! harm itself. Under the disk's lock.

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
    /// It meets that call and all after, until [`crate::SimulatedDisk::clear_faults`].
    Forever,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injury {
    /// It fails with this error. An interruption (EINTR) meets every other call
    /// only: nothing else ends it.
    Fails(i32),
    /// A read or write moves a part of its bytes.
    IsShort,
    /// It takes so long by the clock of [`crate::SimulatedDisk::set_time`], ms.
    TakesMs(i64),
    /// A write says it succeeded, and the old bytes stay.
    IsLost,
    /// A write says it succeeded, and went to another block of the file.
    GoesAstray,
    /// A read gives one bit wrong.
    ReadsWrong,
}

const EINTR: i32 = 4;

#[derive(Debug)]
struct Fault {
    /// How the names of the files begin that can meet it.
    files: String,
    action: FaultAction,
    countdown: u64,
    injury: Injury,
    repeat: FaultRepeat,
    /// How many calls it has met.
    met: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    calls: Vec<FaultAction>,
    /// What the call of a number is to meet, whatever its action.
    at_call: Option<(u64, Injury, FaultRepeat)>,
    met: u64,
}

impl Faults {
    pub(crate) fn add(
        &mut self,
        files: &str,
        action: FaultAction,
        nth: u64,
        injury: Injury,
        repeat: FaultRepeat,
    ) {
        self.list.push(Fault {
            files: files.to_owned(),
            action,
            countdown: nth.max(1),
            injury,
            repeat,
            met: 0,
        });
    }

    pub(crate) fn set_at_call(&mut self, nth: u64, injury: Injury, repeat: FaultRepeat) {
        let number = self.calls().saturating_add(nth.max(1));
        self.at_call = Some((number, injury, repeat));
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.at_call = None;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.len() as u64
    }

    pub(crate) fn actions(&self) -> &[FaultAction] {
        &self.calls
    }

    pub(crate) const fn met(&self) -> u64 {
        self.met
    }

    /// Counts a call on the file `name`; what it meets.
    pub(crate) fn meet(&mut self, name: &str, action: FaultAction) -> Option<Injury> {
        self.calls.push(action);
        if let Some((number, injury, repeat)) = self.at_call
            && self.calls() >= number
        {
            self.at_call = None;
            self.add("", action, 1, injury, repeat);
        }
        let mut met = None;
        self.list.retain_mut(|fault| {
            if fault.action != action || !name.starts_with(&fault.files) {
                return true;
            }
            fault.countdown = fault.countdown.saturating_sub(1);
            if fault.countdown > 0 {
                return true;
            }
            fault.met += 1;
            let resumes = fault.injury == Injury::Fails(EINTR) && fault.met.is_multiple_of(2);
            if !resumes {
                met = Some(fault.injury);
            }
            fault.repeat == FaultRepeat::Forever
        });
        self.met += u64::from(met.is_some());
        met
    }
}
