//! Templates of hashes, lists and sets. Data.

/// Weight and template.
pub(super) const TEMPLATES: &[(u64, &str)] = &[
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
        "( sort | sort_ro ) $biglist by ( s:* | h:*->f1 ) [ limit $num $num ] [ desc ] \
         [ get # ] [ get s:* ] [ get h:*->f2 ]",
    ),
    (1, "sort $biglist by s:* get # get bs:* store $list"),
    (1, "del $list"),
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
    // At the limits of their numbers.
    (1, "hincrby $hash $field $extreme"),
    (
        1,
        "hincrbyfloat $hash $field ( 1.7e308 | -1.7e308 | 1e4932 | -nan | 1e | .5 )",
    ),
    (
        1,
        "hrandfield $hash ( 4294967296 | 9223372036854775807 | -9223372036854775808 ) [ withvalues ]",
    ),
    (
        2,
        "( hexpire | hpexpire | hexpireat | hpexpireat ) $hash ( 9223372036854775807 | 9223372036854776 | -9223372036854775808 | -1 ) [ ( nx | xx | gt | lt ) ] fields ( 1 $field | 0 $field | 2 $field | x $field | 9223372036854775807 $field )",
    ),
    (
        1,
        "( hgetdel | hpersist | httl | hgetex ) $hash fields ( 0 $field | 2 $field | -1 $field | x | 4294967297 $field )",
    ),
    (
        1,
        "hscan $hash ( 0 | x ) [ match $glob ] [ count ( 0 | -1 | x | 9223372036854775807 ) ]",
    ),
    (3, "( lrange | ltrim ) $list $extreme $extreme"),
    (2, "lindex $list $extreme"),
    (1, "lrem $list $extreme $element"),
    (1, "( lpop | rpop ) $list $extreme"),
    (1, "lset $list $extreme $element"),
    (
        1,
        "lpos $list $element rank $extreme [ count $extreme ] [ maxlen $extreme ]",
    ),
    (
        1,
        "lmpop ( 0 | -1 | 2 | 9223372036854775807 ) $list ( left | right ) [ count $extreme ]",
    ),
    (1, "sort $biglist alpha limit $extreme $extreme"),
    (
        1,
        "spop $set ( 9223372036854775807 | -9223372036854775808 )",
    ),
    (
        1,
        "srandmember $set ( 4294967296 | 9223372036854775807 | -9223372036854775808 )",
    ),
    (
        1,
        "sintercard ( 0 $set | -1 $set | 2 $set | 1 $set limit $extreme | 9223372036854775807 $set )",
    ),
    (3, "sadd $intset { $number }"),
    (1, "srem $intset { $number }"),
    (2, "( object encoding | scard | smembers ) $intset"),
    (
        1,
        "sadd $intset ( m1 | 9223372036854775807 | -9223372036854775808 | 007 )",
    ),
    (1, "del $intset"),
];
