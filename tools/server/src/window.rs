//! The requests of a batch that are decoded ahead of the one being run.
//!
//! Owns where their arguments lie in the read buffer. Decoding ahead serves twice: the
//! index and the records that the requests will touch are fetched together, and when one
//! of them needs the tier, the pages of those behind it are read with it; requests that
//! arrive meanwhile join them. INVARIANT: while a request of the window is still to be run,
//! the read buffer is compacted only by [`Window::compact`]. One task.

use std::ops::Range;

use smallvec::SmallVec;
use thermocline_commands::table::{self, Command};
use thermocline_store::{KeyName, Store};

use crate::buffers::Input;
use crate::resp::{Decoded, Decoder, Limits, ProtocolError};

/// Most requests decoded ahead.
const AHEAD_REQUESTS: usize = 64;

/// The arguments of a request.
pub(crate) type Words<'a> = SmallVec<[&'a [u8]; 8]>;

#[derive(Debug)]
struct Request {
    /// `None` if it is unknown or its arity wrong.
    command: Option<&'static Command>,
    /// Which of the window's ranges are those of its arguments.
    first: usize,
    count: usize,
    /// Where in the read buffer the request starts, which its ranges count from.
    start: usize,
    /// The unquoted text of an inline request, which its ranges count from then.
    text: Option<Box<[u8]>>,
}

/// What lies behind the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Perhaps more requests.
    More,
    /// Nothing, or the start of a request that lacks so many bytes.
    Lacks(usize),
    /// Bytes that are no request.
    Broken(ProtocolError),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Window {
    requests: Vec<Request>,
    /// Where the arguments of all of them lie.
    ranges: Vec<Range<usize>>,
    next: usize,
    /// How many of `requests` were looked at for what they will read.
    looked: usize,
    /// Requests run before those of this window.
    run_before: u64,
}

impl Window {
    /// Whether all its requests were run.
    pub(crate) const fn is_empty(&self) -> bool {
        self.next >= self.requests.len()
    }

    /// Whether it holds as many requests as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.requests.len() - self.next >= AHEAD_REQUESTS
    }

    /// Forgets its requests.
    pub(crate) fn clear(&mut self) {
        self.run_before += self.next as u64;
        self.requests.clear();
        self.ranges.clear();
        self.next = 0;
        self.looked = 0;
    }

    /// Lets the requests go that were run.
    fn shed(&mut self) {
        if self.is_empty() {
            self.clear();
        } else if self.next >= AHEAD_REQUESTS / 2 {
            let first = self.requests.get(self.next).map_or(0, |next| next.first);
            self.ranges.drain(..first);
            self.requests.drain(..self.next);
            for request in &mut self.requests {
                request.first -= first;
            }
            self.run_before += self.next as u64;
            self.looked = self.looked.saturating_sub(self.next);
            self.next = 0;
        }
    }

    /// Bytes of the requests still to be run and of what is not decoded.
    pub(crate) fn waiting_bytes(&self, input: &Input) -> usize {
        let first = self.requests.get(self.next);
        let start = first.map_or(input.offset(), |request| request.start);
        input.from(start).len()
    }

    /// Moves what is still to be run to the front of the read buffer, if much is before it.
    pub(crate) fn compact(&mut self, input: &mut Input) {
        let first = self.requests.get(self.next);
        let moved = input.compact(first.map_or(input.offset(), |request| request.start));
        for request in self.requests.iter_mut().skip(self.next) {
            request.start = request.start.saturating_sub(moved);
        }
    }

    /// Decodes the next requests, behind those still to be run.
    pub(crate) fn fill(
        &mut self,
        decoder: &mut Decoder,
        input: &mut Input,
        limits: &Limits,
    ) -> Tail {
        self.shed();
        // What is allowed may change with the request: it may authenticate.
        let most = if limits.unauthenticated {
            1
        } else {
            AHEAD_REQUESTS
        };
        while self.requests.len() - self.next < most {
            let start = input.offset();
            let first = self.ranges.len();
            let consumed = match decoder.decode(input.unread(), limits, &mut self.ranges) {
                Ok(Decoded::Request { bytes, consumed }) => {
                    let arguments = &self.ranges[first..];
                    let word = |range: &Range<usize>| -> &[u8] { &bytes[range.clone()] };
                    let found = match arguments {
                        [name, second, ..] => table::find(&[word(name), word(second)]),
                        [name] => table::find(&[word(name)]),
                        [] => None,
                    };
                    let count = arguments.len();
                    let is_inline = input.unread().first() != Some(&b'*');
                    self.requests.push(Request {
                        command: found.filter(|command| command.accepts(count)),
                        first,
                        count,
                        start,
                        text: is_inline.then(|| bytes.into()),
                    });
                    consumed
                }
                Ok(Decoded::Empty { consumed }) if consumed > 0 => consumed,
                Ok(Decoded::Empty { .. }) => return Tail::Lacks(1),
                Ok(Decoded::Incomplete { needed }) => return Tail::Lacks(needed),
                Err(error) => return Tail::Broken(error),
            };
            input.consume(consumed);
        }
        Tail::More
    }

    /// The request to be run and its command, if it is known and its arity right.
    pub(crate) fn front<'a>(
        &'a self,
        input: &'a Input,
    ) -> Option<(Option<&'static Command>, Words<'a>)> {
        let request = self.requests.get(self.next)?;
        Some((request.command, self.words(request, input)))
    }

    /// Steps over the request that was run.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    /// The number of the request at the front; each has a higher one than those before it.
    pub(crate) const fn number(&self) -> u64 {
        self.run_before + self.next as u64
    }

    /// The first request behind the front that was not looked at, with its number.
    pub(crate) fn unlooked<'a>(
        &'a self,
        input: &'a Input,
    ) -> Option<(u64, Option<&'static Command>, Words<'a>)> {
        let index = self.looked.max(self.next + 1);
        let request = self.requests.get(index)?;
        let number = self.run_before + index as u64;
        Some((number, request.command, self.words(request, input)))
    }

    /// Notes that the request [`Window::unlooked`] gave was looked at.
    pub(crate) fn look_further(&mut self) {
        self.looked = self.looked.max(self.next + 1) + 1;
    }

    /// Has what several requests will touch fetched into the processor's cache.
    pub(crate) fn prefetch(&self, input: &Input, store: &Store, database: u8) {
        let waiting = self.requests.get(self.looked.max(self.next)..);
        let waiting = waiting.unwrap_or_default();
        if waiting.len() < 2 {
            return;
        }
        let mut names: SmallVec<[KeyName<'_>; AHEAD_REQUESTS]> = SmallVec::new();
        for request in waiting {
            let first = request.command.map_or(0, |command| command.first_key);
            let range = usize::try_from(first)
                .ok()
                .filter(|first| *first > 0)
                .and_then(|first| self.ranges_of(request).get(first));
            if let Some(range) = range {
                let key = &bytes(request, input)[range.clone()];
                names.push(KeyName { database, key });
            }
        }
        store.prefetch(&names);
    }

    fn ranges_of(&self, request: &Request) -> &[Range<usize>] {
        &self.ranges[request.first..][..request.count]
    }

    fn words<'a>(&self, request: &'a Request, input: &'a Input) -> Words<'a> {
        let bytes = bytes(request, input);
        let ranges = self.ranges_of(request).iter();
        ranges.map(|range| &bytes[range.clone()]).collect()
    }
}

fn bytes<'a>(request: &'a Request, input: &'a Input) -> &'a [u8] {
    match &request.text {
        Some(text) => text,
        None => input.from(request.start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::Pool;

    fn filled(text: &[u8], limits: &Limits) -> (Vec<(String, usize)>, Tail) {
        let (mut input, pool) = (Input::default(), Pool::default());
        input.room(&pool, text.len())[..text.len()].copy_from_slice(text);
        input.filled(text.len());
        let mut window = Window::default();
        let tail = window.fill(&mut Decoder::new(), &mut input, limits);
        let mut seen = Vec::new();
        loop {
            let Some((command, words)) = window.front(&input) else {
                break;
            };
            let name = command.map_or("?", |command| command.name).to_owned();
            seen.push((name, words.iter().map(|word| word.len()).sum()));
            drop(words);
            window.advance();
        }
        assert!(window.is_empty());
        (seen, tail)
    }

    #[test]
    fn requests_keep_their_words_whatever_form_they_came_in() {
        let text = b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n\r\nset 'a b' c\r\n*1\r\n$3\r\nget\r\n*2\r\n$3";
        let (seen, tail) = filled(text, &Limits::default());
        let expected = [("get", 5), ("set", 7), ("?", 3)];
        assert_eq!(seen, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert!(matches!(tail, Tail::Lacks(_)));
    }

    /// All of a long pipeline, fed in pieces while requests of it are still to be run, comes
    /// out in order, is looked at once, and never takes more than a window.
    #[test]
    fn requests_that_arrive_meanwhile_join_the_window() {
        let (mut input, pool) = (Input::default(), Pool::default());
        let (mut window, mut decoder) = (Window::default(), Decoder::new());
        let text: Vec<u8> = (0..5000_u32)
            .flat_map(|id| format!("*2\r\n$3\r\nGET\r\n$4\r\n{id:04}\r\n").into_bytes())
            .collect();
        let (mut fed, mut run, mut looked) = (0, 0_u64, 1_u64);
        while run < 5000 {
            window.compact(&mut input);
            if !window.is_full() && fed < text.len() {
                let rest = &text[fed..(fed + 333).min(text.len())];
                if fed == 0 {
                    input.room(&pool, 1);
                }
                input.room_behind(rest.len())[..rest.len()].copy_from_slice(rest);
                input.filled(rest.len());
                fed += rest.len();
            }
            window.fill(&mut decoder, &mut input, &Limits::default());
            assert!(window.requests.len() <= 2 * AHEAD_REQUESTS);
            loop {
                let Some((number, _, words)) = window.unlooked(&input) else {
                    break;
                };
                assert_eq!(number, looked.max(run + 1));
                assert_eq!(words[1], format!("{number:04}").as_bytes());
                looked = number + 1;
                drop(words);
                window.look_further();
            }
            for _ in 0..7 {
                assert_eq!(window.number(), run);
                let Some((_, words)) = window.front(&input) else {
                    break;
                };
                assert_eq!(words[1], format!("{run:04}").as_bytes());
                drop(words);
                window.advance();
                run += 1;
            }
        }
        assert!(input.from(0).len() <= 64 * 1024, "the buffer stays small");
    }

    #[test]
    fn what_is_no_request_comes_after_what_is() {
        let (seen, tail) = filled(b"PING\r\n*x\r\n", &Limits::default());
        assert_eq!(seen.len(), 1);
        assert_eq!(tail, Tail::Broken(ProtocolError::InvalidCount));
    }

    #[test]
    fn nothing_is_decoded_behind_a_request_that_may_authenticate() {
        let limits = Limits {
            unauthenticated: true,
            ..Limits::default()
        };
        let (seen, tail) = filled(b"AUTH a\r\nPING\r\n", &limits);
        assert_eq!((seen.len(), tail), (1, Tail::More));
        let many = "PING\r\n".repeat(2 * AHEAD_REQUESTS);
        let (seen, tail) = filled(many.as_bytes(), &Limits::default());
        assert_eq!((seen.len(), tail), (AHEAD_REQUESTS, Tail::More));
    }
}
