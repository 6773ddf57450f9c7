"""
What statements over `jobs` read while a session holds an old snapshot, and nothing that is gone is removed: counted in
pages. Publishing, outcomes and pages that begin at a row read as much as ever; scans and pages that begin at the front
of an endpoint also read what is gone since, once.
"""

import json

import pytest

from harness.dba import apply_webhooks
from harness.deliveries import Endpoints
from harness.statements import statement
from harness.waiting import wait_until

pytestmark = [pytest.mark.plain_postgres("checks the tables of one server"), pytest.mark.wanted_by("SLOW_TESTS")]

ENDPOINTS = 20
BATCH = 1000
A_JOB = 0.6  # at most so many pages for a removed job: many index entries and rows share a page
FRONT = "'00000000-0000-0000-0000-000000000000'"
# The keys of the jobs with these numbers. The endpoints take turns.
KEYS = (f"SELECT 'acme' AS tenant_id, lpad(to_hex(1 + n % {ENDPOINTS}), 32, '0')::uuid AS endpoint_id, lpad(to_hex(n), 32, '0')::uuid"
        " AS job_id FROM generate_series({first}, {last}) AS n")


class Queue:
    """A table of waiting jobs. Jobs are numbered in the order of their ids."""

    def __init__(self, database):
        self.database = database
        self.waiting = 1 << 40  # the first number of waiting jobs, above all others
        self.published = 0
        database.query("ALTER TABLE jobs SET (autovacuum_enabled = off)")
        self.pages(self.publish_sql(self.waiting, ENDPOINTS * BATCH))
        database.query("VACUUM (ANALYZE) jobs")

    def pages(self, sql):
        """The number of pages that the statement reads when run as publishers and couriers do."""
        with self.database.server.connect(self.database.name) as connection:
            connection.execute("BEGIN")
            connection.execute(statement("job_outcomes", "by_indexes"))
            [[plan]] = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}").fetchone()
            connection.execute("COMMIT")
        assert "Seq Scan" not in json.dumps(plan)
        return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]

    def publish_sql(self, first, count):
        return ("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at) SELECT tenant_id,"
                f" endpoint_id, job_id, job_id, 1, 'pending', now() FROM ({KEYS.format(first=first, last=first + count - 1)}) AS k")

    def arrays(self, first, count, *values):
        keys = KEYS.format(first=first, last=first + count - 1)
        of_key = [f"ARRAY(SELECT {column} FROM ({keys}) AS k)" for column in ("tenant_id", "endpoint_id", "job_id")]
        return [*of_key, *(f"ARRAY(SELECT {value} FROM generate_series(1, {count}))" for value in values)]

    def publish(self):
        self.published += BATCH
        return self.pages(self.publish_sql(self.published - BATCH, BATCH))

    def finish(self):
        """Finishes the jobs of the last publish()."""
        return self.pages(statement("job_outcomes", "finish", *self.arrays(self.published - BATCH, BATCH, "9", "1")))

    def pass_through(self, batches):
        """Publishes and finishes so many batches. Returns the pages of the last publish and finish."""
        for _ in range(batches):
            last = self.publish(), self.finish()
        return last

    def retry(self):
        return self.pages(statement("job_outcomes", "retry", *self.arrays(
            self.waiting, 200, "9", "1", "1::smallint", "1::bigint", "1::bigint", "'x'")))

    def page(self, after=FRONT):
        """Reads a page of the first endpoint's jobs."""
        return self.pages(statement("job_rows", "page", "'acme'", f"'{1:032x}'::uuid", after, "1", "100"))

    def page_behind_a_row(self):
        return self.page(f"'{self.waiting:032x}'::uuid")

    def scan(self):
        return self.pages(statement("job_rows", "scan_all", "''", FRONT, "200"))

    def size(self):
        return self.database.value("SELECT pg_total_relation_size('jobs')")


@pytest.fixture
def queue(postgres):
    database = postgres.new_database()
    apply_webhooks(database)
    yield Queue(database)
    database.drop()


def test_an_old_snapshot_slows_only_scans_and_first_pages_by_the_removed_jobs(queue):
    batches = 10
    fresh = queue.pass_through(1)
    queue.database.query("VACUUM jobs")
    retry, page, behind, scan = queue.retry(), queue.page(), queue.page_behind_a_row(), queue.scan()
    with queue.database.server.connect(queue.database.name) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM jobs")
        published, finished = queue.pass_through(batches)
        gone = batches * BATCH
        assert published < 1.2 * fresh[0] and finished < 1.2 * fresh[1]
        assert queue.retry() < 1.4 * retry
        assert queue.page_behind_a_row() < 2 * behind
        assert queue.page() < page + A_JOB * gone / ENDPOINTS
        assert queue.scan() < scan + A_JOB * gone
        queue.database.query("VACUUM jobs")
        assert queue.page_behind_a_row() < 2 * behind
        assert queue.scan() < scan + A_JOB * gone
    queue.scan()  # marks dead index entries
    assert queue.scan() < scan + gone / 20
    assert queue.page() < page + gone / ENDPOINTS / 5
    queue.database.query("VACUUM jobs")
    assert queue.scan() < 2 * scan
    size = queue.size()
    queue.pass_through(batches)
    assert queue.size() < 1.3 * size, "the room of removed jobs is used again"


def test_removed_jobs_are_read_only_once_without_autovacuum(queue):
    batches = 10
    page, scan = queue.page(), queue.scan()
    fresh = queue.pass_through(1)
    published, finished = queue.pass_through(batches - 1)
    gone = batches * BATCH
    assert published < 1.2 * fresh[0] and finished < 1.2 * fresh[1]
    queue.scan()
    assert queue.page() < page + gone / ENDPOINTS / 5
    assert queue.scan() < scan + gone / 20


def test_a_position_in_an_order_stays_cheap_with_an_old_snapshot(postgres):
    """Each transaction that stores a job of an order updates the order's row."""
    database, count = postgres.new_database(), 2000
    apply_webhooks(database)
    claim = statement("fifo_heads", "claim_all", "ARRAY['acme']", f"ARRAY['{1:032x}'::uuid]", "ARRAY[1]::bigint[]", "ARRAY[1]::int[]")

    def pages():
        [[plan]] = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claim}").fetchone()
        return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]

    with database.server.connect(database.name) as connection, database.server.connect(database.name) as session:
        connection.execute(claim)
        fresh = pages()
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT count(*) FROM fifo_heads")
        for _ in range(count):
            connection.execute(claim, prepare=True)
        assert pages() < fresh + count / 50
        session.execute("ROLLBACK")
        pages()  # marks dead index entries
        assert pages() < fresh + 10
    database.drop()


def test_a_delivered_job_costs_one_insert_and_one_delete_whatever_the_snapshots_age(make_hookline, receiver):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", HL_PUBLISHERS=1, HL_COURIERS=1).start()
    hookline.query("ALTER TABLE jobs SET (autovacuum_enabled = off)")
    tenant, count = hookline.new_tenant(), 2000
    for number in range(10):
        Endpoints(tenant, receiver).add(f"/in/{number}", f"orders.of.{number}", rate_limit_rps=10000)

    def changes():
        """
        PostgreSQL's counts of added, changed and removed rows of jobs. Sessions report them at the end of a
        transaction.
        """
        tenant.client.post("/v1/events", {"topic": "nobody"})
        return hookline.database.query("SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'jobs'")[0]

    with hookline.reader() as session:
        session("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session("SELECT count(*) FROM jobs")
        for first in range(0, count, 100):
            events = [{"topic": f"orders.of.{number % 10}"} for number in range(first, first + 100)]
            assert tenant.client.post("/v1/events/batch", events).status == 201
        receiver.wait(count, timeout=60)
        wait_until(lambda: hookline.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed")
        wait_until(lambda: min(changes()[::2]) >= count, "PostgreSQL to know of it", 60)
    assert changes() == (count, 0, count)
    assert len(receiver.arrivals) == count
