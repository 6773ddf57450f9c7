"""
What is told of the options in files, made from the programs themselves so that it cannot drift:

    generate.py environment PATH HOOKSD                            the service's environment file, installed as PATH
    generate.py man TEMPLATE HOOKSD HOOKSCTL [NAME=TEXT ...]       a manual page (mdoc) in which @NAME@ becomes TEXT

to the standard output.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# The installed service's own values: deploy/systemd says why.
SERVICE = {
    "JSONL_PATH": "/var/lib/hooksd/events.jsonl",
    "HOST": "127.0.0.1",
    "DATA_DIR": "/var/lib/hooksd",
    "RING_PATH": "/dev/shm/hooksd/hooksd.ring",
}

# Those that hooksctl(1) names.
HOOKSCTL = ("DATABASE_URL", "DATABASE_URL_FILE", "DATA_DIR", "HL_DATA_PATH", "HL_POSTGRES_URL", "JSONL_PATH", "PORT", "RING_PATH", "SQLITE_PATH",
            "STORE_TIMEOUT_MS")

ENVIRONMENT_HEAD = """\
# Settings of hooksd.service: see hooksd(8). Apply changes with `systemctl restart hooksd`, after a look at
#     sh -c 'set -a; . {path}; hooksd --check-config'
# Read by systemd and, as in the line above, by shells: put a value with other than letters, digits and _-./:@ into single
# quotes. A line with # shows the default. May hold a password: keep it readable by root alone.
"""


class Option(NamedTuple):
    section: str
    name: str
    default: str
    literal: bool  # the default is a value, not a description
    allowed: str
    help: str


def output(program, *words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def options(hooksd):
    section = None
    for line in output(hooksd, "--print-config-markdown").splitlines():
        if line.startswith("**"):
            section = line.strip("*")
        elif line.startswith("| `"):
            name, default, allowed, text = (cell.strip().replace(r"\|", "|")
                                            for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            yield Option(section, name.strip("`"), default.strip("`"), default.startswith("`"), allowed, text)


def environment(path, hooksd):
    left = dict(SERVICE)
    print(ENVIRONMENT_HEAD.format(path=path), end="")
    section = None
    for option in options(hooksd):
        if option.section != section:
            section = option.section
            print(f"\n# --- {section} ---")
        described = f" Default: {option.default}." if option.default and not option.literal else ""
        print(f"\n# {sentence(option.help)}: {option.allowed}.{described}")
        if option.name in left:
            print(f"{option.name}={left.pop(option.name)}")
        else:
            print(f"#{option.name}={option.default if option.literal else ''}")
    assert not left, f"hooksd has no such options: {left}"


def sentence(text):
    """With a capital letter, unless it begins with words to be typed as they are."""
    return text if "|" in text.split()[0] else text[0].upper() + text[1:]


def escape(text):
    """Text for a line of its own."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def option_items(hooksd, names=None):
    for option in options(hooksd):
        if names and option.name not in names:
            continue
        flag = option.name.lower().replace("_", "-")
        yield f".It Fl -{flag} Ns = Ns Ar value , Ev {option.name}"
        yield escape(f"{sentence(option.help)}: {option.allowed}.")
        if option.default:
            yield escape(f"Default: {option.default}.")


def commands(hooksctl):
    """Names and one-line descriptions."""
    listed = output(hooksctl, "--help").split("Commands:\n", 1)[1].split("\n\nOptions", 1)[0]
    return re.findall(r"^  (\S+) +(.*)$", listed, re.M)


def usages(hooksctl):
    """The whole usage of each command that has one of its own."""
    general = output(hooksctl, "--help")
    for name, _ in commands(hooksctl):
        usage = output(hooksctl, name, "--help")
        if usage != general:
            yield f".Ss hooksctl {name}"
            yield ".Bd -literal"
            yield from map(escape, usage.splitlines())
            yield ".Ed"


def man(template, hooksd, hooksctl, *values):
    of_hooksctl = Path(template).name.startswith("hooksctl")
    texts = dict(value.split("=", 1) for value in values)
    texts["VERSION"] = output(hooksd, "--version").split()[1]
    texts["OPTIONS"] = "\n".join(option_items(hooksd, HOOKSCTL if of_hooksctl else None))
    texts["COMMANDS"] = "\n".join(f".It Cm {name}\n{escape(sentence(text))}." for name, text in commands(hooksctl))
    texts["USAGES"] = "\n".join(usages(hooksctl))
    print(re.sub("@([A-Z_]+)@", lambda match: texts[match[1]], Path(template).read_text()), end="")


if __name__ == "__main__":
    {"environment": environment, "man": man}[sys.argv[1]](*sys.argv[2:])
