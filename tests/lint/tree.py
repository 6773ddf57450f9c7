"""The source tree for the lint tests: files in the directories of sources, without build directories."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("base", "config", "event", "api", "shm", "ingest", "store", "server", "writer", "courier", "control", "master", "cli")


def files(*suffixes, directories=(*LAYERS, "tests")):
    """Paths relative to ROOT, sorted."""
    found = (path for directory in directories for path in (ROOT / directory).rglob("*"))
    return sorted(path.relative_to(ROOT) for path in found if path.suffix in suffixes and path.is_file())
