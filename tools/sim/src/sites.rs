//! Every call of the disk fails, once and for ever.
//!
//! Owns which call meets what, and the judgement: reads go on where the fault is
//! not one of reads, no acknowledged write is lost, and once the disk is well
//! writes begin again by themselves. One thread.

use crate::history::{Promise, Promised};
use crate::life::Life;
use crate::parallel;
use crate::scene::Scene;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thermocline_disk::{FaultAction, FaultRepeat, Injury};
use thermocline_wal::Policy;

/// The scenes: seed and policy, and one call in how many of those that are tried meets its
/// fault there. The first one is tried whole.
const SCENES: [(u64, Policy, u64); 3] = [
    (21, Policy::Always, 1),
    (22, Policy::EverySecond, 9),
    (23, Policy::Always, 9),
];
/// How long it takes until all is durable under `everysec`.
const SYNCED_MS: i64 = 2_500;
/// How long it may take until writes begin again.
const HEALING_MS: i64 = 5_000;

/// Steps of the keeper after which a step of a client is given up: it waits for what
/// cannot be read.
const PATIENCE: usize = 500;

/// The same for each key that is read while the fault may last: all are read again when
/// the disk is well.
const HASTE: usize = 40;

/// The faults and which calls can meet them.
const FAULTS: [(&str, Injury); 10] = [
    ("EIO", Injury::Fails(5)),
    ("ENOSPC", Injury::Fails(28)),
    ("EDQUOT", Injury::Fails(122)),
    ("short read", Injury::IsShort),
    ("short write", Injury::IsShort),
    ("EINTR", Injury::Fails(4)),
    ("EAGAIN", Injury::Fails(11)),
    ("EROFS", Injury::Fails(30)),
    ("EMFILE", Injury::Fails(24)),
    ("delayed", Injury::TakesMs(700)),
];

fn can_meet(name: &str, action: FaultAction) -> bool {
    let is_change = !matches!(action, FaultAction::Read);
    match name {
        "short read" => action == FaultAction::Read,
        "short write" => action == FaultAction::Write,
        "EMFILE" => action == FaultAction::Open,
        "ENOSPC" | "EDQUOT" | "EROFS" => is_change,
        _ => true,
    }
}

/// What became of the trials with one fault.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The fault.
    pub fault: &'static str,
    /// Trials.
    pub trials: u64,
    /// Of them, those whose fault was met.
    pub met: u64,
    /// What was wrong.
    pub wrong: Vec<String>,
}

/// One call that meets a fault.
#[derive(Clone, Copy, Debug)]
struct Trial {
    seed: u64,
    policy: Policy,
    site: usize,
    action: FaultAction,
    repeat: FaultRepeat,
}

/// Lets one in `one_in` calls of the first scene meet each fault, once and for ever,
/// from the `first` on, and fewer of the others.
#[must_use]
pub fn run(one_in: u64, first: u64) -> Vec<Outcome> {
    let first = usize::try_from(first).unwrap_or(0);
    let scenes = SCENES.map(|(seed, policy, share)| {
        let mut scene = Scene::new(seed, policy);
        let played = play(&mut scene, seed, None);
        debug_assert!(played.is_ok(), "{played:?}");
        let step = usize::try_from(one_in.max(1) * share).unwrap_or(usize::MAX);
        (seed, policy, step, scene.disk.actions())
    });
    let mut outcomes = Vec::new();
    for (fault, injury) in FAULTS {
        let mut outcome = Outcome {
            fault,
            ..Outcome::default()
        };
        let mut trials: Vec<Trial> = Vec::new();
        for (seed, policy, step, actions) in &scenes {
            let sites = actions.iter().enumerate();
            let sites = sites.filter(|(_, action)| can_meet(fault, **action));
            let sites = sites.skip(first % step).step_by(*step);
            trials.extend(sites.flat_map(|(site, action)| {
                [FaultRepeat::Once, FaultRepeat::Forever].map(|repeat| Trial {
                    seed: *seed,
                    policy: *policy,
                    site,
                    action: *action,
                    repeat,
                })
            }));
        }
        outcome.trials = trials.len() as u64;
        for (has_met, wrong) in parallel::map(&trials, |trial| attempt(*trial, injury)) {
            outcome.met += u64::from(has_met);
            outcome.wrong.extend(wrong);
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// Plays the scene with a fault at one call; whether it was met, and what was wrong.
fn attempt(trial: Trial, injury: Injury) -> (bool, Option<String>) {
    let mut scene = Scene::new(trial.seed, trial.policy);
    scene
        .disk
        .injure_call(trial.site as u64 + 1, injury, trial.repeat);
    let result = catch_unwind(AssertUnwindSafe(|| {
        play(&mut scene, trial.seed, Some(trial.action))
    }));
    let wrong = match result {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some(wrong),
        Err(_) => Some("a panic".to_owned()),
    };
    let wrong = wrong.map(|wrong| {
        let shown = format!("{trial:?}: {wrong}");
        shown.chars().take(400).collect()
    });
    (scene.disk.faults_met() > 0, wrong)
}

/// Plays the scene in two processes, with whatever fault its disk is to meet at a call of
/// this kind.
fn play(scene: &mut Scene, seed: u64, fault: Option<FaultAction>) -> Result<(), String> {
    // Files are opened for reading too.
    let spares_reads = !matches!(fault, Some(FaultAction::Read | FaultAction::Open));
    let mut memory = Scene::memory(seed);
    for _ in 0..2 {
        let mut life = scene.start_in_the_end(memory)?;
        life.set_patience(PATIENCE);
        life.load.lock().may_fail = !spares_reads;
        let count = life.load.lock().history.len();
        check(scene, &mut life, count)?;
        scene.play(&mut life)?;
        // The same calls whatever the fault is: those that are tried were counted without one.
        let read = check_reads(&mut life);
        if spares_reads {
            read?;
        }
        life.store().settings().set_maxmemory_bytes(0);
        // What is taken for granted below must be durable.
        let is_well = |life: &Life| life.admits() && life.load.lock().history.is_acknowledged();
        // The fault may be met meanwhile: then the disk is well only after.
        for _ in 0..2 {
            scene.well();
            life.pass_until(HEALING_MS, is_well);
        }
        if !life.admits() {
            return Err(format!(
                "writes are refused though the disk is well: {:?}",
                life.store().admit(true)
            ));
        }
        if scene.policy == Policy::EverySecond {
            life.pass(SYNCED_MS);
            scene.well();
            life.pass(SYNCED_MS);
        }
        let count = life.load.lock().history.len();
        check(scene, &mut life, count)?;
        (memory, _) = life.end();
        scene.disk.crash();
    }
    let mut life = scene.start_in_the_end(memory)?;
    let promised = life.load.lock().history.promised(Promise::All).steps;
    check(scene, &mut life, promised)?;
    let _ = life.end();
    Ok(())
}

/// Whether all keys are read as they are while writes fail, those in memory and those on the
/// tier. What has not come up since the start may wait for the keeper.
fn check_reads(life: &mut Life) -> Result<(), String> {
    let has_settled = life.store().has_settled();
    life.set_patience(HASTE);
    let found = life.read_all();
    life.set_patience(PATIENCE);
    let load = life.load.lock();
    for (key, seen) in &found {
        match &seen.entry {
            Ok(held) => {
                let expected = load.history.expected(key, seen.at_ms);
                if *held != expected {
                    return Err(format!(
                        "while writes fail {key:?} should hold {expected:?} and holds {held:?}"
                    ));
                }
            }
            Err(reason) if has_settled => {
                return Err(format!(
                    "while writes fail {key:?} cannot be read: {reason}"
                ));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether all keys can be read in the end, and hold what at least `count` steps
/// leave.
fn check(scene: &Scene, life: &mut Life, count: usize) -> Result<(), String> {
    life.set_patience(HASTE);
    let mut found = life.read_all();
    life.set_patience(PATIENCE);
    if found.values().any(|seen| seen.entry.is_err()) {
        scene.well();
        life.pass(HEALING_MS);
        found = life.read_all();
    }
    let mut reasons = found.iter().map(|(key, seen)| (key, &seen.entry));
    if let Some((key, Err(reason))) = reasons.find(|(_, entry)| entry.is_err()) {
        return Err(format!("{key:?} cannot be read: {reason}"));
    }
    let mut load = life.load.lock();
    let count = load
        .history
        .find_prefix(&found, &Promised::steps(count), None)?;
    load.history.rebase(count, &found, &mut |_| None)?;
    Ok(())
}
