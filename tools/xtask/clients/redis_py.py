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


def next_message(pubsub):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        message = pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
        if message is not None:
            return message
    raise AssertionError("no message came")


def channels(client):
    with client.pubsub() as pubsub:
        pubsub.subscribe("news", "other")
        pubsub.psubscribe("n?ws*")
        pubsub.ssubscribe("shard")
        deadline = time.monotonic() + 10
        while dict(client.pubsub_numsub("news"))[b"news"] != 1 or not client.pubsub_shardchannels():
            assert time.monotonic() < deadline, "the subscription never shows"
        check(client.publish("news", "hello"), 2)
        message = next_message(pubsub)
        check((message["type"], message["channel"], message["data"]), ("message", b"news", b"hello"))
        message = next_message(pubsub)
        check((message["type"], message["pattern"], message["data"]), ("pmessage", b"n?ws*", b"hello"))
        check(client.spublish("shard", "part"), 1)
        check(client.pubsub_numpat(), 1)
        check(sorted(client.pubsub_channels()), [b"news", b"other"])
        pubsub.unsubscribe("news")
        pubsub.ping()
        deadline = time.monotonic() + 10
        while client.publish("news", "to the pattern only") != 1:
            assert time.monotonic() < deadline, "the subscription never goes"
    heard = []
    with client.pubsub() as pubsub:
        pubsub.subscribe(**{"handled": lambda message: heard.append(message["data"])})
        thread = pubsub.run_in_thread(sleep_time=0.01)
        deadline = time.monotonic() + 10
        while client.publish("handled", "done") != 1 or not heard:
            assert time.monotonic() < deadline, "the handler never runs"
        thread.stop()
        thread.join()
        check(heard[0], b"done")


def events_of_keys(client):
    check(client.config_set("notify-keyspace-events", "KEA"), True)
    with client.pubsub() as pubsub:
        pubsub.psubscribe("__keyevent@0__:*")
        pubsub.get_message(timeout=10)
        client.set("event", "x", px=50)
        client.hset("event:hash", "f", "v")
        client.delete("event:hash")
        seen = [next_message(pubsub) for _ in range(5)]
        check(
            sorted((message["channel"].decode()[15:], message["data"]) for message in seen),
            [
                ("del", b"event:hash"),
                ("expire", b"event"),
                ("expired", b"event"),
                ("hset", b"event:hash"),
                ("set", b"event"),
            ],
        )
    check(client.config_set("notify-keyspace-events", ""), True)


def client_side_cache(client):
    """What a cache in the client rests on: it is told which of the keys it read changed."""
    caching = redis.Redis(port=PORT, protocol=3, single_connection_client=True)
    told = []
    caching.connection._parser.set_invalidation_push_handler(told.append)
    check(caching.execute_command("CLIENT", "TRACKING", "ON"), b"OK")
    client.set("cached", "one")
    check(caching.get("cached"), b"one")
    check(told, [])
    client.set("cached", "two")
    deadline = time.monotonic() + 10
    while not told:
        check(caching.ping(), True)
        assert time.monotonic() < deadline, "the invalidation never comes"
    check(told, [[b"invalidate", [b"cached"]]])
    check(caching.get("cached"), b"two")
    caching.close()


def watching_commands(client):
    with client.monitor() as monitor:
        client.set("seen", "by the monitor")
        listener = monitor.listen()
        check(next(listener)["command"], "SET seen by the monitor")


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
        channels(client)
        events_of_keys(client)
        if protocol == 3:
            client_side_cache(client)
        watching_commands(client)
        server(client)
        other = redis.Redis(port=PORT, db=5, protocol=protocol)
        check(other.get("greeting"), None)
        check(other.set("greeting", "from five"), True)
        check(client.swapdb(0, 5), True)
        check(client.get("greeting"), b"from five")
        client.close()
    print(f"{CHECKS} checks passed")


main()
