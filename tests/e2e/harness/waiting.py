"""Waiting for a condition with a deadline. Nothing in these tests sleeps for a fixed time and hopes."""

import os
import time

SANITIZED = os.environ.get("HOOKS_SANITIZED") == "1"

# Sanitized binaries are several times slower, as are machines that are busy with something else, whose owner sets
# HOOKS_PATIENCE; deadlines are longer there, tests the same.
PATIENCE = (3 if SANITIZED else 1) * int(os.environ.get("HOOKS_PATIENCE", "1"))


def wait_until(condition, what, timeout=30):
    """Calls condition() until it returns something true, and returns that. `what` completes "timed out waiting for"."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.005)
