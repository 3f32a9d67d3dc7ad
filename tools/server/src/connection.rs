//! One connection: reads requests, runs them in order, sends the replies of a batch at once.
//!
//! Owns the socket, the decoder and the bytes on both ways. Requests that need something
//! first wait in `waits`, those that wait for keys in `blocked`. INVARIANT: a request leaves
//! the window only once its reply is written, so that it can be run again, or a wait for its
//! keys has a copy of it. INVARIANT: no reply leaves before the log position it depends on
//! may be acknowledged. One task of the connection's thread.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use thermocline_commands::Version;
use tracing::debug;

use crate::ahead::Ahead;
use crate::buffers::{Input, Output};
use crate::clients::{Client, End};
use crate::dispatch::{Runner, Step};
use crate::resp::{Decoder, Limits};
use crate::session::Session;
use crate::socket::Socket;
use crate::thread::Thread;
use crate::turns::{LONG_TURN_NS, Pace};
use crate::window::{Tail, Window};

/// Requests run before other connections of the thread get their turn, if the time of a turn
/// is not over before: one that takes long is the last of its batch.
const BATCH_REQUESTS: usize = 256;
/// Requests run from pages read ahead before their replies leave, while the disk has little
/// to do: the client answers them with the next requests, whose reads it can begin.
const AHEAD_STEP_REQUESTS: usize = 16;
/// Bytes of replies after which a batch is sent.
const BATCH_REPLY_BYTES: usize = 256 * 1024;
/// Most bytes of a reply buffer that are kept for the next replies.
const KEPT_REPLY_BYTES: usize = 64 * 1024;
/// How long a closing connection may take to accept its last replies.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// The connection is over: by its client, by an operator, or by a limit.
#[derive(Debug)]
pub(crate) struct Ended;

/// Why a batch ended.
enum Stop {
    /// All that was read is run, but for the start of a request.
    Drained,
    /// It is another connection's turn, or enough replies are there to be sent.
    Yield,
    /// The connection ends after its replies.
    Close,
    /// The request at the front waits.
    Wait(Step),
}

/// See the module.
pub(crate) struct Connection {
    pub(crate) thread: Rc<Thread>,
    pub(crate) runner: Runner,
    pub(crate) client: Arc<Client>,
    pub(crate) input: Input,
    pub(crate) window: Window,
    /// What lies behind the window.
    pub(crate) tail: Tail,
    pub(crate) decoder: Decoder,
    pub(crate) socket: Socket,
    pub(crate) output: Output,
    /// Read while a command waited for its keys; comes before what the socket has.
    pub(crate) held: Vec<u8>,
    /// Kept while the connection holds no reply buffer.
    version: Version,
    /// Bytes the request at the front still lacks, by its client's word.
    needed: usize,
    is_registered: bool,
    /// What is read from the tier for the requests of the window.
    pub(crate) ahead: Ahead,
    /// Whether the socket has ended or failed while requests were still to be run: it is
    /// asked again once they are.
    pub(crate) is_input_over: bool,
    /// Fetches in a row that did not help the request at the front.
    pub(crate) stalled_fetches: u32,
    pace: Pace,
}

impl Connection {
    /// A connection over an accepted socket.
    pub(crate) fn new(thread: &Rc<Thread>, client: &Arc<Client>, socket: Socket) -> Self {
        let mut session = Session::new(Arc::clone(client));
        let server = &thread.server;
        session.authenticate(!server.live.has_password(), server.now_ns());
        Self {
            thread: Rc::clone(thread),
            runner: Runner::new(&thread.server, &thread.statistics, session),
            client: Arc::clone(client),
            input: Input::default(),
            window: Window::default(),
            tail: Tail::More,
            decoder: Decoder::new(),
            socket,
            output: Output::default(),
            held: Vec::new(),
            version: Version::default(),
            needed: 1,
            is_registered: false,
            ahead: Ahead::default(),
            is_input_over: false,
            stalled_fetches: 0,
            pace: thread.turns.newcomer(),
        }
    }

    /// Serves the client until it or the server ends the connection.
    pub(crate) async fn serve(mut self) {
        if self.serve_batches().await.is_err() {
            debug!("client {} is gone", self.client.address);
        }
        let server = Arc::clone(&self.thread.server);
        // Its watched keys may be of shards that a script holds.
        server.gate.is_open().await;
        self.client.inbox.close();
        let session = &mut self.runner.session;
        while session.leave_some(&server) {
            tokio::task::yield_now().await;
            server.gate.is_open().await;
        }
        session.end_transaction(&server.store);
        session.leave(&server);
    }

    async fn serve_batches(&mut self) -> Result<(), Ended> {
        loop {
            self.receive().await?;
            self.until_room().await;
            self.begin_batch();
            loop {
                match self.take_turn().await? {
                    Stop::Drained => break,
                    Stop::Yield => {
                        self.send().await?;
                        tokio::task::yield_now().await;
                        self.until_room().await;
                        poll_fn(|context| Poll::Ready(self.refill(context))).await?;
                    }
                    Stop::Close => {
                        self.send().await?;
                        return self.drain().await;
                    }
                    Stop::Wait(step) => self.resolve(step).await?,
                }
                if self.client.end() == End::Now {
                    return Err(Ended);
                }
                self.runner.refresh();
            }
            self.send().await?;
            self.end_batch();
        }
    }

    /// Returns once something was read or has come into the inbox; meanwhile sends what is left to be sent.
    async fn receive(&mut self) -> Result<(), Ended> {
        let read = poll_fn(|context| self.poll_receive(context)).await?;
        if read == 0 {
            return Ok(());
        }
        self.note_received(read)
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, Ended>> {
        if !self.is_registered {
            self.client.register(context.waker());
            self.is_registered = true;
        }
        match self.client.end() {
            End::Now => return Poll::Ready(Err(Ended)),
            End::Soon if self.output.is_empty() => return Poll::Ready(Err(Ended)),
            _ => {}
        }
        if !self.output.is_empty() {
            self.send_output(context)?;
        }
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let room = self.input.room(&self.thread.pool, held.len());
            let taken = held.len().min(room.len());
            room[..taken].copy_from_slice(&held[..taken]);
            self.input.filled(taken);
            self.held = held[taken..].to_vec();
            return Poll::Ready(Ok(taken));
        }
        if self.output.is_empty() && self.client.inbox.is_filled() {
            return Poll::Ready(Ok(0));
        }
        let room = self.input.room(&self.thread.pool, self.needed);
        match self.socket.poll_read(context, room) {
            Poll::Ready(Ok(read)) if read > 0 => {
                self.input.filled(read);
                Poll::Ready(Ok(read))
            }
            Poll::Ready(_) => Poll::Ready(Err(Ended)),
            Poll::Pending => {
                if self.input.len() == 0 {
                    self.input.settle(&self.thread.pool);
                }
                self.hold_little();
                Poll::Pending
            }
        }
    }

    /// While a command waits for its keys: sends what is left, and reads what the client
    /// sends, which the window must not see yet. An error at the end of the connection.
    pub(crate) fn poll_hold(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        /// Bytes read at once.
        const STEP_BYTES: usize = 16 * 1024;
        self.send_output(context)?;
        while self.socket.is_readable(context) {
            let before = self.held.len();
            self.held.resize(before + STEP_BYTES, 0);
            let read = self.socket.poll_read(context, &mut self.held[before..]);
            let Poll::Ready(read) = read else {
                self.held.truncate(before);
                if before == 0 {
                    self.held = Vec::new();
                }
                break;
            };
            let read = read.ok().filter(|read| *read > 0).ok_or(Ended)?;
            self.held.truncate(before + read);
            let limit = self.thread.server.live.query_buffer_bytes.load(Relaxed);
            if self.held.len() as u64 > limit {
                return Err(self.end_for_query());
            }
        }
        self.account(true);
        Ok(())
    }

    fn begin_batch(&mut self) {
        self.thread
            .server
            .statistics
            .refresh(&self.thread.statistics);
        self.runner.refresh();
        self.client.used_at_ns.store(self.runner.now_ns(), Relaxed);
        self.runner.reply = self.thread.pool.take_reply();
        self.runner.reply.set_version(self.version);
        self.bound_replies();
        self.window = self.thread.pool.take_window();
    }

    fn end_batch(&mut self) {
        self.input.settle(&self.thread.pool);
        self.account(false);
        let (client, query_bytes) = (&self.client, self.input.len());
        client.query_bytes.store(query_bytes as u64, Relaxed);
        let spare_bytes = self.input.capacity().saturating_sub(query_bytes);
        client.spare_query_bytes.store(spare_bytes as u64, Relaxed);
        let queued_bytes = self.runner.session.queued_bytes();
        client.queued_bytes.store(queued_bytes as u64, Relaxed);
        client.chunks.store(self.output.chunks() as u64, Relaxed);
        self.version = self.runner.reply.version();
        self.client.version.store(
            match self.version {
                Version::Two => 2,
                Version::Three => 3,
            },
            Relaxed,
        );
        let reply = std::mem::take(&mut self.runner.reply);
        self.thread.pool.give_reply(reply);
        let window = std::mem::take(&mut self.window);
        self.thread.pool.give_window(window);
        self.is_input_over = false;
        self.drop_pages();
    }

    /// Forgets what was read for the batch.
    pub(crate) fn drop_pages(&mut self) {
        if !self.ahead.is_empty() {
            self.ahead.clear(&mut self.runner.faults);
        }
    }

    /// Runs requests once it is this connection's turn.
    async fn take_turn(&mut self) -> Result<Stop, Ended> {
        if !self.pace.takes_long() {
            return Ok(self.run_batch());
        }
        let thread = Rc::clone(&self.thread);
        let _turn = thread.turns.long_turn().await;
        if self.client.end() == End::Now {
            return Err(Ended);
        }
        self.runner.refresh();
        let stop = self.run_batch();
        // The others have theirs before the next that takes long.
        tokio::task::yield_now().await;
        Ok(stop)
    }

    /// Runs requests until there is a reason to stop.
    fn run_batch(&mut self) -> Stop {
        let begun_ns = self.runner.now_ns();
        let stop = self.run_requests(begun_ns);
        self.runner.end_lease();
        let spent_ns = self.runner.now_ns().saturating_sub(begun_ns);
        self.thread.turns.note(&mut self.pace, spent_ns);
        stop
    }

    fn run_requests(&mut self, begun_ns: u64) -> Stop {
        for count in 0..BATCH_REQUESTS {
            let is_due =
                count == AHEAD_STEP_REQUESTS && !self.window.is_empty() && self.is_disk_shallow();
            let reply = &self.runner.reply;
            let is_late = self.runner.now_ns().saturating_sub(begun_ns) > LONG_TURN_NS;
            if is_due || is_late || reply.len() >= BATCH_REPLY_BYTES || reply.is_cut() {
                return Stop::Yield;
            }
            if self.window.is_empty()
                && let Some(stop) = self.decode()
            {
                return stop;
            }
            let Some((command, words)) = self.window.front(&self.input) else {
                continue;
            };
            let step = self.runner.step(command, &words);
            drop(words);
            match step {
                Step::Done => self.advance(),
                Step::Close => return Stop::Close,
                step => return Stop::Wait(step),
            }
        }
        Stop::Yield
    }

    /// Steps over the request at the front, whose reply is written.
    pub(crate) fn advance(&mut self) {
        self.window.advance();
        self.stalled_fetches = 0;
        self.runner.faults.forget_decoded();
    }

    /// Decodes what was read behind the requests that are still to be run.
    pub(crate) fn fill_window(&mut self) {
        let session = &self.runner.session;
        let limits = Limits {
            bulk_bytes: self.runner.bulk_bytes(),
            unauthenticated: !session.is_authenticated,
            ..Limits::default()
        };
        if self.tail == Tail::More {
            self.tail = self
                .window
                .fill(&mut self.decoder, &mut self.input, &limits);
        }
    }

    /// Fills the window; a reason to stop if there is no request.
    fn decode(&mut self) -> Option<Stop> {
        self.fill_window();
        if !self.window.is_empty() {
            let database = self.runner.session.database;
            let store = &self.thread.server.store;
            self.window.prefetch(&self.input, store, database);
            return None;
        }
        match self.tail {
            Tail::More => None,
            Tail::Lacks(needed) => {
                self.tail = Tail::More;
                self.needed = needed;
                Some(Stop::Drained)
            }
            Tail::Broken(error) => {
                debug!("closing {}: {error}", self.client.address);
                self.runner.reply.error(&format!("ERR {error}"));
                Some(Stop::Close)
            }
        }
    }

    /// Sends the replies written so far, as far as the socket takes them now; what it does
    /// not take is sent when it does, while requests go on being read: a client may send a
    /// long pipeline before it reads the first reply.
    pub(crate) async fn send(&mut self) -> Result<(), Ended> {
        self.count_answers();
        if self.client.inbox.is_filled() && self.output.is_empty() {
            self.runner.take_letters();
        }
        if self.runner.reply.is_cut() {
            return Err(self.end_for_output(
                "its replies are more than client-output-buffer-limit or maxmemory-clients allow",
            ));
        }
        if self.runner.reply.is_empty() {
            return Ok(());
        }
        let (store, lsn) = (&self.thread.server.store, self.runner.lsn);
        if !store.may_acknowledge(lsn) {
            store.acknowledgeable(lsn).await;
        }
        poll_fn(|context| Poll::Ready(self.send_replies(context))).await
    }

    fn send_replies(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        let mut sent = 0;
        if self.output.is_empty() {
            'sending: for piece in self.runner.reply.pieces() {
                let mut rest = piece;
                while !rest.is_empty() {
                    match self.socket.poll_write(context, rest) {
                        Poll::Ready(Ok(taken)) if taken > 0 => {
                            sent += taken;
                            rest = &rest[taken..];
                        }
                        Poll::Ready(_) => return Err(Ended),
                        Poll::Pending => break 'sending,
                    }
                }
            }
        }
        let reply = &mut self.runner.reply;
        if sent < reply.len() {
            self.output.take_behind(reply.take(), sent);
        } else {
            reply.clear(KEPT_REPLY_BYTES);
        }
        self.count_sent(sent);
        self.account(false);
        self.bound_replies();
        let hard_bytes = self.most_unread_bytes();
        if hard_bytes > 0 && self.client.unread_bytes() > hard_bytes {
            return Err(self.end_for_output("it reached client-output-buffer-limit"));
        }
        Ok(())
    }

    /// Sends what is left from before. `Ok` also if the socket takes no more now.
    pub(crate) fn send_output(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        while !self.output.is_empty() {
            match self.socket.poll_write(context, self.output.unsent()) {
                Poll::Ready(Ok(taken)) if taken > 0 => {
                    self.output.sent(taken);
                    self.count_sent(taken);
                }
                Poll::Ready(_) => return Err(Ended),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Sends what is in the inbox, as far as the socket takes it now and the log has come, if
    /// no reply is under construction.
    fn send_letters(&mut self, context: &mut Context<'_>) -> Result<(), Ended> {
        self.send_output(context)?;
        while self.client.inbox.is_filled()
            && self.output.is_empty()
            && self.runner.reply.is_empty()
        {
            self.runner.take_letters();
            let store = &self.thread.server.store;
            if !store.may_acknowledge(self.runner.lsn) {
                // They leave with the next reply, or the next letter.
                return Ok(());
            }
            self.send_replies(context)?;
        }
        Ok(())
    }

    fn count_sent(&self, sent: usize) {
        let (statistics, client) = (&self.thread.statistics, &self.client);
        statistics.writes.add(1);
        statistics.output_bytes.add(sent as u64);
        let total = client.output_bytes.load(Relaxed) + sent as u64;
        client.output_bytes.store(total, Relaxed);
        client
            .pending_bytes
            .store(self.output.unsent_bytes() as u64, Relaxed);
    }

    fn count_answers(&mut self) {
        let answered = std::mem::take(&mut self.runner.answered);
        self.thread.statistics.commands.add(answered);
        let total = self.client.commands.load(Relaxed) + answered;
        self.client.commands.store(total, Relaxed);
    }

    /// Sends what is left before the connection closes, for a while.
    async fn drain(&mut self) -> Result<(), Ended> {
        let sent = poll_fn(|context| {
            if self.client.end() == End::Now || self.send_output(context).is_err() {
                return Poll::Ready(Err(Ended));
            }
            if self.output.is_empty() {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        });
        tokio::time::timeout(CLOSE_WAIT, sent)
            .await
            .unwrap_or(Err(Ended))
    }

    /// The output of `wait`, unless the connection is to end first. Meanwhile letters are
    /// sent.
    pub(crate) async fn unless_ended<T>(
        &mut self,
        wait: impl Future<Output = T>,
    ) -> Result<T, Ended> {
        let mut wait = pin!(wait);
        self.client.is_blocked.store(true, Relaxed);
        let output = poll_fn(|context| {
            if self.client.end() != End::No {
                return Poll::Ready(Err(Ended));
            }
            if let Poll::Ready(output) = wait.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            self.send_letters(context)?;
            Poll::Pending
        })
        .await;
        self.client.is_blocked.store(false, Relaxed);
        output
    }
}
