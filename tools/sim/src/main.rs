//! `thermocline-sim`: arguments in, a table out. Everything else is the library's.

use clap::Parser;
use std::process::ExitCode;
use thermocline_sim::round::{self, Report};
use thermocline_sim::{damage, sites};

/// Runs the whole engine on a simulated disk and clock.
#[derive(Parser)]
#[command(name = "thermocline-sim")]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after another.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// Plants each seeded bug and runs at most `rounds` seeds until one finds it.
    #[arg(long, conflicts_with_all = ["damage", "sites"])]
    bugs: bool,
    /// Flips bits of every file and cuts it: at most `rounds` each, spread evenly.
    #[arg(long, conflicts_with = "sites")]
    damage: bool,
    /// Lets every `rounds`-th call of the disk, from the `seed`-th on, meet each
    /// fault, once and for ever.
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
    let mut failures = 0_u64;
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.rounds) {
        match round::run(seed) {
            Ok(report) => sum.add(&report),
            Err(wrong) => {
                failures += 1;
                println!("sim: seed {seed}: {wrong}");
            }
        }
    }
    let Report {
        trace,
        lives,
        power_losses,
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
        "sim: {} seeds from {}: {lives} processes, {power_losses} losses of power, {faults} faults, \
         {steps} steps, {acknowledged} replies",
        arguments.rounds, arguments.seed
    );
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

fn do_damage(arguments: &Arguments) -> bool {
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
