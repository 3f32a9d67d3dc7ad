//! Commands on hashes, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare, compare_one};
use std::time::Duration;

/// Fields set, read and deleted.
const FIELDS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"hset h a 1 b 2 c", b"-ERR wrong number of arguments for 'hset' command\r\n"),
    (b"hset h", b"-ERR wrong number of arguments for 'hset' command\r\n"),
    (b"hset h a 1 b 2 a 3", b":2\r\n"),
    (b"hset h a 4 c 5 c 6", b":1\r\n"),
    (b"hset s a 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hmset h a 1 b", b"-ERR wrong number of arguments for 'hmset' command\r\n"),
    (b"hmset h d '' a 1", b"+OK\r\n"),
    (b"hget h d", b"$0\r\n\r\n"),
    (b"hget h nope", b"$-1\r\n"),
    (b"hget nope a", b"$-1\r\n"),
    (b"hget s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hmget h a nope a", b"*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n1\r\n"),
    (b"hmget nope a b", b"*2\r\n$-1\r\n$-1\r\n"),
    (b"hmget s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hsetnx h a 9", b":0\r\n"),
    (b"hsetnx h e 9", b":1\r\n"),
    (b"hsetnx s a 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hgetall h", b"*10\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n6\r\n$1\r\nd\r\n$0\r\n\r\n$1\r\ne\r\n$1\r\n9\r\n"),
    (b"hkeys h", b"*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n"),
    (b"hvals h", b"*5\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n6\r\n$0\r\n\r\n$1\r\n9\r\n"),
    (b"hgetall nope", b"*0\r\n"),
    (b"hkeys nope", b"*0\r\n"),
    (b"hvals s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hlen h", b":5\r\n"),
    (b"hlen nope", b":0\r\n"),
    (b"hlen s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hexists h a", b":1\r\n"),
    (b"hexists h nope", b":0\r\n"),
    (b"hexists nope a", b":0\r\n"),
    (b"hexists s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hstrlen h b", b":1\r\n"),
    (b"hstrlen h nope", b":0\r\n"),
    (b"hstrlen nope a", b":0\r\n"),
    (b"hstrlen s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hdel h a a nope", b":1\r\n"),
    (b"hdel nope a", b":0\r\n"),
    (b"hdel s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hdel h b c d e e", b":4\r\n"),
    (b"exists h", b":0\r\n"),
    (b"hset h a 1 b 2", b":2\r\n"),
    (b"hgetdel h fields 4 a a nope b", b"*4\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$1\r\n2\r\n"),
    (b"exists h", b":0\r\n"),
    (b"hgetdel h FIELDS 1 a", b"*1\r\n$-1\r\n"),
    (b"hgetdel h FOO x a", b"-ERR syntax error\r\n"),
    (b"hgetdel h FIELDS 0 a", b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n"),
    (b"hgetdel h FIELDS x a", b"-ERR value is not an integer or out of range\r\n"),
    (b"hgetdel s FIELDS 2 a", b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n"),
    (b"hgetdel s FIELDS 1 a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
];

/// Fields counted up.
const NUMBERS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"hincrby h a 5", b":5\r\n"),
    (b"hincrby h a -7", b":-2\r\n"),
    (
        b"hincrby h a 007",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hincrby h a x",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hincrby s a x",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hincrby s a 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hset h big 9223372036854775807 word foo spaced 1.5",
        b":3\r\n",
    ),
    (
        b"hincrby h big 1",
        b"-ERR increment or decrement would overflow\r\n",
    ),
    (b"hincrby h big -1", b":9223372036854775806\r\n"),
    (
        b"hincrby h word 1",
        b"-ERR hash value is not an integer\r\n",
    ),
    (
        b"hincrby h spaced 1",
        b"-ERR hash value is not an integer\r\n",
    ),
    (b"hincrbyfloat h a 0.5", b"$4\r\n-1.5\r\n"),
    (b"hincrbyfloat h f 3.0e2", b"$3\r\n300\r\n"),
    (b"hincrbyfloat h f 0.1", b"$21\r\n300.10000000000000001\r\n"),
    (b"hincrbyfloat h f -300.1", b"$1\r\n0\r\n"),
    (
        b"hincrbyfloat h a nan",
        b"-ERR value is not a valid float\r\n",
    ),
    (
        b"hincrbyfloat h a inf",
        b"-ERR value is NaN or Infinity\r\n",
    ),
    (
        b"hincrbyfloat s a inf",
        b"-ERR value is NaN or Infinity\r\n",
    ),
    (
        b"hincrbyfloat s a x",
        b"-ERR value is not a valid float\r\n",
    ),
    (
        b"hincrbyfloat s a 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hincrbyfloat h a 1e5000",
        b"-ERR value is not a valid float\r\n",
    ),
    (
        b"hincrbyfloat h word 1",
        b"-ERR hash value is not a float\r\n",
    ),
    (b"hset h infinite inf", b":1\r\n"),
    (
        b"hincrbyfloat h infinite 1",
        b"-ERR increment would produce NaN or Infinity\r\n",
    ),
    (b"hexpire h 100 fields 2 a big", b"*2\r\n:1\r\n:1\r\n"),
    (b"hincrbyfloat h a 1", b"$4\r\n-0.5\r\n"),
    (b"hincrby h big -1", b":9223372036854775805\r\n"),
    (b"httl h fields 2 a big", b"*2\r\n:100\r\n:100\r\n"),
    (b"hset h a 1", b":0\r\n"),
    (b"httl h fields 1 a", b"*1\r\n:-1\r\n"),
];

/// Expire times of fields.
const TIMES: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"httl h fields 2 a b", b"*2\r\n:-2\r\n:-2\r\n"),
    (b"hpersist h fields 2 a b", b"*2\r\n:-2\r\n:-2\r\n"),
    (b"hexpire h 0 fields 1 a", b"*1\r\n:-2\r\n"),
    (b"hexpire h 10 xx fields 2 a b", b"*2\r\n:-2\r\n:-2\r\n"),
    (b"hset h a 1 b 2", b":2\r\n"),
    (b"httl h FIELDS 2 a nope", b"*2\r\n:-1\r\n:-2\r\n"),
    (b"httl h FIELDS 2 a", b"-ERR syntax error\r\n"),
    (b"httl h FIELDS 0 a", b"-ERR syntax error\r\n"),
    (
        b"httl h FIELDS x a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (b"httl h FOO x a", b"-ERR syntax error\r\n"),
    (
        b"httl s FIELDS 1 a",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"hpersist h FOO x a", b"-ERR syntax error\r\n"),
    (
        b"hpersist h FIELDS 0 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hpersist s FIELDS 2 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hpersist s FIELDS 1 a",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"hexpire h 10 FIELDS 1 a", b"*1\r\n:1\r\n"),
    (b"hexpire h 10 NX FIELDS 2 a b", b"*2\r\n:0\r\n:1\r\n"),
    (
        b"hpersist h FIELDS 3 b b nope",
        b"*3\r\n:1\r\n:-1\r\n:-2\r\n",
    ),
    (b"hexpire h 10 XX FIELDS 2 a b", b"*2\r\n:1\r\n:0\r\n"),
    (b"hexpire h 10 GT FIELDS 2 a b", b"*2\r\n:0\r\n:0\r\n"),
    (b"hexpire h 20 gt Fields 2 a a", b"*2\r\n:1\r\n:0\r\n"),
    (b"hexpire h 30 LT FIELDS 1 a", b"*1\r\n:0\r\n"),
    (b"hexpire h 20 lt xx FIELDS 1 a", b"*1\r\n:0\r\n"),
    (b"hexpire h 30 LT FIELDS 2 b b", b"*2\r\n:1\r\n:0\r\n"),
    (b"httl h FIELDS 2 a b", b"*2\r\n:20\r\n:30\r\n"),
    (
        b"hexpire h 10 LT GT FIELDS 1 a",
        b"-ERR GT and LT options at the same time are not compatible\r\n",
    ),
    (
        b"hexpire h 10 NX GT FIELDS 1 a",
        b"-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    (
        b"hexpire h x FOO FIELDS 1 a",
        b"-ERR Unsupported option FOO\r\n",
    ),
    (
        b"hexpire h x NX FIELDS 2 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hexpire h x FIELDS 1 a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hexpire h 10 FIELDS x a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hexpire h 10 a b FIELDS",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hexpire s x FIELDS 1 a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hexpire s -1 FIELDS 1 a",
        b"-ERR invalid expire time in 'hexpire' command\r\n",
    ),
    (
        b"hexpire s 0 FIELDS 1 a",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hexpire h 9223372036854775807 FIELDS 1 a",
        b"-ERR invalid expire time in 'hexpire' command\r\n",
    ),
    (
        b"hpexpire h 9223372036854775806 FIELDS 1 a",
        b"-ERR invalid expire time in 'hpexpire' command\r\n",
    ),
    (
        b"hexpireat h 9223372036854775807 FIELDS 1 a",
        b"-ERR invalid expire time in 'hexpireat' command\r\n",
    ),
    (
        b"hpexpireat h -1 FIELDS 1 a",
        b"-ERR invalid expire time in 'hpexpireat' command\r\n",
    ),
    (
        b"hpexpireat h 9223372036854775807 FIELDS 1 a",
        b"*1\r\n:1\r\n",
    ),
    (b"hexpiretime h FIELDS 1 a", b"*1\r\n:9223372036854776\r\n"),
    (
        b"hpexpiretime h FIELDS 1 a",
        b"*1\r\n:9223372036854775807\r\n",
    ),
    (b"hpexpireat h 99999999999499 FIELDS 1 a", b"*1\r\n:1\r\n"),
    (b"hexpiretime h FIELDS 1 a", b"*1\r\n:99999999999\r\n"),
    (b"hpexpireat h 99999999999500 FIELDS 1 a", b"*1\r\n:1\r\n"),
    (b"hexpiretime h FIELDS 1 a", b"*1\r\n:100000000000\r\n"),
    (b"hexpire h 0 GT FIELDS 2 a a", b"*2\r\n:0\r\n:0\r\n"),
    (b"hexpireat h 1 LT FIELDS 2 a a", b"*2\r\n:2\r\n:-2\r\n"),
    (b"hpexpireat h 1 NX FIELDS 1 b", b"*1\r\n:0\r\n"),
    (
        b"hexpire h 0 FIELDS 3 b b nope",
        b"*3\r\n:2\r\n:-2\r\n:-2\r\n",
    ),
    (b"exists h", b":0\r\n"),
];

/// HGETEX.
const GETEX: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"hset h a 1 b 2 c 3", b":3\r\n"),
    (b"hgetex h FIELDS 2 a nope", b"*2\r\n$1\r\n1\r\n$-1\r\n"),
    (
        b"hgetex h FIELDS 2 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hgetex h FIELDS 0 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hgetex h FIELDS x a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hgetex h a b c",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (b"hgetex h a FIELDS 1 a", b"-ERR syntax error\r\n"),
    (b"hgetex nope EX 10 FIELDS 2 a b", b"*2\r\n$-1\r\n$-1\r\n"),
    (b"hgetex nope EX 0 FIELDS 1 a", b"*1\r\n$-1\r\n"),
    (
        b"hgetex nope EX x FIELDS 1 a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hgetex nope PX -1 FIELDS 1 a",
        b"-ERR invalid expire time in 'hgetex' command\r\n",
    ),
    (
        b"hgetex s FIELDS 1 a",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hgetex s EX x FIELDS 1 a",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hgetex s EX x FIELDS 2 a",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hgetex h EX 10 EX x FIELDS 1 a",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hgetex h PX 100000 FIELDS 2 b nope",
        b"*2\r\n$1\r\n2\r\n$-1\r\n",
    ),
    (b"httl h FIELDS 2 b c", b"*2\r\n:100\r\n:-1\r\n"),
    (b"hgetex h FIELDS 1 b", b"*1\r\n$1\r\n2\r\n"),
    (b"httl h FIELDS 1 b", b"*1\r\n:100\r\n"),
    (
        b"hgetex h PERSIST FIELDS 2 b c",
        b"*2\r\n$1\r\n2\r\n$1\r\n3\r\n",
    ),
    (b"httl h FIELDS 2 b c", b"*2\r\n:-1\r\n:-1\r\n"),
    (b"hgetex h EX 0 FIELDS 2 a a", b"*2\r\n$1\r\n1\r\n$-1\r\n"),
    (
        b"hgetex h EX 9223372036854775807 FIELDS 1 b",
        b"-ERR invalid expire time in 'hgetex' command\r\n",
    ),
    (
        b"hgetex h PXAT 1 FIELDS 3 b c c",
        b"*3\r\n$1\r\n2\r\n$1\r\n3\r\n$-1\r\n",
    ),
    (b"exists h", b":0\r\n"),
];

/// HSETEX.
const SETEX: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (
        b"hsetex h FIELDS 2 a 1",
        b"-ERR numfields should be greater than 0 and match the provided number of fields\r\n",
    ),
    (
        b"hsetex h FIELDS 1 a",
        b"-ERR wrong number of arguments for 'hsetex' command\r\n",
    ),
    (b"hsetex h FOO FIELDS 1 a 1", b"-ERR syntax error\r\n"),
    (b"hsetex h XX FIELDS 1 a 1", b":0\r\n"),
    (b"hsetex h XX EX x FIELDS 1 a 1", b":0\r\n"),
    (
        b"hsetex h EX x FIELDS 1 a 1",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (
        b"hsetex h FXX EX x FIELDS 1 a 1",
        b"-ERR value is not an integer or out of range\r\n",
    ),
    (b"hsetex h FXX FIELDS 1 a 1", b":0\r\n"),
    (b"hsetex h NX FNX EX 100 FIELDS 2 a 1 b 2", b":1\r\n"),
    (b"hsetex h NX EX -1 FIELDS 1 a 1", b":0\r\n"),
    (
        b"hsetex h FNX EX -1 FIELDS 1 a 1",
        b"-ERR invalid expire time in 'hsetex' command\r\n",
    ),
    (b"hsetex h FNX FIELDS 2 z 1 a 1", b":0\r\n"),
    (b"hsetex h FXX FIELDS 2 z 1 a 1", b":0\r\n"),
    (b"hsetex h XX FXX KEEPTTL FIELDS 1 a 5", b":1\r\n"),
    (b"hsetex h FIELDS 1 b 5", b":1\r\n"),
    (b"httl h FIELDS 2 a b", b"*2\r\n:100\r\n:-1\r\n"),
    (b"hsetex h KEEPTTL FIELDS 3 a 6 c 7 c 8", b":1\r\n"),
    (b"httl h FIELDS 2 a c", b"*2\r\n:100\r\n:-1\r\n"),
    (b"hmget h a b c", b"*3\r\n$1\r\n6\r\n$1\r\n5\r\n$1\r\n8\r\n"),
    (
        b"hsetex s NX FIELDS 1 a 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hsetex s EX x FIELDS 1 a 1",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"hsetex h EX 9223372036854775807 FIELDS 1 a 1",
        b"-ERR invalid expire time in 'hsetex' command\r\n",
    ),
    (b"hsetex h FNX PX 0 FIELDS 1 a 1", b":0\r\n"),
    (b"hsetex h EX 0 FIELDS 3 nope 1 a 1 a 1", b":1\r\n"),
    (b"hexists h a", b":0\r\n"),
    (b"hsetex h PXAT 1 FIELDS 2 b 1 c 1", b":1\r\n"),
    (b"exists h", b":0\r\n"),
    (b"hsetex h PXAT 1 FIELDS 1 b 1", b":1\r\n"),
    (b"exists h", b":0\r\n"),
    (b"hsetex fields 2 a 1 b 2", b":1\r\n"),
    (
        b"hsetex fields EX 10 FIELDS 1 a 1",
        b"-ERR value is not an integer or out of range\r\n",
    ),
];

/// Random fields and scans.
const WALKS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"hset h a 1", b":1\r\n"),
    (b"hrandfield nope", b"$-1\r\n"),
    (b"hrandfield nope 5", b"*0\r\n"),
    (b"hrandfield nope x", b"-ERR value is not an integer or out of range\r\n"),
    (b"hrandfield s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hrandfield s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hrandfield h", b"$1\r\na\r\n"),
    (b"hrandfield h 0", b"*0\r\n"),
    (b"hrandfield h 5", b"*1\r\n$1\r\na\r\n"),
    (b"hrandfield h -3", b"*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"),
    (b"hrandfield h 5 WITHVALUES", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"hrandfield h -2 WITHVALUES", b"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"hrandfield h x FOO", b"-ERR value is not an integer or out of range\r\n"),
    (b"hrandfield h 5 FOO", b"-ERR syntax error\r\n"),
    (b"hrandfield h 5 WITHVALUES x", b"-ERR syntax error\r\n"),
    (b"hrandfield h -9223372036854775808", b"-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"),
    (b"hrandfield nope 4611686018427387904 withvalues", b"-ERR value is out of range\r\n"),
    (b"hscan nope x", b"-ERR invalid cursor\r\n"),
    (b"hscan nope 0 FOO", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"hscan s 0 FOO", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"hscan h 0 FOO", b"-ERR syntax error\r\n"),
    (b"hscan h 0 COUNT", b"-ERR syntax error\r\n"),
    (b"hscan h 0 COUNT 0", b"-ERR syntax error\r\n"),
    (b"hscan h 0 COUNT x", b"-ERR value is not an integer or out of range\r\n"),
    (b"hscan h 0 NOSCORES", b"-ERR NOSCORES option can only be used in ZSCAN\r\n"),
    (b"hscan h 0 TYPE hash", b"-ERR syntax error\r\n"),
    (b"hscan h 5", b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"hset h '' 2 ab 3", b":2\r\n"),
    (b"hscan h 0 MATCH a* COUNT 1 NOVALUES", b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$2\r\nab\r\n"),
    (b"hscan h 0 MATCH *", b"*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n$0\r\n\r\n$1\r\n2\r\n$2\r\nab\r\n$1\r\n3\r\n"),
];

/// What RESP3 replies otherwise.
const THIRD: &[(&[u8], &[u8])] = &[
    (b"hello 3", b""),
    (b"hset h a 1", b":1\r\n"),
    (b"hgetall h", b"%1\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"hgetall nope", b"%0\r\n"),
    (b"hkeys h", b"*1\r\n$1\r\na\r\n"),
    (
        b"hrandfield h 5 WITHVALUES",
        b"*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
    ),
    (b"hrandfield nope", b"_\r\n"),
    (b"hget h nope", b"_\r\n"),
    (b"hmget h a nope", b"*2\r\n$1\r\n1\r\n_\r\n"),
    (b"hgetex nope FIELDS 1 a", b"*1\r\n_\r\n"),
    (
        b"hscan h 0",
        b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
    ),
    (b"hincrbyfloat h a 1.5", b"$3\r\n2.5\r\n"),
];

#[test]
fn replies_are_those_of_valkey() {
    for transcript in [FIELDS, NUMBERS, TIMES, GETEX, SETEX, WALKS, THIRD] {
        compare(transcript);
    }
}

/// What follows the expiry of all fields of a hash; each line begins anew.
const EXPIRED: &[(&[u8], &[u8])] = &[
    (b"hgetall h", b"*0\r\n"),
    (b"hkeys h", b"*0\r\n"),
    (b"hmget h a b", b"*2\r\n$-1\r\n$-1\r\n"),
    (b"hget h a", b"$-1\r\n"),
    (b"hexists h a", b":0\r\n"),
    (b"hstrlen h a", b":0\r\n"),
    (b"hlen h", b":3\r\n"),
    (b"hdel h a", b":0\r\n"),
    (b"hgetdel h fields 1 a", b"*1\r\n$-1\r\n"),
    (b"httl h fields 1 a", b"*1\r\n:-2\r\n"),
    (b"hpersist h fields 1 a", b"*1\r\n:-2\r\n"),
    (b"hexpire h 10 fields 1 a", b"*1\r\n:-2\r\n"),
    (b"hexpire h 0 fields 1 a", b"*1\r\n:-2\r\n"),
    (b"hgetex h persist fields 1 a", b"*1\r\n$-1\r\n"),
    (b"hgetex h ex 10 fields 1 a", b"*1\r\n$-1\r\n"),
    (b"hrandfield h", b"$-1\r\n"),
    (b"hrandfield h 5", b"*0\r\n"),
    (b"hrandfield h -5", b"*0\r\n"),
    (b"hscan h 0", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"hsetex h fxx fields 1 a 5", b":0\r\n"),
    (b"hsetex h nx fields 1 a 5", b":0\r\n"),
];

/// As above, but the field `a` is there afterwards and does not expire.
const REVIVED: &[(&[u8], &[u8])] = &[
    (b"hset h a 1", b":1\r\n"),
    (b"hsetnx h a 9", b":1\r\n"),
    (b"hincrby h a 1", b":1\r\n"),
    (b"hincrbyfloat h a 1", b"$1\r\n1\r\n"),
    (b"hsetex h keepttl fields 1 a 5", b":1\r\n"),
    (b"hsetex h fnx fields 1 a 5", b":1\r\n"),
    (b"hsetex h xx fields 1 a 5", b":1\r\n"),
];

#[test]
fn an_expired_field_is_not_there() {
    for (lines, left) in [(EXPIRED, b":-2\r\n"), (REVIVED, b":-1\r\n")] {
        for line in lines {
            let mut client = Client::new();
            client.run_line(b"hset h a 1 b 2 c 3");
            client.run_line(b"hpexpire h 10 fields 3 a b c");
            client.advance(Duration::from_millis(11));
            compare_one(&mut client, line);
            let expiry = client.run_line(b"hpexpiretime h fields 1 a");
            assert_eq!(expiry, [&b"*1\r\n"[..], left].concat());
        }
    }
}

#[test]
fn writes_that_name_expired_fields_delete_them_and_at_last_the_key() {
    for line in [
        &b"hdel h a b c"[..],
        b"hgetdel h fields 3 a b c",
        b"hexpire h 10 fields 3 a b c",
        b"hexpire h 0 fields 3 a b c",
        b"hpersist h fields 3 a b c",
        b"hgetex h persist fields 3 a b c",
        b"hgetex h ex 0 fields 3 a b c",
        b"hsetex h ex 0 fields 3 a 1 b 1 c 1",
    ] {
        let mut client = Client::new();
        client.run_line(b"hset h a 1 b 2 c 3");
        client.run_line(b"hpexpire h 10 fields 3 a b c");
        client.advance(Duration::from_millis(10));
        assert_eq!(client.run_line(b"hexists h a"), b":1\r\n");
        client.advance(Duration::from_millis(1));
        assert_eq!(client.run_line(b"exists h"), b":1\r\n");
        client.run_line(line);
        let shown = line.escape_ascii();
        assert_eq!(client.run_line(b"exists h"), b":0\r\n", "{shown}");
    }
}

#[test]
fn a_large_hash_replies_as_a_small_one_does() {
    let mut client = Client::new();
    let names: Vec<String> = (0..3000).map(|number| format!("field-{number}")).collect();
    let mut request: Vec<&[u8]> = vec![b"hset", b"h"];
    for name in &names {
        request.extend([name.as_bytes(), b"value"]);
    }
    assert_eq!(client.run(&request), b":3000\r\n");
    assert_eq!(client.run(&request), b":0\r\n");
    assert_eq!(
        client.run_line(b"object encoding h"),
        b"$9\r\nhashtable\r\n"
    );
    assert_eq!(client.run_line(b"hlen h"), b":3000\r\n");
    assert_eq!(client.run_line(b"hget h field-2999"), b"$5\r\nvalue\r\n");
    let found = client.run_line(b"hrandfield h 50");
    assert_eq!(found.iter().filter(|byte| **byte == b'$').count(), 50);
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let line = format!("hscan h {cursor} count 100 novalues");
        let reply = String::from_utf8(client.run_line(line.as_bytes())).expect("is text");
        let mut lines = reply.split("\r\n");
        cursor = lines.nth(2).expect("a cursor").to_owned();
        let fields = lines.filter(|line| line.starts_with("field-"));
        seen.extend(fields.map(str::to_owned));
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), names.len());
    for name in &names {
        assert_eq!(client.run(&[b"hdel", b"h", name.as_bytes()]), b":1\r\n");
    }
    assert_eq!(client.run_line(b"exists h"), b":0\r\n");
}

#[test]
fn a_reply_no_client_can_want_is_refused() {
    let mut client = Client::new();
    client.run_line(b"hset h a 1");
    let reply = client.run_line(b"hrandfield h -4611686018427387903 withvalues");
    assert_eq!(reply, b"-ERR value is out of range\r\n");
}
