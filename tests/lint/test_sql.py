"""
The webhooks' SQL: each statement names the tenant of its rows, and none uses a feature that a distributed database
refuses.

The tables are read from schema/webhooks, the statements from the string literals of store/ and the functions of the
schema.
"""

import re
import unittest

from citus_rules import TOUCHES, inside, problems
from sql_texts import functions, texts
from tree import ROOT, files

SCHEMA = sorted((ROOT / "schema/webhooks/postgres").glob("[0-9]*.sql"))
TABLE = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
UNIQUE = re.compile(r"^\t(?:(\w+) .*)?\b(?:PRIMARY KEY|UNIQUE)(?: \((\w+)[^)]*\))?,?$", re.MULTILINE)
UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX \w+ ON (\w+)[^(]*\((\w+)")
# Small tables: in a distributed database each node has a copy.
ON_ALL_NODES = {"tenants", "api_keys", "routing_versions", "delivery_nodes", "pauses", "changes", "upkeep", "store_identity",
                "inbox_keys", "hookline_schema_migrations"}
FORBIDDEN_IN_SCHEMA = {
    r"\bREFERENCES\b|\bFOREIGN KEY\b": "foreign keys make a row of one table wait for another, and COPY check each row",
    r"\bCREATE (CONSTRAINT )?TRIGGER\b": "a distributed table has no triggers",
    r"\b(small|big)?serial\b|\bGENERATED\b[^,]*\bIDENTITY\b": "numbers of several nodes are neither dense nor in order: make ids",
    r"\bROW LEVEL SECURITY\b": "COPY refuses it",
}

# {(file, part of the text): reason} of statements on all tenants. An entry that matches no statement fails the test.
OVER_TENANTS = {
    ("store/webhooks/key_rows.c", "hl_ms(expires_at)"): "the key table is one for all tenants",
    ("store/webhooks/key_rows.c", "revoked_at < hl_time"): "upkeep removes the old rows of all tenants",
    ("store/webhooks/audit.c", "CAST($9 AS text) IS NULL"): "an administrator reads what was done to all tenants",
    ("store/webhooks/inbox_rows.c", "token, message_id FROM inbox_messages WHERE hl_ms"): "upkeep removes the old rows of all tenants",
    ("store/webhooks/pause_rows.c", "FROM pauses ORDER BY"): "a courier delivers for all tenants",
    ("store/webhooks/cancelled_jobs.c", "WHERE cancelled_at >="): "a courier delivers for all tenants",
    ("store/webhooks/fifo_heads.c", "WHERE node_id = $1 AND ordering_key = '' LIMIT 1"): "a courier sends for all tenants",
    ("store/webhooks/identity_rows.c", "AS some_jobs"): "a copy of the store holds the jobs of all tenants",
    ("store/webhooks/routing.c", "UPDATE routing_versions SET version = version + 1"): "a pause of all deliveries is one of each tenant",
    ("store/webhooks/removal.c", "state FROM endpoints WHERE deleted_at"): "upkeep finds what any tenant has deleted",
    ("store/webhooks/changes.c", "change_version IS NULL"): "a change may be one of several tenants, which have raised their versions",
    ("store/webhooks/removal.c", "FROM tenants WHERE deleted_at"): "upkeep finds what any tenant has deleted",
    ("store/webhooks/tenants.c", "FROM audit_log WHERE action = 'tenant.delete'"): "any tenant may have deleted the one that had the id",
    ("store/webhooks/notice_rows.c", "ORDER BY next_at"): "upkeep publishes the notices of all tenants",
    ("store/webhooks/replay_rows.c", "ORDER BY next_at"): "upkeep goes on with the replays of all tenants",
    ("store/webhooks/move_target.c", "hl_ms(min(created_at))"): "a move takes the events of all tenants",
    ("store/webhooks/move_target.c", "hl_ms(min(started_at))"): "a move takes the attempts of all tenants",
    ("store/webhooks/secret_rows.c", "GROUP BY 1"): "the master key is one for all tenants",
    ("store/webhooks/test_rows.c", "ORDER BY requested_at"): "a node makes the tests of all tenants that it was asked for",
    ("store/webhooks/tenants.c", "AS bigint) FROM tenant_stats"): "an administrator counts those of all tenants",
    ("store/webhooks/tenants.c", "count(tenant_id)"): "how many tenants there are",
    ("store/webhooks/overview.c", "FROM endpoints WHERE deleted_at"): "an operator looks at the whole installation",
    ("store/webhooks/overview.c", "AS some_jobs"): "an operator looks at the whole installation",
    ("store/webhooks/overview.c", "AS some_letters"): "an operator looks at the whole installation",
    ("store/webhooks/overview.c", "FROM api_keys WHERE revoked_at"): "an operator looks at the whole installation",
    ("store/webhooks/figures.c", "FROM tenant_stats"): "metrics tell of the store as a whole",
    ("store/webhooks/figures.c", "FROM endpoints WHERE deleted_at IS NULL"): "metrics tell of the store as a whole",
    ("store/webhooks/top_rows.c", "FROM jobs LIMIT $2"): "an administrator asks which tenants have most",
}

# {(file, part of the text): reason} of texts that Citus would refuse or count wrongly.
NOT_FOR_CITUS = {
    ("store/webhooks/idempotency.c", "INSERT INTO idempotency_keys"): "nobody counts the rows: a second statement finds the keys of others",
    ("store/webhooks/attempt_rows.c", "INSERT INTO attempts"): "nobody counts the rows",
    ("store/webhooks/requeue.c", "INSERT INTO dlq_events"): "nobody counts the rows",
    ("store/webhooks/tenant_stats.c", "INSERT INTO tenant_stats"): "nobody counts the rows",
    ("schema/webhooks/postgres/004_upkeep.sql", "SELECT FROM replays"): "migration 5 makes the function anew",
}

CONDITION = re.compile(r"\b(?:WHERE|ON|USING|HAVING)\b")


def tables(text):
    """{name: body} of a schema's tables."""
    return dict(TABLE.findall(text))


def tenanted(text):
    return {name for name, body in tables(text).items() if re.search(r"^\ttenant_id ", body, re.MULTILINE)}


def wrong_in_schema(text):
    """The features in a schema that a distributed database refuses, as sentences."""
    text = re.sub(r"--.*", "", text)
    for pattern, reason in FORBIDDEN_IN_SCHEMA.items():
        if found := re.search(pattern, text):
            yield f"{found[0]}: {reason}"
    firsts = [(table, first or column) for table, body in tables(text).items() for column, first in UNIQUE.findall(body)]
    for table, first in firsts + UNIQUE_INDEX.findall(text):
        if table not in ON_ALL_NODES and first != "tenant_id":
            yield f"{table}: a unique key begins with {first}, not with tenant_id, by which the table is distributed"


def nameless(sql, tables_with_tenant):
    """A sentence if a text uses a table with tenants without naming the tenant."""
    told = re.search(r"\bINSERT INTO \w+ \([^)]*\btenant_id\b[^)]*\) SELECT\b", sql)
    touched = [name for name in TOUCHES.findall(sql.replace(told[0], "SELECT") if told else sql) if name in tables_with_tenant]
    if not touched:
        return
    condition = CONDITION.search(sql)
    tail = sql[condition.start():] if condition else ""
    inserts_only = sql.startswith(("INSERT", "COPY")) and not re.search(r"\bSELECT\b", sql)
    if "tenant_id" not in sql if inserts_only else len(re.findall(r"\btenant_id\b", tail)) < len(touched):
        yield f"touches {', '.join(touched)} without naming the tenant_id of each"


def unheld_limits(sql):
    """
    Sentences about subqueries with a LIMIT that PostgreSQL may evaluate again, with other rows, for each outer row.
    """
    chosen = [inside(sql, found.end() - 1) for found in re.finditer(r"\bIN\s*\(", sql)]
    if re.search(r"\b(?:UPDATE|DELETE|INSERT)\b", sql):
        chosen += [inside(sql, found.end() - 1) for found in re.finditer(r"\b\w+ AS \(", sql)]
    for text in chosen:
        if re.match(r"\s*SELECT\b.*\bLIMIT\b", text):
            yield f"does not hold the LIMIT of ({text[:60]}...): choose rows in ARRAY(...) or WITH ... AS MATERIALIZED (...)"


def distribution(schema):
    """The tables of hooks_distribute() in the newest migration: those on all nodes, and those by tenant."""
    return [re.findall(r"\w+", re.findall(rf"CREATE (?:OR REPLACE )?FUNCTION hl_tables_{name}\(\).*?'\{{([^}}]*)\}}'", schema, re.DOTALL)[-1])
            for name in ("on_all_nodes", "by_tenant")]


class Sql(unittest.TestCase):
    def setUp(self):
        self.schema = "\n".join(path.read_text() for path in SCHEMA)
        self.tenanted = tenanted(self.schema)

    def test_tables_are_found(self):
        self.assertLess({"jobs", "events", "endpoints", "api_keys"}, self.tenanted)
        self.assertNotIn("changes", self.tenanted)
        self.assertLessEqual(ON_ALL_NODES, set(tables(self.schema)))

    def test_the_schema_can_be_distributed(self):
        self.assertEqual([], list(wrong_in_schema(self.schema)))

    def test_hooks_distribute_knows_every_table(self):
        on_all_nodes, by_tenant = distribution(self.schema)
        self.assertEqual(sorted(ON_ALL_NODES), sorted(on_all_nodes))
        self.assertEqual(sorted(set(tables(self.schema)) - ON_ALL_NODES), sorted(by_tenant))

    def texts(self):
        for path in files(".c", ".h", directories=["store"]):
            for text in texts((ROOT / path).read_text()):
                yield str(path), text
        for path in SCHEMA:
            for text in functions(path.read_text()):
                yield str(path.relative_to(ROOT)), text

    def check(self, rule, exceptions, least):
        """rule(text) returns problems as sentences."""
        wrong, unused, seen = [], set(exceptions), 0
        for path, text in self.texts():
            seen += 1
            excused = {key for key in exceptions if key[0] == path and key[1] in text.sql}
            found = list(rule(text))
            unused -= excused if found else set()
            wrong += [f"{path}: {text.sql[:100]}: {problem}" for problem in found if not excused]
        self.assertEqual([], wrong)
        self.assertEqual(set(), unused, "an exception without its statement")
        self.assertGreater(seen, least)

    def test_every_statement_names_its_tenant(self):
        self.check(lambda text: nameless(text.sql, self.tenanted), OVER_TENANTS, 150)

    def test_no_limit_can_be_evaluated_again(self):
        self.check(lambda text: unheld_limits(text.sql) if text.runs_on != "sqlite" else [], {}, 150)

    def test_no_statement_breaks_a_rule_of_citus(self):
        distributed = set(distribution(self.schema)[1])
        self.check(lambda text: problems(text.sql, distributed, ON_ALL_NODES) if text.runs_on in ("postgres", "citus") else [], NOT_FOR_CITUS, 150)


class Rules(unittest.TestCase):
    def nameless(self, sql):
        return " ".join(nameless(sql, {"jobs", "endpoints", "api_keys"}))

    def test_a_statement_of_one_tenant_is_accepted(self):
        for sql in (
            "SELECT url FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2",
            "SELECT 1 FROM jobs j JOIN endpoints e ON e.tenant_id = j.tenant_id WHERE j.tenant_id = $1",
            "INSERT INTO endpoints (tenant_id, url) VALUES ($1, $2)",
            "INSERT INTO endpoints (tenant_id, n) VALUES ($1, 1) ON CONFLICT (tenant_id, n) DO UPDATE SET n = endpoints.n + 1",
            "DELETE FROM jobs USING unnest($1, $2) AS k (t, id) WHERE jobs.tenant_id = k.t AND job_id = k.id",
            "SELECT 1 FROM jobs WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED", "UPDATE changes SET version = version + 1",
        ):
            self.assertEqual("", self.nameless(sql) + " ".join(problems(sql, {"jobs", "endpoints"})), sql)

    def test_a_selected_tenant_id_is_no_condition(self):
        self.assertIn("without naming", self.nameless("SELECT tenant_id FROM endpoints WHERE endpoint_id = $1"))
        self.assertIn("without naming", self.nameless("SELECT tenant_id, count(*) FROM jobs"))

    def test_each_joined_table_needs_its_tenant(self):
        self.assertIn("without naming", self.nameless("SELECT 1 FROM jobs JOIN endpoints USING (endpoint_id) WHERE tenant_id = $1"))

    def test_an_insert_without_tenant_is_found(self):
        self.assertIn("without naming", self.nameless("INSERT INTO endpoints (url) VALUES ($1)"))

    def test_a_limit_that_may_be_evaluated_again_is_found(self):
        some = "SELECT job_id FROM jobs WHERE tenant_id = $1 LIMIT $2"
        for sql in (
            f"DELETE FROM jobs WHERE tenant_id = $1 AND job_id IN ({some})", f"SELECT 1 FROM jobs WHERE job_id NOT IN ({some})",
            f"UPDATE jobs SET n = 1 WHERE job_id IN ({some} FOR UPDATE SKIP LOCKED)",
            f"WITH some AS ({some}) DELETE FROM jobs WHERE job_id IN (SELECT job_id FROM some)",
        ):
            self.assertIn("does not hold", " ".join(unheld_limits(sql)), sql)
        for sql in (
            f"DELETE FROM jobs WHERE tenant_id = $1 AND job_id = ANY (ARRAY({some}))", f"SELECT 1 FROM ({some}) AS some",
            f"WITH some AS MATERIALIZED ({some}) DELETE FROM jobs WHERE job_id IN (SELECT job_id FROM some)",
            "SELECT 1 FROM jobs WHERE status IN ('held', 'pending') LIMIT 1",
        ):
            self.assertEqual([], list(unheld_limits(sql)), sql)

    def test_schemas_that_cannot_be_distributed_are_found(self):
        begin = "CREATE TABLE jobs (\n\ttenant_id text NOT NULL,\n\tjob_id uuid NOT NULL"
        for text, problem in (
            (begin + ",\n\tPRIMARY KEY (job_id, tenant_id)\n);", "begins with job_id"), (begin + " UNIQUE\n);", "begins with job_id"),
            (begin + " REFERENCES events\n);", "REFERENCES"), (begin + "\n);\nCREATE UNIQUE INDEX a ON jobs (job_id);", "begins with job_id"),
            (begin + "\n);\nCREATE TRIGGER t AFTER INSERT ON jobs", "TRIGGER"), (begin + ",\n\tn bigserial\n);", "serial"),
        ):
            self.assertIn(problem, " ".join(wrong_in_schema(text)), text)
        self.assertEqual([], list(wrong_in_schema(begin + ",\n\tPRIMARY KEY (tenant_id, job_id)\n);")))


GIVEN = "unnest($1::text[], $2::uuid[]) AS given (tenant_id, id)"
OF_GIVEN = "jobs.tenant_id = given.tenant_id AND jobs.job_id = given.id"


class CitusRules(unittest.TestCase):
    def problems(self, sql):
        return " ".join(problems(sql, {"jobs", "events"}, {"tenants"}))

    def test_each_rule_finds_its_violations(self):
        for expected, sql in (
            ("joins hook_events", "SELECT 1 FROM jobs JOIN hook_events ON hook_events.event_id = jobs.event_id WHERE tenant_id = $1"),
            ("no column", "SELECT EXISTS (SELECT FROM jobs WHERE tenant_id = $1)"),
            ("MERGE", "MERGE INTO jobs USING events ON jobs.tenant_id = events.tenant_id WHEN MATCHED THEN DELETE"),
            ("advisory lock", "SELECT pg_advisory_xact_lock(1) FROM jobs WHERE tenant_id = $1"),
            ("shares", "SELECT 1 FROM tenants WHERE tenant_id = $1 FOR KEY SHARE"),
            ("locks", "SELECT 1 FROM jobs WHERE tenant_id = ANY ($1) FOR UPDATE"),
            ("locks", "SELECT EXISTS (SELECT 1 FROM events WHERE events.tenant_id = jobs.tenant_id) FROM jobs WHERE tenant_id = $1 FOR UPDATE OF jobs"),
            ("changes rows of one tenant", "DELETE FROM events WHERE tenant_id = $1 AND event_id NOT IN (SELECT event_id FROM jobs"
             " WHERE jobs.tenant_id = events.tenant_id)"),
            ("changes tenant_id", "UPDATE jobs SET tenant_id = $1 WHERE tenant_id = $2"),
            ("ON CONFLICT", "INSERT INTO jobs (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO UPDATE SET a = hl_now()"),
            ("ON CONFLICT", "INSERT INTO jobs (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO UPDATE SET a = random()"),
            ("volatile", "UPDATE jobs SET due = now() + random() WHERE tenant_id = $1"),
            ("volatile", f"INSERT INTO jobs SELECT given.tenant_id, gen_random_uuid() FROM {GIVEN}"),
            ("CASE or COALESCE", "UPDATE jobs SET due = COALESCE(hl_time(hl_ms(hl_now()) + $2), due) WHERE tenant_id = $1"),
            ("CASE or COALESCE", "UPDATE jobs SET due = CASE WHEN $2 = 1 THEN now() END WHERE tenant_id = $1"),
            ("returns", "UPDATE jobs SET n = 1 WHERE tenant_id = $1 RETURNING hl_ms(hl_now())"),
            ("returns", "DELETE FROM jobs WHERE tenant_id = $1 RETURNING EXTRACT(epoch FROM created_at)"),
            ("counted", f"INSERT INTO jobs SELECT * FROM {GIVEN} ON CONFLICT DO NOTHING"),
            ("recursive", "WITH RECURSIVE t AS (SELECT tenant_id FROM jobs UNION ALL SELECT tenant_id FROM t) SELECT * FROM t"),
            ("outer join", f"SELECT 1 FROM {GIVEN} LEFT JOIN jobs ON {OF_GIVEN}"),
            ("outer join", "SELECT 1 FROM tenants LEFT JOIN jobs ON jobs.tenant_id = tenants.tenant_id"),
            ("join them", f"SELECT (SELECT n FROM jobs WHERE {OF_GIVEN}) FROM {GIVEN}"),
            ("join them", "SELECT (SELECT n FROM events WHERE events.tenant_id = slice.tenant_id) FROM (SELECT tenant_id FROM jobs"
             " WHERE (tenant_id, job_id) > ($1, $2) LIMIT $3) AS slice"),
            ("join them", "SELECT 1 FROM tenants WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.tenant_id = tenants.tenant_id)"),
        ):
            self.assertIn(expected, self.problems(sql), sql)

    def test_statements_that_citus_accepts_are_accepted(self):
        for sql in (
            f"INSERT INTO jobs SELECT * FROM {GIVEN} ON CONFLICT DO NOTHING RETURNING 1",
            f"UPDATE jobs SET due = COALESCE(hl_time(given.now), jobs.due) FROM (SELECT *, hl_ms(hl_now()) FROM {GIVEN}) AS given WHERE {OF_GIVEN}",
            "UPDATE jobs SET due = hl_time(hl_ms(hl_now()) + $2) WHERE tenant_id = $1 RETURNING hl_ms(due)",
            "UPDATE jobs SET due = CASE WHEN n IS NULL THEN (SELECT hl_time(hl_ms(hl_now()) + $2)) END WHERE tenant_id = $1",
            "SELECT (SELECT 1 FROM events WHERE events.tenant_id = jobs.tenant_id LIMIT 1) FROM jobs WHERE (tenant_id, job_id) > ($1, $2)",
            "SELECT 1 FROM jobs LEFT JOIN events ON events.tenant_id = jobs.tenant_id",
            "SELECT 1 FROM tenants t LEFT JOIN jobs s ON s.tenant_id = t.tenant_id WHERE t.tenant_id = $1",
            f"WITH jobs AS (SELECT jobs.* FROM {GIVEN} JOIN jobs ON {OF_GIVEN}) SELECT 1 FROM {GIVEN} LEFT JOIN jobs ON {OF_GIVEN}",
            "SELECT 1 FROM tenants WHERE EXISTS (SELECT 1 FROM pauses WHERE pauses.tenant_id = tenants.tenant_id)",
            "SELECT 1 FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE", "SELECT 1 FROM jobs WHERE tenant_id = $1 FOR SHARE",
        ):
            self.assertEqual("", self.problems(sql), sql)


class Texts(unittest.TestCase):
    def test_literals_and_macros_of_one_statement_are_one_text(self):
        source = '''
            #define COLUMNS "a, " \\
                "b "
            #define OF(table, end) "FROM " table end
            static const char sql[] = "SELECT " COLUMNS /* "no" */
                OF("jobs", " WHERE x = '{\\"'");
            log("SELECT nothing");
            '''
        self.assertEqual(["SELECT a, b FROM jobs WHERE x = '{\\\"'", "SELECT nothing"], [text.sql for text in texts(source)])

    def test_each_text_knows_where_it_runs(self):
        source = '''
            static const struct db_statement both = {"SELECT 1"}, two = {"SELECT 2", "SELECT 3"},
                three[] = {{"SELECT 4", NULL, .citus = "SELECT 5"}, {.postgres = "SELECT 6", .sqlite = "SELECT 7", .citus = "SELECT " "8"}};
            '''
        self.assertEqual(["postgres", "postgres", "sqlite", "plain", "citus", "plain", "sqlite", "citus"],
                         [text.runs_on for text in texts(source)])

    def test_the_statements_in_functions_are_found(self):
        schema = "CREATE FUNCTION f() RETURNS void\n\tLANGUAGE plpgsql\nAS $$\nBEGIN\n\t-- no;\n\tDELETE FROM jobs\n\t\tWHERE true;\nEND\n$$;"
        self.assertEqual(["BEGIN DELETE FROM jobs WHERE true"], [text.sql for text in functions(schema)])


if __name__ == "__main__":
    unittest.main()
