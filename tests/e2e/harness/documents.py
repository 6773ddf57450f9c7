"""The code blocks of the documents, and a shell with a stand-in for systemctl that runs the blocks of commands."""

import os
import re
import subprocess
import threading

from harness.daemon import BUILD_DIR, clean_environment

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)((?:    .*\n)+)")
COMMENT = re.compile(r"(?:^|\s)#\s.*$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|&&|\|\||[;|])[ \t]*(?:\w+=\S*[ \t]+)*([\w./-]+)", re.MULTILINE)

SYSTEMCTL = """#!/bin/sh
# Passes start, stop, restart or reload of one service to the reader of the pipe.
[ $# = 2 ] && [ "$2" = hooksd ] || exit 1
echo "$1" >"$MANAGER/request" && read -r answer <"$MANAGER/reply" && [ "$answer" = done ]
"""


def blocks(text):
    """Every block of code, from top to bottom. A blank line ends an indented block."""
    found = [(match.start(), match.group(2)) for match in FENCED.finditer(text)]
    bare = FENCED.sub(lambda match: "\n" * len(match.group(0)), text)  # positions stay unchanged
    found += [(match.start(), re.sub("^    ", "", match.group(1), flags=re.MULTILINE)) for match in INDENTED.finditer(bare)]
    return [block for _, block in sorted(found)]


def commands(block):
    """The names of the programs that a block runs."""
    return set(COMMAND.findall(COMMENT.sub("", block)))


class Manager:
    """Executes `systemctl VERB hooksd` of the shell: starts, stops, restarts or reloads the test's daemon."""

    def __init__(self, daemon, directory):
        self.daemon = daemon
        self.directory = directory
        (directory / "bin").mkdir(parents=True)
        script = directory / "bin/systemctl"
        script.write_text(SYSTEMCTL)
        script.chmod(0o755)
        for name in ("request", "reply"):
            os.mkfifo(directory / name)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        verbs = {"start": self.daemon.start, "stop": self.daemon.stop, "restart": self.daemon.restart, "reload": self.reload}
        while (verb := (self.directory / "request").read_text().strip()) != "end":
            try:
                verbs[verb]()
                answer = "done"
            except Exception as error:  # the command fails, and with it the test
                answer = f"failed: {error!r}".replace("\n", " ")
            (self.directory / "reply").write_text(f"{answer}\n")

    def reload(self):
        self.daemon.signal(1)
        self.daemon.wait_for_log("SIGHUP: reopening files")

    def end(self):
        (self.directory / "request").write_text("end\n")
        self.thread.join(timeout=30)


def run_block(block, daemon, manager, bindir, **environment):
    """Runs the block and returns its standard output. A command that fails fails the test."""
    names = {"MANAGER": manager.directory, "PORT": daemon.port, "RING_PATH": daemon.options["RING_PATH"], **environment}
    path = os.pathsep.join(map(str, (manager.directory / "bin", BUILD_DIR, bindir, os.environ["PATH"])))
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=daemon.directory, capture_output=True, text=True, timeout=40,
        env=clean_environment(daemon.options) | {name: str(value) for name, value in names.items()} | {"PATH": path})
    assert result.returncode == 0, f"{block}\nends with {result.returncode}:\n{result.stdout}{result.stderr}"
    return result.stdout
