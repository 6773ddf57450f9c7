"""docs/dba.md: its SQL runs as it stands, its queries use the named indexes, and it describes every function."""

import json
import re

import pytest

from harness.daemon import REPOSITORY
from harness.dba import Month, apply_roles, apply_webhooks, fill

pytestmark = pytest.mark.unsanitized("tests SQL only")

TEXT = (REPOSITORY / "docs/dba.md").read_text()
WRITTEN = 2026 * 12 + 11 - 1  # the current month of the examples
BLOCK = re.compile(r"(?:^<!-- served by: (\S+) -->\n)?^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shifted(sql):
    """The statement with its months moved: their distance from today is that from November 2026 in the text."""

    def month(year, number):
        return Month(int(year) * 12 + int(number) - 1 - WRITTEN)

    sql = re.sub(r"\b(20\d\d)-(\d\d)\b", lambda match: month(*match.groups()).text, sql)
    return re.sub(r"\((20\d\d), (\d+)", lambda match: "(" + month(*match.groups()).args, sql)


BLOCKS = [(served_by, shifted(sql)) for served_by, sql in BLOCK.findall(TEXT)]
QUERIES = [(served_by, sql) for served_by, sql in BLOCKS if served_by]


@pytest.fixture(scope="module")
def store(postgres_server):
    """A year of events, with many in the last two months, after ANALYZE."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_roles(database)
    apply_webhooks(database)
    for back in range(2, 13):
        fill(database, Month(-back), 400)
    fill(database, Month(-1), 4000)
    fill(database, Month(0), 30000)
    database.query(f"SELECT * FROM build_analytics_indexes({Month(-1).args})")
    database.query("ANALYZE hook_events")
    yield database
    database.drop()


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.plain_postgres("plans of distributed queries differ")
@pytest.mark.parametrize("served_by,sql", QUERIES, ids=[f"{number}{served_by}" for number, (served_by, _) in enumerate(QUERIES)])
def test_a_query_uses_the_index_that_is_named(store, served_by, sql):
    assert store.query(sql), "an example finds rows"
    filled = {name for name, rows in store.query("SELECT partition_name, row_count FROM get_partition_stats()") if rows}
    plan = list(nodes(store.value(f"EXPLAIN (FORMAT JSON) {sql}")[0]["Plan"]))
    read = {node["Relation Name"] for node in plan if "Relation Name" in node}
    scanned = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    assert scanned & filled == set(), json.dumps(plan, indent=1)
    used = [node["Index Name"] for node in plan if "Index Name" in node]
    assert used and all(name.endswith(served_by) for name in used), used
    if "created_date" in sql:
        assert len(read) == 1, "only the month named by created_date is read"


def test_the_document_has_queries():
    assert len(QUERIES) >= 5
    assert len(BLOCKS) > len(QUERIES) + 10


def test_the_whole_document_runs_from_top_to_bottom(store, tmp_path):
    """Runs after the tests above because it archives months, and twice because each statement may be repeated."""
    script = tmp_path / "dba.sql"
    script.write_text("".join(f"\\echo block {number}\n{sql if sql.rstrip().endswith('gexec') or ';' in sql else sql + ';'}\n"
                              for number, (_, sql) in enumerate(BLOCKS)))
    for _ in range(2):
        result = store.psql("-f", script)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr
        assert result.stdout.count("\nblock ") == len(BLOCKS) - 1
    archived = {row[0] for row in store.query("SELECT tablename FROM pg_tables WHERE schemaname = 'hooks_archive'")}
    assert archived == {Month(-back).name for back in range(5, 13)}  # all but the last three and the restored one
    assert store.count() == 30000 + 4000 + 3 * 400


def test_every_function_has_a_section_with_its_locks(store):
    functions = {row[0] for row in store.query(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND (proname !~ '^(hooks|hl)_' OR proname = 'hooks_distribute')")}
    sections = dict(re.findall(r"^### (\w+)\(.*?\)\n(.*?)(?=^#)", TEXT, re.MULTILINE | re.DOTALL))
    assert sections.keys() == functions
    for name, section in sections.items():
        assert "\nLocks: " in section, name
        runs = "text" if name == "hooks_distribute" else "sql"  # this server has no Citus
        assert re.search(rf"```{runs}\n[^`]*{name}\(", section), name


def test_every_table_and_column_is_described(store):
    for name, in store.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
                             " AND relname !~ '_[0-9]{4}_'"):
        assert f"`{name}`" in TEXT
    for name, in store.query("SELECT attname FROM pg_attribute WHERE attrelid = 'hook_events'::regclass AND attnum > 0"):
        assert f"`{name}`" in TEXT
