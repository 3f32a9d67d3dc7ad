"""What applications do with redis-py, done against a running server.

usage: redis_py.py PORT
Ends with status 0 and the number of checks, or with the failed assertion.
"""

import sys
import threading
import time

import redis

PORT = int(sys.argv[1])
CHECKS = 0


def check(got, expected):
    global CHECKS
    assert got == expected, f"expected {expected!r}, got {got!r}"
    CHECKS += 1


def strings(client):
    check(client.set("greeting", "hello"), True)
    check(client.get("greeting"), b"hello")
    check(client.set("greeting", "again", nx=True), None)
    check(client.append("greeting", " world"), 11)
    check(client.getrange("greeting", 0, 4), b"hello")
    check(client.incrby("counter", 41), 41)
    check(client.incr("counter"), 42)
    check(client.mset({"a": 1, "b": 2}), True)
    check(client.mget("a", "b", "missing"), [b"1", b"2", None])
    check(client.set("fleeting", "x", px=20), True)
    deadline = time.monotonic() + 10
    while client.get("fleeting") is not None:
        assert time.monotonic() < deadline, "the key never expires"
    binary = bytes(range(256)) * 4000
    check(client.set("binary", binary), True)
    check(client.get("binary"), binary)


def hashes(client):
    check(client.hset("user", mapping={"name": "Ada", "born": 1815}), 2)
    check(client.hgetall("user"), {b"name": b"Ada", b"born": b"1815"})
    check(client.hincrby("user", "born", 1), 1816)
    check(sorted(client.hkeys("user")), [b"born", b"name"])
    check(client.hdel("user", "born", "name"), 2)
    check(client.exists("user"), 0)
    fields = {f"field:{number}": "x" * 100 for number in range(2000)}
    check(client.hset("large", mapping=fields), 2000)
    check(dict(client.hscan_iter("large", count=100)), {
        field.encode(): value.encode() for field, value in fields.items()
    })


def pipelines(client):
    with client.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"pipe:{number}", number)
        check(pipe.execute(), [True] * 1000)
    check(len(list(client.scan_iter("pipe:*", count=100))), 1000)
    with client.pipeline(transaction=True) as pipe:
        pipe.incr("t").incr("t").get("t")
        check(pipe.execute(), [1, 2, b"2"])
    with client.pipeline() as pipe:
        pipe.watch("watched")
        client.set("watched", "changed by another")
        pipe.multi()
        pipe.set("watched", "mine")
        try:
            pipe.execute()
            raise AssertionError("the watched key had changed")
        except redis.WatchError:
            check(client.get("watched"), b"changed by another")


def optimistic_counter(client):
    """Eight threads increment by WATCH, GET, MULTI, SET: none is lost."""

    def work():
        own = redis.Redis(port=PORT)
        for _ in range(50):
            own.transaction(
                lambda pipe: (
                    value := int(pipe.get("optimistic") or 0),
                    pipe.multi(),
                    pipe.set("optimistic", value + 1),
                ),
                "optimistic",
            )

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(client.get("optimistic"), b"400")


def errors(client):
    client.set("text", "words")
    for command, text in [
        (("INCR", "text"), "value is not an integer or out of range"),
        (("HGET", "text", "f"), "WRONGTYPE"),
        (("GET",), "wrong number of arguments"),
        (("NOSUCH", "x"), "unknown command"),
    ]:
        try:
            client.execute_command(*command)
            raise AssertionError(f"{command} was accepted")
        except redis.ResponseError as error:
            assert text in str(error), f"{command}: {error}"
            check(client.ping(), True)


def server(client):
    info = client.info()
    check(info["role"], "master")
    assert info["used_memory"] > 0
    assert client.info("tiering")
    check(client.config_set("slowlog-max-len", 100), True)
    check(client.config_get("slowlog-max-len"), {"slowlog-max-len": "100"})
    check(client.client_setname("checker"), True)
    check(client.client_getname() in ("checker", b"checker"), True)
    assert client.dbsize() > 1000
    check(client.bgsave() in (True, b"Background saving started"), True)


def main():
    for protocol in (2, 3):
        client = redis.Redis(port=PORT, protocol=protocol)
        client.flushall()
        strings(client)
        hashes(client)
        pipelines(client)
        optimistic_counter(client)
        errors(client)
        server(client)
        other = redis.Redis(port=PORT, db=5, protocol=protocol)
        check(other.get("greeting"), None)
        check(other.set("greeting", "from five"), True)
        check(client.swapdb(0, 5), True)
        check(client.get("greeting"), b"from five")
        client.close()
    print(f"{CHECKS} checks passed")


main()
