//! The bytes of a connection on their way in and out.
//!
//! Owns the read buffer, what the socket did not take yet, and the thread's pool of idle
//! buffers: a connection that waits for its client holds none. INVARIANT: a read buffer is
//! compacted only between batches, or with the window told of it, so the offsets of decoded
//! requests stay true. One thread.

use std::cell::RefCell;
use std::collections::VecDeque;

use thermocline_commands::ReplyBuffer;

use crate::window::Window;

/// Bytes of a read buffer in the pool.
const INPUT_BYTES: usize = 16 * 1024;
/// Most bytes a read buffer grows at once, whatever length a client declares.
const GROWTH_BYTES: usize = 1 << 20;
/// Bytes up to which replies that are left to be sent are put into one chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// Most idle buffers a thread keeps.
const POOLED: usize = 64;

/// Idle buffers of a thread, the last used first.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    inputs: RefCell<Vec<Vec<u8>>>,
    replies: RefCell<Vec<ReplyBuffer>>,
    windows: RefCell<Vec<Window>>,
}

impl Pool {
    fn take_input(&self) -> Vec<u8> {
        let pooled = self.inputs.borrow_mut().pop();
        pooled.unwrap_or_else(|| vec![0; INPUT_BYTES])
    }

    fn give_input(&self, bytes: Vec<u8>) {
        let mut inputs = self.inputs.borrow_mut();
        if bytes.len() == INPUT_BYTES && inputs.len() < POOLED {
            inputs.push(bytes);
        }
    }

    /// An empty window.
    pub(crate) fn take_window(&self) -> Window {
        self.windows.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a window back.
    pub(crate) fn give_window(&self, mut window: Window) {
        window.clear();
        let mut windows = self.windows.borrow_mut();
        if windows.len() < POOLED {
            windows.push(window);
        }
    }

    /// An empty reply buffer.
    pub(crate) fn take_reply(&self) -> ReplyBuffer {
        self.replies.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes an empty reply buffer back.
    pub(crate) fn give_reply(&self, reply: ReplyBuffer) {
        let mut replies = self.replies.borrow_mut();
        if replies.len() < POOLED {
            replies.push(reply);
        }
    }
}

/// What was read and not yet run.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// All of it writable; empty while there is nothing to hold.
    bytes: Vec<u8>,
    /// Where the unread bytes begin.
    start: usize,
    /// Where they end.
    end: usize,
}

impl Input {
    /// The bytes not yet decoded.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where the bytes not yet decoded begin.
    pub(crate) const fn offset(&self) -> usize {
        self.start
    }

    /// The bytes from `offset` on, decoded ones too.
    pub(crate) fn from(&self, offset: usize) -> &[u8] {
        self.bytes.get(offset..self.end).unwrap_or_default()
    }

    /// Steps over bytes that were decoded.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
    }

    /// How many bytes are not yet decoded.
    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Bytes of the buffer.
    pub(crate) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of the buffer beyond one of the pool's.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity().saturating_sub(INPUT_BYTES)
    }

    /// Before a wait: gives a buffer of the pool back and keeps what is in it in one of its
    /// own size, if that is much less. Offsets stay true.
    pub(crate) fn shrink(&mut self, pool: &Pool) {
        if self.bytes.len() == INPUT_BYTES && self.end <= INPUT_BYTES / 4 {
            let kept = self.bytes[..self.end].to_vec();
            pool.give_input(std::mem::replace(&mut self.bytes, kept));
        }
    }

    /// Makes room behind requests that are decoded and still to be run, the first of which
    /// begins at `kept`, when much of the buffer is before it. How far everything from there
    /// on has moved to the front.
    pub(crate) fn compact(&mut self, kept: usize) -> usize {
        if kept <= self.bytes.len() / 2 || kept > self.start {
            return 0;
        }
        self.bytes.copy_within(kept..self.end, 0);
        self.start -= kept;
        self.end -= kept;
        kept
    }

    /// Room to read into behind requests that are still to be run: as [`Input::room`], but
    /// nothing moves, and there is enough for several requests.
    pub(crate) fn room_behind(&mut self, needed: usize) -> &mut [u8] {
        let wanted = needed.clamp(INPUT_BYTES / 4, GROWTH_BYTES);
        if self.bytes.len() - self.end < wanted {
            self.bytes.resize(self.end + wanted, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Room to read into, for at least one byte; `needed` is how many bytes the request at
    /// hand still lacks, by its client's word.
    pub(crate) fn room(&mut self, pool: &Pool, needed: usize) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = pool.take_input();
        }
        if self.start > 0 && self.bytes.len() - self.end < needed.min(INPUT_BYTES / 2) {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let wanted = needed.clamp(1, GROWTH_BYTES);
        if self.bytes.len() < INPUT_BYTES && wanted <= INPUT_BYTES / 2 {
            // It was shrunk.
            let mut bytes = pool.take_input();
            bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes = bytes;
        }
        if self.bytes.len() - self.end < wanted {
            // As much again as there is, so that what comes in small pieces is not read
            // in small pieces.
            let grown = self.end + wanted.max(self.end.min(GROWTH_BYTES));
            grow(&mut self.bytes, grown);
            self.bytes.resize(grown, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Counts bytes that were read into the room.
    pub(crate) fn filled(&mut self, bytes: usize) {
        self.end = self.bytes.len().min(self.end + bytes);
    }

    /// Between batches: gives an empty buffer back, moves a rest to the front of its own.
    pub(crate) fn settle(&mut self, pool: &Pool) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            let bytes = std::mem::take(&mut self.bytes);
            if !bytes.is_empty() {
                pool.give_input(bytes);
            }
        } else if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

/// Makes room for `length` bytes in all: a quarter more than there was, not twice as much,
/// since what is not used counts as held all the same.
fn grow(bytes: &mut Vec<u8>, length: usize) {
    let before = bytes.capacity();
    if length > before {
        let capacity = length.max(before + before / 4);
        bytes.reserve_exact(capacity - bytes.len());
    }
}

/// Replies that the socket did not take yet, in chunks: what has left is freed, and none is
/// moved for what comes behind it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that have left.
    sent: usize,
    unsent_bytes: usize,
    held_bytes: usize,
}

impl Output {
    /// The bytes to be sent next.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |first| &first[self.sent..])
    }

    /// How many bytes are still to be sent.
    pub(crate) const fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// Bytes of the chunks.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Appends what is left of replies of which the first `sent` bytes have left; none have if
    /// there is something before them.
    pub(crate) fn take_behind(&mut self, replies: Vec<Vec<u8>>, mut sent: usize) {
        for piece in replies {
            let Some(rest) = piece.get(sent..).filter(|rest| !rest.is_empty()) else {
                sent -= piece.len();
                continue;
            };
            // A piece that is mostly empty or has mostly left takes more than it holds.
            if rest.len() < CHUNK_BYTES || rest.len() < piece.capacity() / 2 {
                self.push(rest);
            } else {
                self.take(piece, sent);
            }
            sent = 0;
        }
    }

    /// Appends a piece of which `sent` bytes have left.
    fn take(&mut self, piece: Vec<u8>, sent: usize) {
        if self.chunks.is_empty() {
            self.sent = sent;
        }
        self.unsent_bytes += piece.len() - sent;
        self.held_bytes += piece.capacity();
        self.chunks.push_back(piece);
    }

    /// Appends replies.
    fn push(&mut self, replies: &[u8]) {
        match self.chunks.back_mut() {
            Some(last) if last.len() + replies.len() <= CHUNK_BYTES => {
                self.held_bytes -= last.capacity();
                last.extend_from_slice(replies);
                self.held_bytes += last.capacity();
                self.unsent_bytes += replies.len();
            }
            _ => self.take(replies.to_vec(), 0),
        }
    }

    /// Steps over bytes the socket took, at most those of [`Output::unsent`].
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        self.unsent_bytes -= bytes;
        if self.unsent().is_empty()
            && let Some(first) = self.chunks.pop_front()
        {
            self.held_bytes -= first.capacity();
            self.sent = 0;
        }
        if self.chunks.is_empty() {
            *self = Self::default();
        }
    }

    /// Whether all was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &mut Input, pool: &Pool, needed: usize, text: &[u8]) {
        let room = input.room(pool, needed);
        room[..text.len()].copy_from_slice(text);
        input.filled(text.len());
    }

    #[test]
    fn an_idle_connection_holds_no_buffer() {
        let (mut input, pool) = (Input::default(), Pool::default());
        read(&mut input, &pool, 1, b"abc");
        input.consume(1);
        input.settle(&pool);
        assert_eq!(input.unread(), b"bc");
        assert!(pool.inputs.borrow().is_empty());
        input.consume(2);
        input.settle(&pool);
        assert!(input.bytes.is_empty());
        assert_eq!(pool.inputs.borrow().len(), 1);
    }

    #[test]
    fn a_declared_length_buys_at_most_a_growth_step() {
        let (mut input, pool) = (Input::default(), Pool::default());
        assert_eq!(input.room(&pool, usize::MAX).len(), GROWTH_BYTES);
        let mut total = 0;
        while input.len() < 5 << 20 {
            let room = input.room(&pool, 10 << 20).len();
            assert!(room <= GROWTH_BYTES.max(2 * input.len()));
            input.filled(room);
            total += 1;
        }
        assert!(total < 20);
        let length = input.len();
        input.consume(length);
        input.settle(&pool);
        assert!(
            pool.inputs.borrow().is_empty(),
            "a grown buffer is not pooled"
        );
    }

    #[test]
    fn requests_still_to_be_run_move_to_the_front_together() {
        let (mut input, pool) = (Input::default(), Pool::default());
        let text = [b'x'; INPUT_BYTES - 8];
        read(&mut input, &pool, 1, &text);
        read(&mut input, &pool, 1, b"run rest");
        assert_eq!(input.compact(8), 0, "little is before them");
        input.consume(INPUT_BYTES - 4);
        let kept = INPUT_BYTES - 8;
        assert_eq!(input.compact(kept), kept);
        assert_eq!(input.from(0), b"run rest");
        assert_eq!(input.unread(), b"rest");
        assert!(input.room_behind(1).len() > INPUT_BYTES / 2);
        assert_eq!(input.bytes.len(), INPUT_BYTES);
        assert_eq!(input.from(0), b"run rest");
    }

    #[test]
    fn a_connection_that_waits_amid_a_request_holds_little_more_than_it() {
        let (mut input, pool) = (Input::default(), Pool::default());
        read(&mut input, &pool, 1, b"done half");
        input.consume(5);
        input.shrink(&pool);
        assert_eq!((input.unread(), input.capacity()), (&b"half"[..], 9));
        assert_eq!(pool.inputs.borrow().len(), 1);
        read(&mut input, &pool, 1, b"way");
        assert_eq!(input.unread(), b"halfway");
        assert_eq!(input.capacity(), INPUT_BYTES);
        let more = vec![b'x'; INPUT_BYTES / 2];
        read(&mut input, &pool, more.len(), &more);
        input.shrink(&pool);
        assert_eq!(input.capacity(), INPUT_BYTES, "it holds much");
        assert_eq!(input.len(), 7 + more.len());
    }

    #[test]
    fn output_keeps_order_across_partial_sends() {
        let mut output = Output::default();
        output.push(b"abcdef");
        output.sent(4);
        output.push(b"gh");
        assert_eq!(output.unsent(), b"efgh");
        output.sent(4);
        assert!(output.is_empty());
    }

    #[test]
    fn output_frees_what_has_left_and_counts_what_has_not() {
        let mut output = Output::default();
        let large = vec![b'a'; 3 * CHUNK_BYTES];
        output.take(large, 2 * CHUNK_BYTES);
        output.take_behind(vec![b"b".to_vec(), b"c".to_vec()], 0);
        assert_eq!(output.unsent_bytes(), CHUNK_BYTES + 2);
        assert_eq!(output.unsent().len(), CHUNK_BYTES);
        assert!(output.held_bytes() > 3 * CHUNK_BYTES);
        output.sent(CHUNK_BYTES);
        assert_eq!(output.unsent(), b"bc");
        assert!(output.held_bytes() < CHUNK_BYTES);
        output.take(b"d".to_vec(), 0);
        output.sent(2);
        assert_eq!((output.unsent(), output.unsent_bytes()), (&b"d"[..], 1));
        output.sent(1);
        assert!(output.is_empty() && output.held_bytes() == 0);
    }

    #[test]
    fn what_is_left_of_pieces_follows_what_has_left() {
        let pieces = || vec![vec![b'a'; 10], vec![b'b'; 2 * CHUNK_BYTES], vec![b'c'; 10]];
        let all = pieces().concat();
        for sent in [0, 1, 10, 11, 2 * CHUNK_BYTES, all.len() - 3] {
            let mut output = Output::default();
            output.take_behind(pieces(), sent);
            assert_eq!(output.unsent_bytes(), all.len() - sent);
            let mut left = Vec::new();
            while !output.is_empty() {
                left.push(output.unsent()[0]);
                output.sent(1);
            }
            assert!(left == all[sent..], "{sent} bytes have left");
            assert_eq!(output.held_bytes(), 0);
        }
    }
}
