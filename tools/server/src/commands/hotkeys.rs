//! HOTKEYS, as Redis 8.6 has it: START, STOP, GET, RESET.
//!
//! Owns the syntax and the shape of the reply; the sums stand in `crate::hotkeys`.

use thermocline_commands::arguments::parse_integer;

use super::info_sections::cpu_ms;
use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};
use crate::hotkeys::{Active, Moment, Wish};
use crate::server::Server;

pub(super) static COMMANDS: Family = &[
    ("hotkeys|get", get),
    ("hotkeys|help", help),
    ("hotkeys|reset", reset),
    ("hotkeys|start", start),
    ("hotkeys|stop", stop),
];

const DEFAULT_COUNT: usize = 10;
const COUNT_MAX: i64 = 64;
const DURATION_MAX_S: i64 = 1_000_000;
/// The last hash slot; without a cluster all are selected.
const LAST_SLOT: i64 = 16_383;

/// Now, with what the process has used.
pub(crate) fn moment(server: &Server) -> Moment {
    let (user_ms, system_ms) = cpu_ms();
    Moment {
        now_ns: server.now_ns(),
        unix_ms: server.clock.now().0,
        user_ms,
        system_ms,
    }
}

/// A number within `1..=most`.
fn bounded(word: &[u8], most: i64) -> Option<u64> {
    let number = parse_integer(word).ok();
    let number = number.filter(|number| (1..=most).contains(number))?;
    u64::try_from(number).ok()
}

/// The words behind START.
fn parse(words: &[&[u8]]) -> Result<Wish, Refusal> {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let [metrics, count, rest @ ..] = words else {
        return Err(refuse("METRICS parameter is required"));
    };
    if !is(metrics, "metrics") {
        return Err(refuse("METRICS parameter is required"));
    }
    let Some(count) = bounded(count, 2) else {
        return Err(refuse("METRICS count must be > 0 and <= 2"));
    };
    let mut wish = Wish {
        by_time: false,
        by_bytes: false,
        count: DEFAULT_COUNT,
        duration_s: None,
        sample_one_in: 1,
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    for word in rest.iter().take(count) {
        let (metric, name) = if is(word, "cpu") {
            (&mut wish.by_time, "CPU")
        } else if is(word, "net") {
            (&mut wish.by_bytes, "NET")
        } else {
            // A metric of a later version.
            continue;
        };
        if std::mem::replace(metric, true) {
            return Err(refuse(format!("METRICS {name} defined more than once!")));
        }
    }
    let Some(mut rest) = rest.get(count..) else {
        return Err(refuse(
            "METRICS count does not match number of metric types provided",
        ));
    };
    if !wish.by_time && !wish.by_bytes {
        return Err(refuse(
            "METRICS no valid metrics passed. Supported: CPU|NET",
        ));
    }
    while let [word, value, after @ ..] = rest {
        if is(word, "count") {
            let count = bounded(value, COUNT_MAX);
            let count = count.ok_or_else(|| refuse("COUNT must be between 1 and 64"))?;
            wish.count = usize::try_from(count).unwrap_or(DEFAULT_COUNT);
        } else if is(word, "duration") {
            let duration_s = bounded(value, DURATION_MAX_S);
            let wrong = || refuse("DURATION must be between 1 and 1000000");
            wish.duration_s = Some(duration_s.ok_or_else(wrong)?);
        } else if is(word, "sample") {
            let ratio = bounded(value, i64::from(i32::MAX));
            wish.sample_one_in = ratio.ok_or_else(|| refuse("SAMPLE ratio must be positive"))?;
        } else if is(word, "slots") {
            return Err(refuse("SLOTS parameter cannot be used in non-cluster mode"));
        } else {
            return Err(refuse("syntax error"));
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(wish)
    } else {
        Err(refuse("syntax error"))
    }
}

/// Ends a session whose time is over.
fn settle(server: &Server) {
    server.hotkeys.expire(|| moment(server), server.now_ns());
}

fn start(invocation: &mut Invocation<'_>) -> CommandResult {
    let server = invocation.server;
    settle(server);
    let is_active = || refuse("hotkey tracking session already in progress");
    if server.hotkeys.is_active() {
        return Err(is_active());
    }
    let wish = parse(&invocation.arguments[2..])?;
    let started = server.hotkeys.start(wish, moment(server));
    started.map_err(|Active| is_active())?;
    invocation.ok()
}

fn stop(invocation: &mut Invocation<'_>) -> CommandResult {
    let server = invocation.server;
    settle(server);
    if server.hotkeys.stop(moment(server)) {
        return invocation.ok();
    }
    invocation.reply.null();
    Ok(Outcome::Done)
}

fn reset(invocation: &mut Invocation<'_>) -> CommandResult {
    settle(invocation.server);
    let reset = invocation.server.hotkeys.reset();
    reset.map_err(|Active| refuse("hotkey tracking session in progress, stop tracking first"))?;
    invocation.ok()
}

fn get(invocation: &mut Invocation<'_>) -> CommandResult {
    let server = invocation.server;
    settle(server);
    let report = server.hotkeys.report(moment(server));
    let reply = &mut *invocation.reply;
    let Some(report) = report else {
        reply.null();
        return Ok(Outcome::Done);
    };
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (by_time, by_bytes) = (report.wish.by_time, report.wish.by_bytes);
    let fields = 7 + 3 * usize::from(by_time) + 2 * usize::from(by_bytes);
    reply.array(1);
    reply.map(fields);
    for (name, value) in [
        ("tracking-active", i64::from(report.is_active)),
        ("sample-ratio", whole(report.wish.sample_one_in)),
    ] {
        reply.bulk(name.as_bytes());
        reply.integer(value);
    }
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.integer(0);
    reply.integer(LAST_SLOT);
    for (name, value, is_shown) in [
        (
            "all-commands-all-slots-us",
            whole(report.all_ns / 1000),
            true,
        ),
        (
            "net-bytes-all-commands-all-slots",
            whole(report.all_bytes),
            true,
        ),
        ("collection-start-time-unix-ms", report.start_unix_ms, true),
        ("collection-duration-ms", whole(report.duration_ms), true),
        ("total-cpu-time-user-ms", whole(report.user_ms), by_time),
        ("total-cpu-time-sys-ms", whole(report.system_ms), by_time),
        ("total-net-bytes", whole(report.sampled_bytes), by_bytes),
    ] {
        if is_shown {
            reply.bulk(name.as_bytes());
            reply.integer(value);
        }
    }
    for (name, sums, divisor, is_shown) in [
        ("by-cpu-time-us", &report.by_time_ns, 1000, by_time),
        ("by-net-bytes", &report.by_bytes, 1, by_bytes),
    ] {
        if is_shown {
            reply.bulk(name.as_bytes());
            let sums = sums.iter().map(|(key, sum)| (key, sum / divisor));
            let sums: Vec<_> = sums.filter(|(_, sum)| *sum > 0).collect();
            reply.array(2 * sums.len());
            for (key, sum) in sums {
                reply.bulk(key);
                reply.integer(whole(sum));
            }
        }
    }
    Ok(Outcome::Done)
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "HOTKEYS",
        &[
            "START <METRICS count [CPU] [NET]> [COUNT k] [DURATION duration] [SAMPLE ratio] \
             [SLOTS count slot...]",
            "    Starts hotkeys tracking with specified metrics.",
            "    * METRICS count [CPU] [NET]",
            "        Specify count of metrics and choose amongst:",
            "        - CPU: Track hotkeys by CPU time percentage",
            "        - NET: Track hotkeys by network bytes percentage",
            "    * COUNT k",
            "        Specifies the value of K for the top-K hotkeys tracking. Default: 10",
            "    * DURATION duration",
            "        Specifies tracking duration in seconds. 0 means tracking will continue until \
             manually stopped. Default: 0",
            "    * SAMPLE ratio",
            "        Keys are tracked with probability 1/ratio. Default: 1 (tracks every key)",
            "    * SLOTS count slot...",
            "        Specify which slots to track keys from. Only available in cluster mode. \
             Default: empty (track all slots)",
            "STOP",
            "    Stop hotkeys tracking. Results are still available via GET",
            "GET",
            "    Get results from hotkeys tracking.",
            "RESET",
            "    Reset memory used for hotkeys tracking. Tracking must have been stopped.",
            "    Results will no longer be available after this command.",
        ],
    )
}
