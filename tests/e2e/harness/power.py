"""A machine that loses power: hooksd runs in a directory, and only synced data is sure to survive cut()."""

import os
import shutil

from harness.daemon import BUILD_DIR

LIBRARY = BUILD_DIR / "tests/preload/powercut.so"

# What a cut keeps of unsynced writes and names. "sectors": a random choice of each file's changed sectors, and each
# directory's names as of a random moment since its sync. "garbage": the same, but unwritten sectors of a grown file
# hold random old bytes of the disk where "sectors" has zeros.
KEEPS = ("nothing", "everything", "sectors", "garbage")

DIRECTORIES, FILES = "directories", "files"


class Machine:
    """root is the directory on the machine's disk. The platter (see tests/preload/powercut.c) is beside it."""

    def __init__(self, root):
        self.root = root
        self.platter = root.with_name(root.name + ".platter")
        root.mkdir()

    def empty(self):
        shutil.rmtree(self.root)
        self.root.mkdir()

    def power_on(self, at=0, ignore=""):
        """
        Makes the present content of the disk durable. Returns hooksd's environment: its process group dies at operation
        `at`, unless that is 0, and syncs of `ignore` ("files" or "directories") do nothing.
        """
        shutil.rmtree(self.platter, ignore_errors=True)
        for kind in (DIRECTORIES, FILES):
            (self.platter / kind).mkdir(parents=True)
        (self.platter / "lock").touch()
        (self.platter / "operations").write_bytes(bytes(8))
        self._register(self.root)
        return {
            "SANDBOX": "off",  # the library opens files of its own
            "LD_PRELOAD": LIBRARY,
            "POWERCUT_PLATTER": self.platter,
            "POWERCUT_AT": at,
            "POWERCUT_IGNORE": ignore,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        }

    def cut(self, random, keep):
        """When all processes are dead: restores the disk from the platter, with the unsynced data that `keep` says."""
        inode = self.root.stat().st_ino
        shutil.rmtree(self.root)
        self._restore(self.root, inode, random, keep)

    def _register(self, directory):
        names = []
        for entry in os.scandir(directory):
            inode = entry.stat().st_ino
            names.append(f"{'d' if entry.is_dir() else 'f'} {inode} {entry.name}\n")
            if entry.is_dir():
                self._register(entry)
            else:
                file = self.platter / FILES / str(inode)
                file.mkdir()
                os.link(entry, file / "live")
                shutil.copyfile(entry, file / "durable")
        listings = self.platter / DIRECTORIES / str(os.stat(directory).st_ino)
        listings.mkdir()
        (listings / f"{0:020}").write_text("".join(names))

    def _restore(self, directory, inode, random, keep):
        directory.mkdir()
        listings = sorted(path for path in (self.platter / DIRECTORIES / str(inode)).iterdir() if path.name.isdigit())
        choice = {"nothing": listings[0], "everything": listings[-1]}.get(keep) or random.choice(listings)
        for line in choice.read_text().splitlines():
            kind, inode, name = line.split(" ", 2)
            if kind == "d":
                self._restore(directory / name, inode, random, keep)
            else:
                (directory / name).write_bytes(self._content(self.platter / FILES / inode, random, keep))

    def _content(self, file, random, keep):
        durable, live = ((file / name).read_bytes() for name in ("durable", "live"))
        if durable == live or keep in ("nothing", "everything"):
            return live if keep == "everything" else durable
        sector = random.choice([512, 4096])
        size = random.choice([len(durable), len(live), random.randint(*sorted([len(durable), len(live)]))])
        content = bytearray()
        for start in range(0, size, sector):
            end = min(start + sector, size)
            old, new = durable[start:end], live[start:end]
            missing = end - start - len(old)
            old += random.randbytes(missing) if keep == "garbage" else bytes(missing)
            content += random.choice([old, new + old[len(new) :]])
        return bytes(content)
