#!/usr/bin/python3
"""
Writes the tables of docs/performance.md from the results of `make bench` (build/bench/results.json), so that its
figures are those of a run. Each table stands between <!-- table: NAME --> and <!-- /table --> with the day and the
machine of the run. Tables without results are unchanged. Plots are written beside the document.
"""

import argparse
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.daemon import BUILD_DIR, REPOSITORY  # noqa: E402

from plot import plot  # noqa: E402
from tables import TABLES, markdown, table_rows  # noqa: E402

BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- /table -->)", re.S)


def block(name, results, directory):
    """The text between the markers, or None. Also writes the plot."""
    table = TABLES[name]
    rows, about = table_rows(name, results)
    if not rows:
        return None
    parts = [markdown(table, rows)]
    drawing = plot(table, rows)
    if drawing:
        (directory / f"performance-{name}.svg").write_text(drawing)
        parts.append(f"![{table.title}](performance-{name}.svg)")
    parts.append(f"{about['taken']}, {about['cpus']} CPUs ({about['cpu']}), Linux {about['kernel']}, {about['commit']}")
    return "\n\n".join(parts)


def fill(document, results, directory):
    def replace(match):
        new = block(match[2], results, directory)
        return match[0] if new is None else f"{match[1]}{new}\n{match[3]}"

    return BLOCK.sub(replace, document)


def main():
    parser = argparse.ArgumentParser(description="writes docs/performance.md; see the top of this file")
    parser.add_argument("--results", type=Path, default=BUILD_DIR / "bench/results.json")
    parser.add_argument("--document", type=Path, default=REPOSITORY / "docs/performance.md")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    text = options.document.read_text()
    options.document.write_text(fill(text, results, options.document.parent))


if __name__ == "__main__":
    main()
