//! What fills the slots of the templates: keys of small and large pools, values, numbers.
//!
//! Owns the pools. Pure.

use thermocline_base::{Random, UnixMillis};

/// Keys of each of the small pools.
const SMALL_KEYS: u64 = 8;
/// Keys of the large pool of lists, which templates alone fill.
const BIG_LISTS: u64 = 100;
/// Keys of the large pool of sets.
const BIG_SETS: u64 = 40;
/// Members of these.
const BIG_MEMBERS: u64 = 400;
/// Fields of their hashes.
const BIG_FIELDS: u64 = 150;
/// Numbers at the limits of what commands take.
const EXTREMES: [&str; 14] = [
    "0",
    "1",
    "-1",
    "-2",
    "100",
    "-100",
    "4294967295",
    "4294967296",
    "-4294967297",
    "9223372036854775807",
    "-9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "x",
];
/// Keys of the large pool of strings: some twenty megabytes.
pub(super) const BIG_STRINGS: u64 = 6000;
/// Keys of the large pool of hashes.
pub(super) const BIG_HASHES: u64 = 200;
/// Small relative expire times would pass during the run, as seconds or ms.
pub(super) const SAFE_TIME: i64 = 10_000_000;

fn numbered(prefix: &str, random: &mut Random, count: u64) -> Vec<u8> {
    format!("{prefix}:{}", random.below(count)).into_bytes()
}

/// A key that is mostly, not always, of the kind asked for.
fn key(random: &mut Random, prefix: &str, other: &str) -> Vec<u8> {
    let prefix = if random.chance(15) { other } else { prefix };
    numbered(prefix, random, SMALL_KEYS)
}

/// A word for a slot of the templates.
pub(super) fn fill(random: &mut Random, slot: &str, now: UnixMillis) -> Vec<u8> {
    let text = match slot {
        "str" => return key(random, "s", "h"),
        "hash" => return key(random, "h", "s"),
        "set" => return key(random, "t", "s"),
        "zset" => return key(random, "z", "s"),
        "intset" => return numbered("i", random, 4),
        "topstream" => return numbered("xt", random, 2),
        "extreme" => EXTREMES[random.below(EXTREMES.len() as u64) as usize].to_owned(),
        "lexset" => return numbered("lex", random, 3),
        "zsource" => {
            let prefix = if random.chance(6) { "t" } else { "z" };
            return key(random, prefix, "s");
        }
        "key" => {
            let prefix = ["s", "h", "q", "t", "z", "x", "p", "g"][random.below(8) as usize];
            return key(random, prefix, "none");
        }
        "hll" => return key(random, "p", "s"),
        "stream" => return key(random, "x", "h"),
        "id" => stream_id(random),
        "after" => format!("({}", stream_id(random)),
        "last" => "$".to_owned(),
        "newid" => format!("{}-*", random.below(60)),
        "group" => format!("g{}", random.below(2)),
        "consumer" => format!("c{}", random.below(3)),
        "bits" => format!(
            "{}{}",
            ["i", "u"][random.below(2) as usize],
            1 + random.below(64)
        ),
        "lcs" => return numbered("l", random, 4),
        "bigstr" => return numbered("bs", random, BIG_STRINGS),
        "list" => return key(random, "q", "s"),
        "biglist" => return numbered("bq", random, BIG_LISTS),
        "element" if random.chance(3) => return value(random),
        "element" => random.below(8).to_string(),
        "bighash" => return numbered("bh", random, BIG_HASHES),
        "bigfield" => return numbered("field", random, BIG_FIELDS),
        "geo" => return key(random, "g", "s"),
        "place" => format!("p{}", random.below(30)),
        "lon" => format!("{}.{}", random.below(362) as i64 - 181, random.below(1000)),
        "lat" => format!("{}.{}", random.below(172) as i64 - 86, random.below(1000)),
        "nearlon" => format!("{}.{:03}", 10 + random.below(4), random.below(1000)),
        "nearlat" => format!("{}.{:03}", 40 + random.below(4), random.below(1000)),
        "metres" => {
            ["0", "10", "500.5", "3000", "40000", "-1"][random.below(6) as usize].to_owned()
        }
        "unit" => ["m", "km", "ft", "MI"][random.below(4) as usize].to_owned(),
        "bigzset" => return numbered("bz", random, BIG_SETS),
        "score" => match random.below(10) {
            0 => ["inf", "-inf", "-0", "0"][random.below(4) as usize].to_owned(),
            1 => float(random),
            2 => format!("{}.5", random.below(10)),
            _ => random.below(20).to_string(),
        },
        "bound" => {
            let bound = match random.below(6) {
                0 => "-inf".to_owned(),
                1 => "+inf".to_owned(),
                2 => format!("{}.5", random.below(10)),
                _ => (random.below(30) as i64 - 5).to_string(),
            };
            let open = if random.chance(4) { "(" } else { "" };
            format!("{open}{bound}")
        }
        "lexmember" => format!("{:b}", random.below(40)),
        "lexbound" => match random.below(6) {
            0 => "-".to_owned(),
            1 => "+".to_owned(),
            _ => {
                let open = ["[", "("][random.below(2) as usize];
                format!("{open}{:b}", random.below(40))
            }
        },
        "bigset" => return numbered("bt", random, BIG_SETS),
        "bigmember" => return numbered("a member of some length", random, BIG_MEMBERS),
        "member" => match random.below(12) {
            0 => String::new(),
            1 => "m".repeat(65),
            2 => "007".to_owned(),
            3..=6 => integer(random),
            _ => format!("m{}", random.below(10)),
        },
        "number" => random.below(30).to_string(),
        "field" => match random.below(12) {
            0 => String::new(),
            1 => "f".repeat(65),
            2 => "7".to_owned(),
            _ => format!("f{}", random.below(8)),
        },
        "val" => return value(random),
        "short" => {
            let letters = random.below(30);
            let text = (0..letters).map(|_| char::from(b'a' + random.below(4) as u8));
            text.collect()
        }
        "big" => return big(random),
        "int" => integer(random),
        "float" => float(random),
        "num" => (random.below(25) as i64 - 8).to_string(),
        "offset" => random.below(300).to_string(),
        "db" => random.below(4).to_string(),
        "ttl" => (SAFE_TIME + random.below(1000) as i64).to_string(),
        "pttl" => (1000 * SAFE_TIME + random.below(1_000_000) as i64).to_string(),
        "at" => (now.0 / 1000 + SAFE_TIME + random.below(1000) as i64).to_string(),
        "pat" => (now.0 + 1000 * SAFE_TIME + random.below(1_000_000) as i64).to_string(),
        "past" => (1 + random.below(1000)).to_string(),
        "glob" => {
            let globs = [
                "*", "s*", "h:*", "?:[1-3]", "f*", "[^s]*", "\\*", "bs:12*", "f?",
            ];
            globs[random.below(globs.len() as u64) as usize].to_owned()
        }
        "name" => ["one", "two", "with space", ""][random.below(4) as usize].to_owned(),
        other => panic!("no slot is named {other}"),
    };
    text.into_bytes()
}

/// An id that entries of `$newid` have, or a whole millisecond.
fn stream_id(random: &mut Random) -> String {
    let ms = random.below(60);
    match random.below(4) {
        0 => ms.to_string(),
        _ => format!("{ms}-{}", random.below(6)),
    }
}

fn integer(random: &mut Random) -> String {
    match random.below(8) {
        0 => i64::MAX.to_string(),
        1 => i64::MIN.to_string(),
        2 => (random.next_u64() as i64).to_string(),
        _ => (random.below(200) as i64 - 100).to_string(),
    }
}

fn float(random: &mut Random) -> String {
    match random.below(10) {
        0 => "1e15".to_owned(),
        1 => "-1.5e-7".to_owned(),
        2 => "3.0e3".to_owned(),
        3 => ["inf", "-inf", "nan", "1e5000", "0x10"][random.below(5) as usize].to_owned(),
        4 => integer(random),
        _ => format!("{}.{}", random.below(20) as i64 - 10, random.below(1000)),
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(24) {
        0 => Vec::new(),
        1 => bytes(random, 12),
        2 => vec![b'x'; 64],
        3 => vec![b'x'; 65],
        4 => vec![b'y'; 44],
        5 => vec![b'y'; 45],
        6 => bytes(random, 300),
        7 if random.chance(20) => bytes(random, 20_000),
        8..=13 => integer(random).into_bytes(),
        14..=16 => float(random).into_bytes(),
        _ => format!("v{}", random.below(6)).into_bytes(),
    }
}

/// A value of the large pools: half of it compresses well.
pub(super) fn big(random: &mut Random) -> Vec<u8> {
    if random.chance(400) {
        return bytes(random, 100_000);
    }
    let length = 500 + random.below(5000) as usize;
    if random.chance(2) {
        let pattern = format!("{{\"id\":{},\"name\":\"value\"}}", random.below(1000));
        pattern.bytes().cycle().take(length).collect()
    } else {
        bytes(random, length)
    }
}

fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(8)).flat_map(|_| random.next_u64().to_le_bytes());
    words.take(length).collect()
}
