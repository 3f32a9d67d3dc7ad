"""RDB files of servers that are not at hand, byte by byte as their sources write them.

Usage: golden.py DIRECTORY

Writes redis-5.rdb (version 9, of Redis 5 and 6) and redis-8.rdb (version 12, of Redis 7.4
and 8). The forms are those of rdb.c, ziplist.c, listpack.c, intset.c, lzf_c.c and
t_stream.c of those versions. The files stand in tools/dump/tests/golden beside two that
servers have written: redis-7.0.rdb and valkey-9.1.rdb.
"""

import os
import struct
import sys

LATER_MS = 4_000_000_000_000


def crc64(data):
    """CRC-64 of Jones, reflected, as crc64.c has it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def length(number):
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return bytes([0x40 | number >> 8, number & 0xFF])
    if number < 1 << 32:
        return b"\x80" + struct.pack(">I", number)
    return b"\x81" + struct.pack(">Q", number)


def string(data):
    return length(len(data)) + data


def ziplist(*entries):
    body, last, offset = b"", 0, 0
    for entry in entries:
        if isinstance(entry, int):
            coded = bytes([0xF1 + entry]) if 0 <= entry <= 12 else b"\xc0" + struct.pack("<h", entry)
        else:
            coded = bytes([len(entry)]) + entry
        offset = 10 + len(body)
        piece = bytes([last]) + coded
        last = len(piece)
        body += piece
    return struct.pack("<IIH", 11 + len(body), offset, len(entries)) + body + b"\xff"


def listpack(*entries):
    body = b""
    for entry in entries:
        if isinstance(entry, int) and 0 <= entry < 128:
            coded = bytes([entry])
        elif isinstance(entry, int) and -4096 <= entry < 4096:
            coded = struct.pack(">H", 0xC000 | entry & 0x1FFF)
        elif isinstance(entry, int):
            coded = b"\xf4" + struct.pack("<q", entry)
        else:
            coded = bytes([0x80 | len(entry)]) + entry
        body += coded + bytes([len(coded)])
    return struct.pack("<IH", 7 + len(body), len(entries)) + body + b"\xff"


def intset(*members):
    return struct.pack(f"<II{len(members)}i", 4, len(members), *members)


def auxiliary(name, value):
    return b"\xfa" + string(name) + value


def header(version, server):
    return (
        b"REDIS%04d" % version
        + auxiliary(b"redis-ver", string(server))
        + auxiliary(b"redis-bits", b"\xc0\x40")
        + auxiliary(b"ctime", b"\xc2" + struct.pack("<i", 1_600_000_000))
        + auxiliary(b"used-mem", b"\xc2" + struct.pack("<i", 1_000_000))
    )


def key(kind, name, value):
    return bytes([kind]) + string(name) + value


def identity(ms, sequence):
    return struct.pack(">QQ", ms, sequence)


def stream_nodes():
    """Three entries after one master entry; the second is deleted."""
    master = (2, 1, 1, b"f", 0)
    entries = (2, 0, 0, 0, 4, 3, 1, 0, 1, 4, 2, 2, 0, b"two", 4)
    return length(1) + string(identity(1000, 0)) + string(listpack(*master, *entries))


def redis_5():
    expiring = b"\xfc" + struct.pack("<q", LATER_MS)
    old = b"\xfd" + struct.pack("<i", 2_000_000_000)
    pending = identity(1000, 0) + struct.pack("<q", 1_600_000_000_000) + length(2)
    group = (
        length(1) + string(b"g") + length(1002) + length(0)
        + length(1) + pending
        + length(1) + string(b"alice") + struct.pack("<q", 1_600_000_000_500)
        + length(1) + identity(1000, 0)
    )
    keys = [
        key(0, b"text", string(b"hello")),
        key(0, b"number", b"\xc1" + struct.pack("<h", 12345)),
        key(0, b"\xff\x00", string(b"\x80\x81")),
        key(0, b"compressed", b"\xc3" + length(5) + length(20) + b"\x00a\xe0\x0a\x00"),
        expiring + key(0, b"expires", string(b"v")),
        # Redis 2.4 to 5 read seconds too; idle time and frequency stand before the key.
        old + b"\xf8" + length(100) + key(0, b"expires:seconds", string(b"v")),
        b"\xf9\x05" + key(14, b"list", length(2) + string(ziplist(b"a", 1)) + string(ziplist(b"b"))),
        key(1, b"list:plain", length(2) + string(b"x") + string(b"y")),
        key(10, b"list:ziplist", string(ziplist(b"x", -300))),
        key(11, b"set:integers", string(intset(1, 2, 300_000))),
        key(2, b"set", length(2) + string(b"a") + string(b"b")),
        key(12, b"zset", string(ziplist(b"a", 1, b"b", b"2.5"))),
        key(5, b"zset:full", length(1) + string(b"z") + struct.pack("<d", -0.5)),
        key(3, b"zset:text", length(2) + string(b"a") + b"\x031.5" + string(b"b") + b"\xfe"),
        key(13, b"hash", string(ziplist(b"a", 1, b"b", b"two"))),
        key(4, b"hash:full", length(1) + string(b"f") + string(b"v" * 70)),
        key(15, b"stream", stream_nodes() + length(2) + length(1002) + length(0) + group),
    ]
    return (
        header(9, b"5.0.14")
        + b"\xfe" + length(0) + b"\xfb" + length(len(keys)) + length(2) + b"".join(keys)
        + b"\xfe" + length(3) + b"\xfb" + length(1) + length(0)
        + key(0, b"other", string(b"database"))
        + b"\xff"
    )


def redis_8():
    earliest = struct.pack("<q", LATER_MS)
    group = (
        length(1) + string(b"g") + length(1002) + length(0) + length(3)
        + length(0)
        + length(1) + string(b"alice") + struct.pack("<q", 1_600_000_000_500)
        + struct.pack("<q", 1_600_000_000_400) + length(0)
    )
    counts = length(1000) + length(0) + length(1001) + length(0) + length(3)
    keys = [
        key(0, b"text", string(b"hello")),
        key(18, b"list", length(2) + length(2) + string(listpack(b"a", 1, -2000))
            + length(1) + string(b"q" * 300)),
        key(20, b"set", string(listpack(b"a", 7))),
        key(16, b"hash", string(listpack(b"a", 1, b"b", b"two"))),
        key(17, b"zset", string(listpack(b"a", 1, b"b", b"2.5"))),
        # The rest of each field's time, plus one; 0 for none.
        key(24, b"hash:fields", earliest + length(3)
            + length(1) + string(b"first") + string(b"1")
            + length(0) + string(b"stays") + string(b"2")
            + length(6) + string(b"later") + string(b"3")),
        key(25, b"hash:compact", earliest
            + string(listpack(b"goes", b"1", LATER_MS, b"stays", b"2", 0))),
        key(21, b"stream", stream_nodes() + length(2) + length(1002) + length(0) + counts + group),
    ]
    library = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    return (
        header(12, b"8.0.0")
        + b"\xf5" + string(library)
        + b"\xfe" + length(0) + b"\xfb" + length(len(keys)) + length(0) + b"".join(keys)
        + b"\xff"
    )


def main():
    for name, content in (("redis-5", redis_5()), ("redis-8", redis_8())):
        with open(os.path.join(sys.argv[1], f"{name}.rdb"), "wb") as file:
            file.write(content + struct.pack("<Q", crc64(content)))


main()
