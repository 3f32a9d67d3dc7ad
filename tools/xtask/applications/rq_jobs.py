"""The jobs that rq_queue.py sends to its worker."""

import os
import time


def add(left, right):
    return left + right


def fails(text):
    raise ValueError(text)


def fails_until(path, times):
    """Fails as often as `times` says, counted in a file."""
    with open(path, "a+") as file:
        file.write(".")
        file.seek(0)
        count = len(file.read())
    if count <= times:
        raise RuntimeError(f"try {count}")
    return count


def waits_for(path, then):
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        assert time.monotonic() < deadline, "the file never comes"
        time.sleep(0.02)
    with open(then, "a") as file:
        file.write("done\n")
