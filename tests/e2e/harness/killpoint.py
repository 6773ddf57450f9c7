"""Kills control, or another process, at a chosen statement of its transactions (tests/preload/killpoint.c)."""

import mmap
import struct

from harness.daemon import BUILD_DIR

BEFORE, AFTER = 0, 1


class Killpoint:
    def __init__(self, path, process="control", stops=False):
        """stops: the process is stopped at that statement, not killed."""
        self.path = path
        self.stops = stops
        self.process = process
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)

    def environment(self):
        """
        SANDBOX is off because the library opens its file, and files of /proc, after the process would be confined.
        """
        return {"SANDBOX": "off", "LD_PRELOAD": BUILD_DIR / "tests/preload/killpoint.so", "KILLPOINT": self.path,
                "KILLPOINT_PROCESS": self.process} | ({"KILLPOINT_STOPS": 1} if self.stops else {})

    def arm(self, statement, side):
        """
        Kills at that statement, counted from now (the first is 1): BEFORE it goes to the database, or AFTER it has
        taken effect.
        """
        struct.pack_into("=I", self.memory, 4, side)
        struct.pack_into("=I", self.memory, 0, statement)

    def disarm(self):
        """Disarms. Returns whether the process has died."""
        fired = struct.unpack_from("=I", self.memory, 0)[0] == 0
        struct.pack_into("=I", self.memory, 0, 0)
        return fired

    def left(self):
        return struct.unpack_from("=I", self.memory, 0)[0]
