"""Waiting for a condition with a deadline. Nothing in these tests sleeps for a fixed time and hopes."""

import os
import select
import time

SANITIZED = os.environ.get("HOOKS_SANITIZED") == "1"

# Sanitized binaries are several times slower, as are machines that are busy with something else, whose owner sets
# HOOKS_PATIENCE; deadlines are longer there, tests the same.
PATIENCE = (3 if SANITIZED else 1) * int(os.environ.get("HOOKS_PATIENCE", "1"))


def wait_until(condition, what, timeout=30):
    """
    Calls condition() until it returns something true, and returns that. `what` completes "timed out waiting for". What has
    lasted for long is asked for less often: other tests want the CPU.
    """
    start = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - start
        if waited > timeout * PATIENCE:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(min(max(0.005, waited / 10), 0.025))


def wait_ended(process, timeout):
    """process.wait(timeout), which alone looks only every now and then. Returns the exit code."""
    if process.poll() is None:
        pidfd = os.pidfd_open(process.pid)
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        ended.poll(timeout * 1000)
        os.close(pidfd)
    return process.wait(timeout=0)
