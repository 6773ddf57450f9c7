"""
A disk that can be filled and freed: a tmpfs. Where the tests may not mount (in most containers), the writers and
publishers get a limit on the size of their files instead, which makes the same calls fail.
"""

import os
import resource
import subprocess

from harness.waiting import wait_until

ROOM = 4 << 30  # a tmpfs uses memory only for written pages


def make_disk(path):
    """Returns a SmallDisk if mount works, a LimitedFiles otherwise."""
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", path], capture_output=True)
    return SmallDisk(path) if mounted.returncode == 0 else LimitedFiles(path)


class SmallDisk:
    def __init__(self, path):
        self.path = path

    def fill(self, daemon):
        """Leaves no byte free: shrinks the disk to the size of its content."""

        def full():
            disk = os.statvfs(self.path)
            used = max(1, disk.f_blocks - disk.f_bfree)  # a size of 0 would mean no limit
            return self._resize(used * disk.f_frsize)

        wait_until(full, "no writer to write in the same instant")

    def free(self):
        assert self._resize(ROOM)

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=True)

    def _resize(self, size):
        command = ["mount", "-o", f"remount,size={size}", self.path]
        return subprocess.run(command, capture_output=True).returncode == 0


# The log is a file under the same limit and needs room for its lines.
LOG_ROOM = 64 << 10


class LimitedFiles:
    """
    A plain directory. Between fill() and free() the writers and publishers that ran at fill() cannot make a file longer
    than the limit.
    """

    def __init__(self, path):
        self.path = path
        self.limited = []

    def fill(self, daemon):
        self.limited = daemon.pids("writer") + daemon.pids("publisher")
        self._limit(max(size(daemon.log_path) + LOG_ROOM, size(daemon.jsonl_path)))

    def free(self):
        self._limit(resource.RLIM_INFINITY)

    def remove(self):
        pass

    def _limit(self, size):
        for writer in self.limited:
            try:
                resource.prlimit(writer, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            except ProcessLookupError:  # the process has died; its successor has no limit
                pass


def size(path):
    return path.stat().st_size if path.exists() else 0
