//! Work in three stages: one thread makes batches, some work on them, one takes
//! the results in the order in which the batches were made.
//!
//! Owns the threads and the bounds between them: [`DEPTH`] batches wait for each
//! worker, whatever is read. Knows nothing of what is worked on.
//!
//! INVARIANT: the batch of number `n` is worked on by worker `n % workers`, and
//! results are taken in turn, so order is kept without sorting.

use crate::failure::Failure;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// How many batches wait for a worker, and how many of its results.
const DEPTH: usize = 2;

/// Takes a batch; `false` if no more are wanted.
pub(crate) type Emit<'e, B> = dyn FnMut(B) -> bool + 'e;

/// How many workers are worth their while.
pub(crate) fn workers() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs `produce` on a thread, `work` on several, and `consume` on this one.
///
/// # Errors
/// The first failure in the order of the batches. What was produced before it
/// has been consumed.
pub(crate) fn run<B: Send, R: Send>(
    produce: impl FnOnce(&mut Emit<'_, B>) -> Result<(), Failure> + Send,
    work: impl Fn(B) -> Result<R, Failure> + Sync,
    mut consume: impl FnMut(R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let work = &work;
    thread::scope(|scope| {
        let mut batches: Vec<SyncSender<B>> = Vec::new();
        let mut results: Vec<Receiver<Result<R, Failure>>> = Vec::new();
        for _ in 0..workers() {
            let (sender, receiver) = sync_channel::<B>(DEPTH);
            let (done, result) = sync_channel(DEPTH);
            batches.push(sender);
            results.push(result);
            scope.spawn(move || {
                for batch in receiver {
                    if done.send(work(batch)).is_err() {
                        break;
                    }
                }
            });
        }
        let producer = scope.spawn(move || {
            let mut turn = batches.iter().cycle();
            produce(&mut |batch| turn.next().is_some_and(|to| to.send(batch).is_ok()))
        });
        let mut consumed = Ok(());
        for result in results.iter().cycle() {
            // The worker whose turn it is has ended: so have the batches.
            let Ok(result) = result.recv() else { break };
            consumed = result.and_then(&mut consume);
            if consumed.is_err() {
                break;
            }
        }
        // Whoever still sends is told that nobody listens.
        drop(results);
        let produced = match producer.join() {
            Ok(produced) => produced,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        consumed.and(produced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(at: u64) -> Failure {
        Failure::Line {
            line: at,
            reason: String::new(),
        }
    }

    #[test]
    fn results_come_in_the_order_of_their_batches() {
        let mut seen = Vec::new();
        let ran = run(
            |emit| {
                assert!((0..1000_u64).all(emit));
                Ok(())
            },
            |number| {
                if number % 7 == 0 {
                    thread::yield_now();
                }
                Ok(number * 2)
            },
            |doubled| {
                seen.push(doubled);
                Ok(())
            },
        );
        ran.expect("nothing fails");
        let expected: Vec<_> = (0..1000).map(|number| number * 2).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_first_failure_ends_all_and_what_came_before_it_was_consumed() {
        let mut seen = 0;
        let ran = run(
            |emit| {
                let mut number = 0;
                while emit(number) {
                    number += 1;
                }
                Ok(())
            },
            |number| match number {
                100.. => Err(failure(number)),
                _ => Ok(number),
            },
            |number| {
                assert_eq!(number, seen);
                seen += 1;
                Ok(())
            },
        );
        assert!(matches!(ran, Err(Failure::Line { line: 100, .. })));
        assert_eq!(seen, 100);
        let ran = run(
            |emit| {
                assert!(emit(1));
                Err(failure(7))
            },
            |number: u64| Ok(number),
            |_| Ok(()),
        );
        assert!(matches!(ran, Err(Failure::Line { line: 7, .. })));
    }
}
