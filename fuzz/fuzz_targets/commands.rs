//! Any words as the arguments of any command that works on keys: no panic, no hang, one whole
//! reply each time; and what the keys hold afterwards is dumped, restored and dumped the same.
//!
//! Requests are parted by 0xff and their words by 0xfe. A word of one byte below 0xf0 is one of
//! a list, so that keys, options and numbers at the limits are met; any other stands for
//! itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::sync::LazyLock;
use thermocline_commands::{Executor, table};
use thermocline_fuzz::Engine;

/// Requests of one input.
const REQUESTS: usize = 12;
/// Keys that the words name.
const KEYS: &[&[u8]] = &[b"a", b"b", b"c", b"d"];
/// The first byte that stands for a key, as a word.
const FIRST_KEY: u8 = 0xc4;
/// What a word of one byte stands for, beside the keys.
const WORDS: &[&[u8]] = &[
    b"",
    b"0",
    b"1",
    b"-1",
    b"2",
    b"3",
    b"7",
    b"100",
    b"-100",
    b"65535",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551615",
    b"1.5",
    b"-0",
    b"inf",
    b"-inf",
    b"nan",
    b"1e308",
    b"1e-320",
    b"0x10",
    b"+",
    b"-",
    b"$",
    b"*",
    b">",
    b"(",
    b"[a",
    b"(a",
    b"(1",
    b"0-1",
    b"5-*",
    b"5-5",
    b"1-1",
    b"-1-1",
    b"18446744073709551615-18446744073709551615",
    b"~",
    b"=",
    b"#",
    b"#1",
    b"u8",
    b"i64",
    b"u63",
    b"i1",
    b"u64",
    b"nx",
    b"xx",
    b"gt",
    b"lt",
    b"ch",
    b"incr",
    b"ex",
    b"px",
    b"exat",
    b"pxat",
    b"keepttl",
    b"persist",
    b"get",
    b"set",
    b"incrby",
    b"overflow",
    b"sat",
    b"fail",
    b"wrap",
    b"and",
    b"or",
    b"xor",
    b"not",
    b"diff",
    b"one",
    b"bit",
    b"byte",
    b"len",
    b"idx",
    b"minmatchlen",
    b"withmatchlen",
    b"maxlen",
    b"minid",
    b"limit",
    b"nomkstream",
    b"count",
    b"block",
    b"streams",
    b"group",
    b"g",
    b"h",
    b"create",
    b"destroy",
    b"createconsumer",
    b"delconsumer",
    b"setid",
    b"mkstream",
    b"entriesread",
    b"noack",
    b"justid",
    b"force",
    b"idle",
    b"time",
    b"retrycount",
    b"lastid",
    b"full",
    b"stream",
    b"groups",
    b"consumers",
    b"entriesadded",
    b"maxdeletedid",
    b"weights",
    b"aggregate",
    b"sum",
    b"min",
    b"max",
    b"withscores",
    b"withscore",
    b"withvalues",
    b"byscore",
    b"bylex",
    b"rev",
    b"left",
    b"right",
    b"before",
    b"after",
    b"rank",
    b"by",
    b"nosort",
    b"alpha",
    b"desc",
    b"asc",
    b"store",
    b"storedist",
    b"fields",
    b"fnx",
    b"fxx",
    b"replace",
    b"absttl",
    b"idletime",
    b"freq",
    b"db",
    b"match",
    b"type",
    b"hash",
    b"zset",
    b"string",
    b"list",
    b"frommember",
    b"fromlonlat",
    b"byradius",
    b"bybox",
    b"bypolygon",
    b"m",
    b"km",
    b"withdist",
    b"withhash",
    b"withcoord",
    b"any",
    b"13.36",
    b"38.11",
    b"85.06",
    b"181",
    b"encoding",
    b"decode",
    b"todense",
    b"getreg",
    b"ifeq",
    b"novalues",
    b"noscores",
    b"f1",
    b"f2",
    b"a*->f1",
    b"?*[a-c]",
];
/// Commands that reply with as many elements as they are told to, or look at every key.
const LEFT_OUT: &[&str] = &["srandmember", "hrandfield", "zrandmember", "pfselftest"];

/// The commands that run here, by their words.
static COMMANDS: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(|| {
    let commands = table::entries().filter(|command| {
        command.subcommands.is_empty()
            && Executor::handles(command)
            && !LEFT_OUT.contains(&command.name)
    });
    commands
        .map(|command| command.name.split('|').collect())
        .collect()
});

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new(Engine::new());
}

fn word(word: &[u8]) -> &[u8] {
    match word {
        // Keys are met often.
        [byte @ FIRST_KEY..0xf0] => KEYS[usize::from(*byte) % KEYS.len()],
        [byte] => WORDS.get(usize::from(*byte)).copied().unwrap_or(word),
        _ => word,
    }
}

/// A copy by way of its payload is the same.
fn check_key(engine: &mut Engine, key: &[u8]) {
    let Some(dumped) = engine.run(&[b"DUMP", key]) else {
        return;
    };
    let Some(at) = dumped.windows(2).position(|pair| pair == b"\r\n") else {
        return;
    };
    if dumped.starts_with(b"$-1") {
        return;
    }
    let payload = &dumped[at + 2..dumped.len() - 2];
    let restored = engine.run(&[b"RESTORE", b"copy", b"0", payload, b"REPLACE"]);
    assert_eq!(restored.as_deref(), Some(&b"+OK\r\n"[..]));
    let again = engine.run(&[b"DUMP", b"copy"]).unwrap_or_default();
    let third = engine.run(&[b"RESTORE", b"copy", b"0", payload, b"REPLACE"]);
    assert_eq!(third, restored);
    assert_eq!(engine.run(&[b"DUMP", b"copy"]).unwrap_or_default(), again);
    for read in [&b"TYPE"[..], b"OBJECT"] {
        let words: Vec<&[u8]> = match read {
            b"TYPE" => vec![read, key],
            _ => vec![read, b"ENCODING", key],
        };
        engine.run(&words);
    }
}

fuzz_target!(|input: &[u8]| {
    ENGINE.with_borrow_mut(|engine| {
        engine.clear(&[b"a", b"b", b"c", b"d", b"copy"]);
        for request in input.split(|byte| *byte == 0xff).take(REQUESTS) {
            let Some((chosen, rest)) = request.split_first() else {
                continue;
            };
            engine.speak(*chosen & 1 == 1);
            let name = &COMMANDS[usize::from(*chosen) % COMMANDS.len()];
            let mut words: Vec<&[u8]> = name.iter().map(|word| word.as_bytes()).collect();
            words.extend(rest.split(|byte| *byte == 0xfe).map(word));
            engine.run(&words);
        }
        engine.speak(false);
        for key in KEYS {
            check_key(engine, key);
        }
    });
});
