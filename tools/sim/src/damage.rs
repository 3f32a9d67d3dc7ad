//! Damage to files: single bits, ends, and whole files that are gone.
//!
//! Owns which bits and which ends are tried, and the judgement: the start refuses
//! and names the file, or a key says it cannot be read, or nothing has changed.
//! Everything in the directory was said to be durable, so nothing of it may be
//! taken for a torn end. One thread.

use crate::entry::Entry;
use crate::history::Found;
use crate::parallel;
use crate::request::Key;
use crate::scene::Scene;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thermocline_disk::SimulatedDisk;
use thermocline_wal::Policy;

const BLOCK_BYTES: u64 = 4096;
const SEED: u64 = 20;
/// Steps of the keeper that bring up whatever is whole; what is not never comes.
const PATIENCE: usize = 500;
/// An idle log has said by then that all of it is durable.
const IDLE_MS: i64 = 2_000;

/// What became of all trials on one file.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The file.
    pub file: String,
    /// Trials.
    pub trials: u64,
    /// The start refused.
    pub refused: u64,
    /// Keys could not be read, and said so.
    pub told: u64,
    /// Nothing had changed.
    pub harmless: u64,
    /// Everything else: wrong values, lost keys, panics, refusals that do not name
    /// the file.
    pub wrong: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    Bit(u64, u8),
    End(u64),
    Gone,
}

/// Tries at most `most` bits and `most` ends of each file, spread evenly over the
/// blocks that hold something; all, if there are no more.
///
/// # Errors
/// If the undamaged directory does not hold what it should.
pub fn run(most: u64) -> Result<Vec<Outcome>, String> {
    let mut scene = Scene::new(SEED, Policy::Always);
    let mut memory = Scene::memory(SEED);
    for _ in 0..2 {
        let mut life = scene.start_in_the_end(memory)?;
        scene.play(&mut life)?;
        life.pass(IDLE_MS);
        (memory, _) = life.end();
        let count = memory.history.len();
        memory.history.rebase(count, &Found::new(), &mut |_| None)?;
        scene.disk.crash();
    }
    // Keys that expire later would expire in the trials.
    let expected = read(&scene, &scene.disk.fork(1)).map_err(|error| error.to_string())?;
    if expected.values().any(|seen| seen.entry.is_err()) {
        return Err("the undamaged directory cannot be read".to_owned());
    }
    let mut outcomes = Vec::new();
    for (file, bytes) in scene.disk.files() {
        let mut outcome = Outcome {
            file: file.clone(),
            ..Outcome::default()
        };
        let harms = harms(&scene.disk, &file, bytes, most);
        let judgements = parallel::map(&harms, |harm| {
            let disk = scene.disk.fork(1);
            match *harm {
                Harm::Bit(offset, bit) => disk.flip_bit(&file, offset, bit),
                Harm::End(len) => disk.cut(&file, len),
                Harm::Gone => disk.lose(&file),
            }
            judge(&scene, &disk, &expected, &file)
        });
        for (harm, judgement) in harms.iter().zip(judgements) {
            outcome.add(*harm, judgement);
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Reads all keys from `disk` at the scene's time.
fn read(scene: &Scene, disk: &SimulatedDisk) -> Result<Found, String> {
    let mut copy = Scene::new(SEED, Policy::Always);
    copy.disk = disk.clone();
    copy.time.jump(scene_now(scene));
    let started = copy.start(Scene::memory(SEED));
    let mut life = started.map_err(|refused| refused.0.to_string())?;
    life.set_patience(PATIENCE);
    let found = life.read_all();
    let _ = life.end();
    Ok(found)
}

fn scene_now(scene: &Scene) -> thermocline_base::UnixMillis {
    thermocline_base::Clock::Simulated(scene.time.clone()).now()
}

fn harms(disk: &SimulatedDisk, file: &str, bytes: u64, most: u64) -> Vec<Harm> {
    let blocks = disk.blocks(file);
    let held = |number: u64| {
        let block = blocks.get(usize::try_from(number / BLOCK_BYTES).ok()?)?;
        let offset = block * BLOCK_BYTES + number % BLOCK_BYTES;
        (offset < bytes).then_some(offset)
    };
    let held_bytes = blocks.len() as u64 * BLOCK_BYTES;
    let mut harms = Vec::new();
    let bits = held_bytes * 8;
    for number in sample(bits, most) {
        if let Some(offset) = held(number / 8) {
            harms.push(Harm::Bit(offset, (number % 8) as u8));
        }
    }
    harms.extend(sample(held_bytes, most).filter_map(held).map(Harm::End));
    harms.extend([Harm::End(0), Harm::Gone]);
    harms
}

/// At most `most` of `0..count`, evenly; with a step that is no multiple of two,
/// so that all bits of a byte come in turn.
fn sample(count: u64, most: u64) -> impl Iterator<Item = u64> {
    let step = (count / most.max(1)).max(1) | 1;
    (0..count).step_by(usize::try_from(step).unwrap_or(usize::MAX))
}

/// Whether `held` is what the key should hold at `at_ms`: it may have expired, as
/// tries to read what is damaged take their time.
fn is_right(expected: &Found, key: &Key, held: Option<&Entry>, at_ms: i64) -> bool {
    let expected = expected.get(key).and_then(|seen| seen.entry.as_ref().ok());
    let expected = expected.and_then(Option::as_ref);
    held == expected.and_then(|entry| entry.at(at_ms)).as_ref()
}

enum Judgement {
    Refused,
    Told,
    Harmless,
    Wrong(String),
}

impl Outcome {
    fn add(&mut self, harm: Harm, judgement: Judgement) {
        self.trials += 1;
        match judgement {
            Judgement::Refused => self.refused += 1,
            Judgement::Told => self.told += 1,
            Judgement::Harmless => self.harmless += 1,
            Judgement::Wrong(wrong) => {
                let shown = format!("{harm:?}: {wrong}");
                self.wrong.push(shown.chars().take(200).collect());
            }
        }
    }
}

fn judge(scene: &Scene, disk: &SimulatedDisk, expected: &Found, file: &str) -> Judgement {
    let is_log = file.starts_with("wal/");
    let result = catch_unwind(AssertUnwindSafe(|| read(scene, disk)));
    let found = match result {
        Err(_) => return Judgement::Wrong("a panic".to_owned()),
        // Where a segment of the log is missing, the one before ends too early.
        Ok(Err(refusal)) if refusal.contains(file) || is_log && refusal.contains("wal") => {
            return Judgement::Refused;
        }
        Ok(Err(refusal)) => return Judgement::Wrong(format!("refused with {refusal}")),
        Ok(Ok(found)) => found,
    };
    let mut told = false;
    for (key, seen) in &found {
        match &seen.entry {
            Err(_) => told = true,
            Ok(held) if is_right(expected, key, held.as_ref(), seen.at_ms) => {}
            Ok(held) => return Judgement::Wrong(format!("{key:?} holds {held:?}")),
        }
    }
    if told {
        Judgement::Told
    } else {
        Judgement::Harmless
    }
}
