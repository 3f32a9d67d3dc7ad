//! A client of the executor: a store of its own, and the loop around faults that a
//! connection runs.
//!
//! Owns the data directory. Knows no commands but SELECT, HELLO, MULTI and EXEC.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thermocline_base::{Clock, Random, SimulatedTime, UnixMillis};
use thermocline_commands::{Beside, Call, Executor, ReplyBuffer, Version, Written, table};
use thermocline_commands::{Parked, Ran};
use thermocline_disk::{BackendChoice, Disk};
use thermocline_store::{Fault, FaultSet, PageReader, ReadRequest, Store, StoreOptions};

/// The most a request's string may take, in bytes.
const STRING_MAX_BYTES: usize = 512 * 1024 * 1024;

/// Where the simulated clock starts: in November 2026.
const START_MS: i64 = 1_795_000_000_000;

/// Transcripts run in a store that is started again after so many requests.
const REQUESTS_BETWEEN_RESTARTS: usize = 7;

/// See the module.
pub(crate) struct Client {
    store: Arc<Store>,
    executor: Executor,
    runtime: tokio::runtime::Runtime,
    time: SimulatedTime,
    random: Random,
    database: u8,
    version: Version,
    queue: Option<Vec<Vec<Vec<u8>>>>,
    /// How many pages had to be read so far.
    pub(crate) pages_read: usize,
    directory: tempfile::TempDir,
}

fn open(directory: &Path, time: &SimulatedTime) -> Arc<Store> {
    let disk = Disk::open(directory, BackendChoice::Posix).expect("the directory opens");
    let options = StoreOptions {
        log: Some(thermocline_wal::Policy::Never),
        tier: true,
        clock: Clock::Simulated(time.clone()),
        seed: 1,
    };
    let (store, _) = Store::open(disk, options).expect("the store opens");
    // Keys expire when they are met: the replies depend on nothing else.
    store.settings().set_active_expire(false);
    store
}

impl Client {
    /// A client of an empty store.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let time = SimulatedTime::new(UnixMillis(START_MS));
        let store = open(directory.path(), &time);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        Self {
            executor: Executor::new(Arc::clone(&store), Arc::default(), STRING_MAX_BYTES),
            store,
            runtime: runtime.expect("a runtime starts"),
            time,
            random: Random::new(1),
            database: 0,
            version: Version::Two,
            queue: None,
            pages_read: 0,
            directory,
        }
    }

    /// Stops the store and starts it again: all keys are cold then.
    pub(crate) fn restart(&mut self) {
        // Only a settled store makes a last checkpoint; the log's tail comes up hot.
        self.runtime.block_on(self.store.settled());
        self.store.close(true).expect("the store closes");
        self.store = open(self.directory.path(), &self.time);
        self.executor = Executor::new(Arc::clone(&self.store), Arc::default(), STRING_MAX_BYTES);
    }

    /// Moves the time forward.
    pub(crate) fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).expect("is short");
        self.time.advance(by_ms);
    }

    /// The store behind it.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Runs a line of words parted by single spaces, of which `''` is an empty
    /// one; its reply.
    pub(crate) fn run_line(&mut self, line: &[u8]) -> Vec<u8> {
        let words = line.split(|byte| *byte == b' ');
        let words: Vec<&[u8]> = words
            .map(|word| if word == b"''" { b"" } else { word })
            .collect();
        self.run(&words)
    }

    /// Runs a request; its reply.
    pub(crate) fn run(&mut self, request: &[&[u8]]) -> Vec<u8> {
        let name = request[0].to_ascii_lowercase();
        match (&*name, request.get(1)) {
            (b"select", Some(number)) => {
                let number = std::str::from_utf8(number).expect("is a number");
                self.database = number.parse().expect("is a number");
                return b"+OK\r\n".to_vec();
            }
            (b"hello", Some(_)) => {
                self.version = Version::Three;
                return Vec::new();
            }
            (b"multi", None) => {
                self.queue = Some(Vec::new());
                return b"+OK\r\n".to_vec();
            }
            (b"exec", None) => {
                let queue = self.queue.take().expect("MULTI came before");
                return self.run_transaction(&queue);
            }
            _ => {}
        }
        if let Some(queue) = &mut self.queue {
            queue.push(request.iter().map(|word| word.to_vec()).collect());
            return b"+QUEUED\r\n".to_vec();
        }
        let mut reply = ReplyBuffer::new(self.version);
        let command = match table::resolve(request) {
            Ok(command) => command,
            Err(error) => {
                reply.refuse(&error);
                return reply.as_bytes().into_owned();
            }
        };
        let call = Call {
            command,
            database: self.database,
            arguments: request,
        };
        let mut faults = FaultSet::new();
        while let Err(fault) = self
            .executor
            .run(call, &mut reply, &faults, &mut self.random)
        {
            assert!(reply.as_bytes().is_empty(), "a fault leaves no reply");
            self.resolve(fault, &mut faults);
        }
        reply.as_bytes().into_owned()
    }

    fn run_transaction(&mut self, queue: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let requests: Vec<Vec<&[u8]>> = queue
            .iter()
            .map(|request| request.iter().map(Vec::as_slice).collect())
            .collect();
        let calls: Vec<Call<'_>> = requests
            .iter()
            .map(|request| Call {
                command: table::resolve(request).expect("is a command"),
                database: self.database,
                arguments: request,
            })
            .collect();
        let mut reply = ReplyBuffer::new(self.version);
        let mut faults = FaultSet::new();
        let mut beside = Counting::default();
        loop {
            let outcome = self.executor.run_transaction(
                &calls,
                None,
                &mut reply,
                &faults,
                &mut self.random,
                &mut beside,
            );
            let Err(fault) = outcome else {
                break;
            };
            assert!(reply.as_bytes().is_empty(), "a fault leaves no reply");
            self.resolve(fault, &mut faults);
        }
        let others = calls.iter().filter(|call| !Executor::handles(call.command));
        assert_eq!(beside.asked, others.count(), "each is asked once");
        if reply.as_bytes().starts_with(b"*") && !reply.as_bytes().starts_with(b"*-1") {
            assert_eq!(beside.told, calls.len(), "each is told once");
        }
        reply.as_bytes().into_owned()
    }

    /// Runs a line that has to wait; the client that waits.
    pub(crate) fn park(&mut self, line: &[u8]) -> Arc<Parked> {
        let request: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let call = Call {
            command: table::resolve(&request).expect("is a command"),
            database: self.database,
            arguments: &request,
        };
        let mut reply = ReplyBuffer::new(self.version);
        let ran =
            self.executor
                .run_or_park(call, false, &mut reply, &FaultSet::new(), &mut self.random);
        match ran.expect("nothing is cold") {
            Ran::Parked(parked) => parked,
            Ran::Done(_) => panic!("does not wait: {}", reply.as_bytes().escape_ascii()),
        }
    }

    /// Has what a fault asks for.
    fn resolve(&mut self, fault: Fault, faults: &mut FaultSet) {
        match fault {
            Fault::Reads(reads) => self.read(&reads, faults),
            Fault::Long(longs) => {
                let decoded = self.store.decode_all(longs, faults);
                decoded.expect("the value is sound");
            }
            Fault::Recovering(keys) => self.runtime.block_on(self.store.hydrate(&keys)),
            Fault::Unsettled => self.runtime.block_on(self.store.settled()),
            Fault::Damaged(reason) => panic!("{reason}"),
        }
    }

    fn read(&mut self, reads: &[ReadRequest], faults: &mut FaultSet) {
        self.pages_read += reads.len();
        assert!(self.pages_read < 1_000_000, "a retry must come to an end");
        let mut reader = PageReader::new(&self.store, reads.len()).expect("a reader");
        let mut done = Vec::new();
        reader.read_all(reads, &mut done);
        for fetched in done {
            let page = fetched.page.expect("the disk is well");
            faults.insert(fetched.request.address, page);
        }
    }
}

/// Answers what has no handler, and counts what it is told.
#[derive(Default)]
struct Counting {
    asked: usize,
    told: usize,
}

impl Beside for Counting {
    fn run(&mut self, _: &Call<'_>, reply: &mut ReplyBuffer) {
        self.asked += 1;
        reply.simple("OTHER");
    }

    fn note(&mut self, reply: Written<'_>) -> bool {
        assert!(!reply.is_empty());
        self.told += 1;
        false
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let closed = self.store.close(false);
        if !std::thread::panicking() {
            closed.expect("closes");
        }
    }
}

/// Runs requests one after another and compares their replies, taken from
/// Valkey 9.1.2, byte for byte: once in memory, once with the store started
/// again between them, so that most keys are met cold.
pub(crate) fn compare(transcript: &[(&[u8], &[u8])]) {
    let mut client = Client::new();
    for exchange in transcript {
        compare_one(&mut client, exchange);
    }
    let mut client = Client::new();
    for (place, exchange) in transcript.iter().enumerate() {
        if place % REQUESTS_BETWEEN_RESTARTS == 0 && client.queue.is_none() {
            client.restart();
        }
        compare_one(&mut client, exchange);
    }
}

/// Runs one request and compares its reply.
pub(crate) fn compare_one(client: &mut Client, (request, expected): &(&[u8], &[u8])) {
    let found = client.run_line(request);
    assert!(
        found == *expected,
        "{}\n   found {}\nexpected {}",
        request.escape_ascii(),
        found.escape_ascii(),
        expected.escape_ascii()
    );
}
