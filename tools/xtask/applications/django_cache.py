"""django-redis as Django's cache and as the store of its sessions.

get_or_set, lifetimes, counters, versions, patterns, locks, many keys at once, the raw
client, compressed values, and the cache that guards against a herd.
"""

import threading

import django
from application import check, run, until, url
from django.conf import settings

BACKEND = "django_redis.cache.RedisCache"
settings.configure(
    CACHES={
        "default": {"BACKEND": BACKEND, "LOCATION": url(7), "KEY_PREFIX": "site"},
        "compressed": {
            "BACKEND": BACKEND,
            "LOCATION": url(8),
            "OPTIONS": {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"},
        },
        "herd": {
            "BACKEND": BACKEND,
            "LOCATION": url(9),
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.HerdClient"},
        },
    },
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    USE_TZ=True,
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402
from django_redis import get_redis_connection  # noqa: E402


def values():
    computed = []
    for _ in range(3):
        check(cache.get_or_set("answer", lambda: computed.append(1) or 42, 100), 42)
    check(computed, [1])
    check(cache.add("answer", 43), False)
    check(cache.set("answer", 1, nx=True), False)
    check(cache.set("none", None), True)
    check(cache.get("none", "a default"), None)
    check(cache.get("missing", "a default"), "a default")
    data = {"list": list(range(1000)), "text": "ä" * 1000, "bytes": bytes(range(256))}
    check(cache.set("data", data), True)
    check(cache.get("data"), data)
    check((cache.incr("answer"), cache.incr("answer", 8), cache.decr("answer", 1)), (43, 51, 50))
    try:
        cache.incr("missing")
        raise AssertionError("a key that is not there was counted up")
    except ValueError:
        check("missing" in cache, False)


def lifetimes():
    check(cache.set("short", "x", timeout=0.2), True)
    until("the end of the key", lambda: cache.get("short") is None)
    check(cache.set("long", "x", timeout=100), True)
    check(90 < cache.ttl("long") <= 100, True)
    check((cache.persist("long"), cache.ttl("long")), (True, None))
    check((cache.expire("long", 50), cache.touch("long", 500)), (True, True))
    check(400_000 < cache.pttl("long") <= 500_000, True)
    check(cache.ttl("missing"), 0)


def many():
    wanted = {f"many:{number}": {"number": number} for number in range(500)}
    cache.set_many(wanted, timeout=100)
    check(cache.get_many([*wanted, "missing"]), wanted)
    check(len(cache.keys("many:*")), 500)
    check(sum(1 for _ in cache.iter_keys("many:*", itersize=50)), 500)
    check(cache.delete_many(["many:1", "many:2", "missing"]), 2)
    check(cache.delete_pattern("many:*", itersize=100), 498)
    check(cache.keys("many:*"), [])
    check((cache.set("versioned", 1), cache.incr_version("versioned")), (True, 2))
    check((cache.get("versioned"), cache.get("versioned", version=2)), (None, 1))


def locks():
    cache.set("shared", 0)

    def work():
        for _ in range(20):
            with cache.lock("the lock", timeout=30, sleep=0.002):
                cache.set("shared", cache.get("shared") + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(cache.get("shared"), 80)
    with cache.lock("the lock", timeout=30):
        check(cache.lock("the lock").acquire(blocking=False), False)
    check("the lock" in cache, False)


def others():
    compressed = caches["compressed"]
    check(compressed.set("text", "word " * 20_000), True)
    check(compressed.get("text"), "word " * 20_000)
    raw = get_redis_connection("compressed")
    check(raw.strlen(":1:text") < 2000, True)
    herd = caches["herd"]
    check((herd.set("key", "value", 100), herd.get("key")), (True, "value"))
    check(herd.get_many(["key", "missing"]), {"key": "value"})
    check(cache.sadd("letters", "a", "b"), 2)
    check(cache.smembers("letters"), {"a", "b"})
    check((cache.hset("hash", "field", [1]), cache.hkeys("hash")), (1, ["field"]))
    check(cache.zadd("scores", {"low": 1, "high": 9}), 2)
    check(cache.zrange("scores", 0, -1, withscores=True), [("low", 1.0), ("high", 9.0)])


def sessions():
    session = SessionStore()
    session["user"] = {"name": "Ada", "basket": [1, 2, 3]}
    session.set_expiry(100)
    session.create()
    check(SessionStore(session.session_key)["user"]["basket"], [1, 2, 3])
    old = session.session_key
    session.cycle_key()
    check(SessionStore().exists(old), False)
    check(SessionStore(session.session_key)["user"]["name"], "Ada")
    session.flush()
    check(session.session_key, None)


def test():
    for part in (values, lifetimes, many, locks, others, sessions):
        part()
    cache.clear()
    check(get_redis_connection("default").dbsize(), 0)


run(test)
