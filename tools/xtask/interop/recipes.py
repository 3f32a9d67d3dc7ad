"""The recipes of the README, run as they stand there.

Usage: recipes.py README THERMOCLINE THERMOCLINE_DUMP REDIS_SERVER

Each title under "At three in the morning" is a recipe; the lines indented under it run in
a shell that stops at the first failure. `systemctl` starts and stops a daemon of the
test, `redis-cli` talks to it. What must be there before, and what must have come of it,
stands here for each recipe: one that the README adds without a check here fails, as does
a check whose recipe is gone.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

import redis

sys.path.insert(0, os.path.dirname(__file__))
from files import Server, free_port  # noqa: E402

SECTION = "## At three in the morning"


def recipes(text):
    """The blocks of commands of each recipe by its title."""
    section = text.split(SECTION + "\n", 1)[1].split("\n## ", 1)[0]
    found = {}
    for part in section.split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        blocks = re.findall(r"(?:^    .*\n)+", body, re.MULTILINE)
        found[title] = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]
    return found


class Place:
    """A machine: a daemon's directory, a service, a command line."""

    def __init__(self, root, daemon, tool, redis_server):
        self.root, self.daemon, self.redis_server = root, daemon, redis_server
        self.port = free_port()
        self.data, self.redis = self.path("data"), self.path("redis")
        self.process = None
        self.environment = dict(
            os.environ,
            DATA=self.data,
            BACKUPS=self.path("backups"),
            REDIS=self.redis,
            PATH=self.path("bin") + ":" + os.environ["PATH"],
        )
        for name in ("bin", "backups", "redis", "requests"):
            os.mkdir(self.path(name))
        os.symlink(tool, self.path("bin/thermocline-dump"))
        # The service is this process's: it is asked by a file, and answers by its absence.
        self.script("systemctl", 'touch "%s/requests/$1"\n'
                    'while [ -e "%s/requests/$1" ]; do sleep 0.05; done\n' % (root, root))
        self.talk_to(self.port)

    def talk_to(self, port):
        client = subprocess.run(["sh", "-c", "command -v redis-cli"], capture_output=True, text=True)
        self.script("redis-cli", f'exec {client.stdout.strip()} -e -p {port} "$@"\n')

    def path(self, name):
        return os.path.join(self.root, name)

    def script(self, name, text):
        with open(self.path(f"bin/{name}"), "w") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(self.path(f"bin/{name}"), 0o755)

    def start(self):
        log = open(self.path("log"), "ab")
        words = [self.daemon, "--port", str(self.port), "--dir", self.data, "--maxmemory", "8mb",
                 "--appendfsync", "always", "--wal-retention-seconds", "3600", "--io-threads", "1"]
        self.process = subprocess.Popen(words, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                return redis.Redis(port=self.port).ping()
            except redis.exceptions.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("no daemon: " + open(self.path("log")).read()[-2000:]) from None
            time.sleep(0.05)

    def stop(self, kill=False):
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def run(self, commands, **variables):
        with open(self.path("told"), "wb") as told:
            shell = subprocess.Popen(["sh", "-ex", "-c", commands], cwd=self.root,
                                     env=dict(self.environment, **variables),
                                     stdout=told, stderr=told)
            while shell.poll() is None:
                for request, act in (("stop", self.stop), ("start", self.start)):
                    if os.path.exists(self.path(f"requests/{request}")):
                        act()
                        os.remove(self.path(f"requests/{request}"))
                time.sleep(0.02)
        told = open(self.path("told")).read()
        if shell.returncode != 0:
            raise SystemExit(f"ended with {shell.returncode}:\n{told}")

    def fill(self):
        self.start()
        client = redis.Redis(port=self.port)
        pipe = client.pipeline(transaction=False)
        for number in range(20_000):
            pipe.set(f"key:{number}", value(number))
        pipe.hset("hash", mapping={"a": 1, "b": 2})
        pipe.execute()
        client.function_load(
            "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
        )
        client.save()

    def expect(self, keys=20_000, functions=1):
        client = redis.Redis(port=self.port)
        for number in range(0, keys, 97):
            if client.get(f"key:{number}") != value(number):
                raise SystemExit(f"key:{number} is not what it was")
        counts = (client.dbsize(), client.hgetall("hash"), len(client.function_list()))
        if counts != (keys + 1, {b"a": b"1", b"b": b"2"}, functions):
            raise SystemExit(f"there are {counts}")


def value(number):
    return (f"{number:06}-" * 100).encode()


def power_cut(place, blocks):
    place.fill()
    place.stop(kill=True)
    place.run(blocks[0])
    place.expect()


def repair(place, blocks):
    place.fill()
    place.stop()
    # What a start relies on, and one key's page.
    os.truncate(os.path.join(place.data, "manifest"), 100)
    tier = os.path.join(place.data, "tier/00000.segment")
    needle, flipped = b"key:777", 0
    content = bytearray(open(tier, "rb").read())
    while (at := content.find(needle, flipped)) >= 0:
        content[at] ^= 1
        flipped = at + 1
    if flipped == 0:
        raise SystemExit("no record of the key is in the first segment")
    open(tier, "wb").write(content)
    place.run(blocks[0])
    lost = open(place.path("lost.txt")).read()
    if "manifest.copy" not in lost or "lost: " not in lost:
        raise SystemExit(f"what is lost is not told:\n{lost}")
    client = redis.Redis(port=place.port)
    if not 19_980 <= client.dbsize() <= 20_000 or client.get("key:1") != value(1):
        raise SystemExit(f"{client.dbsize()} keys are left:\n{lost}")


def backup(place, blocks):
    place.fill()
    place.run(blocks[0])
    place.stop()
    os.rename(place.data, place.path("elsewhere"))
    place.run(blocks[1])
    place.expect()


def before_flush(place, blocks):
    place.fill()
    client = redis.Redis(port=place.port)
    place.run('redis-cli BACKUP "$BACKUPS/monday"')
    client.set("key:20000", value(20_000))
    # A whole second between the last write and the mistake, whatever the machine's pace.
    when = int(client.time()[0]) + 1
    while client.time()[0] <= when:
        time.sleep(0.05)
    client.flushall()
    client.function_flush()
    client.set("after", "the mistake")
    client.save()
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    place.run(blocks[0], WHEN=then)
    place.expect(keys=20_001)


def from_redis(place, blocks):
    with Server(place.redis_server, place.redis, "--appendonly", "yes") as server:
        client = server.client
        client.mset({f"key:{number}": value(number) for number in range(100)})
        client.hset("hash", mapping={"a": 1, "b": 2})
        client.function_load(
            "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
        )
        place.talk_to(server.port)
        place.run(blocks[0])
        place.expect(keys=100)
        client.set("key:100", value(100))
    place.stop()
    os.rename(place.data, place.path("by-file"))
    place.run(blocks[1])
    place.start()
    place.expect(keys=101)


def to_redis(place, blocks):
    place.fill()
    place.run(blocks[0])
    # The Redis of the test is older than 7.2, whose file the recipe writes.
    os.remove(os.path.join(place.redis, "dump.rdb"))
    place.run(blocks[0].replace("--output", "--rdb-version 10 --output"))
    with Server(place.redis_server, place.redis) as server:
        if server.client.dbsize() != 20_001 or server.client.get("key:7") != value(7):
            raise SystemExit(f"Redis holds {server.client.dbsize()} keys")


CHECKS = {
    "After a power cut": power_cut,
    "Repair": repair,
    "Back up, and restore elsewhere": backup,
    "Back to before a FLUSHALL": before_flush,
    "Move from Redis": from_redis,
    "Move to Redis": to_redis,
}


def main():
    readme, daemon, tool, redis_server = sys.argv[1:]
    found = recipes(open(readme).read())
    if found.keys() != CHECKS.keys():
        raise SystemExit(f"recipes {sorted(found)}, checks {sorted(CHECKS)}")
    for title, check in CHECKS.items():
        with tempfile.TemporaryDirectory(prefix="thermocline-recipe-") as root:
            place = Place(root, os.path.abspath(daemon), os.path.abspath(tool), redis_server)
            try:
                check(place, found[title])
            finally:
                place.stop()
        print(f"recipe {title!r} works", flush=True)


main()
