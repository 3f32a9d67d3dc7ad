"""What the tests of Python applications share.

The task that runs a test names the daemon's port in THERMOCLINE_PORT, which the
processes that the test starts inherit. A line `restart` on standard output asks for a kill of the daemon and its restart on the
same data and port; a line on standard input says that it answers again.
"""

import atexit
import os
import subprocess
import sys
import time

PORT = int(os.environ["THERMOCLINE_PORT"])
LIMIT_SECONDS = 60
CHECKS = 0


def url(database):
    return f"redis://127.0.0.1:{PORT}/{database}"


def check(got, expected):
    global CHECKS
    assert got == expected, f"expected {expected!r}, got {got!r}"
    CHECKS += 1


def until(what, condition, between_seconds=0.05):
    """Waits until the condition holds, and gives what it gave."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"this never came: {what}"
        time.sleep(between_seconds)
    return found


def kill_and_restart_daemon():
    print("restart", flush=True)
    assert sys.stdin.readline().strip() == "restarted", "the daemon did not come back"


def start(*words, log):
    """Starts a process of the application, which ends with this one."""
    output = open(log, "ab")
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *words],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    process.log = log
    atexit.register(end, process)
    return process


def end(process):
    """Ends a process as an operator would, and kills it after ten seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(test, *processes):
    """Runs a test; where it fails, what the processes wrote is shown."""
    try:
        test()
    except BaseException:
        for process in processes:
            with open(process.log, errors="replace") as log:
                print(f"the end of {process.log}:\n{log.read()[-6000:]}", file=sys.stderr)
        raise
    for process in processes:
        end(process)
    print(f"{CHECKS} checks passed", flush=True)
