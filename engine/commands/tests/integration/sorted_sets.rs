//! Commands on sorted sets, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare, compare_one};

/// Members added in every way ZADD has.
const ADDED: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2 b 1.5 c", b":3\r\n"),
    (b"zadd z 1 a 3 b 4 d", b":1\r\n"),
    (b"zadd z ch 1 a 4 b 5 e", b":2\r\n"),
    (b"zadd z nx 9 a 9 f", b":1\r\n"),
    (b"zadd z xx 7 a 7 nope", b":0\r\n"),
    (b"zadd z xx ch 8 a 7 nope", b":1\r\n"),
    (b"zadd z gt 1 a 10 b", b":0\r\n"),
    (b"zadd z gt ch 1 a 11 b 1 g", b":2\r\n"),
    (b"zadd z lt ch 1 a 12 b", b":1\r\n"),
    (b"zadd z xx nx 1 a", b"-ERR XX and NX options at the same time are not compatible\r\n"),
    (b"zadd z gt nx 1 a", b"-ERR GT, LT, and/or NX options at the same time are not compatible\r\n"),
    (b"zadd z gt lt 1 a", b"-ERR GT, LT, and/or NX options at the same time are not compatible\r\n"),
    (b"zadd z lt nx 1 a", b"-ERR GT, LT, and/or NX options at the same time are not compatible\r\n"),
    (b"zadd z incr 1 a 2 b", b"-ERR INCR option supports a single increment-element pair\r\n"),
    (b"zadd z incr 5 a", b"$1\r\n6\r\n"),
    (b"zadd z nx incr 5 a", b"$-1\r\n"),
    (b"zadd z xx incr 5 nope", b"$-1\r\n"),
    (b"zadd z gt incr -5 a", b"$-1\r\n"),
    (b"zadd z incr 1.1 new", b"$3\r\n1.1\r\n"),
    (b"zadd z 1 a 2", b"-ERR syntax error\r\n"),
    (b"zadd z x a", b"-ERR value is not a valid float\r\n"),
    (b"zadd z 1 a x b", b"-ERR value is not a valid float\r\n"),
    (b"zadd z nan a", b"-ERR value is not a valid float\r\n"),
    (b"zadd z 0x10 a", b"-ERR value is not a valid float\r\n"),
    (b"zadd z ch", b"-ERR wrong number of arguments for 'zadd' command\r\n"),
    (b"zadd z xx ch", b"-ERR syntax error\r\n"),
    (b"zadd s 1 a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zadd s x a", b"-ERR value is not a valid float\r\n"),
    (b"zadd z +5 a", b":0\r\n"),
    (b"zadd z infinity a", b":0\r\n"),
    (b"zadd z incr -inf a", b"-ERR resulting score is not a number (NaN)\r\n"),
    (b"zadd z -0 zero", b":1\r\n"),
    (b"zscore z zero", b"$1\r\n0\r\n"),
    (b"zadd z 1 twice 2 twice", b":1\r\n"),
    (b"zadd z ch 1 twice 2 twice", b":2\r\n"),
    (b"zscore z twice", b"$1\r\n2\r\n"),
    (b"zadd nope xx 1 a", b":0\r\n"),
    (b"exists nope", b":0\r\n"),
    (b"zincrby z 2 b", b"$2\r\n13\r\n"),
    (b"zincrby z 2 made", b"$1\r\n2\r\n"),
    (b"zincrby z x b", b"-ERR value is not a valid float\r\n"),
    (b"zincrby z nx b", b"-ERR syntax error\r\n"),
    (b"zincrby s 1 b", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zincrby z inf i", b"$3\r\ninf\r\n"),
    (b"zincrby z -inf i", b"-ERR resulting score is not a number (NaN)\r\n"),
    (b"zrange z 0 -1 withscores", b"*24\r\n$4\r\nzero\r\n$1\r\n0\r\n$1\r\ng\r\n$1\r\n1\r\n$3\r\nnew\r\n$3\r\n1.1\r\n$1\r\nc\r\n$3\r\n1.5\r\n$4\r\nmade\r\n$1\r\n2\r\n$5\r\ntwice\r\n$1\r\n2\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\ne\r\n$1\r\n5\r\n$1\r\nf\r\n$1\r\n9\r\n$1\r\nb\r\n$2\r\n13\r\n$1\r\na\r\n$3\r\ninf\r\n$1\r\ni\r\n$3\r\ninf\r\n"),
    (b"zcard z", b":12\r\n"),
    (b"zcard nope", b":0\r\n"),
    (b"zcard s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zscore z a", b"$3\r\ninf\r\n"),
    (b"zscore z nope", b"$-1\r\n"),
    (b"zscore nope a", b"$-1\r\n"),
    (b"zscore s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zmscore z a nope b", b"*3\r\n$3\r\ninf\r\n$-1\r\n$2\r\n13\r\n"),
    (b"zmscore nope a b", b"*2\r\n$-1\r\n$-1\r\n"),
    (b"zmscore s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zrem z a a nope", b":1\r\n"),
    (b"zrem nope a", b":0\r\n"),
    (b"zrem s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"type z", b"+zset\r\n"),
    (b"object encoding z", b"$8\r\nlistpack\r\n"),
    (b"zadd gone 1 a", b":1\r\n"),
    (b"zrem gone a", b":1\r\n"),
    (b"exists gone", b":0\r\n"),
];

/// Ranks, and ranges by them.
const RANKS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2 b 2 c 3 d", b":4\r\n"),
    (b"zrank z a", b":0\r\n"),
    (b"zrank z d", b":3\r\n"),
    (b"zrevrank z a", b":3\r\n"),
    (b"zrank z c withscore", b"*2\r\n:2\r\n$1\r\n2\r\n"),
    (b"zrank z nope", b"$-1\r\n"),
    (b"zrank z nope withscore", b"*-1\r\n"),
    (b"zrank nope a", b"$-1\r\n"),
    (b"zrank nope a withscore", b"*-1\r\n"),
    (b"zrank z a foo", b"-ERR syntax error\r\n"),
    (b"zrank z a withscore x", b"-ERR wrong number of arguments for 'zrank' command\r\n"),
    (b"zrevrank z b WITHSCORE", b"*2\r\n:2\r\n$1\r\n2\r\n"),
    (b"zrank s a", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zrange z 0 -1", b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"zrange z 1 2", b"*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrange z -2 -1 withscores", b"*4\r\n$1\r\nc\r\n$1\r\n2\r\n$1\r\nd\r\n$1\r\n3\r\n"),
    (b"zrange z 5 9", b"*0\r\n"),
    (b"zrange z 2 1", b"*0\r\n"),
    (b"zrange z 0 1 rev", b"*2\r\n$1\r\nd\r\n$1\r\nc\r\n"),
    (b"zrange z 0 0 rev withscores", b"*2\r\n$1\r\nd\r\n$1\r\n3\r\n"),
    (b"zrange z -1 -1 rev", b"*1\r\n$1\r\na\r\n"),
    (b"zrevrange z 0 -1", b"*4\r\n$1\r\nd\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (b"zrevrange z 1 2 withscores", b"*4\r\n$1\r\nc\r\n$1\r\n2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    (b"zrevrange z 0 -1 rev", b"-ERR syntax error\r\n"),
    (b"zrange z 0 -1 limit 1 2", b"-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX\r\n"),
    (b"zrange z 0 -1 limit 1 -1", b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"zrange z (1 -1", b"-ERR value is not an integer or out of range\r\n"),
    (b"zrange z 0 x", b"-ERR value is not an integer or out of range\r\n"),
    (b"zrange z 0 1 foo", b"-ERR syntax error\r\n"),
    (b"zrange z 0 1 limit 1", b"-ERR syntax error\r\n"),
    (b"zrange z 0 1 limit x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"zrange nope 0 -1", b"*0\r\n"),
    (b"zrange s 0 -1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zrange s x -1", b"-ERR value is not an integer or out of range\r\n"),
    (b"zrangestore d z 0 1", b":2\r\n"),
    (b"zrange d 0 -1 withscores", b"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    (b"zrangestore d z 1 2 rev", b":2\r\n"),
    (b"zrange d 0 -1 withscores", b"*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n2\r\n"),
    (b"zrangestore d z 5 9", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"zrangestore d nope 0 1", b":0\r\n"),
    (b"zrangestore d s 0 1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zrangestore d z 0 1 withscores", b"-ERR syntax error\r\n"),
    (b"zrangestore s z (1 +inf byscore limit 0 2", b":2\r\n"),
    (b"zrange s 0 -1", b"*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrangestore z z 0 1", b":2\r\n"),
    (b"zrange z 0 -1", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"zremrangebyrank z 1 1", b":1\r\n"),
    (b"zremrangebyrank z 5 9", b":0\r\n"),
    (b"zremrangebyrank z x 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"zremrangebyrank nope 0 1", b":0\r\n"),
    (b"zremrangebyrank z 0 -1", b":1\r\n"),
    (b"exists z", b":0\r\n"),
];

/// Ranges by score.
const SCORES: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2 b 2 c 3 d inf e -inf f", b":6\r\n"),
    (b"zrangebyscore z 1 2", b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrangebyscore z (1 2", b"*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrangebyscore z (1 (2", b"*0\r\n"),
    (b"zrangebyscore z -inf +inf withscores", b"*12\r\n$1\r\nf\r\n$4\r\n-inf\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n2\r\n$1\r\nd\r\n$1\r\n3\r\n$1\r\ne\r\n$3\r\ninf\r\n"),
    (b"zrangebyscore z -inf +inf limit 1 2", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"zrangebyscore z -inf +inf limit 2 -1 withscores", b"*8\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n2\r\n$1\r\nd\r\n$1\r\n3\r\n$1\r\ne\r\n$3\r\ninf\r\n"),
    (b"zrangebyscore z -inf +inf limit -1 2", b"*0\r\n"),
    (b"zrangebyscore z -inf +inf limit 9 2", b"*0\r\n"),
    (b"zrangebyscore z -inf +inf limit 1 0", b"*0\r\n"),
    (b"zrangebyscore z 5 1", b"*0\r\n"),
    (b"zrangebyscore z '' 2", b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrangebyscore z a 2", b"-ERR min or max is not a float\r\n"),
    (b"zrangebyscore z 1 2 rev", b"-ERR syntax error\r\n"),
    (b"zrangebyscore z 1 2 byscore", b"-ERR syntax error\r\n"),
    (b"zrevrangebyscore z 2 1", b"*3\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (b"zrevrangebyscore z +inf (1 limit 1 2", b"*2\r\n$1\r\nd\r\n$1\r\nc\r\n"),
    (b"zrevrangebyscore z 1 2", b"*0\r\n"),
    (b"zrevrangebyscore z 1e400 -1e400 withscores", b"*12\r\n$1\r\ne\r\n$3\r\ninf\r\n$1\r\nd\r\n$1\r\n3\r\n$1\r\nc\r\n$1\r\n2\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nf\r\n$4\r\n-inf\r\n"),
    (b"zrange z 1 2 byscore", b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
    (b"zrange z 2 1 byscore rev", b"*3\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (b"zrange z (1 +inf byscore limit 1 1 withscores", b"*2\r\n$1\r\nc\r\n$1\r\n2\r\n"),
    (b"zrange z 0 1 byscore bylex", b"-ERR syntax error\r\n"),
    (b"zrange z nan 1 byscore", b"-ERR min or max is not a float\r\n"),
    (b"zcount z 1 2", b":3\r\n"),
    (b"zcount z (1 2", b":2\r\n"),
    (b"zcount z -inf +inf", b":6\r\n"),
    (b"zcount z 2 1", b":0\r\n"),
    (b"zcount z a 1", b"-ERR min or max is not a float\r\n"),
    (b"zcount nope 1 2", b":0\r\n"),
    (b"zcount s 1 2", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zremrangebyscore z (1 2", b":2\r\n"),
    (b"zremrangebyscore z a 2", b"-ERR min or max is not a float\r\n"),
    (b"zremrangebyscore nope 1 2", b":0\r\n"),
    (b"zremrangebyscore s 1 2", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zrange z 0 -1", b"*4\r\n$1\r\nf\r\n$1\r\na\r\n$1\r\nd\r\n$1\r\ne\r\n"),
    (b"zremrangebyscore z -inf +inf", b":4\r\n"),
    (b"exists z", b":0\r\n"),
];

/// Ranges by member.
const LEXICAL: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 0 a 0 b 0 c 0 d 0 ''", b":5\r\n"),
    (
        b"zrangebylex z - +",
        b"*5\r\n$0\r\n\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n",
    ),
    (
        b"zrangebylex z [b +",
        b"*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n",
    ),
    (b"zrangebylex z (b (d", b"*1\r\n$1\r\nc\r\n"),
    (b"zrangebylex z [ [a", b"*2\r\n$0\r\n\r\n$1\r\na\r\n"),
    (b"zrangebylex z ( [a", b"*1\r\n$1\r\na\r\n"),
    (b"zrangebylex z + -", b"*0\r\n"),
    (b"zrangebylex z - -", b"*0\r\n"),
    (
        b"zrangebylex z a b",
        b"-ERR min or max not valid string range item\r\n",
    ),
    (
        b"zrangebylex z '' +",
        b"-ERR min or max not valid string range item\r\n",
    ),
    (
        b"zrangebylex z - + limit 1 2",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    ),
    (b"zrangebylex z - + limit -1 2", b"*0\r\n"),
    (
        b"zrevrangebylex z + -",
        b"*5\r\n$1\r\nd\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n$0\r\n\r\n",
    ),
    (b"zrevrangebylex z (c [a", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (
        b"zrange z [a [c bylex",
        b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    ),
    (b"zrange z [c [a bylex rev limit 0 1", b"*1\r\n$1\r\nc\r\n"),
    (
        b"zrange z - + bylex withscores",
        b"-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n",
    ),
    (b"zlexcount z - +", b":5\r\n"),
    (b"zlexcount z (a [c", b":2\r\n"),
    (b"zlexcount z + -", b":0\r\n"),
    (
        b"zlexcount z a +",
        b"-ERR min or max not valid string range item\r\n",
    ),
    (b"zlexcount nope - +", b":0\r\n"),
    (
        b"zlexcount s - +",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"zremrangebylex z [b (d", b":2\r\n"),
    (
        b"zremrangebylex z b d",
        b"-ERR min or max not valid string range item\r\n",
    ),
    (b"zrange z 0 -1", b"*3\r\n$0\r\n\r\n$1\r\na\r\n$1\r\nd\r\n"),
    (b"zremrangebylex z - +", b":3\r\n"),
    (b"exists z", b":0\r\n"),
];

/// Members taken from the ends.
const POPS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2 b 3 c 4 d 5 e", b":5\r\n"),
    (b"zpopmin z", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"zpopmax z", b"*2\r\n$1\r\ne\r\n$1\r\n5\r\n"),
    (b"zpopmin z 2", b"*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n"),
    (b"zpopmin z 0", b"*0\r\n"),
    (b"zpopmin z -1", b"-ERR value is out of range, must be positive\r\n"),
    (b"zpopmin z x", b"-ERR value is out of range, must be positive\r\n"),
    (b"zpopmin z 1 2", b"-ERR syntax error\r\n"),
    (b"zpopmin nope", b"*0\r\n"),
    (b"zpopmin nope 0", b"*0\r\n"),
    (b"zpopmin s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zpopmin s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zpopmax z 99", b"*2\r\n$1\r\nd\r\n$1\r\n4\r\n"),
    (b"exists z", b":0\r\n"),
    (b"zadd z 1 a 2 b 3 c", b":3\r\n"),
    (b"zmpop 2 nope z min", b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"zmpop 1 z max count 9", b"*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
    (b"exists z", b":0\r\n"),
    (b"zmpop 1 z min", b"*-1\r\n"),
    (b"zmpop 2 nope s min", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zmpop 0 z min", b"-ERR numkeys should be greater than 0\r\n"),
    (b"zmpop x z min", b"-ERR numkeys should be greater than 0\r\n"),
    (b"zmpop 1 z foo", b"-ERR syntax error\r\n"),
    (b"zmpop 2 z min", b"-ERR syntax error\r\n"),
    (b"zmpop 1 z min count 0", b"-ERR count should be greater than 0\r\n"),
    (b"zmpop 1 z min count x", b"-ERR count should be greater than 0\r\n"),
    (b"zmpop 1 z min count", b"-ERR syntax error\r\n"),
    (b"zmpop 1 z min count 1 count 2", b"-ERR syntax error\r\n"),
    (b"zmpop 1 z min foo 1", b"-ERR syntax error\r\n"),
    (b"zadd z 1 a", b":1\r\n"),
    (b"zrandmember z", b"$1\r\na\r\n"),
    (b"zrandmember z 3", b"*1\r\n$1\r\na\r\n"),
    (b"zrandmember z -2", b"*2\r\n$1\r\na\r\n$1\r\na\r\n"),
    (b"zrandmember z 2 withscores", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"zrandmember z 0", b"*0\r\n"),
    (b"zrandmember z x", b"-ERR value is not an integer or out of range\r\n"),
    (b"zrandmember z 1 foo", b"-ERR syntax error\r\n"),
    (b"zrandmember z 4611686018427387904 withscores", b"-ERR value is out of range\r\n"),
    (b"zrandmember z 1 withscores x", b"-ERR syntax error\r\n"),
    (b"zrandmember z -9223372036854775808", b"-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n"),
    (b"zrandmember nope", b"$-1\r\n"),
    (b"zrandmember nope 1", b"*0\r\n"),
    (b"zrandmember s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
];

/// Several sorted sets at once.
const ALGEBRA: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd a 1 x 2 y 3 z", b":3\r\n"),
    (b"zadd b 10 y 20 z 30 w", b":3\r\n"),
    (b"sadd t x y", b":2\r\n"),
    (b"zunion 2 a b", b"*4\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n$1\r\nw\r\n"),
    (b"zunion 2 a b withscores", b"*8\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$2\r\n12\r\n$1\r\nz\r\n$2\r\n23\r\n$1\r\nw\r\n$2\r\n30\r\n"),
    (b"zunion 2 a b weights 2 0.5 withscores", b"*8\r\n$1\r\nx\r\n$1\r\n2\r\n$1\r\ny\r\n$1\r\n9\r\n$1\r\nw\r\n$2\r\n15\r\n$1\r\nz\r\n$2\r\n16\r\n"),
    (b"zunion 2 a b aggregate min withscores", b"*8\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$1\r\n2\r\n$1\r\nz\r\n$1\r\n3\r\n$1\r\nw\r\n$2\r\n30\r\n"),
    (b"zunion 2 a b aggregate max weights 1 -1 withscores", b"*8\r\n$1\r\nw\r\n$3\r\n-30\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$1\r\n2\r\n$1\r\nz\r\n$1\r\n3\r\n"),
    (b"zunion 2 a t withscores", b"*6\r\n$1\r\nx\r\n$1\r\n2\r\n$1\r\ny\r\n$1\r\n3\r\n$1\r\nz\r\n$1\r\n3\r\n"),
    (b"zunion 1 nope", b"*0\r\n"),
    (b"zinter 2 a b withscores", b"*4\r\n$1\r\ny\r\n$2\r\n12\r\n$1\r\nz\r\n$2\r\n23\r\n"),
    (b"zinter 3 a b t withscores", b"*2\r\n$1\r\ny\r\n$2\r\n13\r\n"),
    (b"zinter 2 a nope", b"*0\r\n"),
    (b"zinter 2 a a withscores", b"*6\r\n$1\r\nx\r\n$1\r\n2\r\n$1\r\ny\r\n$1\r\n4\r\n$1\r\nz\r\n$1\r\n6\r\n"),
    (b"zdiff 2 a b withscores", b"*2\r\n$1\r\nx\r\n$1\r\n1\r\n"),
    (b"zdiff 2 a t", b"*1\r\n$1\r\nz\r\n"),
    (b"zdiff 1 a withscores", b"*6\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$1\r\n2\r\n$1\r\nz\r\n$1\r\n3\r\n"),
    (b"zdiff 2 nope a", b"*0\r\n"),
    (b"zdiff 2 a a", b"*0\r\n"),
    (b"zunionstore d 2 a b", b":4\r\n"),
    (b"zrange d 0 -1 withscores", b"*8\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$2\r\n12\r\n$1\r\nz\r\n$2\r\n23\r\n$1\r\nw\r\n$2\r\n30\r\n"),
    (b"zinterstore d 2 a b weights 2 3 aggregate sum", b":2\r\n"),
    (b"zrange d 0 -1 withscores", b"*4\r\n$1\r\ny\r\n$2\r\n34\r\n$1\r\nz\r\n$2\r\n66\r\n"),
    (b"zdiffstore d 2 a b", b":1\r\n"),
    (b"zrange d 0 -1 withscores", b"*2\r\n$1\r\nx\r\n$1\r\n1\r\n"),
    (b"zinterstore d 2 a nope", b":0\r\n"),
    (b"exists d", b":0\r\n"),
    (b"zunionstore a 2 a b", b":4\r\n"),
    (b"zrange a 0 -1 withscores", b"*8\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$2\r\n12\r\n$1\r\nz\r\n$2\r\n23\r\n$1\r\nw\r\n$2\r\n30\r\n"),
    (b"zunionstore s 1 t", b":2\r\n"),
    (b"type s", b"+zset\r\n"),
    (b"set s x", b"+OK\r\n"),
    (b"zadd inf inf i", b":1\r\n"),
    (b"zadd minus -inf i", b":1\r\n"),
    (b"zunion 2 inf minus withscores", b"*2\r\n$1\r\ni\r\n$1\r\n0\r\n"),
    (b"zinter 2 inf minus withscores", b"*2\r\n$1\r\ni\r\n$1\r\n0\r\n"),
    (b"zunion 1 inf weights 0 withscores", b"*2\r\n$1\r\ni\r\n$1\r\n0\r\n"),
    (b"zinter 2 inf inf weights 0 1 withscores", b"*2\r\n$1\r\ni\r\n$3\r\ninf\r\n"),
    (b"zunion 2 inf minus aggregate min withscores", b"*2\r\n$1\r\ni\r\n$4\r\n-inf\r\n"),
    (b"zintercard 2 a b", b":3\r\n"),
    (b"zintercard 2 a b limit 1", b":1\r\n"),
    (b"zintercard 2 a b limit 0", b":3\r\n"),
    (b"zintercard 2 a b limit -1", b"-ERR LIMIT can't be negative\r\n"),
    (b"zintercard 2 a b limit x", b"-ERR LIMIT can't be negative\r\n"),
    (b"zintercard 2 a b limit", b"-ERR syntax error\r\n"),
    (b"zintercard 0 a", b"-ERR at least 1 input key is needed for 'zintercard' command\r\n"),
    (b"zintercard 2 a t", b":2\r\n"),
    (b"zinter 0 a", b"-ERR at least 1 input key is needed for 'zinter' command\r\n"),
    (b"zunionstore d 0 a", b"-ERR at least 1 input key is needed for 'zunionstore' command\r\n"),
    (b"zdiff 0 a", b"-ERR at least 1 input key is needed for 'zdiff' command\r\n"),
    (b"zinter x a", b"-ERR value is not an integer or out of range\r\n"),
    (b"zinter 2 a", b"-ERR syntax error\r\n"),
    (b"zinter 1 s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zinter 2 nope s", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zinter 1 s foo", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"zunion 1 a weights x", b"-ERR weight value is not a float\r\n"),
    (b"zunion 1 a weights", b"-ERR syntax error\r\n"),
    (b"zunion 1 a weights 1 2", b"-ERR syntax error\r\n"),
    (b"zunion 1 a aggregate foo", b"-ERR syntax error\r\n"),
    (b"zunion 1 a aggregate", b"-ERR syntax error\r\n"),
    (b"zdiff 1 a weights 1", b"-ERR syntax error\r\n"),
    (b"zdiff 1 a aggregate sum", b"-ERR syntax error\r\n"),
    (b"zinterstore d 1 a withscores", b"-ERR syntax error\r\n"),
    (b"zintercard 1 a withscores", b"-ERR syntax error\r\n"),
];

/// Scans of small sorted sets.
const SCANS: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2.5 b 1e20 c 0.1 d -0 e inf f", b":6\r\n"),
    (b"zscan z 0", b"*2\r\n$1\r\n0\r\n*12\r\n$1\r\ne\r\n$1\r\n0\r\n$1\r\nd\r\n$3\r\n0.1\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n$1\r\nc\r\n$5\r\n1e+20\r\n$1\r\nf\r\n$3\r\ninf\r\n"),
    (b"zscan z 0 match a*", b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (b"zscan z 0 count 1 noscores", b"*2\r\n$1\r\n0\r\n*6\r\n$1\r\ne\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nf\r\n"),
    (b"zscan z 0 novalues", b"-ERR NOVALUES option can only be used in HSCAN\r\n"),
    (b"zscan z 0 count 0", b"-ERR syntax error\r\n"),
    (b"zscan z x", b"-ERR invalid cursor\r\n"),
    (b"zscan nope 0", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"zscan nope 0 foo", b"*2\r\n$1\r\n0\r\n*0\r\n"),
    (b"zscan s 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
];

/// Replies of the third protocol.
const RESP3: &[(&[u8], &[u8])] = &[
    (b"hello 3", b""),
    (b"zadd z 1 a 2.5 b inf c", b":3\r\n"),
    (b"zadd z incr 1 a", b",2\r\n"),
    (b"zadd z nx incr 1 a", b"_\r\n"),
    (b"zincrby z 1 a", b",3\r\n"),
    (b"zscore z a", b",3\r\n"),
    (b"zscore z nope", b"_\r\n"),
    (b"zmscore z a nope", b"*2\r\n,3\r\n_\r\n"),
    (b"zrank z a withscore", b"*2\r\n:1\r\n,3\r\n"),
    (b"zrank z nope withscore", b"_\r\n"),
    (b"zrank z nope", b"_\r\n"),
    (b"zrange z 0 -1", b"*3\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nc\r\n"),
    (b"zrange z 0 -1 withscores", b"*3\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\na\r\n,3\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zrangebyscore z 1 3 withscores", b"*2\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\na\r\n,3\r\n"),
    (b"zrevrange z 0 0 withscores", b"*1\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zunion 1 z withscores", b"*3\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\na\r\n,3\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zinter 1 z withscores", b"*3\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\na\r\n,3\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zdiff 1 z withscores", b"*3\r\n*2\r\n$1\r\nb\r\n,2.5\r\n*2\r\n$1\r\na\r\n,3\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zrandmember nope 3 withscores", b"*0\r\n"),
    (b"zscan z 0", b"*2\r\n$1\r\n0\r\n*6\r\n$1\r\nb\r\n$3\r\n2.5\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nc\r\n$3\r\ninf\r\n"),
    (b"zpopmin z", b"*2\r\n$1\r\nb\r\n,2.5\r\n"),
    (b"zpopmin z 1", b"*1\r\n*2\r\n$1\r\na\r\n,3\r\n"),
    (b"zmpop 1 z max count 1", b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nc\r\n,inf\r\n"),
    (b"zmpop 1 z max", b"_\r\n"),
    (b"zpopmin z", b"*0\r\n"),
    (b"zpopmin z 1", b"*0\r\n"),
];

/// Commands that wait, where there is something to take and where there is not.
const WAITING: &[(&[u8], &[u8])] = &[
    (b"set s x", b"+OK\r\n"),
    (b"zadd z 1 a 2 b 3 c 4 d", b":4\r\n"),
    (b"bzpopmin z 0", b"*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n"),
    (
        b"bzpopmax nope z 0",
        b"*3\r\n$1\r\nz\r\n$1\r\nd\r\n$1\r\n4\r\n",
    ),
    (
        b"bzpopmin nope s z 0",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (
        b"bzpopmin s 0",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"bzpopmin nope 0.01", b"*-1\r\n"),
    (
        b"bzpopmin z x",
        b"-ERR timeout is not a float or out of range\r\n",
    ),
    (b"bzpopmin z -1", b"-ERR timeout is negative\r\n"),
    (
        b"bzmpop 0 2 nope z max",
        b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n",
    ),
    (b"bzmpop 0.01 1 nope min", b"*-1\r\n"),
    (
        b"bzmpop 0 1 z min count 9",
        b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n",
    ),
    (
        b"bzmpop 0 1 z",
        b"-ERR wrong number of arguments for 'bzmpop' command\r\n",
    ),
    (
        b"bzmpop 0 0 z min",
        b"-ERR numkeys should be greater than 0\r\n",
    ),
    (
        b"bzmpop x 1 nope min",
        b"-ERR timeout is not a float or out of range\r\n",
    ),
    (b"bzmpop -1 1 nope min", b"-ERR timeout is negative\r\n"),
    (b"bzmpop 0 1 z foo", b"-ERR syntax error\r\n"),
    (
        b"bzmpop 0 1 z min count 0",
        b"-ERR count should be greater than 0\r\n",
    ),
    (
        b"bzmpop 0 1 s min",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ),
    (b"exists z", b":0\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"bzpopmin nope 0", b"+QUEUED\r\n"),
    (b"bzmpop 0 1 nope min", b"+QUEUED\r\n"),
    (b"exec", b"*2\r\n*-1\r\n*-1\r\n"),
    (b"hello 3", b""),
    (b"zadd z 1 a 2 b", b":2\r\n"),
    (b"bzpopmin z 0", b"*3\r\n$1\r\nz\r\n$1\r\na\r\n,1\r\n"),
    (
        b"bzmpop 0 1 z max",
        b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
    ),
    (b"bzpopmin nope 0.01", b"_\r\n"),
];

#[test]
fn sorted_sets_do_what_valkey_does() {
    for transcript in [
        ADDED, RANKS, SCORES, LEXICAL, POPS, ALGEBRA, SCANS, WAITING, RESP3,
    ] {
        compare(transcript);
    }
}

/// ZADD of members 0 to `count`, the score of each the number times 3 modulo 1000.
fn filled(client: &mut Client, count: usize) {
    for start in (0..count).step_by(1000) {
        let mut line = "zadd z".to_owned();
        for number in start..start + 1000 {
            line.push_str(&format!(" {} member:{number:05}", number * 3 % 1000));
        }
        compare_one(client, &(line.as_bytes(), b":1000\r\n"));
    }
}

/// The bulk strings of a flat reply that name members.
fn members(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8(reply.to_vec()).expect("is text");
    let lines = text
        .split("\r\n")
        .filter(|line| line.starts_with("member:"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_large_sorted_set_is_the_same_in_memory_and_when_read_back() {
    const COUNT: usize = 5000;
    let mut client = Client::new();
    filled(&mut client, COUNT);
    let mut sorted: Vec<(usize, String)> = (0..COUNT)
        .map(|number| (number * 3 % 1000, format!("member:{number:05}")))
        .collect();
    sorted.sort();
    let names: Vec<String> = sorted.iter().map(|entry| entry.1.clone()).collect();
    for cold in [false, true, true] {
        if cold {
            client.restart();
        }
        compare_one(&mut client, &(b"object encoding z", b"$8\r\nskiplist\r\n"));
        assert_eq!(members(&client.run_line(b"zrange z 0 -1")), names);
        assert_eq!(
            members(&client.run_line(b"zrange z 100 1100")),
            names[100..=1100]
        );
        let mut back = members(&client.run_line(b"zrevrange z 0 -1"));
        back.reverse();
        assert_eq!(back, names);
        for rank in [0, 7, 999, COUNT - 1] {
            let asked = format!("zrank z {}", names[rank]);
            let expected = format!(":{rank}\r\n");
            compare_one(&mut client, &(asked.as_bytes(), expected.as_bytes()));
        }
        compare_one(&mut client, &(b"zcount z 100 (300", b":1000\r\n"));
        let mut scanned = members(&client.run_line(b"zscan z 0 count 100000"));
        scanned.sort();
        scanned.dedup();
        assert_eq!(scanned.len(), COUNT);
    }
    compare_one(&mut client, &(b"zremrangebyscore z 100 (300", b":1000\r\n"));
    let popped = members(&client.run_line(b"zpopmax z 5"));
    assert_eq!(popped.len(), 5);
    client.restart();
    compare_one(&mut client, &(b"zcard z", b":3995\r\n"));
    assert_eq!(members(&client.run_line(b"zrandmember z 50")).len(), 50);
    assert_eq!(members(&client.run_line(b"zrandmember z -50")).len(), 50);
}

#[test]
fn a_dumped_sorted_set_restores_in_its_form() {
    let mut client = Client::new();
    filled(&mut client, 1000);
    client.run_line(b"zadd y 1 a 2.5 b inf c -0 d");
    for (key, encoding) in [
        (&b"y"[..], &b"$8\r\nlistpack\r\n"[..]),
        (b"z", b"$8\r\nskiplist\r\n"),
    ] {
        let copy = [key, b":copy"].concat();
        let reply = client.run(&[b"dump", key]);
        let start = reply
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line")
            + 1;
        let restored = client.run(&[b"restore", &copy, b"0", &reply[start..reply.len() - 2]]);
        assert_eq!(restored, b"+OK\r\n");
        assert_eq!(client.run(&[b"object", b"encoding", &copy]), encoding);
        let all = |client: &mut Client, key: &[u8]| {
            client.run(&[b"zrange", key, b"0", b"-1", b"withscores"])
        };
        assert_eq!(all(&mut client, &copy), all(&mut client, key));
    }
}

/// Valkey's compact form keeps whole scores as integers, which -0 is none of.
#[test]
fn minus_zero_becomes_zero_where_the_compact_form_takes_it_in() {
    use thermocline_types::rdb::{RdbValue, dump};
    let mut client = Client::new();
    let entries = vec![(-0.0, b"a".to_vec()), (1.0, b"b".to_vec())];
    let payload = dump(&RdbValue::SortedSet(entries), false);
    let restored = client.run(&[b"restore", b"z", b"0", &payload]);
    assert_eq!(restored, b"+OK\r\n");
    compare_one(&mut client, &(b"zscore z a", b"$1\r\n0\r\n"));
    let long = vec![b'm'; 65];
    let entries = vec![(-0.0, b"a".to_vec()), (1.0, long)];
    let payload = dump(&RdbValue::SortedSet(entries), false);
    client.run(&[b"restore", b"y", b"0", &payload]);
    compare_one(&mut client, &(b"zscore y a", b"$2\r\n-0\r\n"));
    // The long member comes first, or after the one with -0.
    for (line, expected) in [
        (
            &b"zrangestore d y -inf +inf byscore"[..],
            &b"$1\r\n0\r\n"[..],
        ),
        (b"zrangestore d y +inf -inf byscore rev", b"$2\r\n-0\r\n"),
    ] {
        client.run_line(line);
        compare_one(&mut client, &(b"zscore d a", expected));
    }
}
