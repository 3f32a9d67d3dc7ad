//! Templates of streams. Data.

/// Weight and template.
pub(super) const TEMPLATES: &[(u64, &str)] = &[
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
    // Groups in detail, waiting for a moment, and the limits of ids and numbers.
    (
        2,
        "xpending $stream $group [ idle ( 0 | 1000000000 ) ] ( - | $id ) ( + | $id ) $num [ $consumer ]",
    ),
    (1, "xinfo consumers $stream $group"),
    (2, "xinfo stream $stream full [ count $num ]"),
    (2, "xread block 10 streams $stream ( $id | $last | + )"),
    (
        1,
        "xreadgroup group $group $consumer block 10 streams $stream ( > | $id )",
    ),
    (
        1,
        "xreadgroup group $group $consumer claim 0 streams $stream >",
    ),
    (
        2,
        "xadd $stream ( 0-0 | 0-1 | 18446744073709551616-0 | - | + | 5- | -5 | 5-5-5 | x-1 ) $field $val",
    ),
    (
        1,
        "xadd $topstream ( 18446744073709551614-* | 18446744073709551615-18446744073709551615 | 18446744073709551615-* ) $field $val",
    ),
    (1, "( del | xlen | xinfo stream ) $topstream"),
    (
        1,
        "xrange $stream ( (- | (+ | 18446744073709551615 | (18446744073709551615-18446744073709551615 | 0 ) ( + | (0-0 | 5 ) count $extreme",
    ),
    (
        1,
        "xtrim $stream ( maxlen | maxlen = | maxlen ~ ) $extreme [ limit $extreme ]",
    ),
    (
        1,
        "xautoclaim $stream $group $consumer $extreme $id count ( 0 | -1 | x | 9223372036854775807 | 7 )",
    ),
    (
        1,
        "xclaim $stream $group $consumer $extreme { $id } [ idle ( 0 | 5 | -1 ) ] [ retrycount $extreme ] [ force ]",
    ),
    (1, "xpending $stream $group - + $extreme"),
    (
        1,
        "xsetid $stream ( 0-0 | $id ) [ entriesadded $extreme maxdeletedid $id ]",
    ),
    (
        1,
        "xgroup create $stream $group $id entriesread ( -1 | -2 | 0 | 4611686018427387904 | x )",
    ),
    (
        1,
        "( xread | xreadgroup group $group $consumer ) count $extreme streams $stream 0",
    ),
];
