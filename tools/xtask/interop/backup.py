"""Backups of a running daemon.

Usage: backup.py THERMOCLINE THERMOCLINE_DUMP

A daemon with little memory takes more than it can hold, so that most of it is on the
tier, and is asked for a BACKUP while it goes on being written to, until segments of
the tier that the backup shares are used again. The backup must verify, hold what the
daemon held, and start a daemon of its own, which changes nothing in the other.
"""

import os
import subprocess
import sys
import tempfile
import threading

import redis

sys.path.insert(0, os.path.dirname(__file__))
from files import Server, run  # noqa: E402

KEYS = 60_000
VALUE_BYTES = 1000


def value(key, version):
    seed = (key * 2654435761 + version * 40503) % 2**32
    return b"".join(
        (seed * number % 2**32).to_bytes(4, "little") for number in range(1, VALUE_BYTES // 4)
    )


def write(client, keys, version):
    pipe = client.pipeline(transaction=False)
    for count, key in enumerate(keys, 1):
        pipe.set(f"key:{key}", value(key, version))
        if count % 200 == 0:
            pipe.execute()
    pipe.execute()


def main():
    daemon, tool = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="thermocline-backup-") as root:
        data, backup = os.path.join(root, "data"), os.path.join(root, "backup")
        os.makedirs(data)
        limits = ("--maxmemory", "24mb", "--wal-retention", "1gb")
        with Server(daemon, data, *limits) as server:
            write(server.client, range(KEYS), 0)
            stop = threading.Event()
            counts = []

            def go_on():
                other = redis.Redis(port=server.port)
                count = 0
                while not stop.is_set():
                    other.set(f"during:{count}", count)
                    count += 1
                counts.append(count)

            writer = threading.Thread(target=go_on)
            writer.start()
            made = server.client.execute_command("BACKUP", backup)
            stop.set()
            writer.join()
            print("backup:", made, flush=True)
            for path in (backup, "relative/path"):
                try:
                    server.client.execute_command("BACKUP", path)
                    raise SystemExit(f"a second backup to {path} was made")
                except redis.exceptions.ResponseError as error:
                    print("refused:", error, flush=True)
            before = run(tool, "verify", backup).stdout.splitlines()[-1]
            # Everything again, several times: the tier's segments are used again.
            for version in (1, 2, 3):
                write(server.client, range(KEYS), version)
                server.client.save()
                if version == 1:
                    then = int(server.client.info("persistence")["log_appended_lsn"])
                    size_then = server.client.dbsize()
                    server.client.delete("during:0")
            if server.client.info("persistence")["log_retained_bytes"] == 0:
                raise SystemExit("no log was retained")
            # Back to the first of them: from the backup, with the log of the daemon
            # that runs.
            earlier = os.path.join(root, "earlier")
            told = run(tool, "restore", earlier, backup, "--log", data, "--to-lsn", str(then))
            print(told.stderr.strip(), flush=True)
            with Server(daemon, earlier, *limits) as other:
                if other.client.dbsize() != size_then:
                    raise SystemExit(f"{other.client.dbsize()} keys, once there were {size_then}")
                for key in range(0, KEYS, 7):
                    if other.client.get(f"key:{key}") != value(key, 1):
                        raise SystemExit(f"key:{key} is not what it was then")
            after = run(tool, "verify", backup).stdout.splitlines()[-1]
            if before != after or "intact" not in after:
                raise SystemExit(f"the backup changed: {before}, then {after}")
            # On its own it lives its own life.
            with Server(daemon, backup, *limits) as other:
                during = 0
                while other.client.exists(f"during:{during}"):
                    during += 1
                size = other.client.dbsize()
                if size != KEYS + during or during > counts[0]:
                    raise SystemExit(f"{size} keys in the backup, {during} of {counts[0]} during it")
                for key in range(0, KEYS, 7):
                    if other.client.get(f"key:{key}") != value(key, 0):
                        raise SystemExit(f"key:{key} of the backup is not what it was")
                write(other.client, range(KEYS), 9)
                other.client.save()
            for key in range(0, KEYS, 7):
                if server.client.get(f"key:{key}") != value(key, 3):
                    raise SystemExit(f"key:{key} is not what it was")
        for directory in (data, backup):
            print(run(tool, "verify", directory).stdout.splitlines()[-1], flush=True)


main()
