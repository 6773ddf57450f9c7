"""A DBA's work: installs the schema by psql, creates roles, fills past months with events."""

import re
from contextlib import contextmanager
from datetime import datetime, timezone

from harness.daemon import REPOSITORY

SCHEMA = REPOSITORY / "schema"
VERSIONS = {int(path.name[:3]): path for path in sorted((SCHEMA / "postgres").glob("[0-9]*.sql"))}
NEWEST = max(VERSIONS)
WEBHOOKS = {of: sorted((SCHEMA / "webhooks" / of).glob("[0-9]*.sql")) for of in ("postgres", "sqlite")}
NEWEST_WEBHOOKS = len(WEBHOOKS["postgres"])

INSERT = """
INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id, workflow_id, data)
SELECT gen_random_uuid(), at, (at AT TIME ZONE 'UTC')::date,
       (ARRAY['tool_execution_started', 'tool_execution_completed', 'decision_made', 'session_ended'])[1 + n % 4],
       'session-' || n / 20, 'workflow-' || n / 100,
       jsonb_build_object('tool_name', (ARRAY['Bash', 'Read', 'Edit'])[1 + n % 3], 'duration_ms', n % 5000, 'n', n,
                          'decision', CASE WHEN n % 200 = 2 THEN 'block' ELSE 'allow' END, 'total_tokens', n % 900,
                          'output', repeat('x', 200))
FROM generate_series(0, {rows} - 1) AS n,
     LATERAL (SELECT '{first_day}'::timestamptz + n * (interval '28 days' / {rows}) AS at) AS moment"""


def apply_schema(database, upto=NEWEST, schema=None):
    """
    Applies the migrations up to that version by psql, as the user of database.url. With Citus and the newest version it
    also distributes the tables.
    """
    if database.value("SELECT count(to_regclass('hooks_schema_migrations'))") and schema is None:
        return
    options = ["-c", f"SET search_path = {schema}"] if schema else []
    for version in range(1, upto + 1):
        result = database.psql(*options, "-f", VERSIONS[version])
        assert result.returncode == 0, result.stderr
    if database.server.distributes and upto == NEWEST:
        database.query("SELECT hooks_distribute(4)")


def apply_roles(database, **variables):
    settings = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    result = database.psql(*settings, "-f", SCHEMA / "roles.sql")
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


def url_as(database, role):
    return re.sub(r"//[^@]*@", f"//{role}@", database.url)


@contextmanager
def copy_of(template):
    """
    A copy of the template database, cheaper than building it again. No session may be connected to the template. Citus
    cannot copy a database: there the schema is installed and fill() repeated.
    """
    server = template.server
    server.start()
    if server.distributes:
        database = server.new_database()
        apply_schema(database)
        for month, rows in template.filled:
            fill(database, month, rows)
    else:
        database = server.new_database(f"TEMPLATE {template.name}")
    yield database
    server.start()
    database.drop()


class Month:
    """A UTC month, so many months after the current one, or before it if negative."""

    def __init__(self, offset):
        today = datetime.now(timezone.utc)
        number = today.year * 12 + today.month - 1 + offset
        self.year, self.month = number // 12, number % 12 + 1
        self.day = f"{self.year:04}-{self.month:02}-01"
        self.text = self.day[:7]
        self.name = f"hook_events_{self.year:04}_{self.month:02}"
        self.args = f"{self.year}, {self.month}"


def fill(database, month, rows=50):
    """Makes the month's partition and puts events of its first 28 days there."""
    database.filled.append((month, rows))
    database.query(f"SELECT create_monthly_partition({month.args})")
    database.query(INSERT.format(rows=rows, first_day=f"{month.day} 00:00:00+00"))


def add_event(database, month, event_id=None, day=15):
    """Inserts one event into the parent table and returns the event's id."""
    return database.value(
        "INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id) SELECT"
        " coalesce(%s::uuid, gen_random_uuid()), %s::date, %s, 'late', 'late' RETURNING event_id",
        event_id, f"{month.text}-{day}", f"{month.text}-{day}")


def partitions(database):
    """{name: rows} of all partitions."""
    return dict(database.query("SELECT partition_name, row_count FROM get_partition_stats()"))


def apply_webhooks(database):
    """
    Applies the migrations of hook events, then those of webhooks, by psql, as the user of database.url. With Citus it
    also distributes the tables.
    """
    apply_schema(database)
    for path in WEBHOOKS["postgres"]:
        result = database.psql("-f", path)
        assert result.returncode == 0, result.stderr
    if database.server.distributes:
        database.query("SELECT hooks_distribute(4)")
