"""RDB files and append-only files to and from other servers.

Usage: files.py THERMOCLINE THERMOCLINE_DUMP SERVER...

Each server is filled with keys of every type and form and with functions, saves, and
is stopped. Its files are restored into a data directory, dumped from there as an RDB
file (once straight, once by way of JSON), and the same server starts on that file: it
must then hold the same keys, values, expiries, consumer groups and libraries. The same
is done with the server's append-only files. A daemon that starts on the data directory
must hold the same too; it changes what it holds, sinks most of it and stops, and what
the tool then dumps the server must hold.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import redis

LATER_MS = 4_000_000_000_000
# What stands for the number of a database with libraries.
LIBRARIES = -1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server on a directory; ended when it is left."""

    def __init__(self, program, directory, *directives):
        self.port = free_port()
        words = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", directory]
        words += ["--save", "", *directives]
        log = open(os.path.join(directory, "log"), "ab")
        self.process = subprocess.Popen(words, stdout=log, stderr=log)
        self.client = redis.Redis(port=self.port)
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.client.ping():
                    break
            except redis.exceptions.BusyLoadingError:
                pass
            except redis.exceptions.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = open(os.path.join(directory, "log")).read()
                    raise SystemExit(f"{program} does not start:\n{text[-2000:]}") from None
            time.sleep(0.05)

    def database(self, number):
        return redis.Redis(port=self.port, db=number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=30)


def version(client):
    info = client.info("server")
    if "valkey_version" in info:
        return ("valkey", tuple(map(int, info["valkey_version"].split("."))))
    return ("redis", tuple(map(int, info["redis_version"].split("."))))


LIBRARY = """#!lua name={0}
redis.register_function('{0}_one', function(keys, args) return redis.call('GET', keys[1]) end)
redis.register_function{{function_name='{0}_two', callback=function() return 'two' end,
  flags={{'no-writes'}}}}
"""


def fill(server):
    name, number = version(server.client)
    has_field_expiries = name == "valkey" and number >= (9,)
    for library in ("first", "second", "gone"):
        server.client.function_load(LIBRARY.format(library))
    server.client.function_delete("gone")
    for database in (0, 3, 15):
        client = server.database(database)
        tag = str(database)
        client.set("text", "hello " + tag)
        client.set("empty", "")
        client.set("long", b"\x00\xff\r\n\"" * 20_000)
        client.set("compressible", "abcdefgh" * 5000)
        for value in (0, -1, 127, -129, 40_000, -(2**31), 2**31, 2**63 - 1, -(2**63)):
            client.set(f"integer:{value}", value)
        client.set("expires", "v", pxat=LATER_MS + database)
        client.set(b"\xff\x00 key", b"\x80")
        client.hset("hash:small", mapping={"a": "1", "b": "x" * 60, "": "empty", "n": -5})
        client.hset("hash:large", mapping={f"f{i}": f"v{i}" * (i % 9) for i in range(2000)})
        client.hset("hash:wide", mapping={"w": "y" * 5000, "z": "1"})
        client.pexpireat("hash:small", LATER_MS)
        client.rpush("list:small", "a", 1, -1, 70_000, "b" * 60)
        client.rpush("list:large", *[f"element {i}" * (i % 7) for i in range(5000)])
        client.rpush("list:huge", "q" * 20_000, "r", "s" * 9000)
        client.sadd("set:integers", 1, 2, 3, -7)
        client.sadd("set:wide", 1, 2**40, -(2**50))
        client.sadd("set:small", "a", "b", 7)
        client.sadd("set:large", *[f"member {i}" for i in range(3000)])
        client.sadd("set:many-integers", *range(1000, 3000))
        client.zadd("zset:small", {"a": 1, "b": 2.5, "c": float("inf"), "d": float("-inf")})
        client.zadd("zset:large", {f"m{i}": i / 3 for i in range(2000)})
        client.zadd("zset:exact", {"e": 0.1 + 0.2, "f": 1e300, "g": -0.0, "h": 3e-310})
        client.pfadd("log", *range(500))
        client.setbit("bits", 1000, 1)
        for i in range(300):
            client.xadd("stream", {"f": i, "g": "text" * (i % 5)}, id=f"{1000 + i}-{i % 3}")
        client.xdel("stream", "1005-2", "1299-2")
        client.xgroup_create("stream", "readers", id="0")
        client.xgroup_create("stream", "idle", id="1100-0")
        client.xreadgroup("readers", "alice", {"stream": ">"}, count=20)
        client.xreadgroup("readers", "bob", {"stream": ">"}, count=5)
        client.xack("stream", "readers", "1000-0", "1001-1")
        client.xgroup_createconsumer("stream", "readers", "never")
        client.xadd("stream:empty", {"a": 1}, id="5-5")
        client.xdel("stream:empty", "5-5")
        if has_field_expiries:
            client.hset("hash:fields", mapping={"stays": "1", "goes": "2", "late": "3"})
            client.execute_command("HPEXPIREAT", "hash:fields", LATER_MS, "FIELDS", 1, "goes")
            client.hset("hash:many", mapping={f"f{i}": i for i in range(1000)})
            names = [f"f{i}" for i in range(0, 1000, 3)]
            client.execute_command(
                "HPEXPIREAT", "hash:many", LATER_MS + 5, "FIELDS", len(names), *names
            )
        client.close()
    return has_field_expiries


def named(pairs):
    """A reply of names and values in turn."""
    if isinstance(pairs, dict):
        return {name.decode(): value for name, value in pairs.items()}
    return {name.decode(): value for name, value in zip(pairs[::2], pairs[1::2])}


def stream(client, key):
    """What of XINFO STREAM FULL does not depend on when it is asked."""
    info = named(client.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    groups = []
    for group in map(named, info["groups"]):
        consumers = [named(consumer) for consumer in group["consumers"]]
        for consumer in consumers:
            consumer.pop("inactive", None)
            consumer.pop("idle", None)
        group["consumers"] = consumers
        groups.append(group)
    wanted = ("length", "last-generated-id", "max-deleted-entry-id", "entries-added",
              "recorded-first-entry-id")
    numbers = {name: info[name] for name in wanted if name in info}
    return (client.xrange(key), numbers, groups)


def contents(server, has_field_expiries):
    """All libraries and all keys of all databases, in a form that can be compared."""
    found = {}
    for library in server.client.execute_command("FUNCTION", "LIST", "WITHCODE"):
        library = named(library)
        found[(LIBRARIES, library["library_name"])] = ("library", library["library_code"], -1)
    for database in range(16):
        client = server.database(database)
        for key in client.scan_iter(count=1000):
            kind = client.type(key).decode()
            if kind == "string":
                value = client.get(key)
            elif kind == "list":
                value = client.lrange(key, 0, -1)
            elif kind == "set":
                value = client.smembers(key)
            elif kind == "zset":
                value = client.zrange(key, 0, -1, withscores=True)
            elif kind == "hash":
                value = client.hgetall(key)
                if has_field_expiries:
                    fields = sorted(value)
                    times = client.execute_command(
                        "HPEXPIRETIME", key, "FIELDS", len(fields), *fields
                    )
                    value = (value, dict(zip(fields, times)))
            else:
                value = stream(client, key)
            found[(database, key)] = (kind, value, client.pexpiretime(key))
        client.close()
    return found


def without_counts(found):
    """As before Redis 7.0, whose streams know no counts."""
    return {
        key: (kind, value[0], [group[b"name"] if b"name" in group else group["name"]
                               for group in value[2]], expiry)
        if kind == "stream" else (kind, value, expiry)
        for key, (kind, value, expiry) in found.items()
        # Nor functions.
        if key[0] != LIBRARIES
    }


def without_times(found, times=("seen-time", "active-time")):
    """A replay cannot know when consumers were last seen."""
    def consumer(it):
        return {name: value for name, value in it.items() if name not in times}

    def group(it):
        return it | {"consumers": [consumer(one) for one in it["consumers"]]}

    return {
        key: (kind, (*value[:2], [group(it) for it in value[2]]), expiry)
        if kind == "stream" else (kind, value, expiry)
        for key, (kind, value, expiry) in found.items()
    }


def without_activity(found):
    """As before Redis 7.2, which does not tell when a consumer was last active."""
    return without_times(found, ("active-time",))


def compare(what, before, after):
    missing = sorted(before.keys() - after.keys())
    more = sorted(after.keys() - before.keys())
    differ = [key for key in before.keys() & after.keys() if before[key] != after[key]]
    if missing or more or differ:
        for key in differ[:5]:
            print(key, str(before[key])[-900:], "\n  became", str(after[key])[-900:])
        raise SystemExit(f"{what}: missing {missing[:9]}, more {more[:9]}, differ {differ[:9]}")
    print(f"{what}: {len(before)} keys and libraries, all the same", flush=True)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return done


def load(program, directory, file, has_field_expiries):
    """What the server holds that starts on this RDB file."""
    os.makedirs(directory)
    shutil.copy(file, os.path.join(directory, "dump.rdb"))
    with Server(program, directory) as server:
        return contents(server, has_field_expiries)


def live(daemon, data, has_field_expiries, before, seen, label):
    """The daemon on this directory; what it holds in the end."""
    limits = ("--maxmemory", "8mb")
    with Server(daemon, data, *limits) as server:
        compare(f"{label}: a daemon", before, seen(contents(server, has_field_expiries)))
        client = server.client
        client.function_load(LIBRARY.format("third"))
        client.function_delete("second")
        client.rename("text", "renamed")
        client.append("renamed", " and more")
        pipe = client.pipeline(transaction=False)
        for number in range(20_000):
            pipe.set(f"many:{number}", os.urandom(700).hex())
        pipe.execute()
        server.database(9).hset("new", mapping={"a": 1, "b": 2})
        after = seen(contents(server, has_field_expiries))
        if client.info("tiering")["tier_cold_keys"] == 0:
            raise SystemExit("nothing has sunk")
    return after


def check(daemon, tool, program, root, directives):
    os.makedirs(root)
    first = os.path.join(root, "first")
    os.makedirs(first)
    with Server(program, first, "--appendonly", "yes", *directives) as server:
        has_field_expiries = fill(server)
        server.client.save()
        before = contents(server, has_field_expiries)
        name, number = version(server.client)
    label = f"{name} {'.'.join(map(str, number))} {' '.join(directives)}"
    versions = ["80"] if has_field_expiries else []
    if not has_field_expiries:
        versions = ["9", "10"] if number < (7, 2) else ["11"]
    data = os.path.join(root, "data")
    run(tool, "restore", data, os.path.join(first, "dump.rdb"))
    run(tool, "verify", data)
    lines = os.path.join(root, "dump.jsonl")
    run(tool, "dump", data, "--output", lines)
    by_lines = os.path.join(root, "by-lines")
    run(tool, "restore", by_lines, lines)
    for rdb_version in versions:
        for source in (data, by_lines):
            file = os.path.join(root, f"{os.path.basename(source)}-{rdb_version}.rdb")
            run(tool, "dump", source, "--output", file, "--rdb-version", rdb_version)
            loaded = os.path.join(root, f"load-{os.path.basename(source)}-{rdb_version}")
            after = load(program, loaded, file, has_field_expiries)
            seen = without_counts if rdb_version == "9" else lambda found: found
            compare(f"{label}: {os.path.basename(file)}", seen(before), seen(after))
    imported = os.path.join(root, "imported")
    run(tool, "import", imported, os.path.join(first, "appendonlydir"))
    file = os.path.join(root, "imported.rdb")
    run(tool, "dump", imported, "--output", file, "--rdb-version", versions[-1])
    loaded = os.path.join(root, "load-imported")
    after = load(program, loaded, file, has_field_expiries)
    with Server(program, first, "--appendonly", "yes", *directives) as server:
        reloaded = contents(server, has_field_expiries)
    what = f"{label}: append-only files"
    compare(what, without_times(reloaded), without_times(after))
    seen = without_activity if versions == ["9", "10"] else lambda found: found
    held = live(daemon, data, has_field_expiries, before, seen, label)
    file = os.path.join(root, "daemon.rdb")
    run(tool, "dump", data, "--output", file, "--rdb-version", versions[-1])
    run(tool, "diff", data, file)
    after = load(program, os.path.join(root, "load-daemon"), file, has_field_expiries)
    compare(f"{label}: what a daemon held", held, after)


def main():
    daemon, tool, *servers = sys.argv[1:]
    variants = (
        [],
        ["--rdbcompression", "no", "--rdbchecksum", "no"],
        ["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
         "--list-max-listpack-size", "1", "--aof-use-rdb-preamble", "no"],
    )
    with tempfile.TemporaryDirectory(prefix="thermocline-files-") as root:
        for server_number, program in enumerate(servers):
            for number, directives in enumerate(variants):
                check(daemon, tool, program, os.path.join(root, f"{server_number}-{number}"), directives)


if __name__ == "__main__":
    main()
