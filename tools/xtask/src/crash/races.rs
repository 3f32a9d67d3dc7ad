//! Races of two daemons for one directory, and nothing else.
//!
//! Owns the loop: start two at once, see that one serves and that the other says why it does
//! not and ends, kill both. A thread of its own for each lane.

use crate::bench::BenchError;
use std::path::Path;
use std::time::{Duration, Instant};
use thermocline_benches::server::{Program, Server, ServerError};

/// How long the loser waits for the directory before it gives up.
const WAIT: Duration = Duration::from_secs(2);
/// What a loaded machine may add to that.
const GRACE: Duration = Duration::from_secs(20);
/// What the loser says.
const REASON: &str = "is in use by another process";

/// What the races of one lane came to.
#[derive(Clone, Copy, Debug, Default)]
struct Raced {
    races: u64,
    /// How long the slowest loser took to end.
    slowest: Duration,
}

/// Runs `races` in all, in `lanes` directories of `directory` at once.
pub(super) fn run(
    program: &Program,
    directory: &Path,
    lanes: usize,
    races: u64,
) -> Result<(), BenchError> {
    let ended: Vec<Result<Raced, BenchError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..lanes)
            .map(|number| {
                let share = races / lanes as u64;
                let surplus = u64::from((number as u64) < races % lanes as u64);
                let directory = directory.join(format!("race-{number}"));
                scope.spawn(move || run_lane(program, &directory, share + surplus))
            })
            .collect();
        let panicked = |_| Err(BenchError::Unexpected("a lane panicked".to_owned()));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(panicked))
            .collect()
    });
    let mut sum = Raced::default();
    for raced in ended {
        let raced = raced?;
        sum.races += raced.races;
        sum.slowest = sum.slowest.max(raced.slowest);
    }
    println!(
        "crash: {} races of two daemons for a directory: one served in each, the other said so and \
         ended, the slowest after {} ms",
        sum.races,
        sum.slowest.as_millis()
    );
    Ok(())
}

fn run_lane(program: &Program, directory: &Path, races: u64) -> Result<Raced, BenchError> {
    let mut raced = Raced::default();
    for _ in 0..races {
        let took = race(program, directory)?;
        raced.races += 1;
        raced.slowest = raced.slowest.max(took);
        // What the daemons have written grows with each.
        std::fs::remove_file(directory.join("server.log"))?;
    }
    Ok(raced)
}

/// One race; how long the loser took to end.
fn race(program: &Program, directory: &Path) -> Result<Duration, BenchError> {
    let options = [("io-threads", "1")];
    let begin = Instant::now();
    let mut one = Server::spawn(program, directory, &options)?;
    let mut other = Server::spawn(program, directory, &options)?;
    let wait = |server: &mut Server| -> (Result<(), ServerError>, Duration) {
        let served = server.wait_until_ready();
        (served, begin.elapsed())
    };
    let ((first, first_took), (second, second_took)) = std::thread::scope(|scope| {
        let waits = scope.spawn(|| wait(&mut one));
        let second = wait(&mut other);
        let first = waits.join().unwrap_or_else(|_| {
            let error = ServerError::NotReady {
                program: String::new(),
                reason: "the wait panicked".to_owned(),
                log: String::new(),
            };
            (Err(error), Duration::ZERO)
        });
        (first, second)
    });
    let log = one.log_end();
    one.kill();
    other.kill();
    let took = match (first.is_ok(), second.is_ok()) {
        (true, false) => second_took,
        (false, true) => first_took,
        (true, true) => return Err(wrong("both serve one directory", &log)),
        (false, false) => return Err(wrong("none serves", &log)),
    };
    if !log.contains(REASON) {
        return Err(wrong("the loser does not say why it ends", &log));
    }
    if took > WAIT + GRACE {
        let text = format!("the loser ends after {} ms", took.as_millis());
        return Err(wrong(&text, &log));
    }
    Ok(took)
}

fn wrong(what: &str, log: &str) -> BenchError {
    BenchError::Unexpected(format!("of two daemons for one directory {what}:\n{log}"))
}
