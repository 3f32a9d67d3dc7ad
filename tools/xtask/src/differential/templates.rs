//! The commands that are sent, with their weights.
//!
//! Owns the choice of commands and options; `grammar` owns the language and
//! `generator` what fills the slots. Data.
//!
//! Relative times are far away (`$ttl`, `$pttl`) and points in time far off or
//! long past: which side of a short expiry a command falls on is no difference
//! between servers. Commands that may wait do so for a moment only, which ends the
//! same on both. Those that end the server or the
//! connection, are left out.

/// Weight and template.
pub(super) const TEMPLATES: &[(u64, &str)] = &[
    // Strings.
    (12, "set $str $val"),
    (
        10,
        "set $str $val [ ( nx | xx | ifeq $val ) ] [ get ] \
         [ ( ex $ttl | px $pttl | exat $at | pxat $pat | exat $past | keepttl ) ]",
    ),
    (8, "get $str"),
    (2, "getset $str $val"),
    (3, "getdel $str"),
    (
        4,
        "getex $str [ ( ex $ttl | px $pttl | exat $at | pxat $pat | pxat $past | persist ) ]",
    ),
    (3, "getrange $str $num $num"),
    (1, "substr $str $num $num"),
    (3, "setrange $str $offset $val"),
    (4, "append $str $val"),
    (3, "strlen $str"),
    (3, "( incr | decr ) $str"),
    (3, "( incrby | decrby ) $str $int"),
    (4, "incrbyfloat $str $float"),
    (4, "mget { $key }"),
    (3, "mset { $str $val }"),
    (2, "msetnx { $str $val }"),
    (
        2,
        "msetex #{ $str $val } [ ( nx | xx ) ] \
         [ ( ex $ttl | px $pttl | exat $at | pxat $pat | keepttl ) ]",
    ),
    (2, "setnx $str $val"),
    (2, "setex $str $ttl $val"),
    (2, "psetex $str $pttl $val"),
    (2, "delifeq $str $val"),
    (2, "set $lcs $short"),
    (
        2,
        "lcs $lcs $lcs [ ( len | idx ) ] [ minmatchlen $num ] [ withmatchlen ]",
    ),
    // Keys.
    (5, "( del | unlink | exists | touch ) { $key }"),
    (3, "type $key"),
    (
        3,
        "expire $key $ttl [ ( nx | xx | gt | lt ) ] [ ( xx | gt ) ]",
    ),
    (2, "pexpire $key $pttl [ ( nx | xx | gt | lt ) ]"),
    (2, "expireat $key ( $at | $past ) [ ( nx | xx | gt | lt ) ]"),
    (
        2,
        "pexpireat $key ( $pat | $past ) [ ( nx | xx | gt | lt ) ]",
    ),
    (1, "( expire | pexpire ) $key ( 0 | -5 )"),
    (5, "( ttl | pttl | expiretime | pexpiretime ) $key"),
    (3, "persist $key"),
    (3, "( rename | renamenx ) $key $key"),
    (3, "copy $key $key [ db $db ] [ replace ]"),
    (2, "move $key $db"),
    (1, "keys $glob"),
    (4, "object encoding $key"),
    (1, "object ( idletime | refcount | freq ) $key"),
    (1, "dbsize"),
    (2, "dump $key"),
    (
        1,
        "restore $key ( 0 | $pttl ) $val [ replace ] [ absttl ] [ ( idletime 5 | freq 5 ) ]",
    ),
    (1, "memory usage $key [ samples 5 ]"),
    // Hashes.
    (12, "( hset | hmset ) $hash { $field $val }"),
    (3, "hsetnx $hash $field $val"),
    (6, "hget $hash $field"),
    (4, "hmget $hash { $field }"),
    (4, "( hgetall | hkeys | hvals | hlen ) $hash"),
    (5, "hdel $hash { $field }"),
    (3, "( hexists | hstrlen ) $hash $field"),
    (4, "hincrby $hash $field $int"),
    (4, "hincrbyfloat $hash $field $float"),
    (3, "hrandfield $hash [ $num [ withvalues ] ]"),
    (
        2,
        "hscan $hash 0 [ match $glob ] [ count 1000 ] [ novalues ]",
    ),
    (
        4,
        "hexpire $hash ( $ttl | $ttl | 0 ) [ ( nx | xx | gt | lt ) ] [ ( xx | gt ) ] fields #{ $field }",
    ),
    (
        3,
        "hpexpire $hash $pttl [ ( nx | xx | gt | lt ) ] FIELDS #{ $field }",
    ),
    (
        3,
        "hexpireat $hash ( $at | $at | $past ) [ ( nx | xx | gt | lt ) ] fields #{ $field }",
    ),
    (
        3,
        "hpexpireat $hash ( $pat | $pat | $past ) [ ( nx | xx | gt | lt ) ] fields #{ $field }",
    ),
    (
        5,
        "( httl | hpttl | hexpiretime | hpexpiretime ) $hash fields #{ $field }",
    ),
    (3, "hpersist $hash fields #{ $field }"),
    (
        4,
        "hgetex $hash [ ( ex $ttl | px $pttl | exat $at | pxat $pat | pxat $past | persist ) ] \
         fields #{ $field }",
    ),
    (
        6,
        "hsetex $hash [ ( nx | xx ) ] [ ( fnx | fxx ) ] \
         [ ( ex $ttl | px $pttl | exat $at | pxat $pat | exat $past | px 0 | keepttl ) ] \
         fields #{ $field $val }",
    ),
    (3, "hgetdel $hash fields #{ $field }"),
    // Lists. SORT is of keys that no sorted set comes to: it would make a skiplist of it,
    // which shows in more than its encoding.
    (10, "( lpush | rpush ) $list { $element }"),
    (3, "( lpushx | rpushx ) $list { $element }"),
    (6, "( lpop | rpop ) $list [ $num ]"),
    (8, "lrange $list $num $num"),
    (2, "( lrange | ltrim ) $list 0 -1"),
    (5, "lindex $list $num"),
    (2, "llen $list"),
    (5, "linsert $list ( before | after ) $element $element"),
    // LSET of Valkey takes the lowest 32 bits of an index, which changes a wrong element.
    (5, "lset $list ( 0 | 1 | 3 | 20 | -1 | -2 | -20 ) $element"),
    (4, "lrem $list ( 0 | 0 | $num ) $element"),
    (2, "ltrim $list $num $num"),
    (
        4,
        "lpos $list $element [ rank $num ] [ count $num ] [ maxlen $num ]",
    ),
    (6, "lmove $list $list ( left | right ) ( left | right )"),
    (2, "rpoplpush $list $list"),
    (3, "lmpop #{ $list } ( left | right ) [ count $num ]"),
    (2, "( blpop | brpop ) { $list } 0.01"),
    (2, "blmpop 0.01 #{ $list } ( left | right ) [ count $num ]"),
    (
        1,
        "blmove $list $list ( left | right ) ( left | right ) 0.01",
    ),
    (1, "brpoplpush $list $list 0.01"),
    (4, "object encoding $list"),
    (
        4,
        "sort $biglist [ ( asc | desc ) ] [ limit $num $num ] [ alpha ] [ store $list ]",
    ),
    (
        3,
        "( sort | sort_ro ) $biglist by ( s:* | h:*->f1 | nosort ) [ limit $num $num ] [ desc ] \
         [ get # ] [ get s:* ] [ get h:*->f2 ]",
    ),
    (1, "sort $biglist by s:* get # get bs:* store $list"),
    (1, "del $list"),
    // Many and larger keys, so that some are cold at any time.
    (14, "set $bigstr $big"),
    (16, "get $bigstr"),
    (6, "mget { $bigstr }"),
    (3, "append $bigstr $val"),
    (
        3,
        "( strlen | object encoding | type | ttl | exists | touch ) $bigstr",
    ),
    (2, "getrange $bigstr $num $num"),
    (2, "setrange $bigstr $offset $val"),
    (2, "( del | getdel ) $bigstr"),
    (2, "copy $bigstr $bigstr replace"),
    (2, "rename $bigstr $bigstr"),
    (2, "expire $bigstr $ttl"),
    (1, "persist $bigstr"),
    (10, "hset $bighash { $bigfield $big }"),
    (10, "hget $bighash $bigfield"),
    (5, "hmget $bighash { $bigfield }"),
    (3, "hdel $bighash { $bigfield }"),
    (2, "( hgetall | hkeys | hlen | object encoding ) $bighash"),
    (2, "hexpire $bighash $ttl fields #{ $bigfield }"),
    (2, "httl $bighash fields #{ $bigfield }"),
    (2, "hincrby $bighash counter $int"),
    (1, "( del | persist | ttl ) $bighash"),
    (1, "copy $bighash $bighash replace"),
    (6, "( lpush | rpush ) $biglist { $big }"),
    (4, "( lpop | rpop ) $biglist [ $num ]"),
    (4, "lindex $biglist $num"),
    (2, "lrange $biglist $num $num"),
    (
        2,
        "lset $biglist ( 0 | 1 | 5 | -1 | -3 ) ( $big | $element )",
    ),
    (
        2,
        "lmove $biglist $biglist ( left | right ) ( left | right )",
    ),
    (1, "ltrim $biglist 2 -2"),
    (1, "linsert $biglist before $element $big"),
    (2, "( llen | object encoding ) $biglist"),
    (1, "copy $biglist $biglist replace"),
    // Transactions.
    (3, "multi"),
    (2, "exec"),
    (1, "discard"),
    (3, "watch { $key }"),
    (1, "watch { $bigstr }"),
    (1, "unwatch"),
    // Server basics.
    (2, "ping [ $val ]"),
    (1, "echo $val"),
    (6, "select 0"),
    (2, "select $db"),
    (1, "swapdb ( 1 | 2 ) ( 2 | 3 )"),
    (1, "client ( setname $name | getname | id )"),
    (
        1,
        "command getkeys ( get $key | mset { $str $val } | object encoding $key | ping | nosuch )",
    ),
    (
        1,
        "config get ( hash-max-listpack-entries | maxmemory-policy | nosuch )",
    ),
    (1, "config set hash-max-listpack-entries ( 4 | 16 | 512 )"),
    (1, "config set hash-max-listpack-value ( 16 | 64 )"),
    (1, "config set set-max-listpack-entries ( 4 | 128 )"),
    (1, "config set set-max-listpack-value ( 16 | 64 )"),
    (1, "config set stream-node-max-entries ( 3 | 100 )"),
    (1, "config set hll-sparse-max-bytes ( 100 | 3000 )"),
    (1, "config set ( nosuch 1 | hash-max-listpack-entries abc )"),
    (1, "( time | lastsave | hello )"),
    (1, "( reset | wait 0 0 )"),
    (
        1,
        "( nosuch | object nosuch | client nosuch | config nosuch | memory nosuch ) $val",
    ),
    (1, "( object | memory | config ) help"),
];

/// Those of the families whose differences are not all explained yet: only on demand.
pub(super) const NEWER_TEMPLATES: &[(u64, &str)] = &[
    (
        2,
        "sort $bigset alpha [ desc ] [ limit $num $num ] [ store $list ]",
    ),
    (1, "sort $bigset by nosort [ desc ] store $list"),
    // Sets, at the usual limit of integers: at a small one the form of a set made of others
    // depends on the order in Valkey's hash tables. What SPOP takes is left to chance, so it takes all or nothing; the
    // only member there is goes in a compound operation.
    (12, "sadd $set { $member }"),
    (3, "sadd $set { $number }"),
    (5, "srem $set { $member }"),
    (4, "smembers $set"),
    (4, "( scard | object encoding ) $set"),
    (4, "sismember $set $member"),
    (3, "smismember $set { $member }"),
    (2, "spop $set ( 100000 | 0 | -1 )"),
    (2, "srandmember $set [ $num ]"),
    (4, "smove $set $set $member"),
    (6, "( sinter | sunion | sdiff ) { $set }"),
    (
        6,
        "( sinterstore | sunionstore | sdiffstore ) $set { $set }",
    ),
    (3, "sintercard #{ $set } [ limit $num ]"),
    (2, "sscan $set 0 [ match $glob ] [ count 1000 ]"),
    // Sorted sets.
    (
        12,
        "zadd $zset [ ( nx | xx ) ] [ ( gt | lt ) ] [ ch ] { $score $member }",
    ),
    (6, "zadd $zset { $score $member }"),
    (
        3,
        "zadd $zset [ ( nx | xx | gt | lt ) ] incr $score $member",
    ),
    (4, "zincrby $zset $score $member"),
    (4, "zrem $zset { $member }"),
    (3, "( zcard | object encoding ) $zset"),
    (4, "( zscore | zmscore ) $zset $member"),
    (3, "zmscore $zset { $member }"),
    (4, "( zrank | zrevrank ) $zset $member [ withscore ]"),
    (3, "zcount $zset $bound $bound"),
    (3, "zlexcount $lexset $lexbound $lexbound"),
    (4, "( zrange | zrevrange ) $zset $num $num [ withscores ]"),
    (2, "zrange $zset $num $num rev"),
    (
        4,
        "zrange $zset $bound $bound byscore [ rev ] [ limit $num $num ] [ withscores ]",
    ),
    (
        3,
        "zrange $lexset $lexbound $lexbound bylex [ rev ] [ limit $num $num ]",
    ),
    (
        4,
        "( zrangebyscore | zrevrangebyscore ) $zset $bound $bound [ withscores ] [ limit $num $num ]",
    ),
    (
        4,
        "( zrangebylex | zrevrangebylex ) $lexset $lexbound $lexbound [ limit $num $num ]",
    ),
    (3, "zrangestore $zset $zset $num $num [ rev ]"),
    (
        3,
        "zrangestore $zset $zset $bound $bound byscore [ rev ] [ limit $num $num ]",
    ),
    (2, "zremrangebyrank $zset $num $num"),
    (1, "zremrangebyscore $zset $bound $bound"),
    (1, "zremrangebylex $lexset $lexbound $lexbound"),
    (3, "( zpopmin | zpopmax ) $zset [ ( 1 | 2 | 0 | -1 ) ]"),
    (3, "zmpop #{ $zset } ( min | max ) [ count ( 1 | 3 | 0 ) ]"),
    (
        4,
        "( zunion | zinter ) 2 $zsource $zsource [ weights $score $score ] \
         [ aggregate ( sum | min | max ) ] [ withscores ]",
    ),
    (
        3,
        "( zunion | zinter | zdiff ) #{ $zsource } [ withscores ]",
    ),
    (
        4,
        "( zunionstore | zinterstore ) $zset 2 $zsource $zsource [ weights $score $score ] \
         [ aggregate ( sum | min | max ) ]",
    ),
    (
        4,
        "( zunionstore | zinterstore | zdiffstore ) $zset #{ $zsource }",
    ),
    (3, "zintercard #{ $zsource } [ limit $num ]"),
    (2, "zrandmember $zset [ $num [ withscores ] ]"),
    (
        2,
        "zscan $zset 0 [ match $glob ] [ count 1000 ] [ noscores ]",
    ),
    (4, "zadd $lexset 0 $lexmember"),
    // Positions. Polygons are of the size of a country: how far Valkey looks for the
    // members of one that spans half of the earth is not told.
    (3, "geoadd $geo [ ( nx | xx ) ] [ ch ] { $lon $lat $place }"),
    (5, "geoadd $geo { $nearlon $nearlat $place }"),
    (
        3,
        "geodist $geo $place $place [ ( m | km | ft | mi | lm ) ]",
    ),
    (2, "( geohash | geopos ) $geo { $place }"),
    (
        3,
        "geosearch $geo ( frommember $place | fromlonlat $lon $lat ) \
         ( byradius $metres $unit | bybox $metres $metres $unit ) ( asc | desc ) \
         [ withdist ] [ withhash ] [ withcoord ]",
    ),
    (
        3,
        "geosearch $geo ( frommember $place | fromlonlat $lon $lat ) \
         ( byradius $metres $unit | bybox $metres $metres $unit ) [ count 3 [ any ] ] [ withdist ]",
    ),
    (
        2,
        "geosearch $geo bypolygon 4 $nearlon $nearlat $nearlon $nearlat $nearlon $nearlat \
         $nearlon $nearlat asc [ withdist ]",
    ),
    (
        2,
        "geosearchstore $geo $geo fromlonlat $lon $lat byradius $metres $unit [ storedist ]",
    ),
    (
        2,
        "georadius $geo $lon $lat $metres $unit [ withdist ] [ withcoord ] [ count 2 ] \
         [ ( store | storedist ) $geo ] asc",
    ),
    (
        2,
        "georadiusbymember $geo $place $metres $unit [ withdist ] [ ( store | storedist ) $geo ] asc",
    ),
    (
        1,
        "( georadius_ro $geo $lon $lat | georadiusbymember_ro $geo $place ) $metres $unit [ store x ]",
    ),
    // Bits and HyperLogLogs.
    (3, "setbit $str $offset ( 0 | 1 )"),
    (2, "getbit $str $offset"),
    (2, "bitcount $str [ $num [ $num [ ( bit | byte ) ] ] ]"),
    (
        2,
        "bitpos $str ( 0 | 1 ) [ $num [ $num [ ( bit | byte ) ] ] ]",
    ),
    (2, "bitop ( and | or | xor ) $str { $str }"),
    (1, "bitop not $str $str"),
    (
        3,
        "bitfield $str { ( get $bits $offset | set $bits $offset $int | incrby $bits $offset $int | \
         overflow ( wrap | sat | fail ) ) }",
    ),
    (1, "bitfield_ro $str { get $bits $offset }"),
    (5, "pfadd $hll { $val }"),
    (2, "pfcount { $hll }"),
    (2, "pfmerge $hll { $hll }"),
    (2, "( get | strlen | object encoding ) $hll"),
    (1, "pfdebug ( encoding | decode | todense ) $hll"),
    (1, "pfcount $str"),
    (1, "( del | ttl ) $hll"),
    // Streams.
    (
        14,
        "xadd $stream [ ( nomkstream | maxlen $num | maxlen ~ $num | minid = $id | minid ~ $id ) ] \
         $newid { $field $val }",
    ),
    (2, "xadd $stream $id $field $val"),
    (4, "xlen $stream"),
    (3, "xrange $stream ( - | $id | $after ) + [ count $num ]"),
    (
        4,
        "( xrange | xrevrange ) $stream ( - | + | $id ) ( + | - | $id ) [ count $num ]",
    ),
    (3, "xdel $stream { $id }"),
    (
        2,
        "xtrim $stream ( maxlen | maxlen = | maxlen ~ ) $num [ limit $num ]",
    ),
    (2, "xtrim $stream ( minid | minid = | minid ~ ) $id"),
    (
        1,
        "xsetid $stream $id [ entriesadded $num ] [ maxdeletedid $id ]",
    ),
    (3, "xread [ count $num ] streams $stream ( $id | + )"),
    (1, "xread streams $stream $stream $id $id"),
    (
        3,
        "xgroup create $stream $group ( $id | $last ) [ mkstream ] [ entriesread $num ]",
    ),
    (1, "xgroup setid $stream $group $id [ entriesread $num ]"),
    (
        1,
        "xgroup ( createconsumer | delconsumer ) $stream $group $consumer",
    ),
    (1, "xgroup destroy $stream $group"),
    (
        6,
        "xreadgroup group $group $consumer [ count $num ] [ noack ] streams $stream ( > | > | $id )",
    ),
    (3, "xack $stream $group { $id }"),
    (3, "xpending $stream $group"),
    (
        3,
        "xclaim $stream $group $consumer ( 0 | 1000000000 ) { $id } [ force ] [ justid ] \
         [ retrycount $num ] [ lastid $id ]",
    ),
    (
        2,
        "xautoclaim $stream $group $consumer ( 0 | 1000000000 ) $id [ count $num ] [ justid ]",
    ),
    (3, "xinfo ( stream | groups ) $stream"),
    (
        1,
        "( del | type | object encoding | ttl | persist ) $stream",
    ),
    (1, "( copy | rename ) $stream $stream"),
    (1, "( xgroup | xinfo ) help"),
    (6, "sadd $bigset { $bigmember }"),
    (3, "( sismember $bigset $bigmember | scard $bigset )"),
    (3, "srem $bigset { $bigmember }"),
    (
        2,
        "( sinterstore | sunionstore | sdiffstore ) $bigset $bigset [ $bigset ] [ $bigset ]",
    ),
    (1, "( smembers | object encoding | del ) $bigset"),
    (8, "zadd $bigzset { $score $bigmember }"),
    (3, "zincrby $bigzset $score $bigmember"),
    (3, "( zscore | zrank | zrevrank ) $bigzset $bigmember"),
    (2, "zrem $bigzset { $bigmember }"),
    (3, "( zrange | zrevrange ) $bigzset $num $num withscores"),
    (2, "zrangebyscore $bigzset $bound $bound withscores"),
    (2, "zcount $bigzset $bound $bound"),
    (1, "zremrangebyrank $bigzset 0 1"),
    (
        1,
        "( zunionstore | zinterstore ) $bigzset 2 $bigzset $bigzset",
    ),
    (1, "( object encoding | zcard ) $bigzset"),
];

/// What the templates change of the configuration, as it is at the start: a
/// server that starts again has forgotten it.
pub(super) const CONFIGURATION: &[&str] = &[
    "config set hash-max-listpack-entries 512",
    "config set hash-max-listpack-value 64",
    "config set set-max-listpack-entries 128",
    "config set set-max-listpack-value 64",
    "config set stream-node-max-entries 100",
    "config set hll-sparse-max-bytes 3000",
];

/// Commands that are as rare as one in so many of the others.
pub(super) const RARE: (u64, &[&str]) = (
    50_000,
    &["flushdb", "flushdb async", "flushall sync", "swapdb 0 1"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::grammar::Template;

    #[test]
    fn every_template_can_be_read() {
        for (weight, text) in TEMPLATES.iter().chain(NEWER_TEMPLATES) {
            assert!(*weight > 0);
            Template::new(text);
        }
        for text in RARE.1 {
            Template::new(text);
        }
    }
}
