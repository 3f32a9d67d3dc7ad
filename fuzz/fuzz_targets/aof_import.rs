//! Any bytes as append-only files: reading ends, within the bytes that are there, and what
//! was read is replayed in an empty store in memory, as `import` does it: the keys of an RDB
//! file in front, databases, transactions, and each request by the daemon's executor, with
//! one whole reply.
//!
//! Lines of `=====` divide the input: one part is one file; of more the first is a manifest,
//! and the others are the files `1` and `2` beside it.
#![no_main]

use crc_fast::{CrcAlgorithm, checksum};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use thermocline_commands::{Executor, table};
use thermocline_dump::aof::{Item, RequestReader, find_files};
use thermocline_dump::rdb::{Element, RdbReader, is_magic};
use thermocline_fuzz::Engine;
use thermocline_types::rdb::read_string;

const DIVIDER: &[u8] = b"=====\n";
/// In memory, where there is that.
const MEMORY: &str = "/dev/shm";
const KEY_MAX_BYTES: usize = 1 << 16;
/// Commands that reply with as many elements as they are told to; no server logs them.
const LEFT_OUT: &[&str] = &["srandmember", "hrandfield", "zrandmember", "pfselftest"];

/// The store, and where the files of an input are.
struct Replay {
    engine: Engine,
    folder: tempfile::TempDir,
    transaction: Option<Vec<Vec<Vec<u8>>>>,
}

thread_local! {
    static REPLAY: RefCell<Replay> = RefCell::new(Replay::new());
}

fuzz_target!(|bytes: &[u8]| {
    REPLAY.with_borrow_mut(|replay| {
        replay.engine.select(0);
        replay.engine.clear(&[]);
        replay.parts(&divide(bytes));
    });
});

fn divide(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while parts.len() < 2
        && let Some(at) = rest.windows(DIVIDER.len()).position(|it| it == DIVIDER)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + DIVIDER.len()..];
    }
    parts.push(rest);
    parts
}

impl Replay {
    fn new() -> Self {
        let memory = Path::new(MEMORY);
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self {
            engine: Engine::new(),
            folder: folder.expect("a directory can be made"),
            transaction: None,
        }
    }

    fn parts(&mut self, parts: &[&[u8]]) {
        if let [file] = parts {
            return self.file(file);
        }
        for (number, part) in parts.iter().enumerate() {
            let name = match number {
                0 => "a.manifest".to_owned(),
                number => number.to_string(),
            };
            let path = self.folder.path().join(name);
            std::fs::write(path, part).expect("a file can be written");
        }
        let Ok(files) = find_files(self.folder.path()) else {
            return;
        };
        for file in files {
            let begins = file.path.parent();
            assert_eq!(begins, Some(self.folder.path()), "a name that leads away");
            self.file(&std::fs::read(&file.path).unwrap_or_default());
        }
    }

    fn file(&mut self, bytes: &[u8]) {
        self.engine.select(0);
        self.transaction = None;
        if !is_magic(bytes) {
            return self.requests(bytes, 0, bytes.len() as u64);
        }
        let Ok(mut reader) = RdbReader::new(bytes) else {
            return;
        };
        let version = reader.version();
        loop {
            match reader.next_element() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(Element::Key(raw))) => {
                    let (kind, value) = (raw.kind, raw.value);
                    if let Ok(key) = read_string(raw.key, KEY_MAX_BYTES) {
                        let mut payload = vec![kind];
                        payload.extend_from_slice(value);
                        payload.extend_from_slice(&version.to_le_bytes());
                        let crc = checksum(CrcAlgorithm::Crc64Redis, &payload);
                        payload.extend_from_slice(&crc.to_le_bytes());
                        let words = [&b"RESTORE"[..], &key, b"0", &payload, b"REPLACE"];
                        self.engine.run(&words);
                    }
                }
                Ok(Some(_)) => {}
            }
        }
        let offset = reader.offset();
        let (read, rest) = reader.into_rest();
        let rest = BufReader::new(Cursor::new(read).chain(rest));
        self.requests(rest, offset, bytes.len() as u64);
    }

    fn requests(&mut self, reader: impl std::io::BufRead, offset: u64, end: u64) {
        let mut reader = RequestReader::new(reader, offset);
        let mut read_bytes = 0;
        while let Ok(Some(item)) = reader.next_item() {
            if let Item::Request(arguments) = item {
                read_bytes += arguments.iter().map(|it| it.len() as u64).sum::<u64>();
                self.request(arguments);
            }
            assert!(reader.offset() <= end);
        }
        assert!(read_bytes <= end);
    }

    fn request(&mut self, request: Vec<Vec<u8>>) {
        let name = request.first().map(|name| name.to_ascii_lowercase());
        match name.as_deref().unwrap_or_default() {
            b"multi" => self.transaction = Some(Vec::new()),
            b"exec" => {
                for request in self.transaction.take().unwrap_or_default() {
                    self.run(&request);
                }
            }
            _ => match &mut self.transaction {
                Some(requests) => requests.push(request),
                None => self.run(&request),
            },
        }
    }

    fn run(&mut self, request: &[Vec<u8>]) {
        let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        if let [name, number] = words[..]
            && name.eq_ignore_ascii_case(b"select")
        {
            let number = std::str::from_utf8(number).ok();
            let number = number.and_then(|number| number.parse().ok());
            return self.engine.select(number.unwrap_or(0));
        }
        let command = table::resolve(&words);
        let is_left_out = |name: &str| LEFT_OUT.contains(&name);
        if command.is_ok_and(|it| Executor::handles(it) && !is_left_out(it.name)) {
            self.engine.run(&words);
        }
    }
}
