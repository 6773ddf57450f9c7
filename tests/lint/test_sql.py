"""The webhooks' SQL: each statement names the tenant whose rows it touches, and nothing asks for what a distributed database refuses.

The tables are read from schema/webhooks, the statements from the string literals of store/.
"""

import re
import unittest

from tree import ROOT, files

SCHEMA = sorted((ROOT / "schema/webhooks/postgres").glob("[0-9]*.sql"))
TABLE = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
UNIQUE = re.compile(r"^\t(?:(\w+) .*)?\b(?:PRIMARY KEY|UNIQUE)(?: \((\w+)[^)]*\))?,?$", re.MULTILINE)
UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX \w+ ON (\w+)[^(]*\((\w+)")
# These are small: in a distributed database each node has all of them.
ON_ALL_NODES = {"tenants", "api_keys", "routing_versions", "delivery_nodes", "pauses", "changes", "upkeep", "store_identity",
                "inbox_keys", "hookline_schema_migrations"}
FORBIDDEN_IN_SCHEMA = {
    r"\bREFERENCES\b|\bFOREIGN KEY\b": "foreign keys make a row of one table wait for another, and COPY check each row",
    r"\bCREATE (CONSTRAINT )?TRIGGER\b": "a distributed table has no triggers",
    r"\b(small|big)?serial\b|\bGENERATED\b[^,]*\bIDENTITY\b": "numbers of several nodes are neither dense nor in order: make ids",
    r"\bROW LEVEL SECURITY\b": "COPY refuses it",
}

# Statements over all tenants: (file, part of the text) and the reason. One that fits no statement fails the test.
OVER_TENANTS = {
    ("store/webhooks/key_rows.c", "hl_ms(expires_at)"): "the key table is one for all tenants",
    ("store/webhooks/key_rows.c", "revoked_at < hl_time"): "upkeep removes the old rows of all tenants",
    ("store/webhooks/audit.c", "CAST($9 AS text) IS NULL"): "an administrator reads what was done to all tenants",
    ("store/webhooks/inbox_rows.c", "token, message_id FROM inbox_messages WHERE hl_ms"): "upkeep removes the old rows of all tenants",
    ("store/webhooks/pause_rows.c", "FROM pauses ORDER BY"): "a courier delivers for all tenants",
    ("store/webhooks/cancelled_jobs.c", "WHERE cancelled_at >="): "a courier delivers for all tenants",
    ("store/webhooks/fifo_heads.c", "FROM fifo_heads WHERE ordering_key"): "a node takes over what another one has sent for all tenants",
    ("store/webhooks/identity_rows.c", "AS some_jobs"): "a copy of the store holds the jobs of all tenants",
    ("store/webhooks/routing.c", "UPDATE routing_versions SET version = version + 1"): "a pause of all deliveries is one of each tenant",
    ("store/webhooks/removal.c", "state FROM endpoints WHERE deleted_at"): "upkeep finds what any tenant has deleted",
    ("store/webhooks/changes.c", "change_version IS NULL"): "a change may be one of several tenants, which have raised their versions",
    ("store/webhooks/removal.c", "FROM tenants WHERE deleted_at"): "upkeep finds what any tenant has deleted",
    ("store/webhooks/tenants.c", "FROM audit_log WHERE action = 'tenant.delete'"): "any tenant may have deleted the one that had the id",
    ("store/webhooks/notice_rows.c", "ORDER BY next_at"): "upkeep publishes the notices of all tenants",
    ("store/webhooks/replay_rows.c", "ORDER BY next_at"): "upkeep goes on with the replays of all tenants",
    ("store/webhooks/secret_rows.c", "GROUP BY 1"): "the master key is one for all tenants",
    ("store/webhooks/test_rows.c", "ORDER BY requested_at"): "a node makes the tests of all tenants that it was asked for",
    ("store/webhooks/tenants.c", "AS bigint) FROM tenant_stats"): "an administrator counts those of all tenants",
    ("store/webhooks/tenant_stats.c", "UPDATE tenant_stats SET "): "upkeep counts for all tenants",
    ("store/webhooks/tenant_stats.c", "SELECT tenant_id FROM tenant_stats"): "upkeep counts for all tenants",
    ("store/webhooks/tenants.c", "count(tenant_id)"): "how many tenants there are",
}

LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"|\b[A-Z][A-Z0-9_]{3,}\b|\s)*"(?:[^"\\\n]|\\.)*"')
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+([A-Z][A-Z0-9_]{3,})[ \t]((?:.*\\\n)*.*)$', re.MULTILINE)
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|COPY \w+)\b")
TOUCHES = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|COPY|USING)\s+(?:ONLY\s+)?(\w+)")
CONDITION = re.compile(r"\b(?:WHERE|ON|USING|HAVING)\b")


def tables(text):
    """{name: body} of the tables that a schema makes."""
    return dict(TABLE.findall(text))


def tenanted(text):
    return {name for name, body in tables(text).items() if re.search(r"^\ttenant_id ", body, re.MULTILINE)}


def wrong_in_schema(text):
    """What a distributed database refuses, as sentences."""
    text = re.sub(r"--.*", "", text)
    for pattern, reason in FORBIDDEN_IN_SCHEMA.items():
        if found := re.search(pattern, text):
            yield f"{found[0]}: {reason}"
    firsts = [(table, first or column) for table, body in tables(text).items() for column, first in UNIQUE.findall(body)]
    for table, first in firsts + UNIQUE_INDEX.findall(text):
        if table not in ON_ALL_NODES and first != "tenant_id":
            yield f"{table}: a unique key begins with {first}, not with tenant_id, by which the table is distributed"


def statements(source):
    """The SQL texts of a C source: neighbouring string literals as one, macros of the same file filled in."""
    source = re.sub(r"/\*.*?\*/", " ", source, flags=re.DOTALL)
    macros = {name: body.replace("\\\n", " ") for name, body in MACRO.findall(source)}

    def text_of(run, depth=0):
        parts = []
        for literal, name in re.findall(r'"((?:[^"\\\n]|\\.)*)"|\b([A-Z][A-Z0-9_]{3,})\b', run):
            parts.append(text_of(macros.get(name, ""), depth + 1) if name and depth < 4 else literal)
        return "".join(parts)

    without_macros = MACRO.sub(" ", re.sub(r'^[ \t]*#[ \t]*include.*', " ", source, flags=re.MULTILINE))
    texts = [text_of(run) for run in LITERALS.findall(without_macros)]
    return [text for text in texts if STATEMENT.search(text)]


def wrong_in_statement(sql, tables_with_tenant):
    """What is wrong with one text, as sentences."""
    touched = [name for name in TOUCHES.findall(sql) if name in tables_with_tenant]
    if not touched:
        return
    condition = CONDITION.search(sql)
    tail = sql[condition.start():] if condition else ""
    inserts_only = sql.startswith(("INSERT", "COPY")) and not re.search(r"\bSELECT\b", sql)
    if "tenant_id" not in sql if inserts_only else len(re.findall(r"\btenant_id\b", tail)) < len(touched):
        yield f"touches {', '.join(touched)} without naming the tenant_id of each"
    distributed = [name for name in touched if name not in ON_ALL_NODES]
    if not distributed:
        return
    if re.search(r"\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b", sql) and not re.search(r"\btenant_id = \$\d", sql):
        yield f"locks rows of {', '.join(distributed)} of more than one tenant: lock within one"
    if re.search(r"\bSET\b[^;]*\btenant_id =", re.split(r"\bWHERE\b", sql)[0]):
        yield "changes tenant_id, by which the table is distributed"
    conflict = re.search(r"\bON CONFLICT\b.*\bDO UPDATE\b(.*)", sql)
    if conflict and re.search(r"\b(now|hl_now|clock_timestamp|random)\(", conflict[1]):
        yield "calls a function in ON CONFLICT DO UPDATE: pass what it returns as a parameter"
    if re.search(r"\b(clock_timestamp|random)\(", sql) and re.match(r"\s*(UPDATE|DELETE)", sql):
        yield "calls a volatile function in a change: pass what it returns as a parameter"


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

    def test_every_statement_names_its_tenant(self):
        wrong, unused, seen = [], set(OVER_TENANTS), 0
        for path in files(".c", ".h", directories=["store"]):
            for sql in statements((ROOT / path).read_text()):
                seen += 1
                for problem in wrong_in_statement(sql, self.tenanted):
                    excused = {key for key in OVER_TENANTS if key[0] == str(path) and key[1] in sql}
                    unused -= excused
                    if not excused or "without naming" not in problem:
                        wrong.append(f"{path}: {sql[:100]}: {problem}")
        self.assertEqual([], wrong)
        self.assertEqual(set(), unused, "an exception without its statement")
        self.assertGreater(seen, 10)


class Rules(unittest.TestCase):
    def wrong(self, sql):
        return " ".join(wrong_in_statement(sql, {"jobs", "endpoints", "api_keys"}))

    def test_a_statement_of_one_tenant_is_fine(self):
        for sql in (
            "SELECT url FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2",
            "SELECT 1 FROM jobs j JOIN endpoints e ON e.tenant_id = j.tenant_id WHERE j.tenant_id = $1",
            "INSERT INTO endpoints (tenant_id, url) VALUES ($1, $2)",
            "INSERT INTO endpoints (tenant_id, n) VALUES ($1, 1) ON CONFLICT (tenant_id, n) DO UPDATE SET n = endpoints.n + 1",
            "DELETE FROM jobs USING unnest($1, $2) AS k (t, id) WHERE jobs.tenant_id = k.t AND job_id = k.id",
            "SELECT 1 FROM jobs WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED", "UPDATE changes SET version = version + 1",
        ):
            self.assertEqual("", self.wrong(sql), sql)

    def test_a_tenant_that_is_read_is_no_condition(self):
        self.assertIn("without naming", self.wrong("SELECT tenant_id FROM endpoints WHERE endpoint_id = $1"))
        self.assertIn("without naming", self.wrong("SELECT tenant_id, count(*) FROM jobs"))

    def test_each_joined_table_wants_its_tenant(self):
        self.assertIn("without naming", self.wrong("SELECT 1 FROM jobs JOIN endpoints USING (endpoint_id) WHERE tenant_id = $1"))

    def test_an_insert_without_tenant_is_found(self):
        self.assertIn("without naming", self.wrong("INSERT INTO endpoints (url) VALUES ($1)"))

    def test_what_a_distributed_database_refuses_is_found(self):
        self.assertIn("locks", self.wrong("SELECT 1 FROM jobs WHERE tenant_id = ANY ($1) FOR UPDATE"))
        self.assertIn("changes tenant_id", self.wrong("UPDATE jobs SET tenant_id = $1 WHERE tenant_id = $2"))
        self.assertIn("ON CONFLICT", self.wrong("INSERT INTO jobs (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO UPDATE SET a = now()"))
        self.assertIn("volatile", self.wrong("UPDATE jobs SET due = now() + random() WHERE tenant_id = $1"))

    def test_schemas_that_cannot_be_distributed_are_found(self):
        begin = "CREATE TABLE jobs (\n\ttenant_id text NOT NULL,\n\tjob_id uuid NOT NULL"
        for text, problem in (
            (begin + ",\n\tPRIMARY KEY (job_id, tenant_id)\n);", "begins with job_id"), (begin + " UNIQUE\n);", "begins with job_id"),
            (begin + " REFERENCES events\n);", "REFERENCES"), (begin + "\n);\nCREATE UNIQUE INDEX a ON jobs (job_id);", "begins with job_id"),
            (begin + "\n);\nCREATE TRIGGER t AFTER INSERT ON jobs", "TRIGGER"), (begin + ",\n\tn bigserial\n);", "serial"),
        ):
            self.assertIn(problem, " ".join(wrong_in_schema(text)), text)
        self.assertEqual([], list(wrong_in_schema(begin + ",\n\tPRIMARY KEY (tenant_id, job_id)\n);")))

    def test_literals_and_macros_of_one_statement_are_one_text(self):
        source = '#define COLUMNS "a, " \\\n\t"b "\nstatic const char sql[] = "SELECT " COLUMNS /* "no" */\n\t"FROM jobs";\nlog("SELECT nothing");'
        self.assertEqual(["SELECT a, b FROM jobs", "SELECT nothing"], statements(source))


if __name__ == "__main__":
    unittest.main()
