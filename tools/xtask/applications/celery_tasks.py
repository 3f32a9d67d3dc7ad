"""The tasks that celery_queue.py sends to its worker."""

import os
import time

from application import LIMIT_SECONDS, url
from celery import Celery

app = Celery("tasks", broker=url(1), backend=url(2))
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # A message whose worker lost its connection comes back after this time.
    broker_transport_options={"visibility_timeout": 8, "unacked_restore_limit": 100},
    result_backend_always_retry=True,
    result_backend_max_retries=100,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@app.task
def add(left, right):
    return left + right


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def third_time(self):
    """Fails twice, then says how often it was tried."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def fails(text):
    raise ValueError(text)


@app.task(ignore_result=True)
def note(folder, name):
    """Leaves a file, and begins only once the gate is open."""
    deadline = time.monotonic() + LIMIT_SECONDS
    open(os.path.join(folder, f"begun-{name}"), "w").close()
    while not os.path.exists(os.path.join(folder, "gate")):
        assert time.monotonic() < deadline, "the gate never opens"
        time.sleep(0.02)
    open(os.path.join(folder, f"done-{name}"), "w").close()
