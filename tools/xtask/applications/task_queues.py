"""huey and dramatiq, two more task queues, with their consumers in this process.

Tasks with results, retries, pipelines, schedules, locks and priorities; what they ask of
a server is different: huey sorted sets and blocking pops, dramatiq one large Lua script.
"""


import logging

import dramatiq
from application import PORT, check, run, until
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from huey import PriorityRedisHuey, RedisHuey, crontab
from huey.consumer import Consumer

HUEY = RedisHuey("plain", port=PORT, db=10)
URGENT = PriorityRedisHuey("urgent", port=PORT, db=10)
BROKER = RedisBroker(port=PORT, db=11)
BROKER.add_middleware(Results(backend=RedisBackend(port=PORT, db=11)))
dramatiq.set_broker(BROKER)
SEEN = []
# Tasks that fail on purpose are no news.
for name in ("huey", "dramatiq"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


@HUEY.task()
def add(left, right):
    return left + right


@HUEY.task(retries=3)
def third_time(tries=[]):
    tries.append(1)
    if len(tries) < 3:
        raise ValueError("not yet")
    return len(tries)


@HUEY.task()
@HUEY.lock_task("one at a time")
def locked():
    return "had it"


@HUEY.periodic_task(crontab(minute="*"))
def every_minute():
    pass


@URGENT.task()
def ranked(name):
    SEEN.append(name)


@dramatiq.actor(store_results=True)
def multiply(left, right):
    return left * right


@dramatiq.actor(store_results=True, max_retries=5, min_backoff=10, max_backoff=50)
def flaky(tries=[]):
    tries.append(1)
    if len(tries) < 3:
        raise ValueError("not yet")
    return len(tries)


def with_huey():
    for number, name in [(1, "last"), (9, "first"), (5, "second")]:
        ranked(name, priority=number)
    check(len(URGENT), 3)
    consumers = [
        Consumer(huey, workers=workers, initial_delay=0.01, max_delay=0.1)
        for huey, workers in ((HUEY, 2), (URGENT, 1))
    ]
    for consumer in consumers:
        consumer.start()
    check(add(1, 2).get(blocking=True, timeout=60), 3)
    results = add.map([(n, n) for n in range(50)])
    check(results.get(blocking=True, timeout=60), [2 * n for n in range(50)])
    check(third_time().get(blocking=True, timeout=60), 3)
    check(locked().get(blocking=True, timeout=60), "had it")
    check(add.schedule((20, 22), delay=1).get(blocking=True, timeout=60), 42)
    chain = HUEY.enqueue(add.s(1, 2).then(add, 3).then(add, 4))
    check(chain.get(blocking=True, timeout=60), [3, 6, 10])
    until("all by rank", lambda: len(SEEN) == 3)
    check(SEEN, ["first", "second", "last"])
    for consumer in consumers:
        consumer.stop(graceful=True)


def with_dramatiq():
    worker = dramatiq.Worker(BROKER, worker_timeout=50, worker_threads=4)
    worker.start()
    messages = [multiply.send(n, 2) for n in range(100)]
    check([message.get_result(block=True, timeout=60_000) for message in messages],
          [2 * n for n in range(100)])
    check(flaky.send().get_result(block=True, timeout=60_000), 3)
    later = multiply.send_with_options(args=(6, 7), delay=500)
    check(later.get_result(block=True, timeout=60_000), 42)
    pipe = multiply.message(2, 3) | multiply.message(4) | multiply.message(5)
    check(pipe.run().get_result(block=True, timeout=60_000), 120)
    group = dramatiq.group([multiply.message(n, n) for n in range(10)]).run()
    check(list(group.get_results(block=True, timeout=60_000)), [n * n for n in range(10)])
    BROKER.join("default", timeout=60_000)
    worker.stop()


def test():
    with_huey()
    with_dramatiq()


run(test)
