//! What one connection may make the server hold, and how that is counted.
//!
//! Owns the bounds of its requests and replies, before it has authenticated and after, and
//! the reasons it ends for them. Does not own what all connections may hold together: see
//! `client_memory`. The connection's task.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::warn;

use crate::client_memory;
use crate::clients::End;
use crate::connection::{Connection, Ended};

/// Most bytes a stranger's request may have while it is not complete.
const STRANGER_QUERY_BYTES: u64 = 16 * 1024;
/// Most bytes of replies that a stranger may leave unread.
const STRANGER_OUTPUT_BYTES: u64 = 1024;
/// How often a connection looks whether others have gone, before it goes on all the same:
/// one of them may be in a script.
const ROOM_LOOKS: usize = 50;
const ROOM_LOOK_EVERY: Duration = Duration::from_millis(1);

impl Connection {
    /// Counts bytes that were read; the connection ends if they are too many.
    pub(crate) fn note_received(&self, read: usize) -> Result<(), Ended> {
        let server = &self.thread.server;
        self.thread.statistics.reads.add(1);
        self.thread.statistics.input_bytes.add(read as u64);
        let client = &self.client;
        client
            .input_bytes
            .store(client.input_bytes.load(Relaxed) + read as u64, Relaxed);
        self.account(false);
        let most_bytes = if self.runner.session.is_authenticated {
            server.live.query_buffer_bytes.load(Relaxed)
        } else {
            STRANGER_QUERY_BYTES
        };
        if self.input.len() as u64 > most_bytes {
            return Err(self.end_for_query());
        }
        Ok(())
    }

    /// Why the connection ends whose requests are too long.
    pub(crate) fn end_for_query(&self) -> Ended {
        warn!(
            "closing {}: it reached client-query-buffer-limit",
            self.client.address
        );
        let statistics = &self.thread.server.statistics;
        statistics.query_buffer_disconnections.fetch_add(1, Relaxed);
        Ended
    }

    /// Why the connection ends whose replies are too long, for the reason `why`.
    pub(crate) fn end_for_output(&self, why: &str) -> Ended {
        warn!("closing {}: {why}", self.client.address);
        let statistics = &self.thread.server.statistics;
        statistics
            .output_buffer_disconnections
            .fetch_add(1, Relaxed);
        Ended
    }

    /// Lets those clients go first that are about to give back much: what this one's requests
    /// will take would come on top of it.
    pub(crate) async fn until_room(&self) {
        let (server, client) = (&self.thread.server, &self.client);
        for _ in 0..ROOM_LOOKS {
            let may_go_on = client.no_evict.load(Relaxed) || client.end() == End::Now;
            if may_go_on || !client_memory::is_crowded(server) {
                return;
            }
            tokio::time::sleep(ROOM_LOOK_EVERY).await;
        }
    }

    /// Before a wait: gives back what is not needed for it, and counts the rest.
    pub(crate) fn hold_little(&mut self) {
        self.input.shrink(&self.thread.pool);
        self.account(true);
    }

    /// Bounds the replies to come by what the client may leave unread. (A stranger may
    /// authenticate amid a batch; until then its replies are short.)
    pub(crate) fn bound_replies(&mut self) {
        let server = &self.thread.server;
        let [hard_bytes, ..] = server.live.output_limits(self.client.is_subscribed());
        let pending = self.output.unsent_bytes() as u64;
        let most_bytes = match hard_bytes {
            0 => 0,
            hard_bytes => hard_bytes.saturating_sub(pending).max(1),
        };
        let is_exempt = self.client.no_evict.load(Relaxed);
        let room = (!is_exempt).then_some(&server.reply_room);
        self.runner.reply.set_bounds(room, most_bytes);
    }

    /// Bytes of replies the client may leave unread; 0 is no limit.
    pub(crate) fn most_unread_bytes(&self) -> u64 {
        if self.runner.session.is_authenticated {
            let live = &self.thread.server.live;
            live.output_limits(self.client.is_subscribed())[0]
        } else {
            STRANGER_OUTPUT_BYTES
        }
    }

    /// Counts what the client makes the server hold; while it `waits`, what others could have
    /// too. Not the pages of the tier that its request needs: those have a bound of their own,
    /// and nobody goes for having asked for a large value.
    pub(crate) fn account(&self, waits: bool) {
        let session = &self.runner.session;
        let input_bytes = if waits {
            self.input.capacity()
        } else {
            self.input.held_bytes()
        };
        let client = &self.client;
        let held_bytes = input_bytes
            + self.output.held_bytes()
            + self.decoder.held_bytes()
            + self.held.capacity()
            + session.held_bytes()
            + client.waiting_bytes.load(Relaxed) as usize;
        let server = &self.thread.server;
        server.clients.hold(client, held_bytes as u64);
        client_memory::settle(server);
    }
}
