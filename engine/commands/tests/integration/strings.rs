//! Commands on strings, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};
use std::time::Duration;

/// SET and its older forms.
const SET: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"set a 1", b"+OK\r\n"),
    (b"set k v ifeq x", b"$-1\r\n"),
    (b"set k v", b"+OK\r\n"),
    (b"set k w ifeq x", b"$-1\r\n"),
    (b"set k w ifeq v", b"+OK\r\n"),
    (b"get k", b"$1\r\nw\r\n"),
    (b"set h v ifeq x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"set h v get", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"set h v nx get", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"set k v xx get ifeq q", b"-ERR syntax error\r\n"),
    (b"set k z ifeq q get", b"$1\r\nw\r\n"),
    (b"set k z ifeq w get", b"$1\r\nw\r\n"),
    (b"get k", b"$1\r\nz\r\n"),
    (b"set k q nx get", b"$1\r\nz\r\n"),
    (b"get k", b"$1\r\nz\r\n"),
    (b"set new z nx get", b"$-1\r\n"),
    (b"get new", b"$1\r\nz\r\n"),
    (b"set new2 z xx get", b"$-1\r\n"),
    (b"set new2 z xx", b"$-1\r\n"),
    (b"set new2 z keepttl", b"+OK\r\n"),
    (b"ttl new2", b":-1\r\n"),
    (b"set k v ex 100", b"+OK\r\n"),
    (b"ttl k", b":100\r\n"),
    (b"set k w keepttl", b"+OK\r\n"),
    (b"ttl k", b":100\r\n"),
    (b"get k", b"$1\r\nw\r\n"),
    (b"set k v ifeq w ex 50", b"+OK\r\n"),
    (b"ttl k", b":50\r\n"),
    (b"set k v", b"+OK\r\n"),
    (b"ttl k", b":-1\r\n"),
    (b"set k v pxat 1", b"+OK\r\n"),
    (b"get k", b"$-1\r\n"),
    (b"exists k", b":0\r\n"),
    (b"set k v ex 0", b"-ERR invalid expire time in 'set' command\r\n"),
    (b"set k v ex 9223372036854775807", b"-ERR invalid expire time in 'set' command\r\n"),
    (b"set k v px 9223372036854775807", b"-ERR invalid expire time in 'set' command\r\n"),
    (b"set k v exat 9223372036854775807", b"-ERR invalid expire time in 'set' command\r\n"),
    (b"set k v foo", b"-ERR syntax error\r\n"),
    (b"set k v ex", b"-ERR syntax error\r\n"),
    (b"set k v nx xx", b"-ERR syntax error\r\n"),
    (b"set k v ex 10 px 10", b"-ERR syntax error\r\n"),
    (b"set k v ex 10 keepttl", b"-ERR syntax error\r\n"),
    (b"set h v nx", b"$-1\r\n"),
    (b"get h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"type h", b"+hash\r\n"),
    (b"set h v get ex 0", b"-ERR invalid expire time in 'set' command\r\n"),
    (b"set h v", b"+OK\r\n"),
    (b"get h", b"$1\r\nv\r\n"),
    (b"set k v xx", b"$-1\r\n"),
    (b"set '' ''", b"+OK\r\n"),
    (b"get ''", b"$0\r\n\r\n"),
    (b"setnx a 2", b":0\r\n"),
    (b"setnx b 2", b":1\r\n"),
    (b"get b", b"$1\r\n2\r\n"),
    (b"setex a 0 x", b"-ERR invalid expire time in 'setex' command\r\n"),
    (b"setex a -1 x", b"-ERR invalid expire time in 'setex' command\r\n"),
    (b"setex a abc x", b"-ERR value is not an integer or out of range\r\n"),
    (b"psetex a 0 x", b"-ERR invalid expire time in 'psetex' command\r\n"),
    (b"psetex a 9223372036854775807 x", b"-ERR invalid expire time in 'psetex' command\r\n"),
    (b"setex a 100 x", b"+OK\r\n"),
    (b"get a", b"$1\r\nx\r\n"),
    (b"ttl a", b":100\r\n"),
    (b"psetex a 99500 y", b"+OK\r\n"),
    (b"ttl a", b":100\r\n"),
];

/// Reads that may change.
const GET: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"get nope", b"$-1\r\n"),
    (b"get h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"set b 2", b"+OK\r\n"),
    (b"getset h x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"getset nope x", b"$-1\r\n"),
    (b"getdel h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"getdel nope", b"$1\r\nx\r\n"),
    (b"getdel nope", b"$-1\r\n"),
    (b"getex h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"getex h ex 10", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"getex nope ex 10", b"$-1\r\n"),
    (b"getex nope ex 0", b"-ERR invalid expire time in 'getex' command\r\n"),
    (b"getex b", b"$1\r\n2\r\n"),
    (b"ttl b", b":-1\r\n"),
    (b"getex b ex 10", b"$1\r\n2\r\n"),
    (b"ttl b", b":10\r\n"),
    (b"getex b", b"$1\r\n2\r\n"),
    (b"ttl b", b":10\r\n"),
    (b"getex b persist", b"$1\r\n2\r\n"),
    (b"ttl b", b":-1\r\n"),
    (b"getex b pxat 1", b"$1\r\n2\r\n"),
    (b"exists b", b":0\r\n"),
    (b"getex h ex 0", b"-ERR invalid expire time in 'getex' command\r\n"),
    (b"getex b ex 10 persist", b"-ERR syntax error\r\n"),
    (b"getex b keepttl", b"-ERR syntax error\r\n"),
    (b"set t 1 ex 100", b"+OK\r\n"),
    (b"getset t 2", b"$1\r\n1\r\n"),
    (b"ttl t", b":-1\r\n"),
    (b"set d 10", b"+OK\r\n"),
    (b"delifeq d 11", b":0\r\n"),
    (b"delifeq h x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"delifeq nope x", b":0\r\n"),
    (b"delifeq d 10", b":1\r\n"),
    (b"exists d", b":0\r\n"),
];

/// Many keys at once.
const MULTIPLE: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"mset a 1 b", b"-ERR wrong number of arguments for 'mset' command\r\n"),
    (b"mset a 1 b 2", b"+OK\r\n"),
    (b"mget a h nope b a", b"*5\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"mset a 1 a 2", b"+OK\r\n"),
    (b"get a", b"$1\r\n2\r\n"),
    (b"msetnx a 1 c 3", b":0\r\n"),
    (b"exists c", b":0\r\n"),
    (b"msetnx q 1 q 2", b":1\r\n"),
    (b"get q", b"$1\r\n2\r\n"),
    (b"msetnx a 1 b", b"-ERR wrong number of arguments for 'msetnx' command\r\n"),
    (b"msetex 1 a 1", b":1\r\n"),
    (b"msetex 2 a 1", b"-ERR syntax error\r\n"),
    (b"msetex 0 a 1", b"-ERR invalid numkeys value or out of range\r\n"),
    (b"msetex -1 a 1", b"-ERR invalid numkeys value or out of range\r\n"),
    (b"msetex a a 1", b"-ERR invalid numkeys value or out of range\r\n"),
    (b"msetex 1 a 1 nx", b":0\r\n"),
    (b"msetex 2 a 1 zz 3 xx", b":0\r\n"),
    (b"exists zz", b":0\r\n"),
    (b"msetex 2 a 1 b 3 xx ex 100", b":1\r\n"),
    (b"mget a b", b"*2\r\n$1\r\n1\r\n$1\r\n3\r\n"),
    (b"ttl a", b":100\r\n"),
    (b"ttl b", b":100\r\n"),
    (b"msetex 1 a 1 xx keepttl", b":1\r\n"),
    (b"ttl a", b":100\r\n"),
    (b"msetex 1 a 1", b":1\r\n"),
    (b"ttl a", b":-1\r\n"),
    (b"msetex 1 a 1 nx xx", b"-ERR syntax error\r\n"),
    (b"msetex 2 m 1 n 2 nx px 100500", b":1\r\n"),
    (b"mget m n", b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
    (b"ttl n", b":101\r\n"),
    (b"msetex 1 h 1 pxat 1", b":1\r\n"),
    (b"exists h", b":0\r\n"),
    (b"msetex 1 a 1 ex 0", b"-ERR invalid expire time in 'msetex' command\r\n"),
    (b"msetex 99999999999 a 1", b"-ERR invalid numkeys value or out of range\r\n"),
    (b"msetex 1 a 1 get", b"-ERR syntax error\r\n"),
    (b"mset h 1", b"+OK\r\n"),
    (b"get h", b"$1\r\n1\r\n"),
];

/// Parts of strings.
const PARTS: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"append a 12", b":2\r\n"),
    (b"object encoding a", b"$3\r\nint\r\n"),
    (b"append a 3", b":3\r\n"),
    (b"object encoding a", b"$3\r\nraw\r\n"),
    (b"get a", b"$3\r\n123\r\n"),
    (b"append h x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"append e ''", b":0\r\n"),
    (b"exists e", b":1\r\n"),
    (b"strlen h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"strlen nope", b":0\r\n"),
    (b"strlen a", b":3\r\n"),
    (b"getrange h 0 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"getrange nope 0 1", b"$0\r\n\r\n"),
    (b"getrange a 0 -1", b"$3\r\n123\r\n"),
    (b"getrange a -2 -1", b"$2\r\n23\r\n"),
    (b"getrange a 5 1", b"$0\r\n\r\n"),
    (b"getrange a 0 100", b"$3\r\n123\r\n"),
    (b"getrange a -100 1", b"$2\r\n12\r\n"),
    (b"getrange a -1 -2", b"$0\r\n\r\n"),
    (b"getrange a x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"getrange h x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"substr a 0 1", b"$2\r\n12\r\n"),
    (b"setrange a 5 x", b":6\r\n"),
    (b"get a", b"$6\r\n123\0\0x\r\n"),
    (b"setrange a -1 x", b"-ERR offset is out of range\r\n"),
    (b"setrange a -1 ''", b"-ERR offset is out of range\r\n"),
    (b"setrange h 0 x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"setrange h 0 ''", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"setrange h -1 ''", b"-ERR offset is out of range\r\n"),
    (b"setrange nope 5 ''", b":0\r\n"),
    (b"exists nope", b":0\r\n"),
    (b"setrange nope x ''", b"-ERR value is not an integer or out of range\r\n"),
    (b"setrange a 536870911 xx", b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
    (b"setrange a 536870912 xx", b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
    (b"setrange a 9223372036854775807 xx", b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
    (b"setrange a 9223372036854775807 ''", b":6\r\n"),
    (b"setrange nope 5 ab", b":7\r\n"),
    (b"get nope", b"$7\r\n\0\0\0\0\0ab\r\n"),
    (b"object encoding nope", b"$3\r\nraw\r\n"),
    (b"set t hello ex 100", b"+OK\r\n"),
    (b"append t !", b":6\r\n"),
    (b"setrange t 0 J", b":6\r\n"),
    (b"ttl t", b":100\r\n"),
    (b"get t", b"$6\r\nJello!\r\n"),
];

/// Strings as numbers.
const NUMBERS: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"incr h", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"incrby h x", b"-ERR value is not an integer or out of range\r\n"),
    (b"incr nope", b":1\r\n"),
    (b"incr nope", b":2\r\n"),
    (b"decr nope", b":1\r\n"),
    (b"incrby nope 40", b":41\r\n"),
    (b"object encoding nope", b"$3\r\nint\r\n"),
    (b"set i 10 ex 100", b"+OK\r\n"),
    (b"incrby i 5", b":15\r\n"),
    (b"ttl i", b":100\r\n"),
    (b"decrby i -9223372036854775808", b"-ERR decrement would overflow\r\n"),
    (b"decrby i 9223372036854775807", b":-9223372036854775792\r\n"),
    (b"decr i", b":-9223372036854775793\r\n"),
    (b"set i 9223372036854775807", b"+OK\r\n"),
    (b"incr i", b"-ERR increment or decrement would overflow\r\n"),
    (b"get i", b"$19\r\n9223372036854775807\r\n"),
    (b"decr i", b":9223372036854775806\r\n"),
    (b"incrby i -9223372036854775808", b":-2\r\n"),
    (b"incrby i 9223372036854775808", b"-ERR value is not an integer or out of range\r\n"),
    (b"set i 1a", b"+OK\r\n"),
    (b"incr i", b"-ERR value is not an integer or out of range\r\n"),
    (b"set i 01", b"+OK\r\n"),
    (b"incr i", b"-ERR value is not an integer or out of range\r\n"),
    (b"set i ''", b"+OK\r\n"),
    (b"incr i", b"-ERR value is not an integer or out of range\r\n"),
    (b"incrbyfloat i 1", b"-ERR value is not a valid float\r\n"),
    (b"incrbyfloat h x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"incrbyfloat i x", b"-ERR value is not a valid float\r\n"),
    (b"set f 10.5 ex 100", b"+OK\r\n"),
    (b"incrbyfloat f 0.1", b"$4\r\n10.6\r\n"),
    (b"incrbyfloat f x", b"-ERR value is not a valid float\r\n"),
    (b"incrbyfloat f inf", b"-ERR increment would produce NaN or Infinity\r\n"),
    (b"incrbyfloat f nan", b"-ERR value is not a valid float\r\n"),
    (b"incrbyfloat f -5", b"$3\r\n5.6\r\n"),
    (b"incrbyfloat f 5.0e3", b"$22\r\n5005.60000000000000009\r\n"),
    (b"get f", b"$22\r\n5005.60000000000000009\r\n"),
    (b"ttl f", b":100\r\n"),
    (b"object encoding f", b"$6\r\nembstr\r\n"),
    (b"incrbyfloat nope2 3", b"$1\r\n3\r\n"),
    (b"incrbyfloat nope2 -3", b"$1\r\n0\r\n"),
    (b"incrby nope2 7", b":7\r\n"),
    (b"set f 3.0e3", b"+OK\r\n"),
    (b"incrbyfloat f 200", b"$4\r\n3200\r\n"),
    (b"incr f", b":3201\r\n"),
    (b"set big 1e4932", b"+OK\r\n"),
    (b"incrbyfloat big 1e4932", b"-ERR increment would produce NaN or Infinity\r\n"),
    (b"set f abc", b"+OK\r\n"),
    (b"incrbyfloat f 1", b"-ERR value is not a valid float\r\n"),
];

/// Longest common subsequences.
const LCS: &[(&[u8], &[u8])] = &[
    (b"restore h 0 \x10\r\r\0\0\0\x02\0\x81f\x02\x81v\x02\xffP\0\xef\xdb\xf4\xd5\xbd\x06oi replace", b"+OK\r\n"),
    (b"lcs h a", b"-ERR The specified keys must contain string values\r\n"),
    (b"lcs h a foo", b"-ERR The specified keys must contain string values\r\n"),
    (b"lcs a h", b"-ERR The specified keys must contain string values\r\n"),
    (b"lcs a b foo", b"-ERR syntax error\r\n"),
    (b"lcs a b len idx", b"-ERR If you want both the length and indexes, please just use IDX.\r\n"),
    (b"lcs a b idx", b"*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n"),
    (b"mset x ohmytext y mynewtext", b"+OK\r\n"),
    (b"lcs x y", b"$6\r\nmytext\r\n"),
    (b"lcs x y len", b":6\r\n"),
    (b"lcs x y idx", b"*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"),
    (b"lcs x y idx minmatchlen 4", b"*4\r\n$7\r\nmatches\r\n*1\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n$3\r\nlen\r\n:6\r\n"),
    (b"lcs x y idx minmatchlen 4 withmatchlen", b"*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n"),
    (b"lcs x y minmatchlen", b"-ERR syntax error\r\n"),
    (b"lcs x y minmatchlen abc", b"-ERR value is not an integer or out of range\r\n"),
    (b"lcs x y minmatchlen -1 idx", b"*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"),
    (b"lcs x y idx minmatchlen 0 withmatchlen", b"*4\r\n$7\r\nmatches\r\n*2\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n*3\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n:2\r\n$3\r\nlen\r\n:6\r\n"),
    (b"lcs x nope", b"$0\r\n\r\n"),
    (b"lcs x nope len", b":0\r\n"),
    (b"lcs x nope idx", b"*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n"),
    (b"lcs x x idx withmatchlen", b"*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:0\r\n:7\r\n*2\r\n:0\r\n:7\r\n:8\r\n$3\r\nlen\r\n:8\r\n"),
    (b"lcs x y withmatchlen", b"$6\r\nmytext\r\n"),
    (b"lcs x y len minmatchlen 4", b":6\r\n"),
    (b"mset x badcyyy y abcd", b"+OK\r\n"),
    (b"lcs x y idx", b"*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:3\r\n:3\r\n*2\r\n:2\r\n:2\r\n*2\r\n*2\r\n:1\r\n:1\r\n*2\r\n:0\r\n:0\r\n$3\r\nlen\r\n:2\r\n"),
    (b"lcs y x idx", b"*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:3\r\n:3\r\n*2\r\n:2\r\n:2\r\n*2\r\n*2\r\n:1\r\n:1\r\n*2\r\n:0\r\n:0\r\n$3\r\nlen\r\n:2\r\n"),
    (b"lcs y x", b"$2\r\nbd\r\n"),
    (b"setrange x 1000000 x", b":1000001\r\n"),
    (b"lcs x x len", b"-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n"),
];

/// RESP3.
const VERSION_THREE: &[(&[u8], &[u8])] = &[
    (b"hello 3", b""),
    (b"get nope", b"_\r\n"),
    (b"mget nope", b"*1\r\n_\r\n"),
    (b"set x 1 xx", b"_\r\n"),
    (b"getex nope", b"_\r\n"),
    (b"getdel nope", b"_\r\n"),
    (b"getset nope 1", b"_\r\n"),
    (b"incrbyfloat nope 1.5", b"$3\r\n2.5\r\n"),
    (b"mset x ohmytext y mynewtext", b"+OK\r\n"),
    (b"lcs x y idx withmatchlen", b"%2\r\n$7\r\nmatches\r\n*2\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n*3\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n:2\r\n$3\r\nlen\r\n:6\r\n"),
];

#[test]
fn values_are_set_as_in_valkey() {
    compare(SET);
}

#[test]
fn values_are_taken_as_in_valkey() {
    compare(GET);
}

#[test]
fn many_strings_go_together() {
    compare(MULTIPLE);
}

#[test]
fn parts_are_read_and_written() {
    compare(PARTS);
}

#[test]
fn numbers_are_counted_as_in_valkey() {
    compare(NUMBERS);
}

#[test]
fn common_subsequences_are_those_of_valkey() {
    compare(LCS);
}

#[test]
fn the_newer_protocol_is_spoken() {
    compare(VERSION_THREE);
}

#[test]
fn an_expired_string_is_gone() {
    let mut client = Client::new();
    client.run_line(b"set a 1 px 1000");
    client.run_line(b"set b 1 px 1000");
    client.advance(Duration::from_millis(1000));
    // Expired is what is past its time, not at it.
    assert_eq!(client.run_line(b"get a"), b"$1\r\n1\r\n");
    client.advance(Duration::from_millis(1));
    assert_eq!(client.run_line(b"get a"), b"$-1\r\n");
    assert_eq!(client.run_line(b"incr b"), b":1\r\n");
    assert_eq!(client.run_line(b"ttl b"), b":-1\r\n");
}
