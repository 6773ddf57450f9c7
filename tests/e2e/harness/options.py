"""The option table, as hooksd prints it, and what hooksd thinks of settings that stand in files."""

import re

from harness.daemon import run_program

UNITS = {"": 1, "K": 2**10, "KI": 2**10, "M": 2**20, "MI": 2**20, "G": 2**30, "GI": 2**30}


def option_defaults():
    table = run_program("hooksd", "--print-config-markdown").stdout
    defaults = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? \|", table, re.M))
    assert "DATABASE_URL" in defaults and defaults["PORT"] == "8080"
    return defaults


def size(text):
    """Bytes of "64MiB" as hooksd writes it, "160Mi" as Kubernetes does, "160m" as Docker does."""
    number, unit = re.fullmatch(r"(\d+) *([KMG]?i?)B?", str(text), re.I).groups()
    return int(number) * UNITS[unit.upper()]


def seconds(text):
    """Of "25s" or "25", a duration of an option that is in seconds."""
    number, unit = re.fullmatch(r"(\d+)(s|m|h|)", str(text)).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def ring_file_bytes(settings):
    """What hooksd reserves under RING_PATH with these settings."""
    printed = run_program("hooksd", "--print-config", options=settings).stdout
    found = dict(re.findall(r"^(RING_BYTES|HL_RING_BYTES|HL_API_KEY)=(.*)$", printed, re.M))
    return int(found["RING_BYTES"]) + (int(found["HL_RING_BYTES"]) if found["HL_API_KEY"] else 0)


def refusal(settings):
    """Why hooksd would not start with these, or None."""
    strange = set(settings) - set(option_defaults())
    if strange:
        return f"no options: {', '.join(sorted(strange))}"
    result = run_program("hooksd", "--check-config", options=settings)
    return result.stderr if result.returncode == 64 else None  # 1: right, but not for this machine
