"""Makes C library calls fail (tests/faults/faults.h) in processes that were started with environment()."""

import mmap
import re
import struct
import subprocess

from harness.daemon import BUILD_DIR

FILES, MEMORY, PROCESS, NETWORK, SHORT = 1, 2, 4, 8, 16

LAYOUT = struct.Struct("=QQQQIi16s512s")  # struct faults
FOR_EVER = 2**64 - 1


class Faults:
    """A file that all processes started with environment() map. No call fails before arm()."""

    def __init__(self, path, process):
        self.path = path
        self.process = process  # calls fail in processes whose name begins so: "writer", or "hooksd" for the master
        path.write_bytes(bytes(LAYOUT.size))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), LAYOUT.size)

    def environment(self):
        return {"LD_PRELOAD": BUILD_DIR / "tests/faults/faults.so", "FAULTS": self.path}

    def arm(self, groups, number, for_ever=False, error=0):
        """The number-th call from now fails, and with for_ever all later ones too."""
        self.disarm()
        last = FOR_EVER if for_ever else number
        # The groups are written last: they start the counting.
        self._write(0, number, last, 0, error=error)
        self._write(0, number, last, 0, groups, error)

    def disarm(self):
        failed, what = self.failed, self.what
        self._write(failed=failed)
        self.last_what = what

    def _write(self, calls=0, first=0, last=0, failed=0, groups=0, error=0):
        LAYOUT.pack_into(self.memory, 0, calls, first, last, failed, groups, error, self.process.encode(), b"")

    @property
    def failed(self):
        """The number of failed calls since arm()."""
        return LAYOUT.unpack_from(self.memory)[3]

    @property
    def what(self):
        """A description of the first failed call and its caller: "fsync: Input/output error: /the/file" ..."""
        text = LAYOUT.unpack_from(self.memory)[7].rstrip(b"\0").decode(errors="replace")
        program = next(iter(re.findall(r" (hooks\w+)\+0x", text)), None)
        if program is None:
            return text
        places = re.findall(rf" {program}\+(0x[0-9a-f]+)", text)
        lines = subprocess.run(["addr2line", "-fis", "-e", BUILD_DIR / program, *places], capture_output=True, text=True)
        return f"{text.split(f' {program}+')[0]} < {' < '.join(lines.stdout.split()[::2])}"
