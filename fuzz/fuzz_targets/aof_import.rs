//! Any bytes as append-only files: reading ends, within the bytes that are there, and
//! `import` replays what was read into a new data directory or refuses it. What it made is
//! whole: `verify` finds nothing.
//!
//! Lines of `=====` divide the input: one part is one file; of more the first is a manifest,
//! and the others are the files `1` and `2` beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use thermocline_dump::aof::{Item, RequestReader};
use thermocline_dump::arguments::{Command, Import, Verify};
use thermocline_dump::{Arguments, Outcome};

const DIVIDER: &[u8] = b"=====\n";
/// A request with a greater number may write as many bytes, or loop as often.
const NUMBER_MAX: u64 = 100_000;
/// In memory, where there is that.
const MEMORY: &str = "/dev/shm";

fuzz_target!(|bytes: &[u8]| {
    let parts = divide(bytes);
    let mut is_small = true;
    for part in &parts {
        is_small &= read(part);
    }
    if is_small {
        replay(&parts);
    }
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

/// Reads the requests, and says whether none asks for much.
fn read(bytes: &[u8]) -> bool {
    let mut reader = RequestReader::new(bytes, 0);
    let (mut read_bytes, mut is_small) = (0, true);
    while let Ok(Some(item)) = reader.next_item() {
        if let Item::Request(arguments) = item {
            read_bytes += arguments.iter().map(Vec::len).sum::<usize>();
            let name = arguments.first().map(|name| name.to_ascii_lowercase());
            is_small &= match name.as_deref() {
                Some(b"setrange" | b"setbit" | b"bitfield") => !arguments.iter().any(is_great),
                _ => true,
            };
        }
        assert!(reader.offset() <= bytes.len() as u64);
    }
    assert!(read_bytes <= bytes.len());
    is_small
}

/// Offsets of BITFIELD may have a `#`.
fn is_great(argument: &Vec<u8>) -> bool {
    let text = String::from_utf8_lossy(argument);
    let number = text.trim_start_matches(['#', '+']).parse::<u64>();
    number.is_ok_and(|number| number > NUMBER_MAX)
}

fn replay(parts: &[&[u8]]) {
    let memory = Path::new(MEMORY);
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.expect("a directory can be made");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path
    };
    let source = match parts {
        [file] => put("a.aof", file),
        parts => {
            for (number, part) in parts.iter().enumerate().skip(1) {
                put(&number.to_string(), part);
            }
            put("a.manifest", parts[0])
        }
    };
    let directory = folder.path().join("data");
    let import = Import {
        directory: directory.clone(),
        source,
        to_time: None,
        skip_modules: true,
        // Libraries are loaded by what `lua_bridge` runs.
        skip_functions: true,
    };
    if run(Command::Import(import)).is_some() {
        let verified = run(Command::Verify(Verify { directory }));
        assert!(matches!(verified, Some(Outcome::Intact)), "damage");
    }
}

fn run(command: Command) -> Option<Outcome> {
    let arguments = Arguments { command };
    thermocline_dump::run(&arguments, &mut std::io::sink(), &mut std::io::sink()).ok()
}
