//! Commands on lists, and SORT, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare, compare_one};

/// Elements pushed, read and set.
const PUSHES: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"lpush l a b c", b":3\r\n"),
    (b"rpush l d 5 05 -7", b":7\r\n"),
    (b"lpush l", b"-ERR wrong number of arguments for 'lpush' command\r\n"),
    (b"lpush s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"rpush s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lpushx no a", b":0\r\n"),
    (b"rpushx no a b", b":0\r\n"),
    (b"exists no", b":0\r\n"),
    (b"lpushx l z y", b":9\r\n"),
    (b"rpushx l 9", b":10\r\n"),
    (b"lpushx s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"llen l", b":10\r\n"),
    (b"llen no", b":0\r\n"),
    (b"llen s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lrange l 0 -1", b"*10\r\n$1\r\ny\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nd\r\n$1\r\n5\r\n$2\r\n05\r\n$2\r\n-7\r\n$1\r\n9\r\n"),
    (b"lrange l 1 2", b"*2\r\n$1\r\nz\r\n$1\r\nc\r\n"),
    (b"lrange l -3 100", b"*3\r\n$2\r\n05\r\n$2\r\n-7\r\n$1\r\n9\r\n"),
    (b"lrange l 5 2", b"*0\r\n"),
    (b"lrange l 100 200", b"*0\r\n"),
    (b"lrange l -100 0", b"*1\r\n$1\r\ny\r\n"),
    (b"lrange no 0 -1", b"*0\r\n"),
    (b"lrange s 0 -1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lrange l x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"lrange s x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"lrange l 0", b"-ERR wrong number of arguments for 'lrange' command\r\n"),
    (b"lindex l 0", b"$1\r\ny\r\n"),
    (b"lindex l -1", b"$1\r\n9\r\n"),
    (b"lindex l 3", b"$1\r\nb\r\n"),
    (b"lindex l 100", b"$-1\r\n"),
    (b"lindex l -100", b"$-1\r\n"),
    (b"lindex no x", b"$-1\r\n"),
    (b"lindex l x", b"-ERR value is not an integer or out of range\r\n"),
    (b"lindex s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lset l 0 first", b"+OK\r\n"),
    (b"lset l -1 last", b"+OK\r\n"),
    (b"lset l 100 x", b"-ERR index out of range\r\n"),
    (b"lset l -100 x", b"-ERR index out of range\r\n"),
    (b"lset no 0 x", b"-ERR no such key\r\n"),
    (b"lset no x x", b"-ERR no such key\r\n"),
    (b"lset l x x", b"-ERR value is not an integer or out of range\r\n"),
    (b"lset s 0 x", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lrange l 0 -1", b"*10\r\n$5\r\nfirst\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nd\r\n$1\r\n5\r\n$2\r\n05\r\n$2\r\n-7\r\n$4\r\nlast\r\n"),
    (b"linsert l before 5 four", b":11\r\n"),
    (b"linsert l AFTER 5 six", b":12\r\n"),
    (b"linsert l after nope x", b":-1\r\n"),
    (b"linsert no before a b", b":0\r\n"),
    (b"linsert l foo a b", b"-ERR syntax error\r\n"),
    (b"linsert s before a b", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"linsert no foo a b", b"-ERR syntax error\r\n"),
    (b"lrange l 0 -1", b"*12\r\n$5\r\nfirst\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nd\r\n$4\r\nfour\r\n$1\r\n5\r\n$3\r\nsix\r\n$2\r\n05\r\n$2\r\n-7\r\n$4\r\nlast\r\n"),
    (b"type l", b"+list\r\n"),
    (b"object encoding l", b"$8\r\nlistpack\r\n"),
    (b"lpush l ''", b":13\r\n"),
    (b"lindex l 0", b"$0\r\n\r\n"),
    (b"linsert l after '' first", b":14\r\n"),
    (b"lrange l 0 2", b"*3\r\n$0\r\n\r\n$5\r\nfirst\r\n$5\r\nfirst\r\n"),
];

/// Elements removed and popped.
const REMOVALS: &[(&[u8], &[u8])] = &[
    (b"rpush l a b a c a b a", b":7\r\n"),
    (b"lrem l 2 a", b":2\r\n"),
    (b"lrange l 0 -1", b"*5\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (b"lrem l -1 a", b":1\r\n"),
    (b"lrange l 0 -1", b"*4\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"lrem l 0 b", b":2\r\n"),
    (b"lrem l 0 nope", b":0\r\n"),
    (b"lrange l 0 -1", b"*2\r\n$1\r\nc\r\n$1\r\na\r\n"),
    (b"lrem l x a", b"-ERR value is not an integer or out of range\r\n"),
    (b"lrem l -9223372036854775808 a", b"-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"),
    (b"lrem l 9223372036854775808 a", b"-ERR value is not an integer or out of range\r\n"),
    (b"lrem no 0 a", b":0\r\n"),
    (b"set s x", b"+OK\r\n"),
    (b"lrem s 0 a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lrem l 0 c", b":1\r\n"),
    (b"lrem l 0 a", b":1\r\n"),
    (b"exists l", b":0\r\n"),
    (b"rpush l 1 2 3 4 5 6 7 8", b":8\r\n"),
    (b"ltrim l 1 -2", b"+OK\r\n"),
    (b"lrange l 0 -1", b"*6\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"),
    (b"ltrim l 0 -1", b"+OK\r\n"),
    (b"lrange l 0 -1", b"*6\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"),
    (b"ltrim l -3 100", b"+OK\r\n"),
    (b"lrange l 0 -1", b"*3\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"),
    (b"ltrim s 0 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"ltrim no 0 1", b"+OK\r\n"),
    (b"ltrim l x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"ltrim s 0 x", b"-ERR value is not an integer or out of range\r\n"),
    (b"ltrim l 5 1", b"+OK\r\n"),
    (b"exists l", b":0\r\n"),
    (b"rpush l 1 2 3 4 5 6 7 8", b":8\r\n"),
    (b"lpop l", b"$1\r\n1\r\n"),
    (b"rpop l", b"$1\r\n8\r\n"),
    (b"lpop l 2", b"*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"rpop l 2", b"*2\r\n$1\r\n7\r\n$1\r\n6\r\n"),
    (b"lpop l 0", b"*0\r\n"),
    (b"lpop no", b"$-1\r\n"),
    (b"lpop no 2", b"*-1\r\n"),
    (b"lpop no 0", b"*-1\r\n"),
    (b"rpop s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lpop s 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lpop l -1", b"-ERR value is out of range, must be positive\r\n"),
    (b"lpop l x", b"-ERR value is out of range, must be positive\r\n"),
    (b"lpop no x", b"-ERR value is out of range, must be positive\r\n"),
    (b"lpop l 1 2", b"-ERR wrong number of arguments for 'lpop' command\r\n"),
    (b"rpop l 1 2", b"-ERR wrong number of arguments for 'rpop' command\r\n"),
    (b"rpop l 100", b"*2\r\n$1\r\n5\r\n$1\r\n4\r\n"),
    (b"exists l", b":0\r\n"),
    (b"rpush l 300 -300 70000 -70000 9000000 -9000000 3000000000 -3000000000 9223372036854775807 -9223372036854775808 9223372036854775808 007 -0 +1", b":14\r\n"),
    (b"lrange l 0 -1", b"*14\r\n$3\r\n300\r\n$4\r\n-300\r\n$5\r\n70000\r\n$6\r\n-70000\r\n$7\r\n9000000\r\n$8\r\n-9000000\r\n$10\r\n3000000000\r\n$11\r\n-3000000000\r\n$19\r\n9223372036854775807\r\n$20\r\n-9223372036854775808\r\n$19\r\n9223372036854775808\r\n$3\r\n007\r\n$2\r\n-0\r\n$2\r\n+1\r\n"),
    (b"lrem l 0 70000", b":1\r\n"),
    (b"lrem l 0 007", b":1\r\n"),
    (b"lrem l 0 7", b":0\r\n"),
    (b"lpos l -3000000000", b":6\r\n"),
    (b"lrange l 0 -1", b"*12\r\n$3\r\n300\r\n$4\r\n-300\r\n$6\r\n-70000\r\n$7\r\n9000000\r\n$8\r\n-9000000\r\n$10\r\n3000000000\r\n$11\r\n-3000000000\r\n$19\r\n9223372036854775807\r\n$20\r\n-9223372036854775808\r\n$19\r\n9223372036854775808\r\n$2\r\n-0\r\n$2\r\n+1\r\n"),
];

/// LPOS.
const POSITIONS: &[(&[u8], &[u8])] = &[
    (b"rpush l a b c 1 2 3 c c", b":8\r\n"),
    (b"lpos l c", b":2\r\n"),
    (b"lpos l nope", b"$-1\r\n"),
    (b"lpos no c", b"$-1\r\n"),
    (b"lpos l c rank 2", b":6\r\n"),
    (b"lpos l c rank -1", b":7\r\n"),
    (b"lpos l c rank -2", b":6\r\n"),
    (b"lpos l c rank 9", b"$-1\r\n"),
    (b"lpos l c count 0", b"*3\r\n:2\r\n:6\r\n:7\r\n"),
    (b"lpos l c count 2", b"*2\r\n:2\r\n:6\r\n"),
    (b"lpos l c count 2 rank 2", b"*2\r\n:6\r\n:7\r\n"),
    (b"lpos l c count 0 rank -1", b"*3\r\n:7\r\n:6\r\n:2\r\n"),
    (b"lpos l c count 0 maxlen 3", b"*1\r\n:2\r\n"),
    (b"lpos l c count 0 maxlen 2", b"*0\r\n"),
    (b"lpos l c rank -1 maxlen 1", b":7\r\n"),
    (b"lpos l 3 maxlen 6", b":5\r\n"),
    (b"lpos no c count 0", b"*0\r\n"),
    (b"lpos l nope count 1", b"*0\r\n"),
    (b"lpos l c rank 0", b"-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list\r\n"),
    (b"lpos l c rank x", b"-ERR value is not an integer or out of range\r\n"),
    (b"lpos l c rank -9223372036854775808", b"-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"),
    (b"lpos l c count -1", b"-ERR COUNT can't be negative\r\n"),
    (b"lpos l c count x", b"-ERR COUNT can't be negative\r\n"),
    (b"lpos l c maxlen -1", b"-ERR MAXLEN can't be negative\r\n"),
    (b"lpos l c maxlen x", b"-ERR MAXLEN can't be negative\r\n"),
    (b"lpos l c foo 1", b"-ERR syntax error\r\n"),
    (b"lpos l c rank", b"-ERR syntax error\r\n"),
    (b"lpos l c rank 1 count", b"-ERR syntax error\r\n"),
    (b"set s x", b"+OK\r\n"),
    (b"lpos s c", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"lpos s c rank 0", b"-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list\r\n"),
    (b"lpos no c rank 0", b"-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list\r\n"),
];

/// Elements moved from list to list, and LMPOP.
const MOVES: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"rpush a 1 2 3", b":3\r\n"),
    (b"lmove a b left right", b"$1\r\n1\r\n"),
    (b"lmove a b right left", b"$1\r\n3\r\n"),
    (b"lrange a 0 -1", b"*1\r\n$1\r\n2\r\n"),
    (b"lrange b 0 -1", b"*2\r\n$1\r\n3\r\n$1\r\n1\r\n"),
    (b"lmove a b left left", b"$1\r\n2\r\n"),
    (b"exists a", b":0\r\n"),
    (b"lmove a b left left", b"$-1\r\n"),
    (b"rpoplpush a b", b"$-1\r\n"),
    (b"rpoplpush b b", b"$1\r\n1\r\n"),
    (b"lrange b 0 -1", b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"lmove b b left right", b"$1\r\n1\r\n"),
    (b"lmove b b left left", b"$1\r\n2\r\n"),
    (b"lmove b b right right", b"$1\r\n1\r\n"),
    (b"lmove b b right left", b"$1\r\n1\r\n"),
    (b"lrange b 0 -1", b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (
        b"lmove b s left left",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"lmove s b left left",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"lmove no s left left", b"$-1\r\n"),
    (
        b"rpoplpush b s",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"rpoplpush s b",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"lmove b c foo left", b"-ERR syntax error\r\n"),
    (b"lmove b c left foo", b"-ERR syntax error\r\n"),
    (b"lmove no c foo left", b"-ERR syntax error\r\n"),
    (b"rpush one x", b":1\r\n"),
    (b"expire one 1000", b":1\r\n"),
    (b"lmove one one left right", b"$1\r\nx\r\n"),
    (b"ttl one", b":1000\r\n"),
    (b"rpoplpush one two", b"$1\r\nx\r\n"),
    (b"ttl two", b":-1\r\n"),
    (b"exists one", b":0\r\n"),
    (b"lmpop 2 no b left", b"*2\r\n$1\r\nb\r\n*1\r\n$1\r\n1\r\n"),
    (
        b"lmpop 2 no b right count 10",
        b"*2\r\n$1\r\nb\r\n*2\r\n$1\r\n3\r\n$1\r\n2\r\n",
    ),
    (b"lmpop 1 b left", b"*-1\r\n"),
    (
        b"lmpop 1 s left",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"lmpop 2 two s left",
        b"*2\r\n$3\r\ntwo\r\n*1\r\n$1\r\nx\r\n",
    ),
    (
        b"lmpop 2 no s left",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"lmpop 0 b left",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (
        b"lmpop x b left",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (
        b"lmpop -1 b left",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (b"lmpop 2 b left", b"-ERR syntax error\r\n"),
    (b"lmpop 1 b foo", b"-ERR syntax error\r\n"),
    (b"lmpop 1 b left foo 1", b"-ERR syntax error\r\n"),
    (b"lmpop 1 b left count", b"-ERR syntax error\r\n"),
    (
        b"lmpop 1 b left count 0",
        b"-ERR count should be greater than 0\r\n",
    ),
    (
        b"lmpop 1 b left count -1",
        b"-ERR count should be greater than 0\r\n",
    ),
    (
        b"lmpop 1 b left count x",
        b"-ERR count should be greater than 0\r\n",
    ),
    (b"lmpop 1 b left count 1 count 1", b"-ERR syntax error\r\n"),
    (b"lmpop 1 b left count 1 foo", b"-ERR syntax error\r\n"),
    (
        b"lmpop 9223372036854775807 b left",
        b"-ERR syntax error\r\n",
    ),
    (b"lmpop 2 b c", b"-ERR syntax error\r\n"),
];

/// Commands that may wait, where they need not.
const WAITS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"blpop no 0 x", b"-ERR timeout is not a float or out of range\r\n"),
    (b"blpop s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"brpop no s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"blpop no x", b"-ERR timeout is not a float or out of range\r\n"),
    (b"blpop no -1", b"-ERR timeout is negative\r\n"),
    (b"blpop no inf", b"-ERR timeout is out of range\r\n"),
    (b"blpop no 1e30", b"-ERR timeout is out of range\r\n"),
    (b"blpop no 9223372036854775", b"-ERR timeout is out of range\r\n"),
    (b"blpop s x", b"-ERR timeout is not a float or out of range\r\n"),
    (b"rpush l 1 2 3 4 5 6 7 8", b":8\r\n"),
    (b"blpop no l 0", b"*2\r\n$1\r\nl\r\n$1\r\n1\r\n"),
    (b"brpop no l s 0", b"*2\r\n$1\r\nl\r\n$1\r\n8\r\n"),
    (b"blpop l 0.5", b"*2\r\n$1\r\nl\r\n$1\r\n2\r\n"),
    (b"blmpop 0 2 no l left", b"*2\r\n$1\r\nl\r\n*1\r\n$1\r\n3\r\n"),
    (b"blmpop 0 2 no l right count 2", b"*2\r\n$1\r\nl\r\n*2\r\n$1\r\n7\r\n$1\r\n6\r\n"),
    (b"blmpop x 1 l left", b"-ERR timeout is not a float or out of range\r\n"),
    (b"blmpop x 0 l left", b"-ERR numkeys should be greater than 0\r\n"),
    (b"blmpop -1 1 l foo", b"-ERR syntax error\r\n"),
    (b"blmpop -1 1 s left", b"-ERR timeout is negative\r\n"),
    (b"blmpop 0 0 l left", b"-ERR numkeys should be greater than 0\r\n"),
    (b"blmpop 0 1 l foo", b"-ERR syntax error\r\n"),
    (b"blmpop 0 1 l left count 0", b"-ERR count should be greater than 0\r\n"),
    (b"blmpop 0 1 l left count 1 count 1", b"-ERR syntax error\r\n"),
    (b"blmove l m left right 0", b"$1\r\n4\r\n"),
    (b"blmove l m foo right 0", b"-ERR syntax error\r\n"),
    (b"blmove l m left foo x", b"-ERR syntax error\r\n"),
    (b"blmove l m left right x", b"-ERR timeout is not a float or out of range\r\n"),
    (b"blmove l m left right -1", b"-ERR timeout is negative\r\n"),
    (b"blmove l s left right 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"blmove s l left right 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"brpoplpush l m 0", b"$1\r\n5\r\n"),
    (b"brpoplpush l m x", b"-ERR timeout is not a float or out of range\r\n"),
    (b"exists l", b":0\r\n"),
    (b"lrange m 0 -1", b"*2\r\n$1\r\n5\r\n$1\r\n4\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"blpop no 0", b"+QUEUED\r\n"),
    (b"brpop no l 0", b"+QUEUED\r\n"),
    (b"blmove no l left left 0", b"+QUEUED\r\n"),
    (b"brpoplpush no l 0", b"+QUEUED\r\n"),
    (b"blmpop 0 1 no left", b"+QUEUED\r\n"),
    (b"blpop m 0", b"+QUEUED\r\n"),
    (b"lpush fresh 1", b"+QUEUED\r\n"),
    (b"blpop fresh 0", b"+QUEUED\r\n"),
    (b"blpop fresh 0", b"+QUEUED\r\n"),
    (b"exec", b"*9\r\n*-1\r\n*-1\r\n$-1\r\n$-1\r\n*-1\r\n*2\r\n$1\r\nm\r\n$1\r\n5\r\n:1\r\n*2\r\n$5\r\nfresh\r\n$1\r\n1\r\n*-1\r\n"),
    (b"blpop no -1", b"-ERR timeout is negative\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"blpop no x", b"+QUEUED\r\n"),
    (b"blpop s 0", b"+QUEUED\r\n"),
    (b"blmpop 0 1 s left", b"+QUEUED\r\n"),
    (b"exec", b"*3\r\n-ERR timeout is not a float or out of range\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
];

/// Lists that outgrow a listpack and come back.
const FORMS: &[(&[u8], &[u8])] = &[
    (b"rpush l a b c", b":3\r\n"),
    (b"object encoding l", b"$8\r\nlistpack\r\n"),
    (b"rpush l d e f g h i", b":9\r\n"),
    (b"object encoding l", b"$9\r\nquicklist\r\n"),
    (b"lset l 4 E", b"+OK\r\n"),
    (b"linsert l before E x", b":10\r\n"),
    (b"linsert l after b y", b":11\r\n"),
    (b"lrange l 0 -1", b"*11\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\ny\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\nx\r\n$1\r\nE\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n"),
    (b"lpush l 0", b":12\r\n"),
    (b"lrem l 0 x", b":1\r\n"),
    (b"lrem l 1 y", b":1\r\n"),
    (b"lrange l 0 -1", b"*10\r\n$1\r\n0\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\nE\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n"),
    (b"lpop l 4", b"*4\r\n$1\r\n0\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"object encoding l", b"$9\r\nquicklist\r\n"),
    (b"ltrim l 0 1", b"+OK\r\n"),
    (b"object encoding l", b"$9\r\nquicklist\r\n"),
    (b"rpop l", b"$1\r\nE\r\n"),
    (b"object encoding l", b"$8\r\nlistpack\r\n"),
    (b"rpush l 1", b":2\r\n"),
    (b"rpush l 2", b":3\r\n"),
    (b"rpush l 3", b":4\r\n"),
    (b"object encoding l", b"$9\r\nquicklist\r\n"),
    (b"linsert l before 3 4", b":5\r\n"),
    (b"object encoding l", b"$9\r\nquicklist\r\n"),
    (b"lrange l 0 -1", b"*5\r\n$1\r\nd\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n$1\r\n3\r\n"),
    (b"lpop l 9", b"*5\r\n$1\r\nd\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n$1\r\n3\r\n"),
    (b"rpush m 1 2 3 4 5 6 7", b":7\r\n"),
    (b"lrem m -1 4", b":1\r\n"),
    (b"ltrim m 1 -2", b"+OK\r\n"),
    (b"lrange m 0 -1", b"*4\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n5\r\n$1\r\n6\r\n"),
    (b"lindex m -1", b"$1\r\n6\r\n"),
    (b"lpos m 6", b":3\r\n"),
    (b"lmove m n right left", b"$1\r\n6\r\n"),
    (b"object encoding m", b"$9\r\nquicklist\r\n"),
    (b"sort m store o", b":3\r\n"),
    (b"object encoding o", b"$8\r\nlistpack\r\n"),
    (b"copy m p", b":1\r\n"),
    (b"object encoding p", b"$9\r\nquicklist\r\n"),
];

/// SORT and SORT_RO.
const SORTS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"sort no", b"*0\r\n"),
    (b"sort s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"sort s by w_*", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"rpush l 3 1 2 10", b":4\r\n"),
    (b"sort l", b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$2\r\n10\r\n"),
    (b"sort l desc", b"*4\r\n$2\r\n10\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort l alpha", b"*4\r\n$1\r\n1\r\n$2\r\n10\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"sort l alpha desc", b"*4\r\n$1\r\n3\r\n$1\r\n2\r\n$2\r\n10\r\n$1\r\n1\r\n"),
    (b"sort l limit 1 2", b"*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"sort l limit -1 2", b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
    (b"sort l limit 1 -1", b"*3\r\n$1\r\n2\r\n$1\r\n3\r\n$2\r\n10\r\n"),
    (b"sort l limit 9 1", b"*0\r\n"),
    (b"sort l limit 0 0", b"*0\r\n"),
    (b"sort l limit 1", b"-ERR syntax error\r\n"),
    (b"sort l limit x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"sort l foo", b"-ERR syntax error\r\n"),
    (b"sort l by nosort", b"*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n$2\r\n10\r\n"),
    (b"sort l by nosort desc", b"*4\r\n$2\r\n10\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n3\r\n"),
    (b"sort l by nosort desc limit 1 2", b"*2\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort l asc desc by nosort limit 0 2", b"*2\r\n$2\r\n10\r\n$1\r\n2\r\n"),
    (b"mset w_1 30 w_2 20 w_3 10 w_10 x", b"+OK\r\n"),
    (b"sort l by w_*", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"set w_10 5", b"+OK\r\n"),
    (b"sort l by w_*", b"*4\r\n$2\r\n10\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort l by w_* desc", b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$2\r\n10\r\n"),
    (b"sort l by w_* get #", b"*4\r\n$2\r\n10\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort l by w_* get # get w_* get nope get n_*", b"*16\r\n$2\r\n10\r\n$1\r\n5\r\n$-1\r\n$-1\r\n$1\r\n3\r\n$2\r\n10\r\n$-1\r\n$-1\r\n$1\r\n2\r\n$2\r\n20\r\n$-1\r\n$-1\r\n$1\r\n1\r\n$2\r\n30\r\n$-1\r\n$-1\r\n"),
    (b"sort l by w_* alpha", b"*4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n$2\r\n10\r\n"),
    (b"sort l by n_*", b"*4\r\n$1\r\n1\r\n$2\r\n10\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    (b"sort l by n_* alpha get #", b"*4\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n$2\r\n10\r\n"),
    (b"hset h_1 f 4 g a", b":2\r\n"),
    (b"hset h_2 f 3", b":1\r\n"),
    (b"hset h_3 f 2 g c", b":2\r\n"),
    (b"sort l by h_*->f get #", b"*4\r\n$2\r\n10\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort l by h_*->f get h_*->g get h_*->", b"*8\r\n$-1\r\n$-1\r\n$1\r\nc\r\n$-1\r\n$-1\r\n$-1\r\n$1\r\na\r\n$-1\r\n"),
    (b"sort l by h_*->f get w_*->f", b"*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
    (b"sort l get h_* get s", b"*8\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
    (b"sort l store d", b":4\r\n"),
    (b"lrange d 0 -1", b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$2\r\n10\r\n"),
    (b"object encoding d", b"$8\r\nlistpack\r\n"),
    (b"sort l by w_* get n_* get w_* store d", b":8\r\n"),
    (b"lrange d 0 -1", b"*8\r\n$0\r\n\r\n$1\r\n5\r\n$0\r\n\r\n$2\r\n10\r\n$0\r\n\r\n$2\r\n20\r\n$0\r\n\r\n$2\r\n30\r\n"),
    (b"sort no store d", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"sort l store l", b":4\r\n"),
    (b"lrange l 0 -1", b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$2\r\n10\r\n"),
    (b"sort_ro l desc", b"*4\r\n$2\r\n10\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
    (b"sort_ro l store d", b"-ERR syntax error\r\n"),
    (b"sort_ro s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"sort_ro l by w_* limit 0 2 get #", b"*2\r\n$2\r\n10\r\n$1\r\n3\r\n"),
    (b"rpush t b a C A '' 1", b":6\r\n"),
    (b"sort t", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"sort t alpha", b"*6\r\n$0\r\n\r\n$1\r\n1\r\n$1\r\nA\r\n$1\r\nC\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"sort t alpha limit 1 2 store d", b":2\r\n"),
    (b"lrange d 0 -1", b"*2\r\n$1\r\n1\r\n$1\r\nA\r\n"),
    (b"rpush n 1.5 -2 1e2 inf -inf 0x10 5", b":7\r\n"),
    (b"sort n", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"sort n desc limit 0 3", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"rpush m nan", b":1\r\n"),
    (b"sort m", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"rpush e ''", b":1\r\n"),
    (b"sort e", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"expire d 100", b":1\r\n"),
    (b"sort e store d", b"-ERR One or more scores can't be converted into double\r\n"),
    (b"ttl d", b":100\r\n"),
    (b"sort s store d", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"exists d", b":1\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"rpush tx 2 1", b"+QUEUED\r\n"),
    (b"sort tx by w_* get w_*", b"+QUEUED\r\n"),
    (b"exec", b"*2\r\n:2\r\n*2\r\n$2\r\n20\r\n$2\r\n30\r\n"),
];

/// Lists under other keys.
const COPIES: &[(&[u8], &[u8])] = &[
    (b"rpush l a 1", b":2\r\n"),
    (b"dump no", b"$-1\r\n"),
    (b"copy l m", b":1\r\n"),
    (b"lrange m 0 -1", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"rename m n", b"+OK\r\n"),
    (b"lrange n 0 -1", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"object encoding n", b"$8\r\nlistpack\r\n"),
];

#[test]
fn pushes_reply_as_the_reference_does() {
    compare(PUSHES);
}

#[test]
fn removals_reply_as_the_reference_does() {
    compare(REMOVALS);
}

#[test]
fn positions_reply_as_the_reference_does() {
    compare(POSITIONS);
}

#[test]
fn moves_reply_as_the_reference_does() {
    compare(MOVES);
}

#[test]
fn commands_that_need_not_wait_reply_as_the_reference_does() {
    compare(WAITS);
}

#[test]
fn sorts_reply_as_the_reference_does() {
    compare(SORTS);
}

#[test]
fn copies_reply_as_the_reference_does() {
    compare(COPIES);
}

#[test]
fn forms_change_where_those_of_the_reference_do() {
    let mut client = Client::new();
    let settings = client.store().settings();
    settings.set_list_max_listpack_size(3);
    for exchange in FORMS {
        compare_one(&mut client, exchange);
    }
}

#[test]
fn a_large_list_is_read_whole_and_changed_while_cold() {
    let mut client = Client::new();
    let elements: Vec<String> = (0..3000)
        .map(|number| format!("element:{number}"))
        .collect();
    let mut request: Vec<&[u8]> = vec![b"rpush", b"l"];
    request.extend(elements.iter().map(String::as_bytes));
    assert_eq!(client.run(&request), b":3000\r\n");
    client.restart();
    assert_eq!(
        client.run_line(b"lindex l 2000"),
        b"$12\r\nelement:2000\r\n"
    );
    assert_eq!(client.run_line(b"llen l"), b":3000\r\n");
    assert!(client.pages_read > 0, "the list was cold");
    client.restart();
    assert_eq!(client.run_line(b"lset l 1500 x"), b"+OK\r\n");
    assert_eq!(client.run_line(b"lrem l 0 element:7"), b":1\r\n");
    client.restart();
    assert_eq!(
        client.run_line(b"lrange l 1498 1500"),
        b"*3\r\n$12\r\nelement:1499\r\n$1\r\nx\r\n$12\r\nelement:1501\r\n"
    );
    let dumped = client.run_line(b"dump l");
    let start = dumped.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let payload = &dumped[start..dumped.len() - 2];
    assert_eq!(client.run(&[b"restore", b"m", b"0", payload]), b"+OK\r\n");
    let all = client.run_line(b"lrange l 0 -1");
    assert_eq!(client.run_line(b"lrange m 0 -1"), all);
    assert_eq!(
        client.run_line(b"object encoding m"),
        b"$9\r\nquicklist\r\n"
    );
}

#[test]
fn keys_that_sort_names_are_found_cold_and_in_transactions() {
    let mut client = Client::new();
    for line in [
        "rpush l a b c",
        "mset w_a 3 w_b 1 w_c 2 w_d 0",
        "hset h_b f x",
    ] {
        client.run_line(line.as_bytes());
    }
    client.restart();
    let sorted = b"*6\r\n$1\r\nb\r\n$1\r\nx\r\n$1\r\nc\r\n$-1\r\n$1\r\na\r\n$-1\r\n";
    let line = b"sort l by w_* get # get h_*->f";
    assert_eq!(client.run_line(line), sorted);
    client.restart();
    for line in [
        "multi",
        "rpush l d",
        "sort l by w_*",
        "swapdb 0 1",
        "sort l by w_*",
    ] {
        client.run_line(line.as_bytes());
    }
    assert_eq!(
        client.run_line(b"exec"),
        b"*4\r\n:4\r\n*4\r\n$1\r\nd\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\na\r\n+OK\r\n*0\r\n"
    );
}
