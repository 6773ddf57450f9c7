"""Waits for a condition with a deadline. The tests never sleep for a fixed time instead."""

import os
import select
import time

SANITIZED = os.environ.get("HOOKS_SANITIZED") == "1"

# The factor of all deadlines. Sanitized binaries are several times slower, and so are busy machines, where
# HOOKS_PATIENCE sets the factor.
PATIENCE = (3 if SANITIZED else 1) * int(os.environ.get("HOOKS_PATIENCE", "1"))


def wait_until(condition, what, timeout=30):
    """
    Calls condition() until it returns a true value, and returns that. `what` completes "timed out waiting for". The
    intervals grow, to leave the CPU to other tests.
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
    """Like process.wait(timeout), which notices the end only after a delay. Returns the exit code."""
    if process.poll() is None:
        pidfd = os.pidfd_open(process.pid)
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        ended.poll(timeout * 1000)
        os.close(pidfd)
    return process.wait(timeout=0)
