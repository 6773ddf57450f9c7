#!/usr/bin/python3
"""
Instructions per event of each stage of every event, compared with the figures recorded in instructions.txt.

Valgrind counts them on a virtual CPU, so the figures are the same on a busy machine, and on any x86-64 machine with the
same compiler and C library. A stage with 2 % more or fewer than recorded fails the check: more needs a reason, and
fewer are recorded, so that a later loss is noticed. `check.py --record` records the counts.

  decode_batch    a body of 100 events of 470 bytes without white space: JSON to sealed records
  decode_spaced   the same with the white space of Python's json.dumps
  decode_single   a body of one event
  head            the head of a request with eight headers, as an acceptor reads it before libh2o does
  key             an API key among 100,000: making its text, its digest, its lookup
  lane            reserving, publishing, peeking at and releasing one parcel of one record
  record_check    a writer's check of a record: lengths and checksum
  jsonl_line      a record as a line of JSONL
  copy_row        a record as a row of COPY BINARY
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sample import encode, sample_events

HERE = Path(__file__).resolve().parent
BUILD_DIR = Path(os.environ.get("HOOKS_BUILD_DIR", HERE.parent.parent / "build"))
RECORDED = HERE / "instructions.txt"
GATE_PERCENT = 2
HOW_TO_RECORD = "To record the figures of now: /usr/bin/python3 tests/bench/check.py --record"

# (stage of stages.c, body, rounds), some 2,000 events each
STAGES = {
    "decode_batch": ("decode_batch", "batch", 20),
    "decode_spaced": ("decode_batch", "spaced", 20),
    "decode_single": ("decode_single", "single", 2000),
    "head": ("head", "single", 2000),
    "key": ("key", "single", 2000),
    "lane": ("lane", "single", 2000),
    "record_check": ("record_check", "batch", 20),
    "jsonl_line": ("jsonl_line", "batch", 20),
    "copy_row": ("copy_row", "batch", 20),
}

# The C library chooses its memcpy() by the CPU. Without these features it chooses the same one on every CPU.
TUNABLES = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-SSSE3,-ERMS"


def write_bodies(directory):
    events = sample_events()
    (directory / "batch").write_bytes(encode(events))
    (directory / "spaced").write_text(json.dumps(events))
    (directory / "single").write_bytes(encode(events[0]))


def count(directory, stage, body, rounds):
    """(instructions per event, the compiler of the program)"""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=counted"]
    program = [BUILD_DIR / "tests/bench/stages", stage, directory / body, str(rounds)]
    environment = os.environ | {"GLIBC_TUNABLES": TUNABLES}
    run = subprocess.run(valgrind + program, env=environment, capture_output=True, text=True)
    output = re.match(r"events=(\d+) .*compiler=(.*)\n", run.stdout)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not output or not collected or int(collected[1]) == 0:
        sys.exit(f"{stage} was not counted:\n{run.stdout}{run.stderr}")
    return int(collected[1]) / int(output[1]), f"{platform.machine()} {output[2]}"


def read_recorded():
    lines = [line.split(maxsplit=1) for line in RECORDED.read_text().splitlines()]
    figures = dict(lines)
    return figures.pop("compiler"), {name: float(figure) for name, figure in figures.items()}


def record(compiler, counted):
    lines = [f"compiler {compiler}"] + [f"{name} {figure:.1f}" for name, figure in counted.items()]
    RECORDED.write_text("\n".join(lines) + "\n")
    print(f"recorded in {RECORDED}")


def compare(counted, recorded):
    """Prints the table. Returns the names of the stages beyond the limit."""
    beyond = []
    print(f"{'instructions per event':24}{'recorded':>10}{'now':>10}{'change':>10}")
    for name, figure in counted.items():
        change = 100 * (figure / recorded[name] - 1)
        if abs(change) > GATE_PERCENT:
            beyond.append(name)
        print(f"{name:24}{recorded[name]:>10.1f}{figure:>10.1f}{change:>+9.1f}%{'  <--' if name in beyond else ''}")
    return beyond


def main():
    parser = argparse.ArgumentParser(description="instructions per event; see the top of this file")
    parser.add_argument("--record", action="store_true", help="write the counts to instructions.txt")
    options = parser.parse_args()

    subprocess.run(["ninja", "-C", BUILD_DIR, "tests/bench/stages"], check=True, stdout=subprocess.DEVNULL)
    counted = {}
    with tempfile.TemporaryDirectory(prefix="hooks-bench-") as directory:
        write_bodies(Path(directory))
        for name, stage in STAGES.items():
            counted[name], compiler = count(Path(directory), *stage)

    if options.record:
        record(compiler, counted)
        return
    recorded_compiler, recorded = read_recorded()
    if compiler != recorded_compiler or counted.keys() != recorded.keys():
        sys.exit(
            f"{RECORDED.name} is about {', '.join(recorded)} by {recorded_compiler}, this is {', '.join(counted)} by "
            f"{compiler}: they cannot be compared. {HOW_TO_RECORD}"
        )
    beyond = compare(counted, recorded)
    if beyond:
        sys.exit(
            f"{', '.join(beyond)}: more than {GATE_PERCENT} % from what is recorded. When that is meant to be, say why "
            f"in the commit that brings it. {HOW_TO_RECORD}"
        )


if __name__ == "__main__":
    main()
