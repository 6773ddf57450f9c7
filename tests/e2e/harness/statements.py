"""The SQL of the webhooks' store, read from its sources, for tests of how much a statement reads."""

import functools
import json
import re
import subprocess

from harness.daemon import REPOSITORY

LITERAL = r'"(?:[^"\\]|\\.)*"'


@functools.cache
def preprocessed(source):
    return subprocess.run(
        ["cc", "-E", "-P", "-I", REPOSITORY, REPOSITORY / f"store/webhooks/{source}.c"], check=True, capture_output=True, text=True).stdout


def statement(source, name, *values):
    """PostgreSQL's text of that statement in store/webhooks/SOURCE.c, with values for its parameters."""
    literals = re.search(rf"\b{name}[\[\]\d]*\s*=\s*{{[^\"]*((?:{LITERAL}\s*)+)", preprocessed(source))[1]
    sql = "".join(json.loads(literal) for literal in re.findall(LITERAL, literals))
    for number, value in reversed(list(enumerate(values, 1))):
        sql = sql.replace(f"${number}", value)
    assert not re.search(r"\$\d", sql), sql
    return sql


def rows_looked_at(plan):
    """The number of rows that the busiest node of a plan (JSON) reads."""
    here = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Join Filter", 0) + plan.get("Rows Removed by Filter", 0))
    return max(here, *map(rows_looked_at, plan["Plans"])) if "Plans" in plan else here
