//! What clients hold of memory, and who goes when that is too much: `maxmemory-clients`.
//!
//! Owns the sum over all connections, and the choice: the client that holds most, but for
//! those with CLIENT NO-EVICT. Buffers of the usual size are lent by the thread's pool while
//! requests run, and not counted then; what counts is what a client makes the server hold
//! beyond, or while it waits. Any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tracing::warn;

use crate::clients::{Client, Clients, End};
use crate::inbox;
use crate::server::Server;

/// A connection without a buffer, as measured: its entry, its task, its place in the lists.
pub(crate) const CLIENT_BYTES: u64 = 6 << 10;
/// The least that clients may hold where `maxmemory` decides.
const LEAST_BYTES: u64 = 16 << 20;

/// What `maxmemory-clients` comes to, in bytes, with `maxmemory_bytes`; 0 is no limit. Its
/// 0 stands for a quarter of `maxmemory`, or of `machine_bytes` without one; at least 16 MiB.
pub(crate) fn limit_bytes(canonical: &str, maxmemory_bytes: u64, machine_bytes: u64) -> u64 {
    if let Some(percent) = canonical.strip_suffix('%') {
        let percent: u64 = percent.parse().unwrap_or(0);
        return (u128::from(maxmemory_bytes) * u128::from(percent) / 100) as u64;
    }
    let whole_bytes = if maxmemory_bytes > 0 {
        maxmemory_bytes
    } else {
        machine_bytes
    };
    match canonical.parse().unwrap_or(0) {
        0 => (whole_bytes / 4).max(LEAST_BYTES),
        bytes => bytes,
    }
}

impl Client {
    /// All it holds, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        CLIENT_BYTES + self.held_bytes.load(Relaxed) + self.inbox.bytes()
    }

    /// Whether it is not to be evicted: the operator exempts it, or it ends already and will
    /// give back what it holds.
    fn is_spared(&self) -> bool {
        self.end() == End::Now || self.no_evict.load(Relaxed)
    }
}

impl Clients {
    /// Notes that `client` holds `bytes` beyond its entry. Only its own thread calls this.
    pub(crate) fn hold(&self, client: &Client, bytes: u64) {
        let before = client.held_bytes.load(Relaxed);
        if before == bytes {
            return;
        }
        client.held_bytes.store(bytes, Relaxed);
        self.held_bytes
            .fetch_add(bytes.wrapping_sub(before), Relaxed);
        if bytes < before && client.is_spared() {
            give_back(&self.spared_bytes, before - bytes);
        }
        if bytes < before && client.end() == End::Now {
            give_back(&self.ending_bytes, before - bytes);
        }
    }

    /// Somebody is spared no more.
    pub(crate) fn forget_spared(&self) {
        self.spared_bytes.store(0, Relaxed);
    }

    /// What all of them hold, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.held_bytes.load(Relaxed) + self.count() as u64 * CLIENT_BYTES + inbox::held_bytes()
    }

    /// Whether those that may be evicted hold more than `limit_bytes`, as far as is known
    /// without looking at each.
    fn may_be_above(&self, limit_bytes: u64) -> bool {
        let spared_bytes = self.spared_bytes.load(Relaxed);
        self.memory_bytes().saturating_sub(spared_bytes) > limit_bytes
    }
}

fn give_back(sum: &AtomicU64, bytes: u64) {
    let _ = sum.fetch_update(Relaxed, Relaxed, |sum| Some(sum.saturating_sub(bytes)));
}

/// Whether clients that were evicted still hold so much, a quarter of the limit, that others
/// had better wait until they are gone.
pub(crate) fn is_crowded(server: &Server) -> bool {
    let ending_bytes = server.clients.ending_bytes.load(Relaxed);
    if ending_bytes == 0 {
        return false;
    }
    let limit_bytes = server.live.clients_bytes.load(Relaxed);
    ending_bytes > limit_bytes / 4 && server.clients.memory_bytes() > limit_bytes
}

/// Tells the store what clients make the server hold, and ends some if that is too much.
pub(crate) fn settle(server: &Server) {
    let bytes = server.clients.memory_bytes() + server.hub.tracking.bytes();
    // Mostly the same, and then nothing that others read is written.
    if server.clients.told_bytes.load(Relaxed) != bytes {
        server.clients.told_bytes.store(bytes, Relaxed);
        server.store.set_client_bytes(bytes);
    }
    let limit_bytes = server.live.clients_bytes.load(Relaxed);
    if limit_bytes == 0 {
        return;
    }
    // What is held and what is being written share the limit; a half of it is always left for
    // the latter, since those who hold the rest are about to go.
    let left_bytes = limit_bytes.saturating_sub(bytes).max(limit_bytes / 2);
    server.reply_room.set_most_bytes(left_bytes >> 16 << 16);
    if server.clients.may_be_above(limit_bytes) {
        evict(server, limit_bytes);
    }
}

/// Ends clients, the greatest first, until the rest hold no more than they may.
#[cold]
fn evict(server: &Server, limit_bytes: u64) {
    // One looks at a time: what it finds holds for the others too.
    let Some(_alone) = server.clients.evicting.try_lock() else {
        return;
    };
    let mut clients = server.clients.all();
    let (mut spared_bytes, mut spared_inbox_bytes, mut ending_bytes) = (0, 0, 0);
    clients.retain(|client| {
        let is_spared = client.is_spared();
        if is_spared {
            let held_bytes = client.held_bytes.load(Relaxed);
            spared_bytes += held_bytes;
            spared_inbox_bytes += client.inbox.bytes();
            if client.end() == End::Now {
                ending_bytes += held_bytes;
            }
        }
        !is_spared
    });
    let mut left_bytes = server.clients.memory_bytes();
    left_bytes = left_bytes.saturating_sub(spared_bytes + spared_inbox_bytes);
    // What a client holds goes on changing: each is looked at once.
    let mut clients: Vec<_> = (clients.into_iter())
        .map(|client| (client.memory_bytes(), client))
        .collect();
    clients.sort_unstable_by_key(|(bytes, _)| *bytes);
    while left_bytes > limit_bytes
        && let Some((bytes, client)) = clients.pop()
    {
        warn!(
            "Evicting client: id={} addr={} tot-mem={bytes}",
            client.id, client.address
        );
        left_bytes = left_bytes.saturating_sub(bytes);
        let held_bytes = client.held_bytes.load(Relaxed);
        spared_bytes += held_bytes;
        ending_bytes += held_bytes;
        server.statistics.evicted_clients.fetch_add(1, Relaxed);
        client.ask_to_end(End::Now);
    }
    server.clients.spared_bytes.store(spared_bytes, Relaxed);
    server.clients.ending_bytes.store(ending_bytes, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_size_a_share_or_follows_from_the_memory() {
        assert_eq!(limit_bytes("5000", 1 << 30, 1 << 40), 5000);
        assert_eq!(limit_bytes("5%", 1000, 1 << 40), 50);
        assert_eq!(limit_bytes("0", 1 << 30, 1 << 40), 1 << 28);
        assert_eq!(limit_bytes("0", 1 << 20, 1 << 40), LEAST_BYTES);
        assert_eq!(limit_bytes("0", 0, 1 << 40), 1 << 38);
    }

    #[test]
    fn what_is_held_is_summed_and_given_back() {
        let clients = Clients::default();
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        assert!(clients.take_place(1));
        clients.hold(&client, 500);
        clients.hold(&client, 200);
        assert_eq!(client.memory_bytes(), CLIENT_BYTES + 200);
        assert_eq!(clients.held_bytes.load(Relaxed), 200);
        clients.leave(&client);
        assert_eq!(clients.held_bytes.load(Relaxed), 0);
    }

    #[test]
    fn what_a_spared_client_gives_back_is_spared_no_more() {
        let clients = Clients::default();
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        assert!(clients.take_place(1));
        let none = clients.memory_bytes();
        clients.hold(&client, 500);
        assert!(clients.may_be_above(none + 400));
        client.no_evict.store(true, Relaxed);
        clients.spared_bytes.store(500, Relaxed);
        assert!(!clients.may_be_above(none + 400));
        clients.hold(&client, 100);
        assert_eq!(clients.spared_bytes.load(Relaxed), 100);
        clients.hold(&client, 700);
        assert!(clients.may_be_above(none + 400));
    }
}
