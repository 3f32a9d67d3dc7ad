//! Trials that know nothing of each other, on all cores.
//!
//! Owns the threads and the order of the results, which is that of the trials
//! whatever the threads do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `trial` on each of `items`; the results in their order.
///
/// # Panics
/// If a trial does.
pub fn map<I: Sync, T: Send>(items: &[I], trial: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, trial(item)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_stand_in_the_order_of_the_trials() {
        let results = map(&(0..1000_u64).collect::<Vec<_>>(), |number| number * 2);
        assert!(
            results
                .iter()
                .zip(0..)
                .all(|(result, number)| *result == number * 2)
        );
        assert_eq!(results.len(), 1000);
    }
}
