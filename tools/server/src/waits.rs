//! What a connection does while the request at its front cannot run yet: reads of the tier,
//! memory, pauses, checkpoints.
//!
//! Owns the reading ahead: when one request faults, the pages of the requests behind it are
//! asked for in the same breath, and while it waits, those of the requests that arrive; so a
//! client that keeps N requests on the way keeps N reads on the way. INVARIANT: a request whose reads do not help is answered
//! with an error after a bounded number of them. The connection's task.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use thermocline_base::Lsn;
use thermocline_commands::{Call, CommandError};
use thermocline_store::{Fault, LongValue, ReadRequest};

use crate::clients::End;
use crate::cold::Cold;
use crate::commands::Wait;
use crate::connection::{Connection, Ended};
use crate::dispatch::{Runner, Step};
use crate::registry::{self, Runs};
use crate::scripter;
use crate::session::Session;
use crate::window::Tail;

/// Reads under way for a connection at which it looks no further ahead.
const AHEAD_READS: usize = 512;
/// Bytes of pages read at which a connection looks no further ahead.
const AHEAD_BYTES: usize = 8 << 20;
/// Bytes of requests at which a connection that waits receives no more.
const AHEAD_INPUT_BYTES: usize = 256 << 10;
/// Fetches in a row that may bring a request nothing new: its record can move between the
/// fetch and the next try.
const STALLED_FETCHES: u32 = 16;
/// Bytes of pages a batch may hold whatever `maxmemory` is.
const FAULT_BYTES: u64 = 64 << 20;

impl Connection {
    /// Waits for what `step` says of the request at the front.
    pub(crate) async fn resolve(&mut self, step: Step) -> Result<(), Ended> {
        self.hold_little();
        match step {
            Step::Done | Step::Close => Ok(()),
            Step::Fault(fault) => self.fault(fault, true).await,
            Step::Memory => {
                let server = Arc::clone(&self.thread.server);
                self.unless_ended(server.store.memory_freed()).await
            }
            Step::Paused(left_ms) => {
                self.send().await?;
                let server = Arc::clone(&self.thread.server);
                if server.gate.is_shut() {
                    self.unless_ended(server.gate.opened(left_ms)).await
                } else {
                    self.unless_ended(server.pause.ended(left_ms)).await
                }
            }
            Step::Script => self.run_script().await,
            Step::Parked(parked) => {
                // `send` may end the connection, and the wait with it.
                if let Err(ended) = self.send().await {
                    self.runner.release(&parked);
                    return Err(ended);
                }
                self.wait_for_keys(&parked).await
            }
            Step::Wait(wait) => {
                self.send().await?;
                let place = self.runner.place();
                self.wait(wait).await?;
                self.runner.refresh();
                if let Some((Some(command), words)) = self.window.front(&self.input) {
                    self.runner.finish_wait(command, &words, place);
                }
                self.advance();
                Ok(())
            }
        }
    }

    /// Runs the request at the front, a script that takes long, on a thread of its own.
    async fn run_script(&mut self) -> Result<(), Ended> {
        self.send().await?;
        let server = Arc::clone(&self.thread.server);
        let place = self.unless_ended(server.gate.place()).await?;
        let Some((Some(command), words)) = self.window.front(&self.input) else {
            return Ok(());
        };
        server.gate.shut(&place, server.now_ms());
        let owned = words.iter().map(|word| word.to_vec()).collect();
        drop(words);
        let session = Session::new(Arc::clone(&self.client));
        let stand_in = Runner::new(&server, &self.thread.statistics, session);
        let runner = std::mem::replace(&mut self.runner, stand_in);
        let finished = scripter::run(Box::new(runner), command, owned);
        // The runner comes back whatever becomes of the client meanwhile: the session is in it.
        let finished = finished.ok_or(Ended)?.await;
        let (runner, step) = finished.map_err(|_| Ended)?;
        self.runner = *runner;
        self.runner.refresh();
        match step {
            Step::Done => {
                self.advance();
                Ok(())
            }
            Step::Close => Err(Ended),
            Step::Fault(fault) => self.fault(fault, true).await,
            Step::Memory => self.unless_ended(server.store.memory_freed()).await,
            // It is tried again.
            Step::Paused(_) | Step::Wait(_) | Step::Parked(_) | Step::Script => Ok(()),
        }
    }

    /// Brings what a fault names, and if the request at the front met it what those behind
    /// it will want.
    pub(crate) async fn fault(&mut self, fault: Fault, is_front: bool) -> Result<(), Ended> {
        let server = Arc::clone(&self.thread.server);
        match fault {
            Fault::Recovering(keys) => {
                let thread = Rc::clone(&self.thread);
                if let (true, Some(cold)) = (is_front, &thread.cold) {
                    self.look_ahead(cold);
                }
                server.store.hydrate(&keys).await;
                Ok(())
            }
            Fault::Unsettled => self.unless_ended(server.store.settled()).await,
            Fault::Reads(requests) => self.read(&requests, is_front).await,
            Fault::Long(values) => self.decode_long(values, is_front).await,
            Fault::Damaged(reason) => {
                self.runner.verdict = Some(format!("ERR {reason}"));
                Ok(())
            }
        }
    }

    /// Has long values decoded by a thread that serves no other connection.
    async fn decode_long(&mut self, values: Vec<LongValue>, is_front: bool) -> Result<(), Ended> {
        if is_front {
            self.send().await?;
        }
        for value in values {
            let store = Arc::clone(&self.thread.server.store);
            let pages = self.runner.faults.share();
            let decoding = tokio::task::spawn_blocking(move || store.decode_long(value, &pages));
            match decoding.await {
                Ok(Ok(Some(decoded))) => self.runner.faults.insert_decoded(decoded),
                Ok(Err(Fault::Damaged(reason))) => {
                    self.runner.verdict = Some(format!("ERR {reason}"));
                }
                // Without its pages it asks for them again.
                Ok(Ok(None) | Err(_)) => {}
                Err(error) => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins reads and returns once they are there. If it is the request at the front that
    /// wants them, replies leave meanwhile, and what the requests behind it want is begun too,
    /// whether they are decoded or only now arrive.
    async fn read(&mut self, requests: &[ReadRequest], is_front: bool) -> Result<(), Ended> {
        let present = |request: &ReadRequest| self.runner.faults.get(request.address).is_some();
        if requests.iter().all(present) {
            self.stalled_fetches += 1;
        } else {
            self.stalled_fetches = 0;
        }
        if self.stalled_fetches > STALLED_FETCHES {
            self.runner.verdict = Some(self.why_unusable(requests));
            return Ok(());
        }
        let thread = Rc::clone(&self.thread);
        let Some(cold) = &thread.cold else {
            let text = "ERR the value is on the tier, which this start does not use";
            self.runner.verdict = Some(text.to_owned());
            return Ok(());
        };
        // Some of it may have come since the request was run.
        self.collect(requests, None);
        let front = self.window.number();
        self.ahead.trim(front, &mut self.runner.faults);
        for request in requests {
            if !self.runner.faults.holds(request) {
                self.ahead.begin(cold, *request, front);
            }
        }
        if is_front {
            self.look_ahead(cold);
            self.send().await?;
        }
        poll_fn(|context| self.poll_pages(context, cold, requests, is_front)).await?;
        if self.runner.faults.bytes() as u64 > self.fault_bytes_max() {
            self.ahead.keep_only(front, &mut self.runner.faults);
            if self.runner.faults.bytes() as u64 > self.fault_bytes_max() {
                self.ahead.clear(&mut self.runner.faults);
                self.runner.verdict = Some(CommandError::OutOfMemory.to_string());
            }
        }
        Ok(())
    }

    /// Bytes of pages the connection may hold.
    fn fault_bytes_max(&self) -> u64 {
        let maxmemory_bytes = self.thread.server.store.settings().maxmemory_bytes();
        FAULT_BYTES.max(maxmemory_bytes / 4)
    }

    /// Ready once the pages of `requests` are there or cannot be had.
    fn poll_pages(
        &mut self,
        context: &mut Context<'_>,
        cold: &Cold,
        requests: &[ReadRequest],
        is_front: bool,
    ) -> Poll<Result<(), Ended>> {
        self.collect(requests, Some(context));
        let is_there = |request: &ReadRequest| self.runner.faults.holds(request);
        if self.runner.verdict.is_some() || requests.iter().all(is_there) {
            return Poll::Ready(Ok(()));
        }
        if self.client.end() == End::Now {
            return Poll::Ready(Err(Ended));
        }
        if !self.output.is_empty() {
            self.send_output(context)?;
        }
        while is_front && self.poll_receive_more(context)? {
            self.fill_window_ahead(cold);
        }
        Poll::Pending
    }

    /// Whether the connection reads ahead and the disk could do more at once.
    pub(crate) fn is_disk_shallow(&self) -> bool {
        let cold = self.thread.cold.as_ref();
        !self.ahead.is_empty() && cold.is_some_and(Cold::is_shallow)
    }

    /// Between requests of a batch that reads ahead: begins what the requests want that have
    /// arrived meanwhile, so that the disk is busy while those before them are run.
    pub(crate) fn refill(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        let thread = Rc::clone(&self.thread);
        let Some(cold) = thread.cold.as_ref().filter(|_| !self.ahead.is_empty()) else {
            return Ok(());
        };
        while self.poll_receive_more(context)? {
            self.fill_window_ahead(cold);
        }
        cold.flush();
        Ok(())
    }

    /// Decodes what was read, and begins the reads that it will want.
    fn fill_window_ahead(&mut self, cold: &Cold) {
        self.fill_window();
        let database = self.runner.session.database;
        let store = &self.thread.server.store;
        self.window.prefetch(&self.input, store, database);
        self.look_ahead(cold);
    }

    /// Reads what has arrived behind the requests that are still to be run; whether there is
    /// something to decode and room for it.
    fn poll_receive_more(&mut self, context: &mut Context<'_>) -> Result<bool, Ended> {
        let is_enough = self.window.is_full()
            || self.window.waiting_bytes(&self.input) >= AHEAD_INPUT_BYTES
            || !self.runner.session.is_authenticated
            // What has been asked is answered before the end, and no more.
            || self.client.end() != End::No;
        if is_enough || self.is_input_over {
            return Ok(false);
        }
        let needed = match self.tail {
            Tail::More => return Ok(true),
            Tail::Lacks(needed) => needed,
            Tail::Broken(_) => return Ok(false),
        };
        if !self.socket.is_readable(context) {
            return Ok(false);
        }
        self.window.compact(&mut self.input);
        let room = self.input.room_behind(needed);
        match self.socket.poll_read(context, room) {
            Poll::Ready(Ok(read)) if read > 0 => {
                self.input.filled(read);
                self.tail = Tail::More;
                self.note_received(read)?;
                // A batch may go on for as long as the client sends.
                self.client.used_at_ns.store(self.runner.now_ns(), Relaxed);
                let thread = &self.thread;
                thread.server.statistics.refresh(&thread.statistics);
                Ok(true)
            }
            Poll::Ready(_) => {
                self.is_input_over = true;
                Ok(false)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// Puts what has arrived where requests find it; what comes later wakes the task of
    /// `context`. An error counts only for `requests`: another request will ask again and
    /// meet it itself.
    fn collect(&mut self, requests: &[ReadRequest], context: Option<&Context<'_>>) {
        let mut pages = self.ahead.arrivals.take();
        for (request, page) in pages.drain(..) {
            match page {
                Ok(page) => self.runner.faults.insert(request.address, page),
                Err(error) if requests.contains(&request) => {
                    let text = format!("ERR the value cannot be read from the tier: {error}");
                    self.runner.verdict = Some(text);
                }
                Err(_) => {}
            }
        }
        if let Some(context) = context {
            self.ahead.arrivals.wake_next(pages, context);
        }
    }

    /// Why pages that are there do not serve: the damage in one, if there is any.
    fn why_unusable(&self, requests: &[ReadRequest]) -> String {
        let pages = requests
            .iter()
            .filter_map(|request| self.runner.faults.get(request.address));
        let damage = pages.filter_map(|page| page.records().err()).next();
        damage.map_or_else(
            || "ERR the value kept moving while it was read from the tier, try again".to_owned(),
            |damage| format!("ERR the value cannot be read from the tier: {damage}"),
        )
    }

    /// Begins the reads that the requests behind the front will want, up to the first one that
    /// is not a plain command on keys; each request is looked at once.
    fn look_ahead(&mut self, cold: &Cold) {
        if self.runner.session.transaction.is_some() {
            return;
        }
        let mut wanted = Vec::new();
        while let Some(number) = self.look_at_next(&mut wanted) {
            self.window.look_further();
            for request in wanted.drain(..) {
                self.ahead.begin(cold, request, number);
            }
        }
    }

    /// What the next request behind the front will want; its number, or `None` if it is not
    /// to be looked at yet.
    fn look_at_next(&self, wanted: &mut Vec<ReadRequest>) -> Option<u64> {
        let (number, command, words) = self.window.unlooked(&self.input)?;
        let command = command?;
        let is_plain = matches!(registry::runner(command), Runs::Executor);
        let is_enough = self.ahead.arrivals.missing() >= AHEAD_READS
            || self.runner.faults.bytes() >= AHEAD_BYTES;
        if !is_plain || is_enough {
            return None;
        }
        let call = Call {
            command,
            database: self.runner.session.database,
            arguments: &words,
        };
        let executor = self.runner.executor();
        executor.read_ahead(call, &self.runner.faults, wanted);
        Some(number)
    }

    /// Waits, and writes the reply.
    async fn wait(&mut self, wait: Wait) -> Result<(), Ended> {
        let server = Arc::clone(&self.thread.server);
        match wait {
            Wait::Checkpoint => match self.unless_ended(server.store.checkpoint()).await? {
                Ok(()) => self.runner.reply.simple("OK"),
                Err(reason) => self.runner.reply.error(&format!("ERR {reason}")),
            },
            Wait::Backup(path) => match self.unless_ended(server.store.backup(path)).await? {
                Ok(made) => {
                    let reply = &mut self.runner.reply;
                    reply.map(4);
                    for (name, number) in [
                        ("linked_files", made.linked_files),
                        ("copied_files", made.copied_files),
                        ("copied_bytes", made.copied_bytes),
                        ("end_lsn", made.end_lsn.0),
                    ] {
                        reply.bulk(name.as_bytes());
                        reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
                    }
                }
                Err(reason) => self.runner.reply.error(&format!("ERR {reason}")),
            },
            Wait::Sleep(time) => {
                self.unless_ended(tokio::time::sleep(time)).await?;
                self.runner.reply.simple("OK");
            }
            Wait::Durable(lsn, limit) => {
                let is_durable = self.until_durable(lsn, limit).await?;
                self.runner.reply.array(2);
                self.runner.reply.integer(i64::from(is_durable));
                self.runner.reply.integer(0);
            }
            Wait::Shutdown { checkpoint, force } => {
                if checkpoint
                    && let Err(reason) = server.store.checkpoint().await
                    && !force
                {
                    tracing::warn!("no shutdown: the checkpoint failed: {reason}");
                    let text = "ERR Errors trying to SHUTDOWN. Check logs.";
                    self.runner.reply.error(text);
                    return Ok(());
                }
                server.scripts.abort();
                server.stop.send_replace(Some(checkpoint));
                return Err(Ended);
            }
            Wait::Keys(pattern) => self.keys(&pattern).await?,
            Wait::Digest(keys) if keys.is_empty() => self.digest().await?,
            Wait::Digest(keys) => self.digest_values(&keys).await?,
            Wait::Populate {
                count,
                prefix,
                value_bytes,
            } => self.populate(count, &prefix, value_bytes).await?,
        }
        Ok(())
    }

    async fn until_durable(&mut self, lsn: Lsn, limit: Option<Duration>) -> Result<bool, Ended> {
        let server = Arc::clone(&self.thread.server);
        let durable = server.store.durable(lsn);
        let Some(limit) = limit else {
            self.unless_ended(durable).await?;
            return Ok(true);
        };
        let ended = self
            .unless_ended(tokio::time::timeout(limit, durable))
            .await?;
        self.client.used_at_ns.store(server.now_ns(), Relaxed);
        Ok(ended.is_ok())
    }
}
