//! LATENCY, TIME and LOLWUT.
//!
//! Owns the shape of the replies; what is kept of spikes stands in `crate::slowlog`.

use std::fmt::Write;

use thermocline_commands::table;

use super::{CommandResult, Family, Invocation, Outcome, refuse};
use crate::histogram::Distribution;
use crate::registry;
use crate::slowlog::LatencyEvent;

pub(super) static COMMANDS: Family = &[
    ("latency|doctor", latency_doctor),
    ("latency|graph", latency_graph),
    ("latency|help", latency_help),
    ("latency|histogram", latency_histogram),
    ("latency|history", latency_history),
    ("latency|latest", latency_latest),
    ("latency|reset", latency_reset),
    ("lolwut", lolwut),
    ("role", role),
    ("time", time),
];

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A primary without replicas.
fn role(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.reply.array(3);
    invocation.reply.bulk(b"master");
    invocation.reply.integer(0);
    invocation.reply.array(0);
    Ok(Outcome::Done)
}

fn time(invocation: &mut Invocation<'_>) -> CommandResult {
    // Time stands still within a transaction or script.
    let held = invocation
        .faults
        .now()
        .filter(|_| invocation.is_in_transaction());
    let now_us = held.map_or_else(
        || invocation.server.unix_us(),
        |now| now.0.saturating_mul(1000),
    );
    invocation.reply.array(2);
    for number in [now_us.div_euclid(1_000_000), now_us.rem_euclid(1_000_000)] {
        invocation.reply.bulk(number.to_string().as_bytes());
    }
    Ok(Outcome::Done)
}

fn latency_latest(invocation: &mut Invocation<'_>) -> CommandResult {
    let events = invocation.server.latencies.events();
    invocation.reply.array(events.len());
    for (name, event) in events {
        let (at_s, spent_ms) = event.samples.back().copied().unwrap_or_default();
        invocation.reply.array(6);
        invocation.reply.bulk(name.as_bytes());
        invocation.reply.integer(at_s);
        invocation.reply.integer(whole(spent_ms));
        invocation.reply.integer(whole(event.greatest_ms));
        invocation.reply.integer(whole(event.total_ms));
        invocation.reply.integer(whole(event.count));
    }
    Ok(Outcome::Done)
}

fn latency_history(invocation: &mut Invocation<'_>) -> CommandResult {
    let event = invocation.server.latencies.event(invocation.arguments[2]);
    let samples = event.unwrap_or_default().samples;
    invocation.reply.array(samples.len());
    for (at_s, spent_ms) in samples {
        invocation.reply.array(2);
        invocation.reply.integer(at_s);
        invocation.reply.integer(whole(spent_ms));
    }
    Ok(Outcome::Done)
}

fn latency_reset(invocation: &mut Invocation<'_>) -> CommandResult {
    let count = invocation
        .server
        .latencies
        .reset(&invocation.arguments[2..]);
    invocation.reply.integer(whole(count as u64));
    Ok(Outcome::Done)
}

fn latency_graph(invocation: &mut Invocation<'_>) -> CommandResult {
    let name = invocation.text(2).into_owned();
    let Some(event) = invocation.server.latencies.event(name.as_bytes()) else {
        return Err(refuse(format!("No samples available for event '{name}'")));
    };
    let graph = graph(&name, &event, invocation.server.unix_s());
    invocation.reply.verbatim(*b"txt", graph.as_bytes());
    Ok(Outcome::Done)
}

/// How long ago, in the largest unit that is not 0.
fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// The samples as columns, the newest at the right, and below each how long ago it was.
fn graph(name: &str, event: &LatencyEvent, now_s: i64) -> String {
    const COLUMNS: usize = 80;
    let spent = || event.samples.iter().map(|(_, spent_ms)| *spent_ms);
    let (high, low) = (spent().max().unwrap_or(0), spent().min().unwrap_or(0));
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.greatest_ms,
        "-".repeat(80)
    );
    let samples: Vec<(i64, u64)> = event.samples.iter().copied().collect();
    for (number, part) in samples.chunks(COLUMNS).enumerate() {
        if number > 0 {
            text.push('\n');
        }
        text.push_str(&columns(part, low, high, now_s));
    }
    text
}

/// One column a sample: `|` below its top, which is one of three heights of a row.
fn columns(samples: &[(i64, u64)], low: u64, high: u64, now_s: i64) -> String {
    const ROWS: u64 = 4;
    const TOPS: [char; 3] = ['_', 'o', '#'];
    let heights = TOPS.len() as u64;
    let mut text = String::new();
    let mut line = |characters: &mut dyn Iterator<Item = char>| {
        text.extend(characters);
        text.push('\n');
    };
    for row in (0..ROWS).rev() {
        line(&mut samples.iter().map(|(_, spent_ms)| {
            let step = (spent_ms - low) * ROWS * heights / (high - low).max(1);
            let step = step.min(ROWS * heights - 1);
            match step.checked_sub(row * heights) {
                None => ' ',
                Some(above) => TOPS.get(above as usize).copied().unwrap_or('|'),
            }
        }));
    }
    let labels: Vec<String> = samples.iter().map(|(at_s, _)| ago(now_s - at_s)).collect();
    line(&mut labels.iter().map(|_| ' '));
    let longest = labels.iter().map(String::len).max().unwrap_or(0);
    for place in 0..longest {
        line(
            &mut labels
                .iter()
                .map(|label| label.chars().nth(place).unwrap_or(' ')),
        );
    }
    text
}

fn latency_doctor(invocation: &mut Invocation<'_>) -> CommandResult {
    let events = invocation.server.latencies.events();
    let mut report = String::new();
    if invocation.server.config.number("latency-monitor-threshold") == 0 {
        report.push_str(
            "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this instance. \
             You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to \
             enable it.\n",
        );
    } else if events.is_empty() {
        report.push_str(
            "Dave, no latency spike was observed during the lifetime of this instance, not in \
             the slightest bit.\n",
        );
    } else {
        report.push_str("Dave, I have observed latency spikes in this instance:\n\n");
        for (name, event) in &events {
            let average_ms = event.total_ms.checked_div(event.count).unwrap_or(0);
            // Writing to a String cannot fail.
            let _ = writeln!(
                report,
                "{name}: {} latency spikes (average {average_ms} ms, worst {} ms).",
                event.count, event.greatest_ms
            );
        }
        report.push_str(
            "\nSLOWLOG GET names the commands; INFO tiering shows how many of them read the SSD.\n",
        );
    }
    invocation.reply.verbatim(*b"txt", report.as_bytes());
    Ok(Outcome::Done)
}

fn latency_histogram(invocation: &mut Invocation<'_>) -> CommandResult {
    let names = &invocation.arguments[2..];
    let wanted: Vec<usize> = if names.is_empty() {
        (0..registry::all().len()).collect()
    } else {
        let of_name = |name: &&[u8]| -> Vec<usize> {
            let found = registry::all()
                .iter()
                .position(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name));
            // A container stands for all its subcommands.
            let subcommands = table::lookup(name).map_or(0, |found| found.subcommands.len());
            found.map_or_else(Vec::new, |first| (first..=first + subcommands).collect())
        };
        names.iter().flat_map(of_name).collect()
    };
    let statistics = &invocation.server.statistics;
    let found: Vec<(&str, Distribution)> = wanted
        .into_iter()
        .map(|number| {
            let histograms = statistics.current().map(|set| &set.cells[number].latencies);
            (registry::all()[number].name, Distribution::of(histograms))
        })
        .filter(|(_, distribution)| distribution.calls() > 0)
        .collect();
    let reply = &mut *invocation.reply;
    reply.map(found.len());
    for (name, distribution) in found {
        reply.bulk(name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(whole(distribution.calls()));
        reply.bulk(b"histogram_usec");
        let cumulative = distribution.cumulative();
        reply.map(cumulative.len());
        for (bound_us, calls) in cumulative {
            reply.integer(whole(bound_us));
            reply.integer(whole(calls));
        }
    }
    Ok(Outcome::Done)
}

fn latency_help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of latencies in the format of a histogram for \
             the specified command names.",
            "    If no commands are specified then all histograms are replied.",
        ],
    )
}

/// A lake in summer: warm above, cold below, and the layer between that gives the name.
fn lolwut(invocation: &mut Invocation<'_>) -> CommandResult {
    let mut picture = String::new();
    for (row, water) in ["~", "~", "=", ":", ":", "."].iter().enumerate() {
        let line: String = (0..40)
            .map(|_| {
                let is_fish = invocation.random.chance(24 << row);
                if is_fish { ">" } else { water }
            })
            .collect();
        picture.push_str(&line);
        picture.push('\n');
    }
    let _ = writeln!(picture, "\nThermocline ver. {}", env!("CARGO_PKG_VERSION"));
    invocation.reply.verbatim(*b"txt", picture.as_bytes());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_drawn_as_in_valkey() {
        let event = LatencyEvent {
            samples: [(100, 43), (101, 30)].into(),
            greatest_ms: 90,
            total_ms: 73,
            count: 2,
        };
        let head = "command - high 43 ms, low 30 ms (all time high 90 ms)\n";
        let rows = "# \n| \n| \n|_\n  \n10\nss\n";
        let expected = format!("{head}{}\n{rows}", "-".repeat(80));
        assert_eq!(graph("command", &event, 101), expected);
        let long: Vec<(i64, u64)> = (0..100).map(|at_s| (at_s, 5)).collect();
        let event = LatencyEvent {
            samples: long.into(),
            ..LatencyEvent::default()
        };
        let text = graph("command", &event, 10_000);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn ages_are_shown_in_one_unit() {
        let shown = [-1, 59, 60, 3599, 3600, 86_400].map(ago);
        assert_eq!(shown, ["0s", "59s", "1m", "59m", "1h", "1d"]);
    }
}
