//! What other connections have for a client: messages, invalidations, lines of MONITOR.
//!
//! Owns the queue between whoever sends and the connection's task, which puts what it takes
//! between its own replies. Does not know who is subscribed to what, nor limits. Any thread
//! puts, under a lock that is held for one push; one task takes.
//!
//! Letters are shared by those who get them, so what all inboxes hold is counted where a
//! text is made and where its last holder lets it go; what one inbox holds counts as if it
//! were its own.
//!
//! INVARIANT: letters of one sender are taken in the order they were put.
//! INVARIANT: `is_filled` turns true under the lock that the letter was put under, so a task
//! that looks at it after it was woken finds the letter.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use thermocline_base::Lsn;
use thermocline_commands::{ReplyBuffer, Version};

/// The channel on which a RESP2 client hears which keys changed.
const INVALIDATION_CHANNEL: &[u8] = b"__redis__:invalidate";

/// Memory of all texts and of their places in inboxes, in bytes.
static HELD_BYTES: AtomicU64 = AtomicU64::new(0);
/// What a letter takes beside its text, in bytes.
const PLACE_BYTES: u64 = size_of::<Letter>() as u64;
/// Places an empty inbox keeps.
const KEPT_PLACES: usize = 64;

/// What all inboxes hold, in bytes.
pub(crate) fn held_bytes() -> u64 {
    HELD_BYTES.load(Ordering::Relaxed)
}

/// The bytes of letters, counted for as long as they are there.
#[derive(Debug)]
pub(crate) struct Text(Box<[u8]>);

impl Text {
    pub(crate) fn new(bytes: impl Into<Box<[u8]>>) -> Arc<Self> {
        let bytes = bytes.into();
        HELD_BYTES.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Arc::new(Self(bytes))
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.0.len() as u64, Ordering::Relaxed);
    }
}

/// What a letter's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A message of pub/sub but for its first byte, which the protocol decides.
    Message,
    /// The keys to forget, as the last element of the message; null for all of them.
    Invalidation {
        /// Whether another client reads the keys: only then RESP2 has a form for it.
        is_redirected: bool,
    },
    /// The client of that number, to which invalidations were redirected, is gone.
    BrokenRedirection(u64),
    /// A line of MONITOR, whole.
    Line,
}

/// One thing for a client.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) form: Form,
    /// Shared by all who get it.
    pub(crate) bytes: Arc<Text>,
    /// It may not leave before the log may be acknowledged up to here.
    pub(crate) lsn: Lsn,
}

impl Letter {
    /// Memory it takes in an inbox, as if no other had it.
    fn held_bytes(&self) -> u64 {
        PLACE_BYTES + self.bytes.len() as u64
    }

    /// Writes the letter for a client that is subscribed to something or not.
    pub(crate) fn write(&self, reply: &mut ReplyBuffer, is_subscribed: bool) {
        let version = reply.version();
        match (self.form, version) {
            (Form::Line, _) => reply.raw(&self.bytes),
            (Form::Message, Version::Two) => {
                reply.raw(b"*");
                reply.raw(&self.bytes);
            }
            (Form::Message, Version::Three) => {
                reply.raw(b">");
                reply.raw(&self.bytes);
            }
            (Form::Invalidation { .. }, Version::Three) => {
                reply.push(2);
                reply.bulk(b"invalidate");
                self.write_keys(reply);
            }
            (
                Form::Invalidation {
                    is_redirected: true,
                },
                Version::Two,
            ) if is_subscribed => {
                reply.array(3);
                reply.bulk(b"message");
                reply.bulk(INVALIDATION_CHANNEL);
                self.write_keys(reply);
            }
            (Form::BrokenRedirection(id), Version::Three) => {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
            }
            // RESP2 has no place for them.
            (Form::Invalidation { .. } | Form::BrokenRedirection(_), Version::Two) => {}
        }
    }

    fn write_keys(&self, reply: &mut ReplyBuffer) {
        if self.bytes.is_empty() {
            reply.null();
        } else {
            reply.raw(&self.bytes);
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    is_filled: AtomicBool,
    bytes: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    letters: VecDeque<Letter>,
    bytes: u64,
    /// Nobody will take letters any more.
    is_closed: bool,
}

impl Inbox {
    /// Whether there is something to take.
    pub(crate) fn is_filled(&self) -> bool {
        self.is_filled.load(Ordering::Acquire)
    }

    /// Bytes of what waits.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Puts a letter. Whether the inbox was empty, so that its client has to be woken.
    pub(crate) fn put(&self, letter: Letter) -> bool {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return false;
        }
        queue.bytes += letter.held_bytes();
        queue.letters.push_back(letter);
        HELD_BYTES.fetch_add(PLACE_BYTES, Ordering::Relaxed);
        self.bytes.store(queue.bytes, Ordering::Relaxed);
        !self.is_filled.swap(true, Ordering::AcqRel)
    }

    /// Takes letters of about `most_bytes` together, the oldest first.
    pub(crate) fn take(&self, most_bytes: u64) -> Vec<Letter> {
        let mut queue = self.queue.lock();
        let (mut taken, mut taken_bytes) = (Vec::new(), 0);
        while taken_bytes < most_bytes
            && let Some(letter) = queue.letters.pop_front()
        {
            taken_bytes += letter.held_bytes();
            taken.push(letter);
        }
        HELD_BYTES.fetch_sub(PLACE_BYTES * taken.len() as u64, Ordering::Relaxed);
        queue.bytes -= taken_bytes;
        self.bytes.store(queue.bytes, Ordering::Relaxed);
        if queue.letters.is_empty() {
            queue.letters.shrink_to(KEPT_PLACES);
            self.is_filled.store(false, Ordering::Release);
        }
        taken
    }

    /// Forgets what waits and takes nothing more: the client is going.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        let letters = std::mem::take(&mut queue.letters);
        HELD_BYTES.fetch_sub(PLACE_BYTES * letters.len() as u64, Ordering::Relaxed);
        queue.bytes = 0;
        self.bytes.store(0, Ordering::Relaxed);
        self.is_filled.store(false, Ordering::Release);
    }

    /// Whether its client is gone or going.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().is_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(form: Form, bytes: &[u8]) -> Letter {
        let lsn = Lsn::ZERO;
        let bytes = Text::new(bytes);
        Letter { form, bytes, lsn }
    }

    fn written(form: Form, bytes: &[u8], version: Version, is_subscribed: bool) -> String {
        let mut reply = ReplyBuffer::new(version);
        letter(form, bytes).write(&mut reply, is_subscribed);
        String::from_utf8_lossy(&reply.as_bytes()).into_owned()
    }

    #[test]
    fn letters_are_taken_in_order_and_in_portions() {
        let inbox = Inbox::default();
        assert!(inbox.put(letter(Form::Line, b"one")));
        assert!(!inbox.put(letter(Form::Line, b"two")));
        assert_eq!(inbox.bytes(), 6 + 2 * PLACE_BYTES);
        let first = inbox.take(1);
        assert_eq!((first.len(), &**first[0].bytes), (1, &b"one"[..]));
        assert!(inbox.is_filled());
        assert_eq!(inbox.take(u64::MAX).len(), 1);
        assert!(!inbox.is_filled() && inbox.bytes() == 0);
        inbox.put(letter(Form::Line, b"three"));
        inbox.close();
        assert!(!inbox.put(letter(Form::Line, b"four")));
        assert!(inbox.take(u64::MAX).is_empty() && inbox.is_closed());
    }

    #[test]
    fn a_letter_has_a_form_for_each_protocol() {
        let direct = Form::Invalidation {
            is_redirected: false,
        };
        let redirected = Form::Invalidation {
            is_redirected: true,
        };
        let keys = b"*1\r\n$1\r\nk\r\n";
        let (two, three) = (Version::Two, Version::Three);
        assert_eq!(written(Form::Message, b"3\r\n", two, true), "*3\r\n");
        assert_eq!(written(Form::Message, b"3\r\n", three, true), ">3\r\n");
        let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
        assert_eq!(written(direct, keys, three, false), push);
        assert_eq!(
            written(direct, b"", three, false),
            ">2\r\n$10\r\ninvalidate\r\n_\r\n"
        );
        assert_eq!(written(direct, keys, two, true), "");
        assert_eq!(written(redirected, keys, two, false), "");
        let message = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n";
        assert_eq!(written(redirected, b"", two, true), message);
        let broken = Form::BrokenRedirection(7);
        assert_eq!(
            written(broken, b"", three, false),
            ">2\r\n$21\r\ntracking-redir-broken\r\n:7\r\n"
        );
        assert_eq!(written(broken, b"", two, false), "");
    }
}
