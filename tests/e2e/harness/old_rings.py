"""Rings and files that hooksd 0.1.0 left in various states (tests/old_rings), unpacked for a daemon of today."""

import json
import os
import shutil
import struct
import tarfile
from pathlib import Path

from harness.daemon import REPOSITORY

ARCHIVES = REPOSITORY / "tests/old_rings/0.1.0"
STATES = sorted(path.name.removesuffix(".tar.xz") for path in ARCHIVES.glob("*.tar.xz"))

# Offsets in the layout of 0.1.0 (shm/old_ring_layout.h) with two acceptors.
BOOT_ID, JSONL_PATH, CONTROLS = 104, 144, 16384
SLOT_BYTES, LEDGER = 2688, 4096 + 2 * 2688 + 1776  # of the first writer
APPENDS, APPEND_BYTES, APPEND_DEVICE = 16, 48, 16  # in a ledger


class OldRing:
    """Unpacks the files of that state for a daemon that has not started yet."""

    def __init__(self, state, daemon):
        self.path = Path(daemon.options["RING_PATH"])
        daemon.options |= {"DATA_DIR": "data", "JSONL_PATH": "events.jsonl", "WRITERS": daemon.options.get("WRITERS", 2)}
        with tarfile.open(ARCHIVES / f"{state}.tar.xz") as archive:
            archive.extractall(daemon.directory)
        expected = json.loads((daemon.directory / "state.json").read_text())
        self.acknowledged, self.discarded = expected["acknowledged"], expected["discarded"]
        shutil.move(daemon.directory / "ring", self.path)
        self.written = self.path.read_bytes()[: 1 << 17]
        # Names this boot and this directory, as if the ring had been written here.
        self.patch(BOOT_ID, Path("/proc/sys/kernel/random/boot_id").read_bytes() + b"\0")
        self.patch(JSONL_PATH, str(daemon.directory / "events.jsonl").encode() + b"\0")
        self.unfinished = expected.get("unfinished")
        self.unfinished_in(daemon.directory)

    def unfinished_in(self, directory):
        """Names the file of the unfinished append by its device and inode in that directory."""
        if self.unfinished:
            ledger = LEDGER + self.unfinished["writer"] * SLOT_BYTES
            append = ledger + APPENDS + self.unfinished["entry"] * APPEND_BYTES
            file = os.stat(directory / self.unfinished["file"])
            self.patch(append + APPEND_DEVICE, struct.pack("QQ", file.st_dev, file.st_ino))

    def patch(self, offset, value):
        with open(self.path, "r+b") as ring:
            ring.seek(offset)
            ring.write(value)

    def named_aside(self, word):
        return list(self.path.parent.glob(f"{self.path.name}.{word}.*"))

    def remove_aside(self):
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            path.unlink()


def numbers(daemon, database=None):
    """The sorted numbers of all stored events, of the JSONL file and of the database if given."""
    found = [line["data"]["n"] for line in daemon.jsonl_events()] if daemon.jsonl_path.exists() else []
    if database:
        found += [int(row) for (row,) in database.query("SELECT data->>'n' FROM hook_events")]
    return sorted(found)
