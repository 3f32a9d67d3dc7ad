//! Puts letters into the inboxes of clients and wakes those who got one.
//!
//! Owns the limits a client's inbox has: one that is too slow is closed, and nobody waits for
//! it. Any thread.
//!
//! A delivery only notes on its thread whom to wake, for it may happen under the lock of a
//! shard; [`Post::wake`] is called when nothing is held.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tracing::warn;

use crate::clients::{Client, End};
use crate::config::live::Live;
use crate::inbox::Letter;
use crate::statistics::Statistics;

thread_local! {
    /// Clients of this thread's deliveries that are still to be woken, and whether for their
    /// end.
    static TO_WAKE: RefCell<Vec<(Arc<Client>, bool)>> = const { RefCell::new(Vec::new()) };
}

/// See the module.
pub(crate) struct Post {
    live: Arc<Live>,
    statistics: Arc<Statistics>,
}

impl Post {
    pub(crate) const fn new(live: Arc<Live>, statistics: Arc<Statistics>) -> Self {
        Self { live, statistics }
    }

    /// Gives the client a letter. [`Post::wake`] has to follow.
    pub(crate) fn deliver(&self, client: &Arc<Client>, letter: Letter) {
        if client.end() == End::Now {
            return;
        }
        let was_empty = client.inbox.put(letter);
        let is_over = self.is_too_slow(client);
        if is_over {
            client.inbox.close();
            let disconnections = &self.statistics.output_buffer_disconnections;
            disconnections.fetch_add(1, Relaxed);
            client.end_when_woken(End::Now);
        }
        if was_empty || is_over {
            TO_WAKE.with_borrow_mut(|clients| clients.push((Arc::clone(client), is_over)));
        }
    }

    fn is_too_slow(&self, client: &Client) -> bool {
        let [hard_bytes, _, _] = self.live.output_limits(client.is_subscribed());
        let waiting = client.inbox.bytes() + client.pending_bytes.load(Relaxed);
        hard_bytes > 0 && waiting > hard_bytes
    }

    /// Wakes who got letters on this thread, with nothing held.
    pub(crate) fn wake(&self) {
        let clients = TO_WAKE.with_borrow_mut(std::mem::take);
        for (client, is_over) in clients {
            if is_over {
                warn!(
                    "closing {}: it reached client-output-buffer-limit",
                    client.address
                );
            }
            client.wake();
        }
    }
}
