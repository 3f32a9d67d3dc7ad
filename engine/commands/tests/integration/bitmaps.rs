//! Commands on bits of strings, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};

/// Single bits, counts and combinations.
const BITS: &[(&[u8], &[u8])] = &[
    (b"setbit b 7 1", b":0\r\n"),
    (b"setbit b 7 1", b":1\r\n"),
    (b"getbit b 7", b":1\r\n"),
    (b"getbit b 6", b":0\r\n"),
    (b"getbit b 1000", b":0\r\n"),
    (b"getbit nope 3", b":0\r\n"),
    (b"object encoding b", b"$3\r\nraw\r\n"),
    (b"setbit b 100 0", b":0\r\n"),
    (b"strlen b", b":13\r\n"),
    (b"setbit b 100 1", b":0\r\n"),
    (b"get b", b"$13\r\n\x01\0\0\0\0\0\0\0\0\0\0\0\x08\r\n"),
    (
        b"setbit b 0 2",
        b"-ERR bit is not an integer or out of range\r\n",
    ),
    (
        b"setbit b x 1",
        b"-ERR bit offset is not an integer or out of range\r\n",
    ),
    (
        b"setbit b -1 1",
        b"-ERR bit offset is not an integer or out of range\r\n",
    ),
    (
        b"setbit b 4294967296 1",
        b"-ERR bit offset is not an integer or out of range\r\n",
    ),
    (
        b"setbit b 007 1",
        b"-ERR bit offset is not an integer or out of range\r\n",
    ),
    (
        b"getbit b x",
        b"-ERR bit offset is not an integer or out of range\r\n",
    ),
    (b"set n 12", b"+OK\r\n"),
    (b"object encoding n", b"$3\r\nint\r\n"),
    (b"setbit n 6 0", b":0\r\n"),
    (b"object encoding n", b"$3\r\nraw\r\n"),
    (b"set n 12", b"+OK\r\n"),
    (b"setbit n 6 1", b":0\r\n"),
    (b"get n", b"$2\r\n32\r\n"),
    (b"expire n 100", b":1\r\n"),
    (b"setbit n 3 1", b":1\r\n"),
    (b"ttl n", b":100\r\n"),
    (b"hset h f v", b":1\r\n"),
    (
        b"setbit h 1 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"getbit h 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"bitcount h",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"bitcount h x",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"bitpos h 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"bitfield h get u8 0",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"bitop and d h",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"set s foobar", b"+OK\r\n"),
    (b"bitcount s", b":26\r\n"),
    (b"bitcount s 1", b":22\r\n"),
    (b"bitcount s 0 0", b":4\r\n"),
    (b"bitcount s 1 1", b":6\r\n"),
    (b"bitcount s 1 1 byte", b":6\r\n"),
    (b"bitcount s 5 30 BIT", b":17\r\n"),
    (b"bitcount s -3 -5", b":0\r\n"),
    (b"bitcount s -5 -3 bit", b":1\r\n"),
    (b"bitcount s 0 -1 bits", b"-ERR syntax error\r\n"),
    (b"bitcount s 0 x bits", b"-ERR syntax error\r\n"),
    (
        b"bitcount s x 1",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (b"bitcount s 0 1 bit bit", b"-ERR syntax error\r\n"),
    (b"bitcount nope", b":0\r\n"),
    (b"bitcount nope 0 -1", b":0\r\n"),
    (b"bitcount s 100 200", b":0\r\n"),
    (b"bitpos s 1", b":1\r\n"),
    (b"bitpos s 0", b":0\r\n"),
    (b"bitpos s 1 2", b":17\r\n"),
    (b"bitpos s 1 2 -1", b":17\r\n"),
    (b"bitpos s 1 7 15 bit", b":9\r\n"),
    (b"bitpos s 0 9 10 bit", b":-1\r\n"),
    (b"bitpos s 1 16 16 BIT", b":-1\r\n"),
    (b"bitpos s 2", b"-ERR The bit argument must be 1 or 0.\r\n"),
    (
        b"bitpos s x",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"bitpos s 1 0 x",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (b"bitpos s 1 0 1 foo", b"-ERR syntax error\r\n"),
    (b"bitpos s 1 0 1 bit 3", b"-ERR syntax error\r\n"),
    (b"bitpos nope 0", b":0\r\n"),
    (b"bitpos nope 1", b":-1\r\n"),
    (b"bitpos nope 0 0 -1", b":0\r\n"),
    (b"set e ''", b"+OK\r\n"),
    (b"bitpos e 0", b":-1\r\n"),
    (b"bitpos e 1", b":-1\r\n"),
    (b"bitpos e 0 0", b":-1\r\n"),
    (b"bitcount e", b":0\r\n"),
    (b"set ones \xff\xff\xff", b"+OK\r\n"),
    (b"bitpos ones 0", b":24\r\n"),
    (b"bitpos ones 0 1", b":24\r\n"),
    (b"bitpos ones 0 0 -1", b":-1\r\n"),
    (b"bitpos ones 0 0 2", b":-1\r\n"),
    (b"bitpos ones 0 -2 -3", b":-1\r\n"),
    (b"bitpos ones 1 3", b":-1\r\n"),
    (b"bitpos ones 0 3", b":-1\r\n"),
    (b"set a \xf0\xff", b"+OK\r\n"),
    (b"set c \xcc", b"+OK\r\n"),
    (b"bitop and d a c", b":2\r\n"),
    (b"get d", b"$2\r\n\xc0\0\r\n"),
    (b"object encoding d", b"$3\r\nraw\r\n"),
    (b"bitop or d a c", b":2\r\n"),
    (b"get d", b"$2\r\n\xfc\xff\r\n"),
    (b"bitop xor d a c", b":2\r\n"),
    (b"get d", b"$2\r\n<\xff\r\n"),
    (b"bitop not d a", b":2\r\n"),
    (b"get d", b"$2\r\n\x0f\0\r\n"),
    (
        b"bitop not d a c",
        b"-ERR BITOP NOT must be called with a single source key.\r\n",
    ),
    (b"bitop and d a nope", b":2\r\n"),
    (b"get d", b"$2\r\n\0\0\r\n"),
    (b"bitop or d nope nope", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"bitop foo d a", b"-ERR syntax error\r\n"),
    (b"bitop and a a c", b":2\r\n"),
    (b"get a", b"$2\r\n\xc0\0\r\n"),
    (b"set d x ex 100", b"+OK\r\n"),
    (b"bitop or d a", b":2\r\n"),
    (b"ttl d", b":-1\r\n"),
];

/// Integers of any width.
const FIELDS: &[(&[u8], &[u8])] = &[
    (b"bitfield f set u8 0 255 get u8 0 get u4 4 get i8 0", b"*4\r\n:0\r\n:255\r\n:15\r\n:-1\r\n"),
    (b"bitfield f incrby u8 0 1", b"*1\r\n:0\r\n"),
    (b"bitfield f overflow sat incrby u8 0 300", b"*1\r\n:255\r\n"),
    (b"bitfield f overflow fail incrby u8 0 1", b"*1\r\n$-1\r\n"),
    (b"bitfield f overflow fail incrby u8 0 1 overflow wrap incrby u8 0 1", b"*2\r\n$-1\r\n:0\r\n"),
    (b"bitfield f set i64 3 -1", b"*1\r\n:0\r\n"),
    (b"bitfield f get i64 3 get u63 3", b"*2\r\n:-1\r\n:9223372036854775807\r\n"),
    (b"bitfield f incrby i64 3 -9223372036854775808", b"*1\r\n:9223372036854775807\r\n"),
    (b"bitfield f overflow sat incrby i64 3 -9223372036854775808", b"*1\r\n:-1\r\n"),
    (b"bitfield f set i5 #3 15", b"*1\r\n:-1\r\n"),
    (b"bitfield f incrby i5 #3 1", b"*1\r\n:-16\r\n"),
    (b"bitfield f overflow sat set i5 #3 100", b"*1\r\n:-16\r\n"),
    (b"bitfield f set u5 100 -1", b"*1\r\n:0\r\n"),
    (b"bitfield f overflow sat set u5 100 -1", b"*1\r\n:31\r\n"),
    (b"bitfield f overflow fail set u5 100 32", b"*1\r\n$-1\r\n"),
    (b"bitfield f get u5 100 get u5 1000", b"*2\r\n:31\r\n:0\r\n"),
    (b"strlen f", b":14\r\n"),
    (b"get f", b"$14\r\n\x1f\xfe\xff\xff\xff\xff\xff\xff\xe0\0\0\0\x0f\x80\r\n"),
    (b"bitfield f", b"*0\r\n"),
    (b"bitfield f get u8", b"-ERR syntax error\r\n"),
    (b"bitfield f get u64 0", b"-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n"),
    (b"bitfield f get i65 0", b"-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n"),
    (b"bitfield f get u0 0", b"-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n"),
    (b"bitfield f get x8 0", b"-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n"),
    (b"bitfield f get u8 -1", b"-ERR bit offset is not an integer or out of range\r\n"),
    (b"bitfield f get u8 #x", b"-ERR bit offset is not an integer or out of range\r\n"),
    (b"bitfield f get u8 #536870912", b"-ERR bit offset is not an integer or out of range\r\n"),
    (b"bitfield f get u8 #536870911", b"*1\r\n:0\r\n"),
    (b"bitfield f set u8 0 x", b"-ERR value is not an integer or out of range\r\n"),
    (b"bitfield f overflow foo", b"-ERR Invalid OVERFLOW type specified\r\n"),
    (b"bitfield f foo u8 0", b"-ERR syntax error\r\n"),
    (b"bitfield f overflow sat", b"*0\r\n"),
    (b"bitfield nope get u8 0", b"*1\r\n:0\r\n"),
    (b"exists nope", b":0\r\n"),
    (b"bitfield nope overflow fail set u1 17 2", b"*1\r\n$-1\r\n"),
    (b"strlen nope", b":3\r\n"),
    (b"bitfield_ro f get u8 0 get i8 8", b"*2\r\n:31\r\n:-2\r\n"),
    (b"bitfield_ro f set u8 0 1", b"-ERR BITFIELD_RO only supports the GET subcommand\r\n"),
    (b"bitfield_ro f incrby u8 0 1", b"-ERR BITFIELD_RO only supports the GET subcommand\r\n"),
    (b"bitfield_ro f set u8 0 x", b"-ERR value is not an integer or out of range\r\n"),
    (b"bitfield_ro f overflow sat get u8 0", b"*1\r\n:31\r\n"),
    (b"bitfield_ro nope2 get u8 0", b"*1\r\n:0\r\n"),
    (b"set n 12", b"+OK\r\n"),
    (b"bitfield n set u1 0 0", b"*1\r\n:0\r\n"),
    (b"object encoding n", b"$3\r\nraw\r\n"),
    (b"bitfield n get u8 0 set u8 8 97 get u16 0", b"*3\r\n:49\r\n:50\r\n:12641\r\n"),
    (b"get n", b"$2\r\n1a\r\n"),
    (b"hello 3", b""),
    (b"bitfield n overflow fail set u1 0 7", b"*1\r\n_\r\n"),
];

#[test]
fn bits_are_set_counted_and_found() {
    compare(BITS);
}

#[test]
fn fields_of_bits_wrap_saturate_and_fail() {
    compare(FIELDS);
}

/// BITOP as Redis 8.2 has it beyond Valkey.
#[test]
fn operations_on_many_strings_beyond_those_of_valkey() {
    let mut client = Client::new();
    for (key, value) in [
        ("a", b"\xf0\xff" as &[u8]),
        ("b", b"\xcc"),
        ("c", b"\xaa\x01\x02"),
    ] {
        client.run(&[b"set", key.as_bytes(), value]);
    }
    for (name, expected) in [
        ("diff", b"\x10\xfe\0"),
        ("DIFF1", b"\x0e\0\x02"),
        ("andor", b"\xe0\x01\0"),
        ("one", b"\x16\xfe\x02"),
    ] {
        let reply = client.run(&[b"bitop", name.as_bytes(), b"d", b"a", b"b", b"c"]);
        assert_eq!(reply, b":3\r\n", "{name}");
        let expected = [b"$3\r\n", &expected[..], b"\r\n"].concat();
        assert_eq!(client.run(&[b"get", b"d"]), expected, "{name}");
    }
    let reply = client.run_line(b"bitop diff d a");
    let text = b"-ERR BITOP DIFF must be called with at least two source keys.\r\n";
    assert_eq!(reply, text);
    assert_eq!(client.run_line(b"bitop one d nope a"), b":2\r\n");
}
