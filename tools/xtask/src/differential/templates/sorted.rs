//! Templates of sorted sets and positions. Data.

/// Weight and template.
pub(super) const TEMPLATES: &[(u64, &str)] = &[
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
    // That wait for a moment, and at the limits of their numbers.
    (1, "( bzpopmin | bzpopmax ) { $zset } 0.01"),
    (1, "bzmpop 0.01 #{ $zset } ( min | max ) [ count $num ]"),
    (
        2,
        "( zrange | zrevrange ) $zset $extreme $extreme [ withscores ]",
    ),
    (1, "zremrangebyrank $zset $extreme $extreme"),
    (
        2,
        "( zrangebyscore | zrevrangebyscore ) $zset $bound $bound limit $extreme $extreme",
    ),
    (
        1,
        "zrange $zset $bound $bound byscore limit $extreme $extreme",
    ),
    (1, "( zpopmin | zpopmax ) $zset $extreme"),
    (
        1,
        "zmpop ( 0 $zset min | 2 $zset min | -1 $zset max | 1 $zset min count $extreme )",
    ),
    (
        1,
        "zrandmember $zset ( 4294967296 | 9223372036854775807 | -9223372036854775808 ) [ withscores ]",
    ),
    (
        2,
        "( zadd $zset | zadd $zset incr ) ( nan | -nan | 1e400 | 1e-400 | 0x1p3 | infinity | -0 | +5 | 1.7976931348623157e308 ) $member",
    ),
    (1, "zincrby $zset ( inf | -inf | 1.7e308 | nan ) $member"),
    (
        1,
        "( zcount | zremrangebyscore ) $zset ( nan | (inf | (-inf | -inf | x ) ( +inf | inf | (0 | -0 | x )",
    ),
    (
        1,
        "( zlexcount | zrangebylex ) $lexset ( x | - | + | (0 | [1 ) ( + | - | x | [1 | (0 )",
    ),
    (
        1,
        "( zunionstore | zinterstore ) $zset ( 0 | -1 | 3 | 9223372036854775807 ) $zsource $zsource",
    ),
    (
        1,
        "( zunionstore | zinterstore ) $zset 1 $zsource weights ( nan | inf | -inf | 1e308 | x )",
    ),
    (
        1,
        "geoadd $geo ( 180 | 181 | nan | inf | -180 ) ( 85.05112878 | 85.06 | -85.05112878 | 90 | nan ) $place",
    ),
    (
        1,
        "geosearch $geo fromlonlat $nearlon $nearlat ( byradius ( 1e308 | -1 | nan | inf | 0 ) m | bybox ( 1e9 | 0 | nan ) ( 1e9 | -1 ) km ) count $extreme asc",
    ),
];
