//! The kinds of hostile clients.
//!
//! Owns what each sends first and then for ever, and whether it ever reads. One that is
//! closed comes again. Each on a thread of its own.

use crate::bench::BenchError;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use thermocline_benches::client::{Client, write_request};

pub(super) const PASSWORD: &[u8] = b"only friends know";
/// How long one write waits before the end is looked for.
const WAIT: Duration = Duration::from_millis(200);
/// Before a client that was closed comes again.
const RETRY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Whether it authenticates.
    is_member: bool,
    /// Whether it reads what comes.
    reads: bool,
    /// What comes first.
    begin: fn() -> Vec<u8>,
    /// What comes then; the number grows with each.
    next: fn(u64) -> Vec<u8>,
}

impl Kind {
    const fn member(name: &'static str, begin: fn() -> Vec<u8>, next: fn(u64) -> Vec<u8>) -> Self {
        Self {
            name,
            is_member: true,
            reads: false,
            begin,
            next,
        }
    }

    const fn stranger(name: &'static str, next: fn(u64) -> Vec<u8>) -> Self {
        Self {
            is_member: false,
            ..Self::member(name, nothing, next)
        }
    }

    const fn reading(self) -> Self {
        Self {
            reads: true,
            ..self
        }
    }

    /// Does harm until `stop`.
    pub(super) fn run(&self, port: u16, number: u64, stop: &AtomicBool) {
        // Clients of one kind do not send the same.
        let mut count = number << 32;
        while !stop.load(Relaxed) {
            let _ = self.attack(port, &mut count, stop);
            std::thread::sleep(RETRY);
        }
    }

    fn attack(&self, port: u16, count: &mut u64, stop: &AtomicBool) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_write_timeout(Some(WAIT))?;
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        let mut begin = Vec::new();
        if self.is_member {
            write_request(&[b"AUTH", PASSWORD], &mut begin);
        }
        begin.extend((self.begin)());
        let mut unsent = begin;
        let mut sent = 0;
        let mut read = vec![0; 1 << 16];
        while !stop.load(Relaxed) {
            if sent == unsent.len() {
                *count += 1;
                unsent = (self.next)(*count);
                sent = 0;
                if unsent.is_empty() {
                    std::thread::sleep(WAIT);
                }
            }
            match stream.write(unsent.get(sent..).unwrap_or_default()) {
                Ok(taken) => sent += taken,
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
            if self.reads {
                match stream.read(&mut read) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if is_timeout(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Makes the keys that some kinds ask for.
pub(super) fn fill(client: &mut Client) -> Result<(), BenchError> {
    let element = vec![b'e'; 64 << 10];
    for (key, elements) in [(b"medium", 160), (b"larger", 1600)] {
        for _ in 0..elements {
            client.ask(&[b"RPUSH", key, &element])?;
        }
    }
    let value = vec![b'v'; 1 << 20];
    client.order(&[b"SET", b"value", &value])?;
    Ok(())
}

fn nothing() -> Vec<u8> {
    Vec::new()
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(words, &mut bytes);
    bytes
}

/// A request of a thousand words behind the first, each other than all before.
fn thousand(name: &[u8], count: u64, word_bytes: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..1000)
        .map(|index| {
            let mut word = format!("{count}:{index}:").into_bytes();
            word.resize(word.len().max(word_bytes), b'w');
            word
        })
        .collect();
    let mut all = vec![name];
    all.extend(words.iter().map(Vec::as_slice));
    request(&all)
}

fn block(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

fn script(text: &str) -> Vec<u8> {
    request(&[b"EVAL", text.as_bytes(), b"0"])
}

pub(super) const KINDS: &[Kind] = &[
    Kind::member("values never read", nothing, |_| {
        request(&[b"GET", b"value"]).repeat(100)
    }),
    Kind::member("a list of 10 MiB never read", nothing, |_| {
        request(&[b"LRANGE", b"medium", b"0", b"-1"]).repeat(1000)
    }),
    Kind::member("a list of 100 MiB never read", nothing, |_| {
        request(&[b"LRANGE", b"larger", b"0", b"-1"]).repeat(1000)
    }),
    Kind::member("a list of 100 MiB read", nothing, |_| {
        request(&[b"LRANGE", b"larger", b"0", b"-1"])
    })
    .reading(),
    Kind::member("one value a thousand times", nothing, |_| {
        let mut words: Vec<&[u8]> = vec![b"MGET"];
        words.resize(1001, b"value");
        request(&words)
    }),
    Kind::member(
        "a transaction of long replies",
        || request(&[b"MULTI"]),
        |count| match count % 101 {
            100 => [request(&[b"EXEC"]), request(&[b"MULTI"])].concat(),
            _ => request(&[b"LRANGE", b"medium", b"0", b"-1"]),
        },
    ),
    Kind::member(
        "an argument without an end",
        || b"*2\r\n$3\r\nGET\r\n$500000000\r\n".to_vec(),
        |_| block(1 << 16),
    ),
    Kind::member(
        "arguments without an end",
        || b"*1048576\r\n".to_vec(),
        |_| b"$0\r\n\r\n".repeat(10_000),
    ),
    Kind::member(
        "long arguments without an end",
        || b"*1048576\r\n".to_vec(),
        |_| [b"$65536\r\n".to_vec(), block(65536), b"\r\n".to_vec()].concat(),
    ),
    Kind::member("a line without an end", nothing, |_| block(1 << 14)),
    Kind::member("nested requests", nothing, |_| b"*1\r\n".repeat(10_000)),
    Kind::member("counts beyond all numbers", nothing, |count| {
        let texts: [&[u8]; 4] = [
            b"*99999999999999999999\r\n",
            b"*2\r\n$3\r\nGET\r\n$99999999999\r\n",
            b"*1048577\r\n",
            b"*-9223372036854775808\r\n$-1\r\n",
        ];
        texts[(count % 4) as usize].to_vec()
    }),
    Kind::member(
        "a transaction without an end",
        || request(&[b"MULTI"]),
        |_| request(&[b"SET", b"queued", &block(10_000)]).repeat(10),
    ),
    Kind::member(
        "a transaction of small commands",
        || request(&[b"MULTI"]),
        |_| request(&[b"PING"]).repeat(1000),
    ),
    Kind::member("channels without an end", nothing, |count| {
        thousand(b"SUBSCRIBE", count, 0)
    })
    .reading(),
    Kind::member("long patterns without an end", nothing, |count| {
        thousand(b"PSUBSCRIBE", count, 500)
    })
    .reading(),
    Kind::member("watched keys without an end", nothing, |count| {
        thousand(b"WATCH", count, 100)
    })
    .reading(),
    Kind::member(
        "a monitor that never reads",
        || request(&[b"MONITOR"]),
        |_| nothing(),
    ),
    Kind::member(
        "a subscriber that never reads",
        || request(&[b"SUBSCRIBE", b"flood"]),
        |_| nothing(),
    ),
    Kind::member("messages without an end", nothing, |_| {
        request(&[b"PUBLISH", b"flood", &block(1 << 16)])
    })
    .reading(),
    Kind::member(
        "tracked keys without an end",
        || {
            [
                request(&[b"HELLO", b"3"]),
                request(&[b"CLIENT", b"TRACKING", b"ON"]),
            ]
            .concat()
        },
        |count| thousand(b"EXISTS", count, 1000),
    )
    .reading(),
    Kind::member(
        "a tracker that never reads",
        || {
            [
                request(&[b"HELLO", b"3"]),
                request(&[b"CLIENT", b"TRACKING", b"ON", b"BCAST"]),
            ]
            .concat()
        },
        |_| nothing(),
    ),
    Kind::member(
        "prefixes without an end",
        || request(&[b"HELLO", b"3"]),
        |count| {
            let mut words: Vec<&[u8]> = vec![b"CLIENT", b"TRACKING", b"ON", b"BCAST"];
            let names: Vec<Vec<u8>> = (0..100)
                .map(|index| format!("{count}:{index}:").into_bytes())
                .collect();
            for name in &names {
                words.extend([b"PREFIX".as_slice(), name]);
            }
            request(&words)
        },
    )
    .reading(),
    Kind::member("a long name", nothing, |_| {
        request(&[b"CLIENT", b"SETNAME", &block(8 << 20)])
    })
    .reading(),
    Kind::member("a wait for many keys", nothing, |count| {
        let mut words = thousand(b"BLPOP", count, 100);
        // The timeout comes last, and one word more with it.
        words.splice(1..5, *b"1002");
        words.extend(b"$1\r\n0\r\n");
        words
    }),
    Kind::member(
        "requests behind a wait",
        || request(&[b"BLPOP", b"nothing here", b"0"]),
        |_| request(&[b"SET", b"behind", &block(1 << 16)]),
    ),
    Kind::member("long strings in scripts", nothing, |_| {
        script("local all = {} for i = 1, 1000 do all[i] = string.rep('x', 8000000) .. i end")
    })
    .reading(),
    Kind::member("long replies in scripts", nothing, |_| {
        script("for i = 1, 10 do redis.call('lrange', 'larger', 0, -1) end")
    })
    .reading(),
    Kind::member("long replies of scripts", nothing, |_| {
        script(
            "local t = {} local s = string.rep('x', 1000000) for i = 1, 1000 do t[i] = s end return t",
        )
    }),
    Kind::member("nested values in scripts", nothing, |_| {
        [
            script("return cjson.decode(string.rep('[', 100000) .. string.rep(']', 100000))"),
            script("local t = {} for i = 1, 100000 do t = {t} end return t"),
            script("local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)"),
            script("return cmsgpack.unpack(string.rep(string.char(145), 100000))"),
            request(&[b"EVAL", &b"(".repeat(100_000), b"0"]),
        ]
        .concat()
    })
    .reading(),
    Kind::member("everything about everybody", nothing, |_| {
        [
            request(&[b"INFO", b"everything"]),
            request(&[b"CLIENT", b"LIST"]),
            request(&[b"COMMAND"]),
        ]
        .concat()
        .repeat(10)
    }),
    Kind::member(
        "half a request",
        || b"*3\r\n$3\r\nSET\r\n$1".to_vec(),
        |_| nothing(),
    ),
    Kind::stranger("a stranger that never reads", |_| b"PING\r\n".repeat(1000)),
    Kind::stranger("a stranger with long arguments", |_| {
        let argument = [b"$16000\r\n".to_vec(), block(16_000), b"\r\n".to_vec()].concat();
        [b"*10\r\n".to_vec(), argument.repeat(9)].concat()
    }),
    Kind::stranger("a stranger with many arguments", |_| {
        b"*1048576\r\n".to_vec()
    }),
    Kind::stranger("a stranger with a line without an end", |_| block(1 << 12)),
    Kind::stranger("a stranger that guesses", |count| {
        let guess = format!("{count}:").repeat(1000);
        request(&[b"AUTH", guess.as_bytes()])
    })
    .reading(),
    Kind::stranger("a stranger that says nothing", |_| nothing()),
];
