//! Makes the seeds of the targets that read our own formats, with what writes these:
//! `cargo run --example seeds` in the folder `fuzz`.
//!
//! Owns their content, from a fixed seed. What a target takes as a tuple begins with the
//! numbers and has the bytes behind them, as `arbitrary` takes them.

use std::fs;
use std::path::Path;
use thermocline_base::limits::SHARD_COUNT;
use thermocline_base::{DatabaseId, HashSeed, KeyHash, Lsn, Random, ShardId, UnixMillis};
use thermocline_store::Address;
use thermocline_store::effect::DatabaseMap;
use thermocline_store::image::{
    Directory, PIECE_HEADER_BYTES, PieceBuilder, PieceReference, RangeSet,
};
use thermocline_store::index::Slot;
use thermocline_store::manifest::{CRC_OFFSET, ImageReference, Manifest};
use thermocline_store::tier::page::{HEADER_BYTES, KIND_RUN, KIND_SINGLE};
use thermocline_store::tier::{
    Compressor, Dictionary, Extent, Incarnation, PageBuilder, PagePlace, SegmentEntry,
    SegmentNumber, StoredValue, TierRecord, build_run,
};
use thermocline_wal::frame::{FrameKind, SegmentHeader, TimeMark, encode_frame};

const IDENTITY: u64 = 0x1d;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    let mut random = Random::new(1);
    for (name, bytes) in logs(&mut random) {
        put("wal_scan", name, &bytes)?;
    }
    for (name, bytes) in payloads(&mut random) {
        put("wal_frames", name, &bytes)?;
    }
    for (name, bytes) in pages(&mut random) {
        put("tier_page", name, &bytes)?;
    }
    for (name, bytes) in records(&mut random) {
        put("tier_record", name, &bytes)?;
    }
    for (name, bytes) in images(&mut random) {
        put("image", name, &bytes)?;
    }
    put("manifest", "long", &manifest(&mut random))?;
    for (name, bytes) in requests() {
        put("resp_request", name, &bytes)?;
    }
    for (name, bytes) in append_only_files() {
        put("aof_import", name, &bytes)?;
    }
    for (name, text) in CONFIGURATIONS {
        put("config_file", name, text.as_bytes())?;
    }
    for (name, pattern, text) in PATTERNS {
        let numbers = [1, pattern.len() as u8];
        put(
            "glob",
            name,
            &[&numbers, pattern.as_bytes(), text.as_bytes()].concat(),
        )?;
    }
    Ok(())
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn bytes_of(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.below(256) as u8).collect()
}

fn frame(log: &mut Vec<u8>, kind: FrameKind, identity: u64, payload: &[u8]) {
    let at = Lsn(log.len() as u64);
    let durable = Lsn(at.0 / 2 / 8 * 8);
    encode_frame(log, kind, identity, at, durable, payload);
}

fn logs(random: &mut Random) -> Seeds {
    let mark = TimeMark {
        at: UnixMillis(1_795_000_000_000),
        covered: Lsn(64),
    };
    let mut log = Vec::new();
    for length in [0, 1, 7, 8, 9, 40, 200, 700] {
        let payload = bytes_of(random, length);
        frame(&mut log, FrameKind::Data, IDENTITY, &payload);
    }
    frame(&mut log, FrameKind::Watermark, IDENTITY, &mark.encode());
    let unsealed = log.clone();
    frame(&mut log, FrameKind::Seal, IDENTITY, &mark.encode());
    let torn = log[..log.len() - 12].to_vec();
    let mut damaged = log.clone();
    damaged[120] ^= 4;
    let mut recycled = unsealed.clone();
    frame(
        &mut recycled,
        FrameKind::Data,
        IDENTITY + 1,
        b"of an earlier life",
    );
    let header = SegmentHeader {
        identity: IDENTITY,
        sequence: 3,
        start_lsn: Lsn(4096),
        history: 7,
        history_start: Lsn(64),
        segment_bytes: 64 << 10,
        begun_at: UnixMillis(1_795_000_000_000),
    };
    vec![
        ("sealed", log),
        ("unsealed", unsealed),
        ("torn", torn),
        ("damaged", damaged),
        ("recycled", recycled),
        ("header", header.encode().to_vec()),
    ]
}

fn payloads(random: &mut Random) -> Seeds {
    // Of a list each element is announced by an odd byte, and has its length at the end.
    let few = bytes_of(random, 64);
    let many = bytes_of(random, 2_000);
    vec![("few", few), ("many", many)]
}

const PLACE: PagePlace = PagePlace {
    segment: SegmentNumber(3),
    incarnation: Incarnation(9),
    page: 5,
};

fn record<'a>(key: &'a [u8], value: StoredValue<'a>, extent: Extent) -> TierRecord<'a> {
    TierRecord {
        lsn: Lsn(77),
        database: DatabaseId(2),
        form: 1,
        expiry: key.first().map(|byte| UnixMillis(i64::from(*byte))),
        key,
        extent,
        value,
    }
}

/// As the target takes them: body, then what stands in the header.
fn page_input(page: &[u8], kind: u8, record_count: u8) -> Vec<u8> {
    let body = &page[HEADER_BYTES..page.len().min(4096)];
    let mut bytes = vec![kind, record_count, 1, 0, 0, 0];
    bytes.extend_from_slice(body);
    bytes
}

fn pages(random: &mut Random) -> Seeds {
    let mut builder = PageBuilder::new(PLACE);
    let mut count = 0;
    for length in [0, 1, 30, 300, 600] {
        let value = bytes_of(random, length);
        let key = format!("key:{length}").into_bytes();
        count += u8::from(builder.push(&record(&key, StoredValue::Raw(&value), Extent::Whole)));
    }
    let single = builder.finish();
    let value = bytes_of(random, 3_000);
    let run = build_run(
        PLACE,
        &record(b"long", StoredValue::Raw(&value), Extent::Part),
    );
    let run = run.expect("it fits");
    vec![
        ("single", page_input(&single[..1_400], KIND_SINGLE, count)),
        ("long-run", page_input(&run[..2_000], KIND_RUN, 1)),
    ]
}

fn records(random: &mut Random) -> Seeds {
    let encoded = |record: TierRecord<'_>| {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        bytes
    };
    let text = b"the same words again and again, ".repeat(40);
    let mut compressor = Compressor::new(None).expect("without a dictionary it opens");
    let compressed = compressor.compress(&text);
    let parts: Vec<u8> = (0..6)
        .flat_map(|page| {
            let address = Address::new(1_000 + page, 128).expect("it is below the limit");
            address.to_bits().to_le_bytes()
        })
        .collect();
    let raw = bytes_of(random, 500);
    vec![
        (
            "random",
            encoded(record(b"raw", StoredValue::Raw(&raw), Extent::Whole)),
        ),
        (
            "repeated",
            encoded(record(b"text", compressed, Extent::Whole)),
        ),
        (
            "head",
            encoded(record(b"head", StoredValue::Raw(&parts), Extent::Head)),
        ),
        (
            "no-key",
            encoded(record(b"", StoredValue::Raw(b""), Extent::Part)),
        ),
    ]
}

fn images(random: &mut Random) -> Seeds {
    let shard = ShardId(3);
    let mut builder = PieceBuilder::new(7, shard, RangeSet::ALL);
    for database in [1, 5] {
        builder.begin_database(DatabaseId(database));
        let below = 1 << KeyHash::STORED_BITS;
        let mut stored: Vec<u32> = (0..60).map(|_| random.below(below) as u32).collect();
        stored.sort_unstable();
        for stored in stored {
            let address = Address::new(random.below(1 << 20) as u32, 3);
            let address = address.expect("it is below the limit");
            builder.push(Slot::cold(address, KeyHash::from_stored(shard, stored)));
        }
    }
    let piece = builder.finish();
    let references = (0..40).map(|number| PieceReference {
        shard: ShardId((number * SHARD_COUNT / 40) as u16),
        ranges: RangeSet::ALL,
        file: 7,
        offset: 4096 * number as u64,
        bytes: 4096,
    });
    let directory = Directory {
        number: 7,
        key_count: 400,
        pieces: references.collect(),
    };
    let input = |database_count: u8, number: u64, body: &[u8]| {
        let mut bytes = vec![database_count];
        bytes.extend(number.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    };
    let pieces_only = &directory.encode()[..40 * thermocline_store::image::REFERENCE_BYTES];
    vec![
        (
            "two-databases",
            input(2, RangeSet::ALL.0, &piece[PIECE_HEADER_BYTES..]),
        ),
        ("many-pieces", input(0, 400, pieces_only)),
    ]
}

fn manifest(random: &mut Random) -> Vec<u8> {
    let manifest = Manifest {
        hash_seed: HashSeed(9),
        shard_count: SHARD_COUNT as u16,
        databases: DatabaseMap::first(),
        databases_lsn: Lsn(64),
        dictionaries: vec![Dictionary {
            id: 1,
            bytes: bytes_of(random, 500),
        }],
        segments: (0..30)
            .map(|number| SegmentEntry {
                number: SegmentNumber(number),
                incarnation: Incarnation(random.next_u64()),
                live_bytes: random.below(32 << 20),
                sealed_at: UnixMillis(1_795_000_000_000),
            })
            .collect(),
        image: Some(ImageReference {
            number: 7,
            bytes: 4096,
            crc32: 1,
        }),
        checkpoint_lsn: Lsn(64),
        end_lsn: Lsn(128),
        histories: Vec::new(),
    };
    let bytes = manifest.encode().expect("it can be written");
    bytes[CRC_OFFSET + 4..].to_vec()
}

/// Requests as clients send them.
fn encode(requests: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for request in requests {
        let words: Vec<&str> = request.split(' ').collect();
        bytes.extend(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
    }
    bytes
}

fn requests() -> Seeds {
    let pipeline = encode(&FAMILIES);
    let inline = b"PING\r\nSET a \"b\\x41 c\"\r\n\r\nGET 'a b'\n*1\r\n$4\r\nPING\r\n".to_vec();
    let mut torn = encode(&["SET key value"]);
    torn.truncate(torn.len() - 4);
    let refused = b"*2\r\n$3\r\nGET\r\n$-1\r\n*-5\r\n*1\r\n$999999999\r\n".to_vec();
    vec![
        ("pipeline", pipeline[..1_500].to_vec()),
        ("inline", inline),
        ("torn", torn),
        ("refused", refused),
    ]
}

/// What servers write to an append-only file, of every type.
const FAMILIES: [&str; 40] = [
    "SELECT 0",
    "SET s value PXAT 1795000000000",
    "APPEND s more",
    "SETRANGE s 3 abc",
    "SETBIT bits 77 1",
    "BITFIELD bits SET u8 #1 200 INCRBY i5 3 9",
    "INCRBY n 9223372036854775806",
    "INCRBYFLOAT f 1.25",
    "PFADD hll a b c",
    "HSET h field value other 12",
    "HPEXPIREAT h 1795000000000 FIELDS 1 field",
    "HINCRBY h other 3",
    "HDEL h field",
    "RPUSH l a b c 12",
    "LINSERT l BEFORE b x",
    "LSET l 0 y",
    "LTRIM l 1 -2",
    "LMOVE l m LEFT RIGHT",
    "SADD numbers 1 2 3",
    "SADD numbers word",
    "SREM numbers 1",
    "SMOVE numbers words word",
    "ZADD z 1 a 2.5 b -inf c",
    "ZINCRBY z 3 a",
    "ZREMRANGEBYSCORE z -inf (2",
    "ZUNIONSTORE zz 2 z numbers WEIGHTS 2 1",
    "GEOADD g 13.361389 38.115556 Palermo",
    "XADD x 1700000000000-0 field value",
    "XADD x 1700000000001-5 field value other 2",
    "XGROUP CREATE x group 0 ENTRIESREAD 0",
    "XCLAIM x group one 0 1700000000000-0 TIME 1700000000500 RETRYCOUNT 1 FORCE JUSTID",
    "XSETID x 1700000000009-0 ENTRIESADDED 5 MAXDELETEDID 0-0",
    "XTRIM x MAXLEN 1",
    "COPY z zzz",
    "RENAME zzz y",
    "PEXPIREAT y 1795000000000",
    "PERSIST y",
    "SWAPDB 0 1",
    "DEL m",
    "FLUSHDB",
];

fn append_only_files() -> Seeds {
    let mut families = b"#TS:1700000000\r\n".to_vec();
    families.extend(encode(&FAMILIES[..FAMILIES.len() - 1]));
    families.extend(b"#TS:1700000060\r\n");
    families.extend(encode(&["MULTI", "SET a 1", "INCR a", "EXEC", "PING"]));
    let mut torn = encode(&["SELECT 9", "SET a 1", "MULTI", "SET b 2", "EXEC"]);
    torn.truncate(torn.len() - 9);
    let parts = |first: &[u8], second: &[u8]| {
        let manifest = b"file 1 seq 1 type b\nfile 2 seq 1 type i\n=====\n";
        [manifest, first, b"=====\n", second].concat()
    };
    let increments = encode(&["SELECT 0", "HSET h a 1", "SADD s x", "DEL s"]);
    vec![
        ("families", families),
        ("torn-transaction", torn),
        ("rdb-and-requests", [RDB, &increments].concat()),
        ("manifest", parts(RDB, &increments)),
        (
            "manifest-of-requests",
            parts(&encode(&FAMILIES[..12]), &increments),
        ),
    ]
}

/// As a server wrote it.
const RDB: &[u8] = include_bytes!("../seeds/rdb_import/redis-7.0.rdb");

const CONFIGURATIONS: [(&str, &str); 3] = [
    (
        "full",
        "bind 127.0.0.1 -::1\nport 6379\nmaxmemory 100mb\nmaxmemory-policy allkeys-lfu\n\
         save 3600 1 300 100\nappendonly yes\nappendfsync everysec\n\
         client-output-buffer-limit normal 1gb 256mb 60\n\
         client-output-buffer-limit pubsub 32mb 8mb 60\nnotify-keyspace-events KEA\n\
         rename-command FLUSHALL \"\"\nuser default on nopass ~* &* +@all\n\
         tier-max-bytes 10gb\nio-backend posix\nloglevel notice\nlogfile \"\"\n",
    ),
    ("no-name", "\"\" value\n  \"\"\n'' \n"),
    (
        "quotes",
        "a \"\\x00\\n\\\"\" 'it\\'s'\nb \"open\nc 1kb 1gb 1tb 99999999999gb -1 1e3\n",
    ),
];

/// Name, pattern, text.
const PATTERNS: [(&str, &str, &str); 3] = [
    ("ranges", "[a-z][^0-9]\\*?[z-a]*", "ab*cdz"),
    ("stars", "a*b*c*d*e*f*g*h*", "aabbccddeeffgg"),
    ("open", "news.[ab\\", "news.a"),
];
