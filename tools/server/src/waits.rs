//! What a connection does while the request at its front cannot run yet: reads of the tier,
//! memory, pauses, checkpoints.
//!
//! Owns the reading ahead: when one request faults, the pages of the requests behind it are
//! asked for in the same breath. INVARIANT: a request whose reads do not help is answered
//! with an error after a bounded number of them. The connection's task.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use thermocline_base::Lsn;
use thermocline_commands::{Call, CommandError};
use thermocline_store::{Fault, ReadRequest};

use crate::commands::Wait;
use crate::connection::{Connection, Ended};
use crate::dispatch::Step;
use crate::registry::{self, Runs};

/// Most reads asked for at once.
const AHEAD_READS: usize = 512;
/// Fetches in a row that may bring a request nothing new: its record can move between the
/// fetch and the next try.
const STALLED_FETCHES: u32 = 16;
/// Bytes of pages a batch may hold whatever `maxmemory` is.
const FAULT_BYTES: u64 = 64 << 20;

impl Connection {
    /// Waits for what `step` says of the request at the front.
    pub(crate) async fn resolve(&mut self, step: Step) -> Result<(), Ended> {
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
                self.unless_ended(server.pause.ended(left_ms)).await
            }
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

    /// Brings what a fault names, and if the request at the front met it what those behind
    /// it will want.
    pub(crate) async fn fault(&mut self, fault: Fault, is_front: bool) -> Result<(), Ended> {
        let server = Arc::clone(&self.thread.server);
        match fault {
            Fault::Recovering(keys) => {
                if is_front {
                    self.look_ahead(&mut Vec::new());
                }
                server.store.hydrate(&keys).await;
                Ok(())
            }
            Fault::Unsettled => self.unless_ended(server.store.settled()).await,
            Fault::Reads(requests) => {
                self.read(&requests, is_front).await;
                Ok(())
            }
            Fault::Damaged(reason) => {
                self.runner.verdict = Some(format!("ERR {reason}"));
                Ok(())
            }
        }
    }

    async fn read(&mut self, requests: &[ReadRequest], is_front: bool) {
        let present = |request: &ReadRequest| self.runner.faults.get(request.address).is_some();
        if requests.iter().all(present) {
            self.stalled_fetches += 1;
        } else {
            self.stalled_fetches = 0;
        }
        if self.stalled_fetches > STALLED_FETCHES {
            self.runner.verdict = Some(self.why_unusable(requests));
            return;
        }
        let mut wanted = requests.to_vec();
        if is_front {
            self.look_ahead(&mut wanted);
        }
        let thread = Rc::clone(&self.thread);
        let Some(cold) = &thread.cold else {
            let text = "ERR the value is on the tier, which this start does not use";
            self.runner.verdict = Some(text.to_owned());
            return;
        };
        for (address, page) in cold.fetch(&wanted).await {
            match page {
                Ok(page) => {
                    self.fault_bytes += page.bytes.len();
                    self.runner.faults.insert(address, page);
                }
                Err(error) if requests.iter().any(|request| request.address == address) => {
                    let text = format!("ERR the value cannot be read from the tier: {error}");
                    self.runner.verdict = Some(text);
                }
                // A request further back will ask for it again and meet the error itself.
                Err(_) => {}
            }
        }
        let maxmemory_bytes = self.thread.server.store.settings().maxmemory_bytes();
        if self.fault_bytes as u64 > FAULT_BYTES.max(maxmemory_bytes / 4) {
            self.runner.faults.clear();
            self.fault_bytes = 0;
            self.runner.verdict = Some(CommandError::OutOfMemory.to_string());
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

    /// Adds the reads that the requests behind the front will want, up to the first one that
    /// is not a plain command on keys.
    fn look_ahead(&self, wanted: &mut Vec<ReadRequest>) {
        if self.runner.session.transaction.is_some() {
            return;
        }
        for (command, words) in self.window.behind(&self.input) {
            let Some(command) = command else { return };
            let is_plain = matches!(registry::runner(command), Runs::Executor);
            if !is_plain || wanted.len() >= AHEAD_READS {
                return;
            }
            let call = Call {
                command,
                database: self.runner.session.database,
                arguments: &words,
            };
            let executor = self.runner.executor();
            executor.read_ahead(call, &self.runner.faults, wanted);
        }
    }

    /// Waits, and writes the reply.
    async fn wait(&mut self, wait: Wait) -> Result<(), Ended> {
        let server = Arc::clone(&self.thread.server);
        match wait {
            Wait::Checkpoint => match self.unless_ended(server.store.checkpoint()).await? {
                Ok(()) => self.runner.reply.simple("OK"),
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
