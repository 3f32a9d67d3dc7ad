"""redis-py in RESP3, in its threaded and its asyncio form.

Its cache in the client, locks, streams with consumer groups, scripts and functions,
pub/sub among pipelines; `cargo xtask clients` has the plainer commands.
"""

import asyncio
import threading
import time

import redis
import redis.asyncio
from application import PORT, check, run, until
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection
from redis.exceptions import LockError, NoScriptError, ResponseError

DATABASE = 12
WORKERS = 4
ENTRIES = 2000
# It asks for a later Redis than the one that is answered here; what it uses is the same.
CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"


def connect(**options):
    return redis.Redis(port=PORT, db=DATABASE, protocol=3, decode_responses=True, **options)


def caching(client):
    cached = connect(cache_config=CacheConfig(max_size=1000))
    for number in range(200):
        client.set(f"cached:{number}", number)
    check([cached.get(f"cached:{n}") for n in range(200)], [str(n) for n in range(200)])
    check(cached.get_cache().size, 200)
    client.hset("cached:hash", mapping={"a": 1})
    check(cached.hgetall("cached:hash"), {"a": "1"})
    client.set("cached:7", "new")
    client.hset("cached:hash", "a", 2)
    until("the new value", lambda: cached.get("cached:7") == "new")
    until("the new field", lambda: cached.hgetall("cached:hash") == {"a": "2"})
    client.delete("cached:8")
    until("the end of a key", lambda: cached.get("cached:8") is None)
    client.flushdb()
    until("the end of all keys", lambda: cached.get("cached:9") is None)
    cached.close()


def locks(client):
    client.set("shared", 0)

    def work():
        own = connect()
        for _ in range(25):
            with own.lock("lock", timeout=30, sleep=0.002):
                own.set("shared", int(own.get("shared")) + 1)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(client.get("shared"), str(25 * WORKERS))
    lock = client.lock("lock", timeout=300)
    check(lock.acquire(), True)
    check(lock.extend(300), True)
    check(client.ttl("lock") > 300, True)
    client.pexpire("lock", 1)
    until("the end of the lock", lambda: not lock.locked())
    try:
        lock.release()
        raise AssertionError("a lock that had ended was released")
    except LockError:
        check(client.exists("lock"), 0)


def streams(client):
    """Consumers of a group take every entry once; what one leaves, another claims."""
    check(client.xgroup_create("log", "group", id="0", mkstream=True), True)
    taken = [[] for _ in range(WORKERS)]

    def consume(number):
        own = connect()
        while sum(map(len, taken)) < ENTRIES:
            reply = own.xreadgroup("group", f"consumer {number}", {"log": ">"}, count=20, block=50)
            entries = reply["log"][0] if reply else []
            for entry, fields in entries:
                taken[number].append(int(fields["number"]))
                # The first consumer forgets what it took.
                if number:
                    own.xack("log", "group", entry)

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    with client.pipeline(transaction=False) as pipe:
        for number in range(ENTRIES):
            pipe.xadd("log", {"number": number, "text": "x" * 200})
        check(len(set(pipe.execute())), ENTRIES)
    for thread in threads:
        thread.join()
    check(sorted(sum(taken, [])), list(range(ENTRIES)))
    check(client.xlen("log"), ENTRIES)
    pending = client.xpending("log", "group")
    check(pending["pending"], len(taken[0]))
    claimed, cursor = [], "0-0"
    while True:
        cursor, entries, _ = client.xautoclaim("log", "group", "heir", 0, cursor, count=100)
        claimed += [int(fields["number"]) for _, fields in entries]
        if entries:
            client.xack("log", "group", *[entry for entry, _ in entries])
        if cursor == "0-0":
            break
    check(claimed, sorted(taken[0]))
    check(client.xpending("log", "group")["pending"], 0)
    [group] = client.xinfo_groups("log")
    check((group["entries-read"], group["lag"]), (ENTRIES, 0))
    check(client.xtrim("log", maxlen=10, approximate=False), ENTRIES - 10)
    check([int(fields["number"]) for _, fields in client.xrange("log")],
          list(range(ENTRIES - 10, ENTRIES)))


def scripts(client):
    take = client.register_script("""
        local taken = {}
        for index, key in ipairs(KEYS) do
            taken[index] = redis.call('INCRBY', key, ARGV[index])
        end
        return taken""")
    check(take(keys=["s:1", "s:2"], args=[1, 5]), [1, 5])
    check(client.script_flush(), True)
    try:
        client.evalsha(take.sha, 1, "s:1", 1)
        raise AssertionError("a script that was forgotten ran")
    except NoScriptError:
        check(take(keys=["s:1", "s:2"], args=[1, 5]), [2, 10])
    with client.pipeline() as pipe:
        take(keys=["s:1"], args=[40], client=pipe)
        pipe.get("s:1")
        check(pipe.execute(), [[42], "42"])
    check(client.eval("redis.setresp(3) return redis.call('HGETALL', KEYS[1])", 1, "none"), {})
    check(client.eval("redis.setresp(3) return {double=1.5}", 0), 1.5)
    check(client.function_load("""#!lua name=counters
        redis.register_function{function_name='count', callback=function(keys)
            return redis.call('INCR', keys[1]) end}
        redis.register_function{function_name='peek', flags={'no-writes'},
            callback=function(keys) return redis.call('GET', keys[1]) end}""", replace=True), "counters")
    check((client.fcall("count", 1, "f"), client.fcall_ro("peek", 1, "f")), (1, "1"))
    try:
        client.fcall_ro("count", 1, "f")
        raise AssertionError("a function that writes ran as one that reads")
    except ResponseError as error:
        check(str(error), "Can not execute a script with write flag using *_ro command.")


async def asynchronous():
    """Many tasks on one pool, and messages to fifty subscribers."""
    options = {"port": PORT, "db": DATABASE, "protocol": 3, "decode_responses": True}
    async with redis.asyncio.Redis(**options) as client:
        pool = redis.asyncio.BlockingConnectionPool(max_connections=20, timeout=60, **options)
        async with redis.asyncio.Redis(connection_pool=pool) as many:
            check(sorted(await asyncio.gather(*[many.incr("count") for _ in range(1000)])),
                  list(range(1, 1001)))
            popping = asyncio.gather(*[many.brpop("line", timeout=30) for _ in range(10)])
            while (await client.info("clients"))["blocked_clients"] < 10:
                await asyncio.sleep(0.01)
            await client.lpush("line", *range(10))
            check(sorted(value for _, value in await popping), [str(n) for n in range(10)])

        async def listen():
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("news")
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        return message["data"]

        listeners = [asyncio.create_task(listen()) for _ in range(50)]
        deadline = time.monotonic() + 60
        while dict(await client.pubsub_numsub("news"))["news"] < 50:
            assert time.monotonic() < deadline, "the subscriptions never come"
            await asyncio.sleep(0.01)
        check(await client.publish("news", "hello"), 50)
        check(await asyncio.gather(*listeners), ["hello"] * 50)


def test():
    client = connect()
    caching(client)
    locks(client)
    streams(client)
    scripts(client)
    client.close()
    asyncio.run(asynchronous())


run(test)
