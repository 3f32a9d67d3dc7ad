//! SUBSCRIBE, PUBLISH, PUBSUB and their kin.
//!
//! Owns the confirmations. Does not own the table of subscribers. A confirmation stands where
//! the reply would: there is one for each name.

use thermocline_commands::CommandError;

use super::{CommandResult, Family, Invocation, Outcome, refuse};
use crate::pubsub::Kind;

pub(super) static COMMANDS: Family = &[
    ("psubscribe", |invocation| {
        subscribe(invocation, Kind::Pattern, b"psubscribe")
    }),
    ("publish", |invocation| publish(invocation, Kind::Channel)),
    ("pubsub|channels", |invocation| {
        channels(invocation, Kind::Channel)
    }),
    ("pubsub|help", help),
    ("pubsub|numpat", pattern_count),
    ("pubsub|numsub", |invocation| {
        subscriber_counts(invocation, Kind::Channel)
    }),
    ("pubsub|shardchannels", |invocation| {
        channels(invocation, Kind::Shard)
    }),
    ("pubsub|shardnumsub", |invocation| {
        subscriber_counts(invocation, Kind::Shard)
    }),
    ("punsubscribe", |invocation| {
        unsubscribe(invocation, Kind::Pattern, b"punsubscribe")
    }),
    ("spublish", |invocation| publish(invocation, Kind::Shard)),
    ("ssubscribe", |invocation| {
        subscribe(invocation, Kind::Shard, b"ssubscribe")
    }),
    ("subscribe", |invocation| {
        subscribe(invocation, Kind::Channel, b"subscribe")
    }),
    ("sunsubscribe", |invocation| {
        unsubscribe(invocation, Kind::Shard, b"sunsubscribe")
    }),
    ("unsubscribe", |invocation| {
        unsubscribe(invocation, Kind::Channel, b"unsubscribe")
    }),
];

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn subscribe(invocation: &mut Invocation<'_>, kind: Kind, word: &[u8]) -> CommandResult {
    let (session, table) = (&mut *invocation.session, &invocation.server.hub.pubsub);
    session.is_pushing = true;
    for name in &invocation.arguments[1..] {
        let client = &session.client;
        session.subscriptions.add(table, kind, name, client);
        confirm(invocation.reply, word, Some(name), session, kind);
    }
    Ok(Outcome::Done)
}

fn unsubscribe(invocation: &mut Invocation<'_>, kind: Kind, word: &[u8]) -> CommandResult {
    let table = &invocation.server.hub.pubsub;
    let in_transaction = invocation.is_in_transaction();
    let session = &mut *invocation.session;
    session.is_pushing = true;
    let names: Vec<Box<[u8]>> = match &invocation.arguments[1..] {
        [] => session.subscriptions.names(kind).iter().cloned().collect(),
        given => given.iter().map(|name| (*name).into()).collect(),
    };
    if names.is_empty() {
        confirm(invocation.reply, word, None, session, kind);
    }
    for name in names {
        let client = &session.client;
        session.subscriptions.remove(table, kind, &name, client);
        // Messages that came before do not come after the confirmation; within EXEC there is
        // no place for them.
        if !in_transaction {
            session.write_letters(invocation.reply, true);
        }
        confirm(invocation.reply, word, Some(&name), session, kind);
    }
    Ok(Outcome::Done)
}

fn confirm(
    reply: &mut thermocline_commands::ReplyBuffer,
    word: &[u8],
    name: Option<&[u8]>,
    session: &crate::session::Session,
    kind: Kind,
) {
    reply.push(3);
    reply.bulk(word);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.integer(whole(session.subscriptions.count(kind)));
}

fn publish(invocation: &mut Invocation<'_>, kind: Kind) -> CommandResult {
    let hub = &invocation.server.hub;
    let (channel, message) = (invocation.arguments[1], invocation.arguments[2]);
    let receivers = if invocation.is_in_transaction() {
        hub.publish_later(kind, channel, message)
    } else {
        hub.publish(kind, channel, message, invocation.lsn)
    };
    invocation.reply.integer(whole(receivers));
    Ok(Outcome::Done)
}

fn channels(invocation: &mut Invocation<'_>, kind: Kind) -> CommandResult {
    let pattern = match invocation.arguments {
        [_, _] => None,
        [_, _, pattern] => Some(*pattern),
        _ => {
            let given = invocation.text(1);
            return Err(refuse(format!(
                "unknown subcommand or wrong number of arguments for '{given}'. Try PUBSUB HELP."
            )));
        }
    };
    let found = invocation.server.hub.pubsub.channels(kind, pattern);
    invocation.reply.array(found.len());
    for channel in &found {
        invocation.reply.bulk(channel);
    }
    Ok(Outcome::Done)
}

fn subscriber_counts(invocation: &mut Invocation<'_>, kind: Kind) -> CommandResult {
    let channels = &invocation.arguments[2..];
    invocation.reply.array(channels.len() * 2);
    for channel in channels {
        let count = invocation.server.hub.pubsub.subscribers(kind, channel);
        invocation.reply.bulk(channel);
        invocation.reply.integer(whole(count));
    }
    Ok(Outcome::Done)
}

fn pattern_count(invocation: &mut Invocation<'_>) -> CommandResult {
    let count = invocation.server.hub.pubsub.count(Kind::Pattern);
    invocation.reply.integer(whole(count));
    Ok(Outcome::Done)
}

/// Why a RESP2 session with subscriptions may not run the command; `None` if it may.
pub(crate) fn forbidden_while_subscribed(name: &'static str) -> Option<CommandError> {
    let is_allowed = matches!(
        name,
        "ping"
            | "subscribe"
            | "ssubscribe"
            | "psubscribe"
            | "unsubscribe"
            | "sunsubscribe"
            | "punsubscribe"
            | "quit"
            | "reset"
    );
    (!is_allowed).then_some(CommandError::NotWhileSubscribed(name))
}

fn help(invocation: &mut Invocation<'_>) -> CommandResult {
    invocation.help(
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: \
             '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    )
}
