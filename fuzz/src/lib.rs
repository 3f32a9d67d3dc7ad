//! What targets share that run commands: an executor on an empty store without a log or a
//! tier, and the check that a reply is one whole reply.
//!
//! Owns the store's directory, which is removed with it. A target makes one engine and
//! empties it before each input. One thread.

use std::sync::Arc;
use thermocline_base::limits::DATABASE_COUNT;
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_commands::table::Command;
use thermocline_commands::{
    Call, Executor, MachineLease, NothingAside, ReplyBuffer, ScriptRan, Scripted, Scripts, Version,
    table,
};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{FaultSet, Store, StoreOptions};

/// What a string may grow to: what takes memory or time in proportion stays small.
const STRING_MAX_BYTES: usize = 64 << 10;
/// What scripts may take together.
const SCRIPTS_BYTES: u64 = 32 << 20;
/// Where the clock stands.
const NOW_MS: i64 = 1_795_000_000_000;
/// Once in so many inputs every database is emptied.
const FLUSH_ONE_IN: u64 = 64;
/// Deepest nesting of replies.
const DEPTH: usize = 300;

/// See the module.
pub struct Engine {
    executor: Executor,
    store: Arc<Store>,
    version: Version,
    database: u8,
    /// How often it was emptied.
    cleared: u64,
    _directory: tempfile::TempDir,
}

impl Engine {
    /// An engine of an empty store.
    ///
    /// # Panics
    /// If the machine has no room for it.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let disk = Disk::open(directory.path(), BackendChoice::Posix).expect("it opens");
        let options = StoreOptions {
            log: None,
            tier: false,
            clock: Clock::Simulated(SimulatedTime::new(UnixMillis(NOW_MS))),
            seed: 1,
        };
        let (store, _) = Store::open(disk, options).expect("the store opens");
        let scripts = Arc::new(Scripts::new(Clock::default()));
        scripts.set_memory_bytes(SCRIPTS_BYTES);
        let executor = Executor::new(Arc::clone(&store), Arc::default(), STRING_MAX_BYTES);
        Self {
            executor: executor.with_scripts(scripts),
            store,
            version: Version::Two,
            database: 0,
            cleared: 0,
            _directory: directory,
        }
    }

    /// Has replies come in RESP3, or in RESP2.
    pub fn speak(&mut self, is_three: bool) {
        self.version = if is_three {
            Version::Three
        } else {
            Version::Two
        };
    }

    /// Has commands run on the database of this number, or of the last below the limit.
    pub fn select(&mut self, number: u8) {
        self.database = number.min(DATABASE_COUNT as u8 - 1);
    }

    /// Deletes every key; `usual` are those there are most often, for a look at every shard
    /// costs more than most inputs. What other databases hold stays for a while.
    pub fn clear(&mut self, usual: &[&[u8]]) {
        self.cleared += 1;
        let mut delete: Vec<&[u8]> = vec![b"DEL"];
        delete.extend(usual);
        if !usual.is_empty() {
            self.run(&delete);
        }
        let is_empty = self.run(&[b"DBSIZE"]).as_deref() == Some(b":0\r\n");
        if !is_empty || self.cleared % FLUSH_ONE_IN == 0 {
            self.run(&[b"FLUSHALL"]);
        }
    }

    /// Runs a request; its one reply, or `None` if it takes long or is not run here.
    ///
    /// # Panics
    /// If the reply is not one whole reply, or the store lacks something.
    pub fn run(&mut self, request: &[&[u8]]) -> Option<Vec<u8>> {
        let mut reply = ReplyBuffer::new(self.version);
        match table::resolve(request) {
            Err(error) => reply.refuse(&error),
            Ok(command) if Executor::is_scripted(command) => {
                if !self.run_script(command, request, &mut reply) {
                    return None;
                }
            }
            Ok(command) if Executor::handles(command) => {
                let call = Call {
                    command,
                    database: self.database,
                    arguments: request,
                };
                run_plain(&self.executor, &self.store, call, &mut reply);
            }
            Ok(_) => return None,
        }
        let bytes = reply.as_bytes().into_owned();
        check_reply(&bytes);
        Some(bytes)
    }

    /// Whether it came to its end.
    fn run_script(
        &mut self,
        command: &'static Command,
        request: &[&[u8]],
        reply: &mut ReplyBuffer,
    ) -> bool {
        let call = Call {
            command,
            database: self.database,
            arguments: request,
        };
        let scripted = Scripted {
            calls: &[call],
            is_transaction: false,
            watched: None,
            is_patient: false,
            is_paused: false,
            seed: 1,
        };
        let (mut aside, mut lease) = (NothingAside::default(), MachineLease::default());
        let faults = FaultSet::new();
        match self
            .executor
            .run_scripted(scripted, reply, &faults, &mut aside, &mut lease)
        {
            Ok(ScriptRan::Done(_)) => true,
            Ok(_) => false,
            Err(fault) => panic!("nothing can be lacking: {fault:?}"),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

fn run_plain(executor: &Executor, store: &Store, call: Call<'_>, reply: &mut ReplyBuffer) {
    let mut faults = FaultSet::new();
    let mut random = Random::new(1);
    while let Err(fault) = executor.run(call, reply, &faults, &mut random) {
        match fault {
            thermocline_store::Fault::Long(longs) => {
                store
                    .decode_all(longs, &mut faults)
                    .expect("the value is sound");
            }
            // Right after the start, for a moment.
            thermocline_store::Fault::Unsettled => std::thread::yield_now(),
            other => panic!("nothing can be lacking: {other:?}"),
        }
    }
}

/// # Panics
/// If these bytes are not one whole reply.
fn check_reply(bytes: &[u8]) {
    let rest = after_reply(bytes, DEPTH);
    assert!(
        rest.is_some_and(<[u8]>::is_empty),
        "not one reply: {}",
        bytes.escape_ascii()
    );
}

/// What follows the first reply.
fn after_reply(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let depth = depth.checked_sub(1)?;
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, mut rest) = (&bytes[..end], &bytes[end + 2..]);
    let number = || std::str::from_utf8(&line[1..]).ok()?.parse::<i64>().ok();
    let count = match line.first()? {
        b'$' | b'=' | b'!' => {
            let Ok(length) = usize::try_from(number()?) else {
                return Some(rest);
            };
            return rest.get(length..)?.strip_prefix(b"\r\n");
        }
        b'*' | b'~' | b'>' => number()?.max(0),
        b'%' => 2 * number()?,
        b'+' | b'-' | b':' | b',' | b'_' | b'#' | b'(' => 0,
        _ => return None,
    };
    for _ in 0..count {
        rest = after_reply(rest, depth)?;
    }
    Some(rest)
}
