"""A test's own names and addresses, for programs that preload tests/preload/resolver.c. They can change at any time."""

import os

from harness.daemon import BUILD_DIR


class Names:
    """names: {name: answers}. connect: {address: port}. tests/preload/resolver.c describes both."""

    def __init__(self, directory, names=None, connect=None):
        self.path, self.log = directory / "names", directory / "names.log"
        self.log.write_text("")
        self.set(names or {}, connect or {})

    def environment(self):
        """SANDBOX is off because a confined courier could not read the file of names."""
        return {"SANDBOX": "off", "LD_PRELOAD": BUILD_DIR / "tests/preload/resolver.so", "NAMES": self.path, "NAMES_LOG": self.log,
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set(self, names, connect):
        self.names, self.connect = names, connect
        new = self.path.with_suffix(".new")
        new.write_text("".join(f"name {name} {answers}\n" for name, answers in names.items())
                       + "".join(f"connect {address} {port}\n" for address, port in connect.items()))
        new.rename(self.path)

    def say(self, name, answers):
        """Changes the answers for one name."""
        self.set(self.names | {name: answers}, self.connect)

    def said(self, what):
        """The log's entries of that kind: "lookup" (names) or "connect" (addresses)."""
        return [line.split()[1] for line in self.log.read_text().splitlines() if line.startswith(what + " ")]
