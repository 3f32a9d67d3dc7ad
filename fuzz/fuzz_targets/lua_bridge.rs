//! Random scripts and random input of their libraries: no panic, no hang, no more memory than
//! scripts may take, one whole reply each time, and afterwards the sandbox is as it was.
//!
//! The first byte chooses what the rest is: the text of a script, words of Lua to make one of,
//! or what a library of Lua or FUNCTION RESTORE gets to decode.
#![no_main]

use crc_fast::{CrcAlgorithm, checksum};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use thermocline_fuzz::Engine;

/// Longer input teaches nothing, and some of Lua's patterns take time by a power of it.
const INPUT_MAX_BYTES: usize = 400;
/// The longest text that patterns are tried on.
const PATTERN_MAX_BYTES: usize = 40;

/// The names a script must find as they were, and those it must not find.
const PROBE: &[u8] = b"
local seen = {}
for _, name in ipairs{'redis','server','string','table','math','cjson','cmsgpack','struct','bit',
    'coroutine','os','pcall','error','pairs','tostring','setmetatable','rawset','_G'} do
    seen[#seen+1] = name .. type(_G[name])
end
for _, name in ipairs{'call','pcall','sha1hex','log'} do seen[#seen+1] = type(redis[name]) end
for _, name in ipairs{'format','rep','sub','gsub','find'} do seen[#seen+1] = type(string[name]) end
for _, name in ipairs{'io','require','package','debug','ffi','jit','dofile','loadfile','print',
    'getfenv','setfenv','newproxy','module','escaped'} do
    seen[#seen+1] = tostring(rawget(_G,name))
end
seen[#seen+1] = tostring(os.execute)
seen[#seen+1] = type(os.clock)
seen[#seen+1] = ('x'):upper() .. string.format('%d',7) .. cjson.encode({1}) .. #KEYS .. #ARGV
seen[#seen+1] = tostring(pcall(function() redis.call = 1 end))
seen[#seen+1] = tostring(pcall(function() escaped = 1 end))
return table.concat(seen,' ')";

/// Words that scripts are made of, a byte each.
const WORDS: &[&str] = &[
    "return ",
    "local a=",
    "local b=",
    "a",
    "b",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ".",
    "..",
    "=",
    "==",
    "~=",
    "<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "#",
    "not ",
    " and ",
    " or ",
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1e308",
    "'x'",
    "'a b'",
    "\"\\0\\255\"",
    "'%s%d'",
    "'(.-)%1'",
    "function(...) ",
    "function(x) ",
    " end ",
    "if ",
    " then ",
    " else ",
    "for i=1,3 do ",
    "for k,v in pairs(",
    ") do ",
    "while true do ",
    "break ",
    "repeat ",
    " until ",
    "...",
    "KEYS",
    "ARGV",
    "redis.call(",
    "redis.pcall(",
    "'set','k',",
    "'get','k'",
    "'lrange','l',0,-1",
    "'rpush','l',",
    "'hset','h','f',",
    "'hgetall','h'",
    "'zadd','z',1,",
    "'del','k'",
    "redis.error_reply(",
    "redis.status_reply(",
    "redis.sha1hex(",
    "redis.setresp(3) ",
    "redis.log(1,",
    "redis.set_repl(",
    "redis.acl_check_cmd(",
    "pcall(",
    "xpcall(",
    "error(",
    "assert(",
    "select(",
    "'#',",
    "unpack(",
    "tostring(",
    "tonumber(",
    "type(",
    "next(",
    "pairs(",
    "ipairs(",
    "rawget(",
    "rawset(",
    "rawequal(",
    "setmetatable(",
    "getmetatable(",
    "loadstring(",
    "load(",
    "collectgarbage(",
    "gcinfo(",
    "_G",
    "_VERSION",
    "string.rep(",
    "string.format(",
    "string.gsub(",
    "string.find(",
    "string.gmatch(",
    "string.dump(",
    "string.byte(",
    "string.char(",
    "table.insert(",
    "table.remove(",
    "table.concat(",
    "table.sort(",
    "table.foreach(",
    "math.floor(",
    "math.random(",
    "math.randomseed(",
    "math.fmod(",
    "bit.lshift(",
    "bit.tohex(",
    "cjson.encode(",
    "cjson.decode(",
    "cjson.null",
    "cjson.encode_max_depth(",
    "cjson.encode_sparse_array(",
    "cmsgpack.pack(",
    "cmsgpack.unpack(",
    "cmsgpack.unpack_limit(",
    "struct.pack(",
    "struct.unpack(",
    "struct.size(",
    "coroutine.create(",
    "coroutine.resume(",
    "coroutine.wrap(",
    "coroutine.yield(",
    "coroutine.running(",
    "os.clock(",
    "__index",
    "__gc",
    "__metatable",
    "__newindex",
    "__tostring",
    "__eq",
    "err",
    "ok",
    "map",
    "set",
    "double",
    "big_number",
    "verbatim_string",
    "\n",
    " ",
    ":",
    "upper",
    "--[[",
    "]]",
    "goto x ",
    "::x::",
    "escaped=1 ",
    "redis",
    "string",
    "debug.",
    "io.",
];

thread_local! {
    static ENGINE: RefCell<(Engine, Vec<u8>)> = RefCell::new({
        let mut engine = Engine::new();
        let seen = engine.run(&[b"EVAL", PROBE, b"0"]).expect("it is short");
        assert!(seen.starts_with(b"$"), "{}", seen.escape_ascii());
        (engine, seen)
    });
}

fn with_arguments(engine: &mut Engine, script: &[u8], arguments: &[&[u8]]) {
    let mut request: Vec<&[u8]> = vec![b"EVAL", script, b"0"];
    request.extend(arguments);
    engine.run(&request);
}

fn run(engine: &mut Engine, kind: u8, input: &[u8]) {
    let half = input.len() / 2;
    let (one, other) = input.split_at(half);
    match kind {
        0 => {
            engine.run(&[b"EVAL", input, b"1", b"k", b"argument"]);
        }
        1..=3 => {
            let words = input
                .iter()
                .map(|byte| WORDS[usize::from(*byte) % WORDS.len()]);
            let text: String = words.collect();
            let name: &[u8] = if kind == 3 { b"EVAL_RO" } else { b"EVAL" };
            engine.run(&[name, text.as_bytes(), b"1", b"k", b"argument"]);
        }
        4 => with_arguments(
            engine,
            b"local v=cjson.decode(ARGV[1]) local t=cjson.encode(v) cjson.decode(t) return t",
            &[input],
        ),
        5 => with_arguments(
            engine,
            b"local t={cmsgpack.unpack(ARGV[1])} for i=1,#t do cmsgpack.pack(t[i]) end \
              return {#t,cmsgpack.unpack_one(ARGV[1],1)}",
            &[input],
        ),
        6 => with_arguments(
            engine,
            b"local t={struct.unpack(ARGV[1],ARGV[2])} return {struct.pack(ARGV[1],unpack(t))}",
            &[one, other],
        ),
        7 => with_arguments(
            engine,
            b"return {string.format(ARGV[1],ARGV[2],7,1.5,-1),string.format(ARGV[1],1,2,3)}",
            &[one, other],
        ),
        8 => {
            let one = &one[..one.len().min(PATTERN_MAX_BYTES)];
            let other = &other[..other.len().min(PATTERN_MAX_BYTES)];
            with_arguments(
                engine,
                b"return {string.find(ARGV[1],ARGV[2]),string.gsub(ARGV[1],ARGV[2],'%0%1')}",
                &[one, other],
            );
        }
        9 => {
            let text = [b"#!lua name=l\n", input].concat();
            engine.run(&[b"FUNCTION", b"LOAD", b"REPLACE", &text]);
            engine.run(&[b"FCALL", b"f", b"1", b"k", b"argument"]);
        }
        10 => {
            engine.run(&[b"FUNCTION", b"LOAD", b"REPLACE", input]);
            engine.run(&[b"SCRIPT", b"LOAD", input]);
        }
        _ => {
            let mut payload = input.to_vec();
            payload.extend_from_slice(&80_u16.to_le_bytes());
            let crc = checksum(CrcAlgorithm::Crc64Redis, &payload);
            payload.extend_from_slice(&crc.to_le_bytes());
            engine.run(&[b"FUNCTION", b"RESTORE", &payload, b"REPLACE"]);
            engine.run(&[b"FUNCTION", b"LIST", b"WITHCODE"]);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let rest = &rest[..rest.len().min(INPUT_MAX_BYTES)];
    ENGINE.with_borrow_mut(|(engine, seen)| {
        engine.clear(&[b"k", b"l", b"h", b"z"]);
        engine.speak(kind & 0x80 != 0);
        run(engine, (kind & 0x7f) % 12, rest);
        engine.speak(false);
        engine.run(&[b"FUNCTION", b"FLUSH"]);
        engine.run(&[b"SCRIPT", b"FLUSH"]);
        // A machine that other threads of this computer slowed down may take long.
        for _ in 0..1000 {
            if let Some(now) = engine.run(&[b"EVAL", PROBE, b"0"]) {
                assert_eq!(&now, seen, "the sandbox has changed");
                return;
            }
        }
        panic!("a short script takes long");
    });
});
