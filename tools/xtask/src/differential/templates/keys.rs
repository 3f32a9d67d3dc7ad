//! Templates of strings, bits, HyperLogLogs and of keys whatever they hold. Data.

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
    // At the limits of their numbers.
    (2, "( getrange | substr ) $str $extreme $extreme"),
    (
        1,
        "setrange $str ( -1 | 4294967296 | 9223372036854775807 | -9223372036854775808 ) $val",
    ),
    (1, "( incrby | decrby ) $str $extreme"),
    (
        1,
        "incrbyfloat $str ( 1.7e308 | -1.7e308 | 1e4932 | 1e-4950 | 0x1p3 | -nan | 1e | .5 | 5. )",
    ),
    (
        1,
        "set $str $val ( ex | px | exat | pxat ) ( 0 | -1 | 9223372036854775807 | 9223372036854776 | -9223372036854775808 )",
    ),
    (
        1,
        "getex $str ( ex | px | exat | pxat ) ( 0 | -1 | 9223372036854775807 | 9223372036854776 )",
    ),
    (
        1,
        "( setex | psetex ) $str ( 0 | -1 | 9223372036854775807 | 9223372036854776 | -9223372036854775808 ) $val",
    ),
    (
        1,
        "setbit $str ( -1 | 4294967296 | 9223372036854775807 | x ) ( 0 | 1 | 2 )",
    ),
    (
        1,
        "getbit $str ( -1 | 4294967295 | 4294967296 | 9223372036854775807 )",
    ),
    (
        2,
        "( bitcount $str | bitpos $str ( 0 | 1 ) ) $extreme $extreme [ ( bit | byte ) ]",
    ),
    (
        1,
        "( bitfield | bitfield_ro ) $str { get $bits ( #3 | 4294967296 | -1 | #9223372036854775807 | #x ) }",
    ),
    (
        1,
        "bitfield $str { ( ( set | incrby ) $bits ( #0 | #1 | 5 ) $extreme | overflow ( sat | fail | wrap ) ) }",
    ),
    (1, "bitfield $str get ( u64 | i65 | i0 | u0 | x8 | u ) 0"),
    (
        1,
        "lcs $lcs $lcs ( minmatchlen $extreme | idx minmatchlen $extreme withmatchlen | len idx )",
    ),
    (1, "pfmerge $hll"),
    (1, "pfdebug getreg $hll"),
    (
        2,
        "( expire | pexpire | expireat | pexpireat ) $key ( 9223372036854775807 | 9223372036854776 | -9223372036854775808 | -1 | 0 ) [ ( nx | xx | gt | lt | gt lt | nx xx ) ]",
    ),
    (
        1,
        "copy $key $key db ( -1 | 16 | 9223372036854775807 | x ) [ replace ]",
    ),
    (1, "move $key ( -1 | 16 | 9223372036854775807 | x )"),
    (
        1,
        "scan ( 0 | x | -1 | 18446744073709551616 ) [ match $glob ] [ count ( 0 | -1 | x | 9223372036854775807 ) ] [ type ( hash | nosuch | string ) ]",
    ),
];
