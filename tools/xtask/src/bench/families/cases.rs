//! What is measured of each family: how a key is filled, and the requests on it.
//!
//! Owns the list, as data. A line is one request or, separated by `;`, several in turn, as
//! those that take out what they put in; its words are separated by blanks. `{k}` stands
//! for the number of a key, `{i}` for that of a member, `{r}` for a random number below
//! 2^30. Read-only.

/// Commands on one kind of key.
pub(super) struct Family {
    pub(super) name: &'static str,
    /// Fills a key, once a member `{i}`.
    pub(super) fill: &'static str,
    /// Measured with few and with many members.
    pub(super) both: &'static [&'static str],
    /// Measured with few members only: their work grows with the members in every server.
    pub(super) small: &'static [&'static str],
}

/// All of them.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "string",
        fill: "SET string:{k}:{i} value:{r}",
        both: &[
            "INCR counter:{k}",
            "GETRANGE string:{k}:{i} 2 5",
            "SETRANGE string:{k}:{i} 2 abc",
            "STRLEN string:{k}:{i}",
            "MGET string:{k}:{i} string:{k}:0 string:{k}:1 string:{k}:2 string:{k}:3",
            "MSET string:{k}:{i} a string:{k}:0 b string:{k}:1 c",
            "SET string:{k}:{i} value EX 1000",
            "GETEX string:{k}:{i} EX 1000",
            "GETDEL string:{k}:{i};SET string:{k}:{i} value",
        ],
        small: &[],
    },
    Family {
        name: "key",
        fill: "SET key:{k}:{i} value",
        both: &[
            "EXISTS key:{k}:{i}",
            "EXPIRE key:{k}:{i} 1000",
            "TTL key:{k}:{i}",
            "TYPE key:{k}:{i}",
            "DEL key:{k}:{i};SET key:{k}:{i} value",
            "RENAME key:{k}:{i} key:{k}:x;RENAME key:{k}:x key:{k}:{i}",
            "COPY key:{k}:{i} key:{k}:y REPLACE",
            "SCAN 0",
        ],
        small: &[],
    },
    Family {
        name: "hash",
        fill: "HSET hash:{k} field:{i} value:{r}",
        both: &[
            "HSET hash:{k} field:{i} value:{r}",
            "HGET hash:{k} field:{i}",
            "HMGET hash:{k} field:{i} field:0 field:1 field:2 field:3",
            "HEXISTS hash:{k} field:{i}",
            "HLEN hash:{k}",
            "HINCRBY hash:{k} counter 1",
            "HDEL hash:{k} field:{i};HSET hash:{k} field:{i} value",
            "HRANDFIELD hash:{k} 3",
            "HSCAN hash:{k} 0",
        ],
        small: &["HGETALL hash:{k}", "HKEYS hash:{k}"],
    },
    Family {
        name: "list",
        fill: "RPUSH list:{k} element:{i}",
        both: &[
            "LPUSH list:{k} element;RPOP list:{k}",
            "RPUSH list:{k} element;LPOP list:{k}",
            "LLEN list:{k}",
            "LRANGE list:{k} 0 9",
            "LINDEX list:{k} 5",
            "LSET list:{k} 3 element",
            "LMOVE list:{k} list:{k} LEFT RIGHT",
        ],
        small: &["LRANGE list:{k} 0 -1", "LPOS list:{k} element:5"],
    },
    Family {
        name: "set",
        fill: "SADD set:{k} member:{i}",
        both: &[
            "SADD set:{k} member:{i}",
            "SISMEMBER set:{k} member:{i}",
            "SMISMEMBER set:{k} member:{i} member:0 none",
            "SCARD set:{k}",
            "SRANDMEMBER set:{k}",
            "SREM set:{k} member:{i};SADD set:{k} member:{i}",
            "SINTERCARD 2 set:{k} set:0 LIMIT 10",
            "SSCAN set:{k} 0",
        ],
        small: &[
            "SMEMBERS set:{k}",
            "SINTER set:{k} set:0",
            "SUNION set:{k} set:0",
        ],
    },
    Family {
        name: "integer set",
        fill: "SADD integers:{k} {i}",
        both: &[
            "SISMEMBER integers:{k} {i}",
            "SREM integers:{k} {i};SADD integers:{k} {i}",
        ],
        small: &[],
    },
    Family {
        name: "sorted set",
        fill: "ZADD zset:{k} {r} member:{i}",
        both: &[
            "ZADD zset:{k} {r} member:{i}",
            "ZINCRBY zset:{k} 1 member:{i}",
            "ZSCORE zset:{k} member:{i}",
            "ZRANK zset:{k} member:{i}",
            "ZCARD zset:{k}",
            "ZRANGE zset:{k} 0 9",
            "ZRANGE zset:{k} {r} +inf BYSCORE LIMIT 0 10",
            "ZCOUNT zset:{k} {r} +inf",
            "ZREM zset:{k} member:{i};ZADD zset:{k} {r} member:{i}",
            "ZPOPMIN zset:{k};ZADD zset:{k} {r} member:{i}",
            "ZSCAN zset:{k} 0",
        ],
        small: &[
            "ZRANGE zset:{k} 0 -1 WITHSCORES",
            "ZUNION 2 zset:{k} zset:0",
        ],
    },
    Family {
        name: "stream",
        fill: "XADD stream:{k} {i}-1 field value:{r}",
        both: &[
            "XADD stream:{k} MAXLEN ~ 1000 * field value",
            "XLEN stream:{k}",
            "XRANGE stream:{k} - + COUNT 5",
            "XREVRANGE stream:{k} + - COUNT 5",
            "XREAD COUNT 5 STREAMS stream:{k} 0",
        ],
        small: &[],
    },
    Family {
        name: "geo",
        fill: "GEOADD geo:{k} 13.{r} 38.{r} place:{i}",
        both: &[
            "GEOADD geo:{k} 13.{r} 38.{r} place:{i}",
            "GEOPOS geo:{k} place:{i}",
            "GEODIST geo:{k} place:{i} place:0",
            "GEOSEARCH geo:{k} FROMLONLAT 13.{r} 38.{r} BYRADIUS 1 km COUNT 5 ANY",
        ],
        small: &[],
    },
    Family {
        name: "bitmap",
        fill: "SETBIT bits:{k} {i} 1",
        both: &[
            "SETBIT bits:{k} {i} 1",
            "GETBIT bits:{k} {i}",
            "BITFIELD bits:{k} INCRBY u8 0 1",
            "BITCOUNT bits:{k}",
            "BITPOS bits:{k} 0",
        ],
        small: &[],
    },
    Family {
        name: "hyperloglog",
        fill: "PFADD log:{k} element:{i}",
        both: &["PFADD log:{k} element:{r}", "PFCOUNT log:{k}"],
        small: &[],
    },
    Family {
        name: "transaction",
        fill: "SET transaction:{k} {i}",
        both: &[],
        small: &["MULTI;INCR transaction:{k};INCR transaction:0;EXEC"],
    },
    Family {
        name: "messages",
        fill: "SET message:{k} {i}",
        both: &[],
        small: &["PUBLISH channel:{k} message"],
    },
    Family {
        name: "script",
        fill: "SET script:{k} {i}",
        both: &[],
        small: &[
            "EVAL return(redis.call('get',KEYS[1])) 1 script:{k}",
            "EVAL return(redis.call('incr',KEYS[1])) 1 script:{k}",
        ],
    },
];
