"""
Rules for statements on tables distributed by tenant_id that Citus refuses or executes differently from PostgreSQL. They
come from experiments with Citus 13.2 and from its planner. A statement of one tenant runs whole on one node, where
nearly everything works.
"""

import re

LOCKS = re.compile(r"\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b")
TOUCHES = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|COPY|USING)\s+(?:ONLY\s+)?(\w+)")
OF_PARAMETER = re.compile(r"\btenant_id = (?:CAST\()?\$\d")
NOW = r"\b(?:hl_now|now|statement_timestamp)\(|\bCURRENT_TIMESTAMP\b"
VOLATILE = re.compile(r"\b(clock_timestamp|random|gen_random_uuid|nextval|timeofday)\(")


def inside(sql, opening):
    """The text between the parenthesis at that position and its closing one."""
    depth = 0
    for place in range(opening, len(sql)):
        depth += (sql[place] == "(") - (sql[place] == ")")
        if depth == 0:
            return sql[opening + 1 : place]
    return sql[opening + 1 :]


def scopes(sql):
    """(own text, own text of the SELECT around it) of each subquery. An own text leaves out nested subqueries."""
    def own(text):
        while found := re.search(r"\(\s*(?=SELECT\b)", text):
            text = text[: found.start()] + "()" + text[found.start() + len(inside(text, found.start())) + 2 :]
        return text

    def walk(text):
        place = 0
        while found := re.compile(r"\(\s*(?=SELECT\b)").search(text, place):
            inner = inside(text, found.start())
            yield own(inner), own(text)
            yield from walk(inner)
            place = found.start() + len(inner) + 2

    yield from walk(sql)


def names_of(text):
    """The names of the tables in the FROM of a SELECT."""
    found = re.findall(r"\b(?:FROM|JOIN|USING)\s+(\w+)(?:\s+(?:AS\s+)?(?!ON\b|WHERE\b|JOIN\b|ORDER\b)(\w+))?", text)
    return {name for pair in found for name in pair if name} | set(re.findall(r"\) AS (\w+)", text))


def correlated(inner, outer):
    own = names_of(inner)
    return any(name not in own for name in re.findall(r"\b([a-z_]+)\.", inner) if name in names_of(outer))


def set_clause(sql):
    found = re.search(r"\bUPDATE \w+ SET\b(.*?)(?:\bFROM\b|\bWHERE\b|$)", sql)
    return found[1] if found else ""


def chooses_by_now(text):
    """
    Whether CASE or COALESCE calls a function of the time. A call in a subquery is evaluated before and does not count.
    """
    text = re.sub(r"\s+", " ", text)
    while found := re.search(r"\(SELECT (?:(?! FROM ).)*?\bnow\(|\(SELECT (?:(?! FROM ).)*?\bhl_now\(", text):
        text = text[: found.start()] + text[found.start() + len(inside(text, found.start())) + 2 :]
    chosen = [inside(text, found.end() - 1) for found in re.finditer(r"\bCOALESCE\(", text, re.IGNORECASE)]
    chosen += re.findall(r"\bCASE\b(.*?)\bEND\b", text)
    return any(re.search(NOW, part) for part in chosen)


def problems(sql, distributed, on_all_nodes=()):
    """The problems of one statement, as sentences. distributed, on_all_nodes: names of tables."""
    if re.search(r"\bFOR (KEY )?SHARE\b", sql) and set(TOUCHES.findall(sql)) & set(on_all_nodes):
        yield "shares rows of a reference table: two of them deadlock, each with a lock of Citus that the other needs"
    touched = [name for name in TOUCHES.findall(sql) if name in distributed]
    if not touched:
        return
    of_one = len(OF_PARAMETER.findall(sql)) >= len(touched)
    changes = re.match(r"\s*(UPDATE|DELETE)\b", sql)
    if "hook_events" in TOUCHES.findall(sql):
        yield "joins hook_events, which is distributed by event_id"
    if re.search(r"\bMERGE INTO\b|\bpg_(?:try_)?advisory", sql):
        yield "uses MERGE or an advisory lock, which one node alone knows"
    if re.search(r"\bSELECT FROM\b", sql):
        yield "selects no column: a part that Citus runs by itself has one"
    if LOCKS.search(sql) and not of_one:
        yield f"locks rows of {', '.join(touched)} without tenant_id = $n for each of them"
    if changes and OF_PARAMETER.search(sql) and not of_one:
        yield "changes rows of one tenant and finds others by a join: say tenant_id = $n for each table"
    if re.search(r"\bSET\b[^;]*\btenant_id =", re.split(r"\bWHERE\b", sql)[0]):
        yield "changes tenant_id, by which the table is distributed"
    conflict = re.search(r"\bON CONFLICT\b.*\bDO UPDATE\b(.*)", sql)
    if conflict and (re.search(NOW, conflict[1]) or VOLATILE.search(conflict[1])):
        yield "calls a function in ON CONFLICT DO UPDATE: pass what it returns as a parameter"
    if VOLATILE.search(sql) and (changes or re.match(r"\s*INSERT\b.*\bSELECT\b", sql)):
        yield "calls a volatile function in a change: pass what it returns as a parameter"
    if chooses_by_now(set_clause(sql)):
        yield "has the time in CASE or COALESCE of a change: let FROM bring it, or a parameter"
    returning = re.search(r"\bRETURNING\b(.*)", sql) if changes or sql.startswith("INSERT") else None
    if returning and re.search(NOW + r"|\bEXTRACT\(epoch FROM \w+\)", returning[1]):
        yield "returns what depends on the time or its zone"
    if re.search(r"\bINSERT INTO\b.*\bSELECT\b.*\bON CONFLICT\b", sql) and "RETURNING" not in sql.split("ON CONFLICT")[-1]:
        yield "is counted by the rows given to it: without RETURNING nobody may ask how many it has added"
    if of_one or re.search(r"\bWHERE \w+\.tenant_id = \$\d", sql):
        return
    if "WITH RECURSIVE" in sql:
        yield "is recursive over tenants"
    for found in re.finditer(r"\b(?:LEFT|RIGHT|FULL)(?: OUTER)? JOIN (\w+)", sql):
        first = re.findall(r"\bFROM\s+(\w+)", sql[: found.start()])[-1:]
        if found[1] in distributed and first[0] not in distributed and f"{found[1]} AS (" not in sql:
            yield f"fetches all of {found[1]} for an outer join with what is not distributed"
    for inner, outer in scopes(sql):
        outside = re.search(r"\b(?:FROM|UPDATE)\s+(\w+|\(\))", outer)
        if outside and outside[1] == "()" and re.search(r"\bFROM \(SELECT [^()]*(\([^()]*\)[^()]*)*\bLIMIT\b[^()]*\)", sql):
            outside = None  # it works on the rows of all nodes
        if set(TOUCHES.findall(inner)) & distributed and correlated(inner, outer) and (
                outside is None or outside[1] not in distributed | {"()"}):
            yield "looks rows of a distributed table up for each of what is not distributed: join them"
