//! What clients hold of memory, and who goes when that is too much: `maxmemory-clients`.
//!
//! Owns the sum over all connections, and the choice: the client that holds most, but for
//! those with CLIENT NO-EVICT. Buffers of the usual size are lent by the thread's pool and
//! not counted; what counts is what a client made the server hold beyond. Any thread.

use std::sync::atomic::Ordering::Relaxed;

use tracing::warn;

use crate::clients::{Client, Clients, End};
use crate::server::Server;

/// A connection without a buffer: its entry, its task, its place in the lists.
pub(crate) const CLIENT_BYTES: u64 = 4096;
/// The least that clients may hold where `maxmemory` decides.
const LEAST_BYTES: u64 = 16 << 20;

/// What `maxmemory-clients` comes to, in bytes, with `maxmemory_bytes`; 0 is no limit. Its
/// 0 stands for a quarter of `maxmemory`, at least 16 MiB.
pub(crate) fn limit_bytes(canonical: &str, maxmemory_bytes: u64) -> u64 {
    if let Some(percent) = canonical.strip_suffix('%') {
        let percent: u64 = percent.parse().unwrap_or(0);
        return (u128::from(maxmemory_bytes) * u128::from(percent) / 100) as u64;
    }
    match canonical.parse().unwrap_or(0) {
        0 if maxmemory_bytes > 0 => (maxmemory_bytes / 4).max(LEAST_BYTES),
        bytes => bytes,
    }
}

impl Client {
    /// All it holds, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        CLIENT_BYTES + self.held_bytes.load(Relaxed)
    }
}

impl Clients {
    /// Notes that `client` holds `bytes` beyond its entry. Only its own thread calls this.
    pub(crate) fn hold(&self, client: &Client, bytes: u64) {
        let before = client.held_bytes.load(Relaxed);
        if before != bytes {
            client.held_bytes.store(bytes, Relaxed);
            self.held_bytes
                .fetch_add(bytes.wrapping_sub(before), Relaxed);
        }
    }

    /// What all of them hold, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.held_bytes.load(Relaxed) + self.count() as u64 * CLIENT_BYTES
    }
}

/// Ends clients, the greatest first, until the rest hold no more than they may.
pub(crate) fn evict(server: &Server) {
    let limit_bytes = server.live.clients_bytes.load(Relaxed);
    if limit_bytes == 0 || server.clients.memory_bytes() <= limit_bytes {
        return;
    }
    let mut clients = server.clients.all();
    // Those that end already will give back what they hold, and nobody goes for what one
    // holds whom the operator exempts.
    clients.retain(|client| client.end() != End::Now && !client.no_evict.load(Relaxed));
    let mut held_bytes: u64 = clients.iter().map(|client| client.memory_bytes()).sum();
    clients.sort_unstable_by_key(|client| client.memory_bytes());
    while held_bytes > limit_bytes
        && let Some(client) = clients.pop()
    {
        warn!(
            "Evicting client: id={} addr={} tot-mem={}",
            client.id,
            client.address,
            client.memory_bytes()
        );
        held_bytes -= client.memory_bytes().min(held_bytes);
        server.statistics.evicted_clients.fetch_add(1, Relaxed);
        client.ask_to_end(End::Now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_size_a_share_or_follows_from_maxmemory() {
        assert_eq!(limit_bytes("5000", 1 << 30), 5000);
        assert_eq!(limit_bytes("5%", 1000), 50);
        assert_eq!(limit_bytes("0", 1 << 30), 1 << 28);
        assert_eq!(limit_bytes("0", 1 << 20), LEAST_BYTES);
        assert_eq!(limit_bytes("0", 0), 0);
    }

    #[test]
    fn what_is_held_is_summed_and_given_back() {
        let clients = Clients::default();
        let client = Client::new(1, String::new(), String::new(), 0, false, 0);
        assert!(clients.take_place(1));
        clients.hold(&client, 500);
        clients.hold(&client, 200);
        assert_eq!(client.memory_bytes(), CLIENT_BYTES + 200);
        assert_eq!(clients.memory_bytes(), CLIENT_BYTES + 200);
        clients.leave(&client);
        assert_eq!(clients.memory_bytes(), 0);
    }
}
