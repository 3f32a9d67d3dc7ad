"""rq with the daemon as its queue.

A worker with its scheduler: results, a failure and its requeueing, retries, a job
for later, jobs that wait for others, registries; then a queue that a kill of the
daemon interrupts while a job runs.
"""

import datetime
import os
import sys
import tempfile

import redis
import rq_jobs
from application import check, kill_and_restart_daemon, run, start, until, url
from rq import Queue, Retry
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

JOBS = 12
FOLDER = tempfile.TemporaryDirectory(prefix="thermocline-rq-")
WORKER = start(
    os.path.join(os.path.dirname(sys.executable), "rq"), "worker", "--with-scheduler", "--url",
    url(3), "urgent", "default", log=f"{FOLDER.name}/log",
)
CONNECTION = redis.Redis.from_url(url(3))
QUEUE = Queue(connection=CONNECTION)


def state(job, wanted):
    until(f"{job.func_name} is {wanted}", lambda: job.get_status(refresh=True) == wanted)
    return job


def results():
    jobs = [QUEUE.enqueue(rq_jobs.add, n, n) for n in range(10)]
    check([state(job, "finished").return_value() for job in jobs], [2 * n for n in range(10)])
    check(len(FinishedJobRegistry(queue=QUEUE)), 10)
    many = Queue("urgent", connection=CONNECTION).enqueue_many(
        [Queue.prepare_data(rq_jobs.add, (n, 1)) for n in range(5)]
    )
    check([state(job, "finished").return_value() for job in many], [1, 2, 3, 4, 5])


def failures():
    failed = state(QUEUE.enqueue(rq_jobs.fails, "on purpose"), "failed")
    check("on purpose" in failed.latest_result().exc_string, True)
    registry = FailedJobRegistry(queue=QUEUE)
    check(registry.get_job_ids(), [failed.id])
    registry.requeue(failed.id)
    until("the second failure", lambda: len(failed.results()) == 2)
    state(failed, "failed").delete()
    check(len(registry), 0)
    path = os.path.join(FOLDER.name, "tries")
    job = QUEUE.enqueue(rq_jobs.fails_until, path, 2, retry=Retry(max=3))
    check(state(job, "finished").return_value(), 3)


def later_and_after():
    job = QUEUE.enqueue_in(datetime.timedelta(seconds=3), rq_jobs.add, 20, 22)
    check(job.id in ScheduledJobRegistry(queue=QUEUE), True)
    first = QUEUE.enqueue(rq_jobs.add, 1, 2)
    second = QUEUE.enqueue(rq_jobs.add, 3, 4, depends_on=first)
    third = QUEUE.enqueue(rq_jobs.add, 5, 6, depends_on=[first, second])
    check(state(third, "finished").return_value(), 11)
    check(state(job, "finished").return_value(), 42)
    check(len(ScheduledJobRegistry(queue=QUEUE)), 0)


def survives_a_kill():
    gate, done = os.path.join(FOLDER.name, "gate"), os.path.join(FOLDER.name, "done")
    jobs = [QUEUE.enqueue(rq_jobs.waits_for, gate, done) for _ in range(JOBS)]
    state(jobs[0], "started")
    check(QUEUE.count, JOBS - 1)
    kill_and_restart_daemon()
    check(QUEUE.job_ids, [job.id for job in jobs[1:]])
    open(gate, "w").close()
    for job in jobs:
        state(job, "finished")
    with open(done) as file:
        check(len(file.readlines()), JOBS)


def test():
    results()
    failures()
    later_and_after()
    survives_a_kill()


run(test, WORKER)
