"""Celery with the daemon as its broker and result backend.

A worker of two processes; tasks with results, retries, a failure, countdowns, a
chain, a group, chords and revocation; then a queue that a kill of the daemon
interrupts while both processes are at work.
"""

import os
import sys
import tempfile

import redis
from application import check, kill_and_restart_daemon, run, start, until, url
from celery import chain, chord, group
from celery_tasks import add, app, fails, note, third_time, total

NOTES = 60
FOLDER = tempfile.TemporaryDirectory(prefix="thermocline-celery-")
WORDS = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "2"]
WORKER = start(*WORDS, "--without-mingle", "--loglevel", "info", log=f"{FOLDER.name}/log")


def results():
    check(add.delay(2, 3).get(timeout=60), 5)
    check([result.get(timeout=60) for result in [add.delay(n, n) for n in range(50)]],
          [2 * n for n in range(50)])
    check(third_time.delay().get(timeout=60), 2)
    check(add.apply_async((1, 1), countdown=1).get(timeout=60), 2)
    failed = fails.delay("on purpose")
    check(repr(failed.get(timeout=60, propagate=False)), "ValueError('on purpose')")
    check(failed.status, "FAILURE")
    failed.forget()
    check(app.backend.client.exists(app.backend.get_key_for_task(failed.id)), 0)
    large = "x" * 300_000
    check(add.delay(large, "y").get(timeout=60), large + "y")


def canvas():
    check(chain(add.s(1, 2), add.s(3), add.s(4)).delay().get(timeout=60), 10)
    check(group(add.s(n, 1) for n in range(20)).delay().get(timeout=60), list(range(1, 21)))
    check(chord((add.s(n, n) for n in range(30)), total.s()).delay().get(timeout=60), 870)
    failing = chord([add.s(1, 1), fails.s("in a chord")], total.s()).delay()
    check("in a chord" in repr(failing.get(timeout=60, propagate=False)), True)


def control():
    worker = until("the worker's ping", lambda: app.control.ping(timeout=1))
    check(len(worker), 1)
    revoked = add.apply_async((1, 1), countdown=4)
    app.control.revoke(revoked.id)
    check(type(revoked.get(timeout=60, propagate=False)).__name__, "TaskRevokedError")
    # The worker keeps its message until it was due. Killed with it on the way, it would come
    # back only when kombu looks for such messages, which is each hundred seconds.
    nothing_on_the_way()


def nothing_on_the_way():
    broker = redis.Redis.from_url(url(1))
    until("an empty queue", lambda: broker.llen("celery") == 0)
    until("every message acknowledged", lambda: broker.hlen("unacked") == 0)


def survives_a_kill():
    folder = FOLDER.name
    for name in range(NOTES):
        note.delay(folder, name)
    # Both processes wait at the gate, and the worker asks for no more than it can do.
    until("two tasks begun", lambda: sum(name.startswith("begun-") for name in os.listdir(folder)) == 2)
    kill_and_restart_daemon()
    open(os.path.join(folder, "gate"), "w").close()
    done = {f"done-{name}" for name in range(NOTES)}
    until("every task done", lambda: done <= set(os.listdir(folder)))
    check(add.delay(4, 5).get(timeout=60), 9)
    nothing_on_the_way()


def test():
    results()
    canvas()
    control()
    survives_a_kill()


run(test, WORKER)
