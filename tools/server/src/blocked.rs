//! What a connection does while its command waits for keys.
//!
//! Owns the ends such a wait can have: a reply, a timeout, CLIENT UNBLOCK, the client's
//! going away, an operator. Meanwhile earlier replies go on being sent, and what the client
//! sends is read and held, so that its end is noticed. INVARIANT: the wait is released
//! whatever its end. One task.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use thermocline_base::Lsn;
use thermocline_commands::{Parked, ReplyBuffer, Woken};
use tokio::time::{Instant, sleep_until};

use crate::clients::End;
use crate::connection::{Connection, Ended};
use crate::dispatch::Resumed;

/// The longest wait given to the timer; a longer one is as good as for ever.
const LONGEST_WAIT_MS: u64 = 100 * 365 * 24 * 3_600_000;

/// Why the connection's task goes on.
enum Event {
    Woken(Woken),
    TimedOut,
}

impl Connection {
    /// Waits for the keys of the request at the front; its reply is written then.
    pub(crate) async fn wait_for_keys(&mut self, parked: &Arc<Parked>) -> Result<(), Ended> {
        self.client.begin_wait(parked);
        let bytes = parked.held_bytes() as u64;
        self.client.waiting_bytes.store(bytes, Relaxed);
        self.leave_window();
        let ended = self.wait_parked(parked).await;
        self.client.end_wait();
        self.client.waiting_bytes.store(0, Relaxed);
        // Its keys may be of shards that a script holds.
        self.thread.server.gate.is_open().await;
        self.runner.release(parked);
        let (reply, lsn) = ended?;
        self.runner.refresh();
        self.client.used_at_ns.store(self.runner.now_ns(), Relaxed);
        self.runner.finish_parked(parked, &reply, lsn);
        Ok(())
    }

    /// Gives back what a long wait does not need: the wait has its request, so that it
    /// leaves the window here.
    fn leave_window(&mut self) {
        self.advance();
        self.drop_pages();
        if self.window.is_empty() && self.input.len() == 0 {
            self.input.settle(&self.thread.pool);
        }
        self.hold_little();
    }

    async fn wait_parked(&mut self, parked: &Arc<Parked>) -> Result<(ReplyBuffer, Lsn), Ended> {
        let mut deadline = parked
            .timeout_ms
            .map(|ms| Instant::now() + Duration::from_millis(ms.min(LONGEST_WAIT_MS)));
        loop {
            match self.next_event(parked, deadline).await? {
                Event::Woken(Woken::Answered(reply, lsn)) => return Ok((reply, lsn)),
                Event::Woken(Woken::Handed) => self.resume(parked).await?,
                Event::TimedOut if parked.withdraw() => {
                    let mut reply = ReplyBuffer::new(self.runner.reply.version());
                    reply.null_array();
                    return Ok((reply, Lsn::ZERO));
                }
                // Somebody is serving it at this moment. Should it still find nothing, it
                // is too late once more.
                Event::TimedOut => deadline = Some(Instant::now() + Duration::from_millis(1)),
            }
        }
    }

    /// Runs the command in this task, with the reads it needs.
    async fn resume(&mut self, parked: &Arc<Parked>) -> Result<(), Ended> {
        loop {
            self.thread.server.gate.is_open().await;
            self.runner.refresh();
            match self.runner.resume(parked) {
                Resumed::Ran => break,
                Resumed::Memory => {
                    let server = Arc::clone(&self.thread.server);
                    self.unless_ended(server.store.memory_freed()).await?;
                }
                Resumed::Fault(fault) => self.fault(fault, false).await?,
            }
        }
        self.stalled_fetches = 0;
        self.drop_pages();
        Ok(())
    }

    async fn next_event(
        &mut self,
        parked: &Parked,
        deadline: Option<Instant>,
    ) -> Result<Event, Ended> {
        let mut woken = pin!(parked.woken());
        let mut timeout = pin!(async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|context| {
            if self.client.end() != End::No {
                return Poll::Ready(Err(Ended));
            }
            if let Poll::Ready(woken) = woken.as_mut().poll(context) {
                return Poll::Ready(Ok(Event::Woken(woken)));
            }
            if timeout.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(Event::TimedOut));
            }
            self.poll_meanwhile(context)
        })
        .await
    }

    /// Sends what is left and reads ahead; ready only at the end of the connection.
    fn poll_meanwhile(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, Ended>> {
        match self.poll_hold(context) {
            Ok(()) => Poll::Pending,
            Err(ended) => Poll::Ready(Err(ended)),
        }
    }
}
