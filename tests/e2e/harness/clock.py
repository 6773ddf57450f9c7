"""Sets the wall clock of running processes that were started with environment() (tests/preload/wallclock.c)."""

import mmap
import struct

from harness.daemon import BUILD_DIR

LIBRARY = BUILD_DIR / "tests/preload/wallclock.so"


class WallClock:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "WALLCLOCK": self.path}

    def set(self, seconds):
        """Sets the clock so many seconds ahead of the machine's clock, or behind it if negative."""
        struct.pack_into("=q", self.memory, 0, int(seconds * 1e6))
