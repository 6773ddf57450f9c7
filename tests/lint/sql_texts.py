"""The SQL texts of a C source as the compiler sees them: macros expanded, adjacent literals joined."""

import os
import re
import shlex
import subprocess
from typing import NamedTuple

from tree import ROOT

COMPILER = shlex.split(os.environ.get("CC", "cc"))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include\b.*$', re.MULTILINE)
OWN_HEADER = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+\.h)"', re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t](?:.*\\\n)*.*$", re.MULTILINE)
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
LITERALS = re.compile(rf"{LITERAL}(?:\s*{LITERAL})*")
GROUP = re.compile(r"\{\s*(?:\.postgres\s*=\s*)?§(\d+)§[^{}]*\}")
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|COPY \w+)\b")


class Text(NamedTuple):
    sql: str
    runs_on: str  # "postgres": it and Citus; "plain": PostgreSQL without Citus; "citus"; "sqlite"


def macros(source, seen):
    """The macros of the tree's headers that a source includes."""
    for name in OWN_HEADER.findall(source):
        if name not in seen and (ROOT / name).is_file():
            seen.add(name)
            header = (ROOT / name).read_text()
            yield from macros(header, seen)
            yield from DEFINE.findall(header)


def preprocessed(source):
    """The preprocessed source without system headers, which no statement needs."""
    text = "\n".join(macros(source, set())) + "\n" + INCLUDE.sub("", source)
    run = subprocess.run([*COMPILER, "-E", "-P", "-w", "-x", "c", "-"], input=text, capture_output=True, text=True, check=True)
    return run.stdout


def texts(source):
    """The texts with where they run. A text outside of struct db_statement runs everywhere."""
    if not STATEMENT.search(source):
        return []
    found = []

    def put_aside(match):
        found.append("".join(literal[1:-1] for literal in re.findall(LITERAL, match[0])))
        return f"§{len(found) - 1}§"

    code = LITERALS.sub(put_aside, preprocessed(source))
    runs_on = ["postgres"] * len(found)
    for group in GROUP.finditer(code):
        citus = re.search(r"\.citus\s*=\s*§(\d+)§", group[0])
        sqlite = re.match(r"\{\s*(?:\.postgres\s*=\s*)?§\d+§\s*,\s*(?:\.sqlite\s*=\s*)?§(\d+)§", group[0])
        if sqlite and STATEMENT.search(found[int(group[1])]):
            runs_on[int(sqlite[1])] = "sqlite"
        if citus:
            runs_on[int(group[1])] = "plain"
            runs_on[int(citus[1])] = "citus"
    return [Text(sql, where) for sql, where in zip(found, runs_on) if STATEMENT.search(sql)]


def functions(schema):
    """The statements in the functions of a schema."""
    bodies = re.findall(r"\bFUNCTION\b[^$]*?AS \$\$(.*?)\$\$", re.sub(r"--.*", "", schema), re.DOTALL)
    statements = (" ".join(part.split()) for body in bodies for part in body.split(";"))
    return [Text(sql, "postgres") for sql in statements if STATEMENT.search(sql)]
