//! The simulation keeps its own word: a seed is a whole run, and short runs of all
//! it can do find nothing.

use thermocline_sim::{damage, round, sites};

#[test]
fn a_seed_gives_the_same_trace_twice() {
    for seed in [3, 7, 11, 39, 50] {
        let traces = [round::run(seed), round::run(seed)].map(|report| report.map(|it| it.trace));
        assert_eq!(traces[0], traces[1], "seed {seed}");
        assert!(traces[0].is_ok(), "{traces:?}");
    }
    let others = [round::run(3), round::run(7)].map(|report| report.map(|it| it.trace));
    assert_ne!(others[0], others[1]);
}

#[test]
fn some_seeds_keep_every_promise_and_meet_all_that_may_break_one() {
    let mut sum = round::Report::default();
    for seed in 1..=40 {
        match round::run(seed) {
            Ok(report) => sum.add(&report),
            Err(wrong) => panic!("seed {seed}: {wrong}"),
        }
    }
    let met = [
        sum.power_losses,
        sum.faults,
        sum.acknowledged,
        sum.demotions,
        sum.promotions,
        sum.cleaned,
        sum.relocations,
        sum.checkpoints,
        sum.expired,
    ];
    assert!(met.iter().all(|count| *count > 0), "{sum:?}");
}

#[test]
fn damage_is_told_or_harmless() {
    let outcomes = damage::run(12).expect("the undamaged directory is right");
    for outcome in &outcomes {
        assert!(outcome.wrong.is_empty(), "{outcome:?}");
    }
    assert!(outcomes.iter().any(|outcome| outcome.refused > 0));
    assert!(outcomes.iter().any(|outcome| outcome.told > 0));
}

#[test]
fn a_failing_call_loses_nothing_and_ends_by_itself() {
    for outcome in sites::run(97, 5) {
        assert!(outcome.wrong.is_empty(), "{outcome:?}");
        assert!(outcome.met > 0, "{outcome:?}");
    }
}
