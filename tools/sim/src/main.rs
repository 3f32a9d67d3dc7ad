//! `thermocline-sim`: arguments in, a table out. Everything else is the library's.

use clap::Parser;
use std::process::ExitCode;
use thermocline_sim::round::{self, Report};
use thermocline_sim::{damage, flips, formats, parallel, sites};

/// The daemon's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that run before it is asked whether they are enough.
const BATCH: u64 = 256;

/// Runs the whole engine on a simulated disk and clock.
#[derive(Parser)]
#[command(name = "thermocline-sim")]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// As many seeds as it takes until power was lost so often, in place of `rounds`.
    #[arg(long, conflicts_with_all = ["bugs", "damage", "sites"])]
    losses: Option<u64>,
    /// Plants each seeded bug and runs at most `rounds` seeds until one finds it.
    #[arg(long, conflicts_with_all = ["damage", "sites"])]
    bugs: bool,
    /// Flips every bit of a log, a tier's segment, an image and a manifest of more than
    /// `bytes` each and cuts them at every byte; then, with the whole engine, flips bits
    /// of every file of a directory and cuts it: at most `rounds` each, spread evenly.
    #[arg(long, conflicts_with = "sites")]
    damage: bool,
    /// The least length of the log, segment, image and manifest that `damage` goes through
    /// bit by bit.
    #[arg(long, default_value_t = formats::LEAST_BYTES, requires = "damage")]
    bytes: usize,
    /// Lets every `rounds`-th call of the disk, from the `seed`-th on, meet each
    /// fault, once and for ever; in two more scenes fewer of them.
    #[arg(long)]
    sites: bool,
}

fn main() -> ExitCode {
    // A panic is a failure of a seed, and told as one.
    std::panic::set_hook(Box::new(|panic| eprintln!("sim: {panic}")));
    let arguments = Arguments::parse();
    let succeeded = if arguments.bugs {
        find_bugs(&arguments)
    } else if arguments.damage {
        do_damage(&arguments)
    } else if arguments.sites {
        try_sites(&arguments)
    } else {
        simulate(&arguments)
    };
    if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn simulate(arguments: &Arguments) -> bool {
    let mut sum = Report::default();
    let (mut seeds, mut failures) = (0_u64, 0_u64);
    let is_enough = |sum: &Report, seeds| match arguments.losses {
        Some(losses) => sum.power_losses >= losses,
        None => seeds >= arguments.rounds,
    };
    while !is_enough(&sum, seeds) {
        let left = arguments.rounds.saturating_sub(seeds).min(BATCH);
        let count = arguments.losses.map_or(left, |_| BATCH);
        let batch: Vec<u64> = (0..count)
            .map(|number| arguments.seed.saturating_add(seeds + number))
            .collect();
        seeds += batch.len() as u64;
        for (seed, result) in parallel::map(&batch, |seed| (*seed, round::run(*seed))) {
            match result {
                Ok(report) => sum.add(&report),
                Err(wrong) => {
                    failures += 1;
                    println!("sim: seed {seed}: {wrong}");
                }
            }
        }
    }
    let Report {
        trace,
        lives,
        power_losses,
        lost_starts,
        faults,
        steps,
        acknowledged,
        demotions,
        promotions,
        cleaned,
        relocations,
        checkpoints,
        expired,
        damage_found,
    } = sum;
    println!(
        "sim: {seeds} seeds from {}: {power_losses} losses of power, each at a moment of its own, with \
         a start and a check of every key and of the order after it; {lost_starts} more in starts",
        arguments.seed
    );
    println!("sim: {lives} processes, {faults} faults, {steps} steps, {acknowledged} replies");
    println!(
        "sim: on the way {demotions} demotions, {promotions} promotions, {cleaned} segments \
         cleaned, {relocations} relocations, {checkpoints} checkpoints, {expired} keys expired, \
         damage found {damage_found} times"
    );
    println!("sim: {failures} failures; trace {trace:016x}");
    failures == 0
}

#[cfg(feature = "seeded-bugs")]
fn find_bugs(arguments: &Arguments) -> bool {
    use thermocline_base::bugs::Bug;
    let mut count = 0;
    for bug in Bug::ALL {
        let one = thermocline_sim::bugs::find(bug, arguments.seed, arguments.rounds);
        let name = format!("{:?}", one.bug);
        match &one.by {
            Some((seeds, wrong)) => {
                count += 1;
                let wrong = wrong.lines().next().unwrap_or_default();
                let wrong = wrong.split("}: ").last().unwrap_or_default();
                let wrong: String = wrong.chars().take(110).collect();
                println!("sim: {name:<24} {seeds:>5} seeds: {wrong}");
            }
            None => println!("sim: {name:<24} not found in {} seeds", arguments.rounds),
        }
    }
    println!("sim: {count} of {} bugs found", Bug::ALL.len());
    count == Bug::ALL.len()
}

#[cfg(not(feature = "seeded-bugs"))]
fn find_bugs(_: &Arguments) -> bool {
    println!("sim: built without the feature `seeded-bugs`: there are none to find");
    false
}

/// Damages each format at every bit and end.
fn flip_all(bytes: usize) -> bool {
    let outcomes = match flips::run(bytes) {
        Ok(outcomes) => outcomes,
        Err(wrong) => {
            println!("sim: {wrong}");
            return false;
        }
    };
    for outcome in &outcomes {
        println!(
            "sim: {} of {} bytes: every bit, {} flips, and every end, {} cuts: {} refused, {} \
             harmless, {} undetected",
            outcome.format,
            outcome.bytes,
            outcome.flips,
            outcome.ends,
            outcome.refused,
            outcome.harmless,
            outcome.undetected
        );
        for shown in &outcome.shown {
            println!("sim:     {shown}");
        }
    }
    outcomes.iter().all(|outcome| outcome.undetected == 0)
}

fn do_damage(arguments: &Arguments) -> bool {
    if !flip_all(arguments.bytes) {
        return false;
    }
    println!("sim: with the whole engine, a sample of bits and ends of each file of a directory:");
    let outcomes = match damage::run(arguments.rounds) {
        Ok(outcomes) => outcomes,
        Err(wrong) => {
            println!("sim: {wrong}");
            return false;
        }
    };
    let mut is_right = true;
    for outcome in outcomes {
        println!(
            "sim: {:<24} {:>6} trials: {:>6} refused, {:>5} told by keys, {:>6} harmless, {} wrong",
            outcome.file,
            outcome.trials,
            outcome.refused,
            outcome.told,
            outcome.harmless,
            outcome.wrong.len()
        );
        for wrong in outcome.wrong.iter().take(5) {
            println!("sim:     {wrong}");
        }
        is_right &= outcome.wrong.is_empty();
    }
    is_right
}

fn try_sites(arguments: &Arguments) -> bool {
    let mut is_right = true;
    for outcome in sites::run(arguments.rounds, arguments.seed) {
        println!(
            "sim: {:<12} {:>6} trials, {:>6} met, {} wrong",
            outcome.fault,
            outcome.trials,
            outcome.met,
            outcome.wrong.len()
        );
        for wrong in outcome.wrong.iter().take(5) {
            println!("sim:     {wrong}");
        }
        is_right &= outcome.wrong.is_empty();
    }
    is_right
}
