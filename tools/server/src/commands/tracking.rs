//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR.
//!
//! Owns the options and texts. Does not own the tables of keys and prefixes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use thermocline_commands::CommandError;
use thermocline_commands::arguments::parse_integer;

use super::{CommandResult, Family, Invocation, Outcome, Refusal, refuse};
use crate::clients::Client;
use crate::session::{CachingMode, SessionTracking};
use crate::tracking::Tracker;

pub(super) static COMMANDS: Family = &[
    ("client|caching", caching),
    ("client|getredir", redirection),
    ("client|tracking", tracking),
    ("client|trackinginfo", info),
];

/// What CLIENT TRACKING was given.
#[derive(Default)]
struct Options<'a> {
    redirection: Option<Arc<Client>>,
    is_broadcast: bool,
    is_opt_in: bool,
    is_opt_out: bool,
    is_spared_own: bool,
    prefixes: Vec<&'a [u8]>,
}

fn options<'a>(invocation: &Invocation<'a>) -> Result<Options<'a>, Refusal> {
    let mut options = Options::default();
    let mut rest = invocation.arguments.get(3..).unwrap_or_default();
    while let [option, after @ ..] = rest {
        rest = after;
        match (option.to_ascii_lowercase().as_slice(), rest) {
            (b"redirect", [id, after @ ..]) => {
                rest = after;
                if options.redirection.is_some() {
                    return Err(refuse(
                        "A client can only redirect to a single other client",
                    ));
                }
                let id = parse_integer(id)?;
                let found = u64::try_from(id).ok();
                let found = found.and_then(|id| invocation.server.clients.find(id));
                options.redirection =
                    Some(found.ok_or_else(|| {
                        refuse("The client ID you want redirect to does not exist")
                    })?);
            }
            (b"prefix", [prefix, after @ ..]) => {
                rest = after;
                options.prefixes.push(prefix);
            }
            (b"bcast", _) => options.is_broadcast = true,
            (b"optin", _) => options.is_opt_in = true,
            (b"optout", _) => options.is_opt_out = true,
            (b"noloop", _) => options.is_spared_own = true,
            _ => return Err(CommandError::Syntax.into()),
        }
    }
    Ok(options)
}

/// What a prefix takes beside its bytes, in the session and in the table, in bytes.
const PREFIX_BYTES: usize = 320;

fn tracking(invocation: &mut Invocation<'_>) -> CommandResult {
    let options = options(invocation)?;
    if invocation.is(2, "off") {
        let (server, session) = (invocation.server, &mut *invocation.session);
        session.untrack(server);
        return invocation.ok();
    }
    if !invocation.is(2, "on") {
        return Err(CommandError::Syntax.into());
    }
    check(&options, invocation.session.tracking.as_ref())?;
    let mut prefixes: Vec<&[u8]> = options.prefixes.clone();
    if options.is_broadcast && prefixes.is_empty() {
        prefixes.push(b"");
    }
    let session = &mut *invocation.session;
    let before = session.tracking.take();
    let mut all = before.map_or_else(Default::default, |before| before.prefixes);
    all.extend(prefixes.into_iter().map(Box::from));
    let mode = match (options.is_opt_in, options.is_opt_out) {
        (true, _) => CachingMode::OptIn,
        (_, true) => CachingMode::OptOut,
        _ => CachingMode::Always,
    };
    let tracker = Arc::new(Tracker {
        client: Arc::clone(&session.client),
        redirection: options.redirection,
        is_broadcast: options.is_broadcast,
        is_spared_own: options.is_spared_own,
        is_broken: AtomicBool::new(false),
    });
    let client = &session.client;
    let redirection = tracker.redirection.as_ref().map_or(0, |other| other.id);
    let redirection = i64::try_from(redirection).unwrap_or(i64::MAX);
    client.tracking_redirection.store(redirection, Relaxed);
    client
        .tracking_is_broadcast
        .store(options.is_broadcast, Relaxed);
    client.tracking_is_broken.store(false, Relaxed);
    let server = invocation.server;
    server
        .hub
        .track(&server.store, &tracker, all.iter().map(AsRef::as_ref));
    let held_bytes = all.iter().map(|prefix| PREFIX_BYTES + 2 * prefix.len());
    session.tracking = Some(SessionTracking {
        held_bytes: held_bytes.sum(),
        tracker,
        mode,
        is_caching_named: false,
        prefixes: all,
    });
    invocation.ok()
}

/// Whether the options fit together, and to what the session has already.
fn check(options: &Options<'_>, before: Option<&SessionTracking>) -> Result<(), Refusal> {
    if !options.is_broadcast && !options.prefixes.is_empty() {
        return Err(refuse("PREFIX option requires BCAST mode to be enabled"));
    }
    if before.is_some_and(|before| before.tracker.is_broadcast != options.is_broadcast) {
        return Err(refuse(
            "You can't switch BCAST mode on/off before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        ));
    }
    if options.is_broadcast && (options.is_opt_in || options.is_opt_out) {
        return Err(refuse("OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if options.is_opt_in && options.is_opt_out {
        return Err(refuse("You can't specify both OPTIN mode and OPTOUT mode"));
    }
    let switches = before.is_some_and(|before| match before.mode {
        CachingMode::Always => false,
        CachingMode::OptIn => options.is_opt_out,
        CachingMode::OptOut => options.is_opt_in,
    });
    if switches {
        return Err(refuse(
            "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        ));
    }
    if options.prefixes.is_empty() {
        return Ok(());
    }
    let Some((one, other)) = neighbours_that_overlap(&options.prefixes, before) else {
        return Ok(());
    };
    // Which pair is told is the first that the reference meets; of very many it may be another.
    const COMPARED: usize = 200;
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (place, prefix) in options.prefixes.iter().enumerate().take(COMPARED) {
        let had = before.map(|before| before.prefixes.iter());
        if let Some(other) = (had.into_iter().flatten()).find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "an existing", other));
        }
        let mut given = options.prefixes.iter().skip(place + 1);
        if let Some(other) = given.find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "another provided", other));
        }
    }
    Err(overlapping(one, "another provided", other))
}

/// Two prefixes of which one begins with the other, if there are such. Sorted, those that
/// begin with one follow it.
fn neighbours_that_overlap<'p>(
    given: &[&'p [u8]],
    before: Option<&'p SessionTracking>,
) -> Option<(&'p [u8], &'p [u8])> {
    let had = before.map(|before| before.prefixes.iter().map(AsRef::as_ref));
    let mut all: Vec<&[u8]> = given
        .iter()
        .copied()
        .chain(had.into_iter().flatten())
        .collect();
    all.sort_unstable();
    let mut pairs = all.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.find(|(one, other)| other.starts_with(one))
}

fn overlapping(prefix: &[u8], which: &str, other: &[u8]) -> Refusal {
    refuse(format!(
        "Prefix '{}' overlaps with {which} prefix '{}'. Prefixes for a single client must not \
         overlap.",
        String::from_utf8_lossy(prefix),
        String::from_utf8_lossy(other)
    ))
}

fn caching(invocation: &mut Invocation<'_>) -> CommandResult {
    let is_yes = invocation.is(2, "yes");
    let is_no = invocation.is(2, "no");
    let tracking = invocation.session.tracking.as_mut();
    let Some(tracking) = tracking else {
        return Err(refuse(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    };
    if is_yes && tracking.mode != CachingMode::OptIn {
        return Err(refuse(
            "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ));
    }
    if is_no && tracking.mode != CachingMode::OptOut {
        return Err(refuse(
            "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ));
    }
    if !is_yes && !is_no {
        return Err(CommandError::Syntax.into());
    }
    tracking.is_caching_named = true;
    invocation.ok()
}

fn redirection(invocation: &mut Invocation<'_>) -> CommandResult {
    let client = &invocation.session.client;
    let id = client.tracking_redirection.load(Relaxed);
    invocation.reply.integer(id);
    Ok(Outcome::Done)
}

fn info(invocation: &mut Invocation<'_>) -> CommandResult {
    let session = &*invocation.session;
    let mut flags = Vec::new();
    match &session.tracking {
        None => flags.push("off"),
        Some(tracking) => {
            flags.push("on");
            let (word, named) = match tracking.mode {
                CachingMode::Always => ("", ""),
                CachingMode::OptIn => ("optin", "caching-yes"),
                CachingMode::OptOut => ("optout", "caching-no"),
            };
            for (word, is_shown) in [
                ("bcast", tracking.tracker.is_broadcast),
                (word, !word.is_empty()),
                (named, tracking.is_caching_named),
                ("noloop", tracking.tracker.is_spared_own),
                ("broken_redirect", tracking.tracker.is_broken.load(Relaxed)),
            ] {
                if is_shown {
                    flags.push(word);
                }
            }
        }
    }
    let reply = &mut *invocation.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    for flag in flags {
        reply.bulk(flag.as_bytes());
    }
    reply.bulk(b"redirect");
    reply.integer(session.client.tracking_redirection.load(Relaxed));
    reply.bulk(b"prefixes");
    let prefixes = session.tracking.iter();
    let prefixes = prefixes.flat_map(|tracking| &tracking.prefixes);
    reply.array(prefixes.clone().count());
    for prefix in prefixes {
        reply.bulk(prefix);
    }
    Ok(Outcome::Done)
}
