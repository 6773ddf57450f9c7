"""A control, or another process, that dies at a statement of one of its transactions (tests/preload/killpoint.c)."""

import mmap
import struct

from harness.daemon import BUILD_DIR

BEFORE, AFTER = 0, 1


class Killpoint:
    def __init__(self, path, process="control", stops=False):
        """stops: the process is stopped there, in the place of killed."""
        self.path = path
        self.stops = stops
        self.process = process
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)

    def environment(self):
        """The library opens its file, and others under /proc, when it is first asked: so the process is not confined."""
        return {"SANDBOX": "off", "LD_PRELOAD": BUILD_DIR / "tests/preload/killpoint.so", "KILLPOINT": self.path,
                "KILLPOINT_PROCESS": self.process} | ({"KILLPOINT_STOPS": 1} if self.stops else {})

    def arm(self, statement, side):
        """From now on: the first statement is 1. BEFORE it goes to the database, or AFTER it has taken effect."""
        struct.pack_into("=I", self.memory, 4, side)
        struct.pack_into("=I", self.memory, 0, statement)

    def disarm(self):
        """Returns whether control has died."""
        fired = struct.unpack_from("=I", self.memory, 0)[0] == 0
        struct.pack_into("=I", self.memory, 0, 0)
        return fired

    def left(self):
        return struct.unpack_from("=I", self.memory, 0)[0]
