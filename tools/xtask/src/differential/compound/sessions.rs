//! Operations of several connections: one watches or listens, another writes or publishes.
//!
//! Owns these connections, new ones for each operation.

use super::disagree;
use crate::differential::DifferentialError;
use crate::differential::generator::Generator;
use crate::differential::history::is_key;
use crate::differential::pair::{Pair, Session};
use crate::differential::resp::command;

/// The number told for a connection that watches.
const WATCHER: usize = 96;
/// The number told for a connection that listens, or that writes.
const LISTENER: usize = 97;

/// A command ends the transaction of one who watches its keys on both sides or on none.
pub(super) fn watch(generator: &mut Generator, pair: &mut Pair) -> Result<(), DifferentialError> {
    let made = generator.plain();
    let mut watch = command(&["WATCH", "s:0"]);
    watch.extend(made.iter().filter(|word| is_key(word)).cloned());
    let mut watcher = pair.session(WATCHER)?;
    let mut writer = pair.session(LISTENER)?;
    pair.exchange(&mut watcher, &[watch])?;
    pair.exchange(&mut writer, std::slice::from_ref(&made))?;
    let multi = [command(&["MULTI"]), command(&["PING"])];
    pair.exchange(&mut watcher, &multi)?;
    let replies = pair.ask(&mut watcher, &command(&["EXEC"]))?;
    if replies[0] == replies[1] {
        return Ok(());
    }
    Err(disagree(pair, "EXEC of one who watched", &made, &replies))
}

/// What a publisher sends reaches those that listen, each in its way.
pub(super) fn publish(
    generator: &mut Generator,
    pair: &mut Pair,
    session: &mut Session,
) -> Result<(), DifferentialError> {
    let (subscribe, unsubscribe, publish) = [
        ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH"),
        ("PSUBSCRIBE", "PUNSUBSCRIBE", "PUBLISH"),
        ("SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH"),
    ][generator.random().below(3) as usize];
    let mut listener = pair.session(LISTENER)?;
    let channel = generator.word("name");
    let with_channel = |name: &str| vec![name.as_bytes().to_vec(), channel.clone()];
    let mut message = with_channel(publish);
    message.push(generator.word("val"));
    pair.exchange(&mut listener, &[with_channel(subscribe)])?;
    pair.exchange(session, &[message.clone()])?;
    let pushed = pair.receive(&mut listener, &message)?;
    if pushed[0] != pushed[1] {
        return Err(disagree(pair, "what was pushed", &message, &pushed));
    }
    // With the last subscription RESP2 allows any command again.
    let commands = [
        command(&["PING", "a"]),
        command(&["GET", "s:1"]),
        with_channel(unsubscribe),
        command(&["PING"]),
    ];
    pair.exchange(&mut listener, &commands).map(|_| ())
}
