"""The console in headless Chromium: each function that a file of flows/ exports is a test."""

import os
import re
from pathlib import Path

import pytest

FLOWS = Path(__file__).with_name("flows")
NAMES = [(path.name, name) for path in sorted(FLOWS.glob("*.mjs"))
         for name in re.findall(r"^export async function (\w+)", path.read_text(), re.MULTILINE) if path.name != "pictures.mjs"]


@pytest.mark.parametrize("file, name", NAMES, ids=[name for _file, name in NAMES])
def test_flow(run, file, name):
    run(file, name)


def test_pictures_can_be_taken(run, tmp_path):
    """CONSOLE_PICTURES: the directory in which they stay."""
    directory = Path(os.environ.get("CONSOLE_PICTURES", tmp_path)).resolve()
    run("pictures.mjs", "pictures", CONSOLE_PICTURES=str(directory))
    sizes = {path.name: path.stat().st_size for path in directory.glob("console-*.png")}
    assert set(sizes) == {"console-dashboard.png", "console-events.png", "console-delivery.png"}
    assert max(sizes.values()) < 150_000, sizes
