//! Commands on streams, against what Valkey 9.1.2 replies.

use super::harness::{Client, compare};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use thermocline_commands::Parked;
use thermocline_commands::blocking::Woken;

/// Entries added, read, deleted and trimmed.
const ENTRIES: &[(&[u8], &[u8])] = &[
    (b"set str x", b"+OK\r\n"),
    (b"xadd str 1-1 a b", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xlen str", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xrange str - +", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xdel str 1-1", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xtrim str maxlen 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xread streams str 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xlen s", b":0\r\n"),
    (b"xadd s", b"-ERR wrong number of arguments for 'xadd' command\r\n"),
    (b"xadd s 1-1", b"-ERR wrong number of arguments for 'xadd' command\r\n"),
    (b"xadd s 1-1 a", b"-ERR wrong number of arguments for 'xadd' command\r\n"),
    (b"xadd s 1-1 a b c", b"-ERR wrong number of arguments for 'xadd' command\r\n"),
    (b"xadd s 0-0 a b", b"-ERR The ID specified in XADD must be greater than 0-0\r\n"),
    (b"xadd s abc a b", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xadd s - a b", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xadd s 1-1 name one n 1", b"$3\r\n1-1\r\n"),
    (b"xadd s 1-1 name one", b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"),
    (b"xadd s 1-0 name one", b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"),
    (b"xadd s 1-* name two n -5", b"$3\r\n1-2\r\n"),
    (b"xadd s 2 name three n 007", b"$3\r\n2-0\r\n"),
    (b"xadd s 2-* other x", b"$3\r\n2-1\r\n"),
    (b"xadd s +3-01 name four n 10000", b"$3\r\n3-1\r\n"),
    (b"xadd s 12--03 name five n ''", b"$23\r\n12-18446744073709551613\r\n"),
    (b"xadd s 12-* name x", b"$23\r\n12-18446744073709551614\r\n"),
    (b"xadd s 13-* name six n 99999999999", b"$4\r\n13-0\r\n"),
    (b"xlen s", b":8\r\n"),
    (b"type s", b"+stream\r\n"),
    (b"object encoding s", b"$6\r\nstream\r\n"),
    (b"xrange s - +", b"*8\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$4\r\nname\r\n$3\r\none\r\n$1\r\nn\r\n$1\r\n1\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$5\r\nother\r\n$1\r\nx\r\n*2\r\n$3\r\n3-1\r\n*4\r\n$4\r\nname\r\n$4\r\nfour\r\n$1\r\nn\r\n$5\r\n10000\r\n*2\r\n$23\r\n12-18446744073709551613\r\n*4\r\n$4\r\nname\r\n$4\r\nfive\r\n$1\r\nn\r\n$0\r\n\r\n*2\r\n$23\r\n12-18446744073709551614\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n*2\r\n$4\r\n13-0\r\n*4\r\n$4\r\nname\r\n$3\r\nsix\r\n$1\r\nn\r\n$11\r\n99999999999\r\n"),
    (b"xrevrange s + -", b"*8\r\n*2\r\n$4\r\n13-0\r\n*4\r\n$4\r\nname\r\n$3\r\nsix\r\n$1\r\nn\r\n$11\r\n99999999999\r\n*2\r\n$23\r\n12-18446744073709551614\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n*2\r\n$23\r\n12-18446744073709551613\r\n*4\r\n$4\r\nname\r\n$4\r\nfive\r\n$1\r\nn\r\n$0\r\n\r\n*2\r\n$3\r\n3-1\r\n*4\r\n$4\r\nname\r\n$4\r\nfour\r\n$1\r\nn\r\n$5\r\n10000\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$5\r\nother\r\n$1\r\nx\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$4\r\nname\r\n$3\r\none\r\n$1\r\nn\r\n$1\r\n1\r\n"),
    (b"xrange s 1 2", b"*4\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$4\r\nname\r\n$3\r\none\r\n$1\r\nn\r\n$1\r\n1\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$5\r\nother\r\n$1\r\nx\r\n"),
    (b"xrange s 1-2 2-0 count 1", b"*1\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n"),
    (b"xrange s (1-1 (3", b"*4\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$5\r\nother\r\n$1\r\nx\r\n*2\r\n$3\r\n3-1\r\n*4\r\n$4\r\nname\r\n$4\r\nfour\r\n$1\r\nn\r\n$5\r\n10000\r\n"),
    (b"xrange s (1-1 +", b"*7\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$5\r\nother\r\n$1\r\nx\r\n*2\r\n$3\r\n3-1\r\n*4\r\n$4\r\nname\r\n$4\r\nfour\r\n$1\r\nn\r\n$5\r\n10000\r\n*2\r\n$23\r\n12-18446744073709551613\r\n*4\r\n$4\r\nname\r\n$4\r\nfive\r\n$1\r\nn\r\n$0\r\n\r\n*2\r\n$23\r\n12-18446744073709551614\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n*2\r\n$4\r\n13-0\r\n*4\r\n$4\r\nname\r\n$3\r\nsix\r\n$1\r\nn\r\n$11\r\n99999999999\r\n"),
    (b"xrange s - (0-0", b"-ERR invalid end ID for the interval\r\n"),
    (b"xrange s (18446744073709551615-18446744073709551615 +", b"-ERR invalid start ID for the interval\r\n"),
    (b"xrange s 2 1", b"*0\r\n"),
    (b"xrange s - + count 0", b"*-1\r\n"),
    (b"xrange s - + count -1", b"*-1\r\n"),
    (b"xrange s - + count x", b"-ERR value is not an integer or out of range\r\n"),
    (b"xrange s - + count", b"-ERR syntax error\r\n"),
    (b"xrange s - + foo 1", b"-ERR syntax error\r\n"),
    (b"xrange s x +", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xrange s - (", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xrange nope - +", b"*0\r\n"),
    (b"xrange nope - + count 0", b"*0\r\n"),
    (b"xrevrange s + - count 2", b"*2\r\n*2\r\n$4\r\n13-0\r\n*4\r\n$4\r\nname\r\n$3\r\nsix\r\n$1\r\nn\r\n$11\r\n99999999999\r\n*2\r\n$23\r\n12-18446744073709551614\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n"),
    (b"xrevrange s (2-1 (1-1", b"*2\r\n*2\r\n$3\r\n2-0\r\n*4\r\n$4\r\nname\r\n$5\r\nthree\r\n$1\r\nn\r\n$3\r\n007\r\n*2\r\n$3\r\n1-2\r\n*4\r\n$4\r\nname\r\n$3\r\ntwo\r\n$1\r\nn\r\n$2\r\n-5\r\n"),
    (b"xrevrange s - +", b"*0\r\n"),
    (b"xadd nope nomkstream 1-1 a b", b"$-1\r\n"),
    (b"exists nope", b":0\r\n"),
    (b"xadd s maxlen 3 14-0 name seven n 1", b"$4\r\n14-0\r\n"),
    (b"xrange s - +", b"*3\r\n*2\r\n$23\r\n12-18446744073709551614\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n*2\r\n$4\r\n13-0\r\n*4\r\n$4\r\nname\r\n$3\r\nsix\r\n$1\r\nn\r\n$11\r\n99999999999\r\n*2\r\n$4\r\n14-0\r\n*4\r\n$4\r\nname\r\n$5\r\nseven\r\n$1\r\nn\r\n$1\r\n1\r\n"),
    (b"xadd s maxlen x 15 a b", b"-ERR value is not an integer or out of range\r\n"),
    (b"xadd s maxlen -1 15 a b", b"-ERR The MAXLEN argument must be >= 0.\r\n"),
    (b"xadd s maxlen = 3 minid 3 15 a b", b"-ERR syntax error, MAXLEN and MINID options at the same time are not compatible\r\n"),
    (b"xadd s limit 3 15 a b", b"-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n"),
    (b"xadd s maxlen 3 limit 3 15 a b", b"-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n"),
    (b"xadd s maxlen ~ 3 limit -1 15 a b", b"-ERR The LIMIT argument must be >= 0.\r\n"),
    (b"xadd s limit 0 15 a b", b"-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n"),
    (b"xadd s maxlen ~ 3 limit 0 15 a b", b"$4\r\n15-0\r\n"),
    (b"xadd s minid = 14 16 a b", b"$4\r\n16-0\r\n"),
    (b"xrange s - +", b"*3\r\n*2\r\n$4\r\n14-0\r\n*4\r\n$4\r\nname\r\n$5\r\nseven\r\n$1\r\nn\r\n$1\r\n1\r\n*2\r\n$4\r\n15-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$4\r\n16-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xlen s", b":3\r\n"),
    (b"xtrim s", b"-ERR wrong number of arguments for 'xtrim' command\r\n"),
    (b"xtrim s maxlen", b"-ERR wrong number of arguments for 'xtrim' command\r\n"),
    (b"xtrim s maxlen 1 foo", b"-ERR syntax error\r\n"),
    (b"xtrim s limit 3", b"-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n"),
    (b"xtrim s maxlen 1 limit 3", b"-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n"),
    (b"xtrim s maxlen ~ 0", b":3\r\n"),
    (b"xlen s", b":0\r\n"),
    (b"xtrim s maxlen = 2", b":0\r\n"),
    (b"xtrim s minid 16-0", b":0\r\n"),
    (b"xrange s - +", b"*0\r\n"),
    (b"xtrim s minid 17", b":0\r\n"),
    (b"xlen s", b":0\r\n"),
    (b"exists s", b":1\r\n"),
    (b"xinfo stream s", b"*20\r\n$6\r\nlength\r\n:0\r\n$15\r\nradix-tree-keys\r\n:0\r\n$16\r\nradix-tree-nodes\r\n:1\r\n$17\r\nlast-generated-id\r\n$4\r\n16-0\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n0-0\r\n$13\r\nentries-added\r\n:11\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n0-0\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n$-1\r\n$10\r\nlast-entry\r\n$-1\r\n"),
    (b"xadd s 16-0 a b", b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"),
    (b"xadd s 17-0 a b", b"$4\r\n17-0\r\n"),
    (b"xdel s 17-0 17-0 99", b":1\r\n"),
    (b"xdel s x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xdel nope 1", b":0\r\n"),
    (b"xdel nope x", b":0\r\n"),
    (b"xinfo stream s", b"*20\r\n$6\r\nlength\r\n:0\r\n$15\r\nradix-tree-keys\r\n:0\r\n$16\r\nradix-tree-nodes\r\n:1\r\n$17\r\nlast-generated-id\r\n$4\r\n17-0\r\n$20\r\nmax-deleted-entry-id\r\n$4\r\n17-0\r\n$13\r\nentries-added\r\n:12\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n0-0\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n$-1\r\n$10\r\nlast-entry\r\n$-1\r\n"),
    (b"xadd s 18446744073709551615-18446744073709551615 a b", b"$41\r\n18446744073709551615-18446744073709551615\r\n"),
    (b"xadd s * a b", b"-ERR The stream has exhausted the last possible ID, unable to add more items\r\n"),
    (b"xadd s 18446744073709551615-* a b", b"-ERR The stream has exhausted the last possible ID, unable to add more items\r\n"),
    (b"xsetid s 5", b"-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n"),
    (b"xsetid nope 1", b"-ERR no such key\r\n"),
    (b"xsetid s x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xadd t 5-5 a b", b"$3\r\n5-5\r\n"),
    (b"xadd t 6-6 a b", b"$3\r\n6-6\r\n"),
    (b"xsetid t 6-5", b"-ERR The ID specified in XSETID is smaller than the target stream top item\r\n"),
    (b"xsetid t 7-0 entriesadded 1", b"-ERR The entries_added specified in XSETID is smaller than the target stream length\r\n"),
    (b"xsetid t 7-0 entriesadded -1", b"-ERR entries_added must be positive\r\n"),
    (b"xsetid t 7-0 entriesadded 100 maxdeletedid 8-0", b"-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id\r\n"),
    (b"xsetid t 7-0 entriesadded 100 maxdeletedid 6-0", b"+OK\r\n"),
    (b"xsetid t 7-0 entriesadded", b"-ERR syntax error\r\n"),
    (b"xsetid t 7-0 foo 1", b"-ERR syntax error\r\n"),
    (b"xinfo stream t", b"*20\r\n$6\r\nlength\r\n:2\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n7-0\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n6-0\r\n$13\r\nentries-added\r\n:100\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n5-5\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n*2\r\n$3\r\n5-5\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$10\r\nlast-entry\r\n*2\r\n$3\r\n6-6\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xsetid t 6-7", b"+OK\r\n"),
    (b"xinfo stream t full", b"*18\r\n$6\r\nlength\r\n:2\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n6-7\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n6-0\r\n$13\r\nentries-added\r\n:100\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n5-5\r\n$7\r\nentries\r\n*2\r\n*2\r\n$3\r\n5-5\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n6-6\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$6\r\ngroups\r\n*0\r\n"),
    (b"copy t t2", b":1\r\n"),
    (b"xinfo stream t2", b"*20\r\n$6\r\nlength\r\n:2\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n6-7\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n6-0\r\n$13\r\nentries-added\r\n:100\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n5-5\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n*2\r\n$3\r\n5-5\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$10\r\nlast-entry\r\n*2\r\n$3\r\n6-6\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"hello 3", b""),
    (b"xinfo stream t", b"%10\r\n$6\r\nlength\r\n:2\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n6-7\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n6-0\r\n$13\r\nentries-added\r\n:100\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n5-5\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n*2\r\n$3\r\n5-5\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$10\r\nlast-entry\r\n*2\r\n$3\r\n6-6\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xrange t - + count 0", b"_\r\n"),
    (b"xread streams t nope 5-5 0", b"%1\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n6-6\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xread streams t 6-6", b"_\r\n"),
];

/// Entries over several nodes.
const MANY: &[(&[u8], &[u8])] = &[
    (b"xadd m 1-0 field 1-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n1-0\r\n"),
    (b"xadd m 2-0 field 2-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n2-0\r\n"),
    (b"xadd m 3-0 field 3-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n3-0\r\n"),
    (b"xadd m 4-0 field 4-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n4-0\r\n"),
    (b"xadd m 5-0 field 5-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n5-0\r\n"),
    (b"xadd m 6-0 field 6-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n6-0\r\n"),
    (b"xadd m 7-0 field 7-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n7-0\r\n"),
    (b"xadd m 8-0 field 8-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n8-0\r\n"),
    (b"xadd m 9-0 field 9-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$3\r\n9-0\r\n"),
    (b"xadd m 10-0 field 10-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n10-0\r\n"),
    (b"xadd m 11-0 field 11-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n11-0\r\n"),
    (b"xadd m 12-0 field 12-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n12-0\r\n"),
    (b"xadd m 13-0 field 13-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n13-0\r\n"),
    (b"xadd m 14-0 field 14-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n14-0\r\n"),
    (b"xadd m 15-0 field 15-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n15-0\r\n"),
    (b"xadd m 16-0 field 16-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n16-0\r\n"),
    (b"xadd m 17-0 field 17-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n17-0\r\n"),
    (b"xadd m 18-0 field 18-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n18-0\r\n"),
    (b"xadd m 19-0 field 19-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n19-0\r\n"),
    (b"xadd m 20-0 field 20-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n20-0\r\n"),
    (b"xadd m 21-0 field 21-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n21-0\r\n"),
    (b"xadd m 22-0 field 22-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n22-0\r\n"),
    (b"xadd m 23-0 field 23-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", b"$4\r\n23-0\r\n"),
    (b"xlen m", b":23\r\n"),
    (b"xtrim m maxlen ~ 12", b":8\r\n"),
    (b"xlen m", b":15\r\n"),
    (b"xdel m 12-0 15-0 16-0", b":3\r\n"),
    (b"xtrim m maxlen = 9", b":3\r\n"),
    (b"xrange m 14 17", b"*2\r\n*2\r\n$4\r\n14-0\r\n*2\r\n$5\r\nfield\r\n$903\r\n14-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n*2\r\n$4\r\n17-0\r\n*2\r\n$5\r\nfield\r\n$903\r\n17-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n"),
    (b"xtrim m minid ~ 19", b":2\r\n"),
    (b"xlen m", b":7\r\n"),
    (b"xtrim m minid ~ 21", b":4\r\n"),
    (b"xlen m", b":3\r\n"),
    (b"xtrim m maxlen ~ 1 limit 2", b":0\r\n"),
    (b"xlen m", b":3\r\n"),
    (b"xadd m maxlen ~ 5 251-0 x yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", b"$5\r\n251-0\r\n"),
    (b"xadd m 252-0 x 1", b"$5\r\n252-0\r\n"),
    (b"xinfo stream m", b"*20\r\n$6\r\nlength\r\n:5\r\n$15\r\nradix-tree-keys\r\n:3\r\n$16\r\nradix-tree-nodes\r\n:8\r\n$17\r\nlast-generated-id\r\n$5\r\n252-0\r\n$20\r\nmax-deleted-entry-id\r\n$4\r\n16-0\r\n$13\r\nentries-added\r\n:25\r\n$23\r\nrecorded-first-entry-id\r\n$4\r\n21-0\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n*2\r\n$4\r\n21-0\r\n*2\r\n$5\r\nfield\r\n$903\r\n21-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n$10\r\nlast-entry\r\n*2\r\n$5\r\n252-0\r\n*2\r\n$1\r\nx\r\n$1\r\n1\r\n"),
    (b"xtrim m maxlen 0", b":5\r\n"),
    (b"xinfo stream m", b"*20\r\n$6\r\nlength\r\n:0\r\n$15\r\nradix-tree-keys\r\n:0\r\n$16\r\nradix-tree-nodes\r\n:1\r\n$17\r\nlast-generated-id\r\n$5\r\n252-0\r\n$20\r\nmax-deleted-entry-id\r\n$4\r\n16-0\r\n$13\r\nentries-added\r\n:25\r\n$23\r\nrecorded-first-entry-id\r\n$3\r\n0-0\r\n$6\r\ngroups\r\n:0\r\n$11\r\nfirst-entry\r\n$-1\r\n$10\r\nlast-entry\r\n$-1\r\n"),
    (b"xadd m 253-0 a b", b"$5\r\n253-0\r\n"),
    (b"xinfo stream m full count 1", b"*18\r\n$6\r\nlength\r\n:1\r\n$15\r\nradix-tree-keys\r\n:1\r\n$16\r\nradix-tree-nodes\r\n:2\r\n$17\r\nlast-generated-id\r\n$5\r\n253-0\r\n$20\r\nmax-deleted-entry-id\r\n$4\r\n16-0\r\n$13\r\nentries-added\r\n:26\r\n$23\r\nrecorded-first-entry-id\r\n$5\r\n253-0\r\n$7\r\nentries\r\n*1\r\n*2\r\n$5\r\n253-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$6\r\ngroups\r\n*0\r\n"),
];

/// Groups, consumers and pending entries.
const GROUPS: &[(&[u8], &[u8])] = &[
    (b"set str x", b"+OK\r\n"),
    (b"xgroup create str g $", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xgroup create s g $", b"-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.\r\n"),
    (b"xgroup create s g $ foo", b"-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.\r\n"),
    (b"xgroup create s g $ mkstream", b"+OK\r\n"),
    (b"xgroup create s g 0", b"-BUSYGROUP Consumer Group name already exists\r\n"),
    (b"xgroup create s h 0-0 mkstream entriesread 3", b"+OK\r\n"),
    (b"xgroup create s h2 x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xgroup create s h2 0 entriesread -2", b"-ERR value for ENTRIESREAD must be positive or -1\r\n"),
    (b"xgroup create s h2 0 entriesread x", b"-ERR value is not an integer or out of range\r\n"),
    (b"xgroup create s h2 0 entriesread", b"-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.\r\n"),
    (b"xgroup create s h2 0 mkstream mkstream mkstream", b"+OK\r\n"),
    (b"xgroup create s h2 0 mkstream mkstream mkstream mkstream", b"-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.\r\n"),
    (b"xgroup setid s nope 0", b"-NOGROUP No such consumer group 'nope' for key name 's'\r\n"),
    (b"xgroup setid nope g 0", b"-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.\r\n"),
    (b"xgroup setid s h 5 foo", b"-ERR unknown subcommand or wrong number of arguments for 'setid'. Try XGROUP HELP.\r\n"),
    (b"xgroup setid s h 5 entriesread 2", b"+OK\r\n"),
    (b"xgroup setid s h $", b"+OK\r\n"),
    (b"xgroup setid s h -", b"+OK\r\n"),
    (b"xgroup help", b"*17\r\n+XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+CREATE <key> <groupname> <id|$> [option]\r\n+    Create a new consumer group. Options are:\r\n+    * MKSTREAM\r\n+      Create the empty stream if it does not exist.\r\n+    * ENTRIESREAD entries_read\r\n+      Set the group's entries_read counter (internal use).\r\n+CREATECONSUMER <key> <groupname> <consumer>\r\n+    Create a new consumer in the specified group.\r\n+DELCONSUMER <key> <groupname> <consumer>\r\n+    Remove the specified consumer.\r\n+DESTROY <key> <groupname>\r\n+    Remove the specified group.\r\n+SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]\r\n+    Set the current group ID and entries_read counter.\r\n+HELP\r\n+    Print this help.\r\n"),
    (b"xinfo help", b"*9\r\n+XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+CONSUMERS <key> <groupname>\r\n+    Show consumers of <groupname>.\r\n+GROUPS <key>\r\n+    Show the stream consumer groups.\r\n+STREAM <key> [FULL [COUNT <count>]\r\n+    Show information about the stream.\r\n+HELP\r\n+    Print this help.\r\n"),
    (b"xgroup nope", b"-ERR unknown subcommand 'nope'. Try XGROUP HELP.\r\n"),
    (b"xgroup create", b"-ERR wrong number of arguments for 'xgroup|create' command\r\n"),
    (b"xinfo groups s", b"*3\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n"),
    (b"xinfo groups nope", b"-ERR no such key\r\n"),
    (b"xinfo groups str", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xinfo stream nope", b"-ERR no such key\r\n"),
    (b"xinfo stream s full count", b"-ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP.\r\n"),
    (b"xinfo stream s foo", b"-ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP.\r\n"),
    (b"xinfo stream s full count x", b"-ERR value is not an integer or out of range\r\n"),
    (b"xinfo consumers s nope", b"-NOGROUP No such consumer group 'nope' for key name 's'\r\n"),
    (b"xinfo consumers nope g", b"-ERR no such key\r\n"),
    (b"xinfo consumers s g", b"*0\r\n"),
    (b"xgroup createconsumer s g alice", b":1\r\n"),
    (b"xgroup createconsumer s g alice", b":0\r\n"),
    (b"xgroup createconsumer s nope alice", b"-NOGROUP No such consumer group 'nope' for key name 's'\r\n"),
    (b"xgroup createconsumer nope g alice", b"-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.\r\n"),
    (b"xgroup delconsumer s g nope", b":0\r\n"),
    (b"xgroup delconsumer s nope alice", b"-NOGROUP No such consumer group 'nope' for key name 's'\r\n"),
    (b"xgroup destroy s nope", b":0\r\n"),
    (b"xgroup destroy nope g", b"-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.\r\n"),
    (b"xreadgroup group g alice streams s >", b"*-1\r\n"),
    (b"xadd s 1-0 a 1", b"$3\r\n1-0\r\n"),
    (b"xadd s 2-0 a 2", b"$3\r\n2-0\r\n"),
    (b"xadd s 3-0 b 3", b"$3\r\n3-0\r\n"),
    (b"xadd s 4-0 a 4", b"$3\r\n4-0\r\n"),
    (b"xreadgroup group g alice count 2 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n"),
    (b"xreadgroup group g bob count 1 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n"),
    (b"xinfo groups s", b"*3\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:2\r\n$7\r\npending\r\n:3\r\n$17\r\nlast-delivered-id\r\n$3\r\n3-0\r\n$12\r\nentries-read\r\n:3\r\n$3\r\nlag\r\n:1\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:4\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:4\r\n"),
    (b"xpending s g", b"*4\r\n:3\r\n$3\r\n1-0\r\n$3\r\n3-0\r\n*2\r\n*2\r\n$5\r\nalice\r\n$1\r\n2\r\n*2\r\n$3\r\nbob\r\n$1\r\n1\r\n"),
    (b"xpending s g - + 10 nope", b"*0\r\n"),
    (b"xpending nope g", b"-NOGROUP No such key 'nope' or consumer group 'g'\r\n"),
    (b"xpending s nope", b"-NOGROUP No such key 's' or consumer group 'nope'\r\n"),
    (b"xpending s g -", b"-ERR syntax error\r\n"),
    (b"xpending s g - + x", b"-ERR value is not an integer or out of range\r\n"),
    (b"xpending s g x + 1", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xpending s g idle x - + 1", b"-ERR value is not an integer or out of range\r\n"),
    (b"xpending s g idle 5 - +", b"-ERR syntax error\r\n"),
    (b"xpending s g - + 0", b"*0\r\n"),
    (b"xpending s g - + -1", b"*0\r\n"),
    (b"xpending s g (2-0 (2-1 10", b"*0\r\n"),
    (b"xreadgroup group g alice streams s 0", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n"),
    (b"xreadgroup group g alice streams s 1-0", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n"),
    (b"xreadgroup group g carol streams s 0", b"*1\r\n*2\r\n$1\r\ns\r\n*0\r\n"),
    (b"xreadgroup group g alice noack streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n"),
    (b"xreadgroup group g alice streams s >", b"*-1\r\n"),
    (b"xinfo groups s", b"*3\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:3\r\n$7\r\npending\r\n:3\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n:4\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:4\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:4\r\n"),
    (b"xack s g 1-0 1-0 9-9", b":1\r\n"),
    (b"xack s g x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xack s nope 1-0", b":0\r\n"),
    (b"xack nope g x", b":0\r\n"),
    (b"xack str g 1-0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xpending s g", b"*4\r\n:2\r\n$3\r\n2-0\r\n$3\r\n3-0\r\n*2\r\n*2\r\n$5\r\nalice\r\n$1\r\n1\r\n*2\r\n$3\r\nbob\r\n$1\r\n1\r\n"),
    (b"xdel s 2-0", b":1\r\n"),
    (b"xreadgroup group g alice streams s 0", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n"),
    (b"xclaim s g carol 0 2-0", b"*0\r\n"),
    (b"xpending s g", b"*4\r\n:1\r\n$3\r\n3-0\r\n$3\r\n3-0\r\n*1\r\n*2\r\n$3\r\nbob\r\n$1\r\n1\r\n"),
    (b"xclaim s g carol 0 3-0", b"*1\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n"),
    (b"xclaim s g carol 1000000 3-0", b"*0\r\n"),
    (b"xclaim s g carol 0 3-0 justid", b"*1\r\n$3\r\n3-0\r\n"),
    (b"xclaim s g carol 0 4-0", b"*0\r\n"),
    (b"xclaim s g carol 0 4-0 force retrycount 7 time 5000", b"*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n"),
    (b"xclaim s g carol 0 1-0 force justid idle 3", b"*1\r\n$3\r\n1-0\r\n"),
    (b"xpending s g", b"*4\r\n:3\r\n$3\r\n1-0\r\n$3\r\n4-0\r\n*1\r\n*2\r\n$5\r\ncarol\r\n$1\r\n3\r\n"),
    (b"xclaim s g dave 0 3-0 4-0 9-9 lastid 9-0", b"*2\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n"),
    (b"xinfo groups s", b"*3\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:4\r\n$7\r\npending\r\n:3\r\n$17\r\nlast-delivered-id\r\n$3\r\n9-0\r\n$12\r\nentries-read\r\n:4\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xclaim s g dave x 3-0", b"-ERR Invalid min-idle-time argument for XCLAIM\r\n"),
    (b"xclaim s g dave 0 3-0 foo", b"-ERR Unrecognized XCLAIM option 'foo'\r\n"),
    (b"xclaim s g dave 0 3-0 time", b"-ERR Unrecognized XCLAIM option 'time'\r\n"),
    (b"xclaim s g dave 0 3-0 time x", b"-ERR Invalid TIME option argument for XCLAIM\r\n"),
    (b"xclaim s g dave 0 3-0 idle x", b"-ERR Invalid IDLE option argument for XCLAIM\r\n"),
    (b"xclaim s g dave 0 3-0 retrycount x", b"-ERR Invalid RETRYCOUNT option argument for XCLAIM\r\n"),
    (b"xclaim s g dave 0 3-0 lastid x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xclaim s nope dave 0 3-0", b"-NOGROUP No such key 's' or consumer group 'nope'\r\n"),
    (b"xclaim nope g dave 0 3-0", b"-NOGROUP No such key 'nope' or consumer group 'g'\r\n"),
    (b"xclaim str g dave 0 3-0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xautoclaim s g erin 0 0", b"*3\r\n$3\r\n0-0\r\n*3\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nb\r\n$1\r\n3\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n*0\r\n"),
    (b"xautoclaim s g erin 0 0 count 1", b"*3\r\n$3\r\n3-0\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*0\r\n"),
    (b"xautoclaim s g erin 0 3-1 count 1 justid", b"*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n4-0\r\n*0\r\n"),
    (b"xautoclaim s g erin 1000000 0", b"*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n"),
    (b"xautoclaim s g erin x 0", b"-ERR Invalid min-idle-time argument for XAUTOCLAIM\r\n"),
    (b"xautoclaim s g erin 0 x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xautoclaim s g erin 0 0 count 0", b"-ERR COUNT must be > 0\r\n"),
    (b"xautoclaim s g erin 0 0 count x", b"-ERR COUNT must be > 0\r\n"),
    (b"xautoclaim s g erin 0 0 foo", b"-ERR syntax error\r\n"),
    (b"xautoclaim s nope erin 0 0", b"-NOGROUP No such key 's' or consumer group 'nope'\r\n"),
    (b"xautoclaim nope g erin 0 0", b"-NOGROUP No such key 'nope' or consumer group 'g'\r\n"),
    (b"xdel s 3-0", b":1\r\n"),
    (b"xautoclaim s g erin 0 -", b"*3\r\n$3\r\n0-0\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n*1\r\n$3\r\n3-0\r\n"),
    (b"xpending s g", b"*4\r\n:2\r\n$3\r\n1-0\r\n$3\r\n4-0\r\n*1\r\n*2\r\n$4\r\nerin\r\n$1\r\n2\r\n"),
    (b"xgroup delconsumer s g erin", b":2\r\n"),
    (b"xpending s g", b"*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n"),
    (b"xgroup destroy s g", b":1\r\n"),
    (b"xinfo groups s", b"*2\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xgroup create s g 1", b"+OK\r\n"),
    (b"xinfo groups s", b"*3\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xgroup create s k 2-0 entriesread 2", b"+OK\r\n"),
    (b"xinfo groups s", b"*4\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-0\r\n$12\r\nentries-read\r\n:2\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xgroup create s l 4-0", b"+OK\r\n"),
    (b"xinfo groups s", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-0\r\n$12\r\nentries-read\r\n:2\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n"),
    (b"xadd s 5-0 a 5", b"$3\r\n5-0\r\n"),
    (b"xinfo groups s", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-0\r\n$12\r\nentries-read\r\n:2\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xreadgroup group g a streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\na\r\n$1\r\n5\r\n"),
    (b"xinfo groups s", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-0\r\n$12\r\nentries-read\r\n:5\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-0\r\n$12\r\nentries-read\r\n:2\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xreadgroup group k a count 1 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\n4\r\n"),
    (b"xinfo groups s", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-0\r\n$12\r\nentries-read\r\n:5\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:1\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"copy s s2", b":1\r\n"),
    (b"xinfo groups s2", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-0\r\n$12\r\nentries-read\r\n:5\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:1\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"xpending s2 g", b"*4\r\n:2\r\n$3\r\n4-0\r\n$3\r\n5-0\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\n2\r\n"),
    (b"xtrim s maxlen 0", b":3\r\n"),
    (b"xinfo groups s", b"*5\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-0\r\n$12\r\nentries-read\r\n:5\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nh\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$2\r\nh2\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nk\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:1\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n*12\r\n$4\r\nname\r\n$1\r\nl\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:0\r\n"),
    (b"del s", b":1\r\n"),
    (b"xadd s 1-0 a b", b"$3\r\n1-0\r\n"),
    (b"xadd s 2-0 a b", b"$3\r\n2-0\r\n"),
    (b"xadd s 3-0 a b", b"$3\r\n3-0\r\n"),
    (b"xadd s 4-0 a b", b"$3\r\n4-0\r\n"),
    (b"xadd s 5-0 a b", b"$3\r\n5-0\r\n"),
    (b"xgroup create s g 0 entriesread 50", b"+OK\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n:50\r\n$3\r\nlag\r\n:-45\r\n"),
    (b"xreadgroup group g c count 1 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:1\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n:1\r\n$3\r\nlag\r\n:4\r\n"),
    (b"xgroup setid s g 1-0 entriesread 50", b"+OK\r\n"),
    (b"xreadgroup group g c count 1 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-0\r\n$12\r\nentries-read\r\n:51\r\n$3\r\nlag\r\n:-46\r\n"),
    (b"xgroup setid s g 1-0 entriesread 0", b"+OK\r\n"),
    (b"xtrim s maxlen 2", b":3\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n1-0\r\n$12\r\nentries-read\r\n:0\r\n$3\r\nlag\r\n:5\r\n"),
    (b"xreadgroup group g c count 1 streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:3\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n:4\r\n$3\r\nlag\r\n:1\r\n"),
    (b"xdel s 5-0", b":1\r\n"),
    (b"xreadgroup group g c streams s >", b"*-1\r\n"),
    (b"xinfo groups s", b"*1\r\n*12\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:1\r\n$7\r\npending\r\n:3\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-0\r\n$12\r\nentries-read\r\n:4\r\n$3\r\nlag\r\n$-1\r\n"),
    (b"del s", b":1\r\n"),
    (b"xadd s 1-0 a b", b"$3\r\n1-0\r\n"),
    (b"xadd s 5-0 a b", b"$3\r\n5-0\r\n"),
    (b"xadd s 8-0 a b", b"$3\r\n8-0\r\n"),
    (b"xadd s 9-0 a b", b"$3\r\n9-0\r\n"),
    (b"xdel s 5-0", b":1\r\n"),
    (b"xtrim s minid 8", b":1\r\n"),
    (b"xgroup create s n0 0", b"+OK\r\n"),
    (b"xgroup create s n3 3", b"+OK\r\n"),
    (b"xgroup create s n6 6", b"+OK\r\n"),
    (b"xgroup create s n8 8", b"+OK\r\n"),
    (b"xinfo groups s", b"*4\r\n*12\r\n$4\r\nname\r\n$2\r\nn0\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n0-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:2\r\n*12\r\n$4\r\nname\r\n$2\r\nn3\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n3-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n$-1\r\n*12\r\n$4\r\nname\r\n$2\r\nn6\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n6-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:2\r\n*12\r\n$4\r\nname\r\n$2\r\nn8\r\n$9\r\nconsumers\r\n:0\r\n$7\r\npending\r\n:0\r\n$17\r\nlast-delivered-id\r\n$3\r\n8-0\r\n$12\r\nentries-read\r\n$-1\r\n$3\r\nlag\r\n:1\r\n"),
];

/// What is new in some streams.
const READ: &[(&[u8], &[u8])] = &[
    (b"set str x", b"+OK\r\n"),
    (b"xread", b"-ERR wrong number of arguments for 'xread' command\r\n"),
    (b"xread streams", b"-ERR wrong number of arguments for 'xread' command\r\n"),
    (b"xread streams s", b"-ERR wrong number of arguments for 'xread' command\r\n"),
    (b"xread streams s t 0", b"-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.\r\n"),
    (b"xread count 1 streams s t 0", b"-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.\r\n"),
    (b"xread block x streams s 0", b"-ERR timeout is not an integer or out of range\r\n"),
    (b"xread block -1 streams s 0", b"-ERR timeout is negative\r\n"),
    (b"xread count x streams s 0", b"-ERR value is not an integer or out of range\r\n"),
    (b"xread foo streams s 0", b"-ERR syntax error\r\n"),
    (b"xread group g c streams s 0", b"-ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.\r\n"),
    (b"xread noack streams s 0", b"-ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.\r\n"),
    (b"xread count 1 s 0", b"-ERR syntax error\r\n"),
    (b"xread streams s x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xread streams s >", b"-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.\r\n"),
    (b"xread streams s $", b"*-1\r\n"),
    (b"xread streams s +", b"*-1\r\n"),
    (b"xread streams str 0", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
    (b"xreadgroup group g c streams s >", b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
    (b"xreadgroup streams a b c d e", b"-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.\r\n"),
    (b"xreadgroup count 1 noack streams s 0", b"-ERR Missing GROUP option for XREADGROUP\r\n"),
    (b"xreadgroup group g c count 1 streams s", b"-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.\r\n"),
    (b"xadd s 1-1 a b", b"$3\r\n1-1\r\n"),
    (b"xadd s 2-1 c d", b"$3\r\n2-1\r\n"),
    (b"xadd t 5-0 e f", b"$3\r\n5-0\r\n"),
    (b"xread streams s t nope 0 0 0", b"*2\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n*2\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\ne\r\n$1\r\nf\r\n"),
    (b"xread count 1 streams s t nope 1-1 0 0", b"*2\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n*2\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\ne\r\n$1\r\nf\r\n"),
    (b"xread streams s 2-1", b"*-1\r\n"),
    (b"xread streams s $", b"*-1\r\n"),
    (b"xread streams s t + +", b"*2\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n*2\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\ne\r\n$1\r\nf\r\n"),
    (b"xread count 0 streams s 0", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xread count -5 streams s 1", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xread streams s 18446744073709551615-18446744073709551615", b"*-1\r\n"),
    (b"xread streams s s 1 0", b"*2\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xgroup create s g 0", b"+OK\r\n"),
    (b"xreadgroup group g c streams s $", b"-ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.\r\n"),
    (b"xreadgroup group g c streams s +", b"-ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.\r\n"),
    (b"xreadgroup group g c streams s x", b"-ERR Invalid stream ID specified as stream command argument\r\n"),
    (b"xreadgroup group g c streams t >", b"-NOGROUP No such key 't' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
    (b"xreadgroup group g c streams s t > >", b"-NOGROUP No such key 't' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
    (b"xreadgroup noack group g streams streams s >", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xgroup setid s g 0", b"+OK\r\n"),
    (b"xreadgroup group g c count 1 streams s s > >", b"*2\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xreadgroup group g c streams s s > 0", b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"multi", b"+OK\r\n"),
    (b"xread block 0 streams s $", b"+QUEUED\r\n"),
    (b"xreadgroup group g c block 0 streams s >", b"+QUEUED\r\n"),
    (b"exec", b"*2\r\n*-1\r\n*-1\r\n"),
    (b"xadd e 1-1 a b", b"$3\r\n1-1\r\n"),
    (b"xdel e 1-1", b":1\r\n"),
    (b"xread streams e 0", b"*-1\r\n"),
    (b"xread streams e +", b"*-1\r\n"),
    (b"hello 3", b""),
    (b"xread streams s t 0 0", b"%2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\ne\r\n$1\r\nf\r\n"),
    (b"xread streams s $", b"_\r\n"),
    (b"xgroup setid s g 0", b"+OK\r\n"),
    (b"xreadgroup group g c streams s >", b"%1\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n"),
    (b"xreadgroup group g c streams s >", b"_\r\n"),
    (b"xpending s g", b"*4\r\n:2\r\n$3\r\n1-1\r\n$3\r\n2-1\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n2\r\n"),
    (b"xinfo groups s", b"*1\r\n%6\r\n$4\r\nname\r\n$1\r\ng\r\n$9\r\nconsumers\r\n:2\r\n$7\r\npending\r\n:2\r\n$17\r\nlast-delivered-id\r\n$3\r\n2-1\r\n$12\r\nentries-read\r\n:2\r\n$3\r\nlag\r\n:0\r\n"),
];

#[test]
fn entries_are_added_read_deleted_and_trimmed() {
    compare(ENTRIES);
}

#[test]
fn trims_take_the_nodes_that_valkey_takes() {
    compare(MANY);
}

#[test]
fn groups_deliver_claim_and_acknowledge() {
    compare(GROUPS);
}

#[test]
fn streams_are_read_from_an_id_on() {
    compare(READ);
}

fn text(client: &mut Client, line: &str) -> String {
    String::from_utf8_lossy(&client.run_line(line.as_bytes())).into_owned()
}

#[test]
fn ids_follow_the_clock_and_never_go_back() {
    let mut client = Client::new();
    let first = text(&mut client, "xadd s * a b");
    assert_eq!(first, "$15\r\n1795000000000-0\r\n");
    assert_eq!(
        text(&mut client, "xadd s * a b"),
        "$15\r\n1795000000000-1\r\n"
    );
    client.advance(Duration::from_millis(7));
    assert_eq!(
        text(&mut client, "xadd s * a b"),
        "$15\r\n1795000000007-0\r\n"
    );
    text(&mut client, "xadd s 1795000000099-5 a b");
    assert_eq!(
        text(&mut client, "xadd s * a b"),
        "$15\r\n1795000000099-6\r\n"
    );
    client.restart();
    assert_eq!(
        text(&mut client, "xadd s * a b"),
        "$15\r\n1795000000099-7\r\n"
    );
}

#[test]
fn idle_times_count_from_deliveries_and_survive_a_restart() {
    let mut client = Client::new();
    for line in ["xadd s 1-0 a b", "xadd s 2-0 a b", "xgroup create s g 0"] {
        text(&mut client, line);
    }
    text(&mut client, "xreadgroup group g c count 1 streams s >");
    client.advance(Duration::from_millis(500));
    text(&mut client, "xreadgroup group g d streams s >");
    client.restart();
    client.advance(Duration::from_millis(100));
    let one = "*4\r\n$3\r\n1-0\r\n$1\r\nc\r\n:600\r\n:1\r\n";
    let two = "*4\r\n$3\r\n2-0\r\n$1\r\nd\r\n:100\r\n:1\r\n";
    assert_eq!(
        text(&mut client, "xpending s g - + 9"),
        format!("*2\r\n{one}{two}")
    );
    assert_eq!(
        text(&mut client, "xpending s g idle 200 - + 9"),
        format!("*1\r\n{one}")
    );
    assert_eq!(
        text(&mut client, "xpending s g - + 9 d"),
        format!("*1\r\n{two}")
    );
    let claimed = text(&mut client, "xclaim s g d 200 1-0 2-0 justid");
    assert_eq!(claimed, "*1\r\n$3\r\n1-0\r\n");
    let consumers = text(&mut client, "xinfo consumers s g");
    let c = "*8\r\n$4\r\nname\r\n$1\r\nc\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:600\r\n\
             $8\r\ninactive\r\n:600\r\n";
    let d = "*8\r\n$4\r\nname\r\n$1\r\nd\r\n$7\r\npending\r\n:2\r\n$4\r\nidle\r\n:0\r\n\
             $8\r\ninactive\r\n:0\r\n";
    assert_eq!(consumers, format!("*2\r\n{c}{d}"));
}

/// XDELEX, XACKDEL and the words of XTRIM, as Redis 8.2 has them.
#[test]
fn entries_are_deleted_with_regard_to_their_references() {
    let mut client = Client::new();
    for number in 1..=6 {
        text(&mut client, &format!("xadd s {number}-0 a b"));
    }
    for line in ["xgroup create s g 0", "xgroup create s h 0"] {
        text(&mut client, line);
    }
    text(&mut client, "xreadgroup group g c count 4 streams s >");
    text(&mut client, "xreadgroup group h c count 4 streams s >");
    for (line, expected) in [
        ("xdelex s ids 1 9-9", "*1\r\n:-1\r\n"),
        ("xdelex nope ids 1 9-9", "*1\r\n:-1\r\n"),
        ("xdelex s acked ids 2 1-0 6-0", "*2\r\n:2\r\n:2\r\n"),
        ("xackdel s g acked ids 1 1-0", "*1\r\n:2\r\n"),
        ("xackdel s g acked ids 1 1-0", "*1\r\n:-1\r\n"),
        ("xackdel s h acked ids 1 1-0", "*1\r\n:1\r\n"),
        ("xdelex s keepref ids 1 2-0", "*1\r\n:1\r\n"),
        ("xackdel s g ids 1 2-0", "*1\r\n:1\r\n"),
        ("xdelex s delref ids 1 3-0", "*1\r\n:1\r\n"),
        (
            "xpending s h",
            "*4\r\n:2\r\n$3\r\n2-0\r\n$3\r\n4-0\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n2\r\n",
        ),
        ("xtrim s acked maxlen 0", ":0\r\n"),
        ("xack s g 4-0", ":1\r\n"),
        ("xack s h 4-0", ":1\r\n"),
        ("xtrim s maxlen 0 acked", ":1\r\n"),
        (
            "xreadgroup group g c streams s 5-0",
            "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n",
        ),
        ("xgroup setid s g 6-0", "+OK\r\n"),
        ("xtrim s maxlen 1 delref", ":1\r\n"),
        ("xlen s", ":1\r\n"),
        (
            "xdelex s ids 0 1-0",
            "-ERR Number of IDs must be a positive integer\r\n",
        ),
        (
            "xdelex s ids 2 1-0",
            "-ERR The `numids` parameter must match the number of arguments\r\n",
        ),
        ("xdelex s foo ids 1 1-0", "-ERR syntax error\r\n"),
    ] {
        assert_eq!(text(&mut client, line), expected, "{line}");
    }
}

/// The reply that a client waited for, if it has come.
fn answer(parked: &Parked) -> Option<String> {
    let woken = pin!(parked.woken());
    match woken.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Woken::Answered(reply, _)) => {
            Some(String::from_utf8_lossy(&reply.as_bytes()).into_owned())
        }
        Poll::Ready(Woken::Handed) => panic!("nothing is cold"),
        Poll::Pending => None,
    }
}

#[test]
fn readers_wait_for_the_next_entry() {
    let mut client = Client::new();
    text(&mut client, "xadd s 1-0 a b");
    let newer = client.park(b"xread block 0 streams s $");
    let other = client.park(b"xread block 0 count 1 streams t s 0 1-0");
    assert_eq!(answer(&newer), None);
    text(&mut client, "xgroup create s g $");
    text(&mut client, "set unrelated x");
    assert_eq!(answer(&newer), None);
    text(&mut client, "xadd s 2-0 c d");
    let entry = "*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n";
    let expected = format!("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n{entry}");
    assert_eq!(answer(&newer), Some(expected.clone()));
    assert_eq!(answer(&other), Some(expected));
}

#[test]
fn consumers_wait_in_turn_and_learn_that_their_group_is_gone() {
    let mut client = Client::new();
    text(&mut client, "xgroup create s g $ mkstream");
    let first = client.park(b"xreadgroup group g one block 0 streams s >");
    let second = client.park(b"xreadgroup group g two block 0 streams s >");
    let names = text(&mut client, "xinfo consumers s g");
    assert!(names.starts_with("*2\r\n"), "{names}");
    text(&mut client, "xadd s 1-0 a b");
    assert!(answer(&first).is_some_and(|reply| reply.contains("1-0")));
    assert_eq!(answer(&second), None);
    let pending = text(&mut client, "xpending s g");
    assert!(pending.contains("$3\r\none\r\n$1\r\n1\r\n"), "{pending}");
    text(&mut client, "xgroup destroy s g");
    let gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n";
    assert_eq!(answer(&second).as_deref(), Some(gone));
    text(&mut client, "xgroup create s g $");
    let third = client.park(b"xreadgroup group g three block 0 streams s >");
    text(&mut client, "del s");
    assert_eq!(answer(&third).as_deref(), Some(gone));
}
