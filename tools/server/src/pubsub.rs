//! Who is subscribed to which channels, shard channels and patterns.
//!
//! Owns the server's table and what each session is subscribed to. Does not own what a
//! client does with its messages, nor the texts around them. Any thread: a publisher holds
//! a table's read lock while it puts a message into inboxes, and waits for no subscriber.
//!
//! INVARIANT: after [`PubSub::remove`] no message of the channel comes to the client's inbox,
//! and before [`PubSub::add`] none did.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::RwLock;
use thermocline_base::Lsn;
use thermocline_commands::glob::{self, Case};
use thermocline_commands::{ReplyBuffer, Version};

use crate::clients::Client;
use crate::inbox::{Form, Letter, Text};

/// What a name is subscribed to as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];
}

/// Clients by number, so that one that leaves is found among many.
type Subscribers = BTreeMap<u64, Arc<Client>>;

/// Puts a letter into a client's inbox, or aside.
pub(crate) type Deliver<'a> = dyn FnMut(&Arc<Client>, Letter) + 'a;

/// See the module.
#[derive(Default)]
pub(crate) struct PubSub {
    channels: RwLock<HashMap<Box<[u8]>, Subscribers>>,
    shard_channels: RwLock<HashMap<Box<[u8]>, Subscribers>>,
    patterns: RwLock<BTreeMap<Box<[u8]>, Subscribers>>,
}

impl PubSub {
    /// Subscribes a client; it was not before.
    pub(crate) fn add(&self, kind: Kind, name: &[u8], client: &Arc<Client>) {
        let (id, client) = (client.id, Arc::clone(client));
        match kind {
            Kind::Channel => {
                let mut channels = self.channels.write();
                channels.entry(name.into()).or_default().insert(id, client);
            }
            Kind::Shard => {
                let mut channels = self.shard_channels.write();
                channels.entry(name.into()).or_default().insert(id, client);
            }
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                patterns.entry(name.into()).or_default().insert(id, client);
            }
        }
    }

    /// Takes a subscription back.
    pub(crate) fn remove(&self, kind: Kind, name: &[u8], client: &Client) {
        let is_last = |subscribers: Option<&mut Subscribers>| {
            subscribers.is_some_and(|subscribers| {
                subscribers.remove(&client.id);
                subscribers.is_empty()
            })
        };
        match kind {
            Kind::Channel | Kind::Shard => {
                let table = if kind == Kind::Channel {
                    &self.channels
                } else {
                    &self.shard_channels
                };
                let mut channels = table.write();
                if is_last(channels.get_mut(name)) {
                    channels.remove(name);
                }
            }
            Kind::Pattern => {
                let mut patterns = self.patterns.write();
                if is_last(patterns.get_mut(name)) {
                    patterns.remove(name);
                }
            }
        }
    }

    /// Gives `deliver` a message for each of those subscribed to the channel, and of those to
    /// patterns that fit it. How many there were. `deliver` waits for nobody.
    pub(crate) fn publish(
        &self,
        channel: &[u8],
        message: &[u8],
        lsn: Lsn,
        deliver: &mut Deliver<'_>,
    ) -> usize {
        let mut receivers = 0;
        if let Some(subscribers) = self.channels.read().get(channel) {
            let letter = letter(&[b"message", channel, message], lsn);
            receivers += give(subscribers, &letter, deliver);
        }
        let patterns = self.patterns.read();
        for (pattern, subscribers) in &*patterns {
            if glob::matches(pattern, channel, Case::Sensitive) {
                let letter = letter(&[b"pmessage", pattern, channel, message], lsn);
                receivers += give(subscribers, &letter, deliver);
            }
        }
        receivers
    }

    /// As [`PubSub::publish`] or [`PubSub::publish_shard`].
    pub(crate) fn publish_as(
        &self,
        kind: Kind,
        channel: &[u8],
        message: &[u8],
        lsn: Lsn,
        deliver: &mut Deliver<'_>,
    ) -> usize {
        if kind == Kind::Shard {
            self.publish_shard(channel, message, lsn, deliver)
        } else {
            self.publish(channel, message, lsn, deliver)
        }
    }

    /// As [`PubSub::publish`] on a shard channel, for which there are no patterns.
    fn publish_shard(
        &self,
        channel: &[u8],
        message: &[u8],
        lsn: Lsn,
        deliver: &mut Deliver<'_>,
    ) -> usize {
        let channels = self.shard_channels.read();
        channels.get(channel).map_or(0, |subscribers| {
            let letter = letter(&[b"smessage", channel, message], lsn);
            give(subscribers, &letter, deliver)
        })
    }

    /// How many are subscribed to the channel itself.
    pub(crate) fn subscribers(&self, kind: Kind, channel: &[u8]) -> usize {
        let table = if kind == Kind::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        table.read().get(channel).map_or(0, BTreeMap::len)
    }

    /// The channels with subscribers that fit the pattern, sorted.
    pub(crate) fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let table = if kind == Kind::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        let channels = table.read();
        let mut found: Vec<Box<[u8]>> = channels.keys().cloned().collect();
        drop(channels);
        if let Some(pattern) = pattern {
            found.retain(|channel| glob::matches(pattern, channel, Case::Sensitive));
        }
        found.sort_unstable();
        found
    }

    /// How many different names of the kind somebody is subscribed to.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.read().len(),
            Kind::Shard => self.shard_channels.read().len(),
            Kind::Pattern => self.patterns.read().len(),
        }
    }
}

/// A message of these words.
fn letter(words: &[&[u8]], lsn: Lsn) -> Letter {
    let mut text = ReplyBuffer::new(Version::Two);
    text.array(words.len());
    for word in words {
        text.bulk(word);
    }
    Letter {
        form: Form::Message,
        // The first byte is the protocol's.
        bytes: Text::new(text.as_bytes().get(1..).unwrap_or_default()),
        lsn,
    }
}

fn give(subscribers: &Subscribers, letter: &Letter, deliver: &mut Deliver<'_>) -> usize {
    for client in subscribers.values() {
        deliver(client, letter.clone());
    }
    subscribers.len()
}

/// What a subscription takes beside its name, here and in the table, in bytes.
const SUBSCRIPTION_BYTES: usize = 320;

/// What one session is subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    names: [BTreeSet<Box<[u8]>>; 3],
    /// About what they take, here and in the table.
    held_bytes: usize,
    /// Whether there is any: looked at for every request.
    is_any: bool,
}

impl Subscriptions {
    /// The names of the kind.
    pub(crate) const fn names(&self, kind: Kind) -> &BTreeSet<Box<[u8]>> {
        &self.names[kind as usize]
    }

    /// Subscribes the session's client, if it is not yet.
    pub(crate) fn add(&mut self, table: &PubSub, kind: Kind, name: &[u8], client: &Arc<Client>) {
        if self.names[kind as usize].insert(name.into()) {
            table.add(kind, name, client);
            self.held_bytes += SUBSCRIPTION_BYTES + 2 * name.len();
            self.show(client);
        }
    }

    /// Takes a subscription of the session's client back, if there is one.
    pub(crate) fn remove(&mut self, table: &PubSub, kind: Kind, name: &[u8], client: &Client) {
        if self.names[kind as usize].remove(name) {
            table.remove(kind, name, client);
            self.held_bytes -= SUBSCRIPTION_BYTES + 2 * name.len();
            self.show(client);
        }
    }

    /// Takes some subscriptions back, at most `most`; whether there are more.
    pub(crate) fn clear_some(&mut self, table: &PubSub, client: &Client, most: usize) -> bool {
        for kind in Kind::ALL {
            let names = &mut self.names[kind as usize];
            for _ in 0..most {
                let Some(name) = names.pop_first() else { break };
                table.remove(kind, &name, client);
            }
        }
        self.names.iter().any(|names| !names.is_empty())
    }

    /// Takes all subscriptions back.
    pub(crate) fn clear(&mut self, table: &PubSub, client: &Client) {
        for kind in Kind::ALL {
            for name in std::mem::take(&mut self.names[kind as usize]) {
                table.remove(kind, &name, client);
            }
        }
        self.held_bytes = 0;
        self.show(client);
    }

    /// What UNSUBSCRIBE and its kin count: channels with patterns, or shard channels.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.names[0].len() + self.names[1].len(),
            Kind::Shard => self.names[2].len(),
        }
    }

    /// About what they take, in bytes.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether there is any.
    pub(crate) const fn is_any(&self) -> bool {
        self.is_any
    }

    fn show(&mut self, client: &Client) {
        self.is_any = self.names.iter().any(|names| !names.is_empty());
        for (count, names) in client.subscriptions.iter().zip(&self.names) {
            count.store(u32::try_from(names.len()).unwrap_or(u32::MAX), Relaxed);
        }
    }
}
