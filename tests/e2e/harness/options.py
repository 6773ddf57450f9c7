"""The option table as hooksd prints it, and hooksd's verdict on the settings of a file."""

import re

from harness.daemon import run_program

UNITS = {"": 1, "K": 2**10, "KI": 2**10, "M": 2**20, "MI": 2**20, "G": 2**30, "GI": 2**30}


def option_defaults():
    table = run_program("hooksd", "--print-config-markdown").stdout
    defaults = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? \|", table, re.M))
    assert "DATABASE_URL" in defaults and defaults["PORT"] == "8080"
    return defaults


def size(text):
    """The bytes of a size as hooksd ("64MiB"), Kubernetes ("160Mi") or Docker ("160m") writes it."""
    number, unit = re.fullmatch(r"(\d+) *([KMG]?i?)B?", str(text), re.I).groups()
    return int(number) * UNITS[unit.upper()]


def seconds(text):
    """The seconds of a duration such as "25s" or "25"."""
    number, unit = re.fullmatch(r"(\d+)(s|m|h|)", str(text)).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def ring_file_bytes(settings):
    """The bytes that hooksd reserves under RING_PATH with these settings."""
    printed = run_program("hooksd", "--print-config", options=settings).stdout
    found = dict(re.findall(r"^(RING_BYTES|HL_RING_BYTES|HL_API_KEY)=(.*)$", printed, re.M))
    return int(found["RING_BYTES"]) + (int(found["HL_RING_BYTES"]) if found["HL_API_KEY"] else 0)


def refusal(settings):
    """Why hooksd refuses these settings, or None if it takes them."""
    strange = set(settings) - set(option_defaults())
    if strange:
        return f"no options: {', '.join(sorted(strange))}"
    result = run_program("hooksd", "--check-config", options=settings)
    return result.stderr if result.returncode == 64 else None  # 1: valid settings that do not fit this machine
