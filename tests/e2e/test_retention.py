"""
Upkeep removes old rows. Waiting jobs become dead letters first, and publishing goes on during the removal. Over both
stores.
"""

import contextlib
import time

import pytest

from harness.deliveries import Endpoints, Publisher, Publishing
from harness.metrics import series
from harness.recording_receiver import Answer, Receiver
from harness.rows import Rows, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

DAY = 86_400_000


def make_month_of(hookline, at_ms):
    """Creates PostgreSQL's month for that time, which existed when the time was the present."""
    if hookline.store == "postgres":
        for parent in ("events", "attempts"):
            hookline.query(f"SELECT create_monthly_partition('{parent}', extract(year FROM at)::int, extract(month FROM at)::int)"
                           " FROM (SELECT hl_time(:ms) AT TIME ZONE 'UTC' AS at) AS moment", ms=at_ms)


def ids(hookline, table, column, tenant):
    return {str(row[column]) for row in hookline.query(f"SELECT {column} FROM {table} WHERE tenant_id = :id", id=tenant.id)}


@contextlib.contextmanager
def before_retention(hookline):
    """
    No daemon uses the store during the block. Then the daemon starts, and a run of retention begins because it is due.
    """
    hookline.daemon.stop()
    yield
    hookline.query("UPDATE upkeep SET ran_at = NULL WHERE task = 'retention'")
    hookline.start()


@pytest.mark.parametrize("store", STORES)
def test_old_rows_are_removed_and_waiting_jobs_become_dead_letters(make_hookline, store):
    hookline = make_hookline(store).start()
    tenant = hookline.new_tenant()
    rows = Rows(hookline, tenant)
    with Receiver(host="127.77.0.1") as receiver:
        endpoints = Endpoints(tenant, receiver)
        held = endpoints.add("/held", "#", enabled=False)["id"]
        with before_retention(hookline):
            old = now_ms() - 100 * DAY
            make_month_of(hookline, old)
            make_month_of(hookline, now_ms() - 20 * DAY)
            gone = [rows.event(at_ms=old + number) for number in range(3)]
            waits = rows.event(at_ms=old + 5, payload={"kept": 1})
            job = rows.job(held, waits, status="held", next_attempt_at=old, expires_at=None)
            young = rows.event(at_ms=now_ms() - 20 * DAY)
            still = rows.job(held, young, status="held", next_attempt_at=old, expires_at=None)
            rows.attempt(held, gone[0], at_ms=old)
            attempt = rows.attempt(held, gone[0])
        wait_until(lambda: ids(hookline, "events", "event_id", tenant) == {young}, "old events to go", 20)
        wait_until(lambda: ids(hookline, "attempts", "attempt_id", tenant) == {attempt}, "old attempts to go", 20)
        assert ids(hookline, "jobs", "job_id", tenant) == {still}, "jobs of kept events go on waiting"
        dead = tenant.client.get(f"/v1/dlq/{job}").json
        assert (dead["reason"], dead["event"]["payload"]) == ("expired", {"kept": 1})
        if store == "postgres":
            month = time.strftime("events_%Y_%m", time.gmtime(old / 1000))
            hookline.daemon.wait_for_log(f"a month of old rows was dropped .*{month}")
        assert tenant.client.patch(f"/v1/endpoints/{held}", {"enabled": True}).status == 200
        assert tenant.client.post(f"/v1/dlq/{job}/requeue").status == 200
        assert receiver.wait(1, "/held")[0].job == job


@pytest.mark.parametrize("store", STORES)
def test_a_job_expires_although_its_receiver_answers_429_for_ever(make_hookline, store):
    """The job is due in hours, so no courier has it in memory or reads it before."""
    hookline = make_hookline(store).start()
    tenant = hookline.new_tenant()
    with Receiver(host="127.77.0.1") as receiver:
        receiver.answers["/in"] = Answer(status=429, headers=[("Retry-After", "36000")])
        Endpoints(tenant, receiver).add("/in")
        event = tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": 1}}).json
        job, = event["job_ids"]
        wait_until(lambda: tenant.client.get(f"/v1/jobs/{job}").json["next_attempt_at"] > now_ms() + DAY / 4, "the job to wait", 20)
        earlier = {"postgres": "now() - interval '6 minutes'", "embedded": f"{now_ms() - 360_000}"}[store]
        with before_retention(hookline):
            hookline.query(f"UPDATE jobs SET expires_at = {earlier} WHERE tenant_id = :id", id=tenant.id)
        wait_until(lambda: tenant.client.get(f"/v1/dlq/{job}").status == 200, "the job to be a dead letter", 20)
        dead = tenant.client.get(f"/v1/dlq/{job}").json
        assert (dead["reason"], dead["attempt_count"], dead["event"]["payload"]) == ("expired", 0, {"n": 1})
        assert len(receiver.at("/in")) == 1
        wait_until(lambda: series(hookline.daemon)['deliveries_total{result="dead"}'] == 1, "it to be counted")


@pytest.mark.parametrize("store", STORES)
def test_rows_kept_for_less_than_a_month_are_removed_during_publishing(make_hookline, store):
    """Thousands of old events are removed in slices. Every event published meanwhile is acknowledged and kept."""
    hookline = make_hookline(store, HL_RETENTION_SECS="24h", HL_ATTEMPT_RETENTION_SECS="off").start()
    tenant = hookline.new_tenant()
    rows = Rows(hookline, tenant)
    at = now_ms() - 2 * DAY
    copies = {"postgres": "SELECT (lpad(to_hex(:at + n), 12, '0') || substr(replace(event_id::text, '-', ''), 13))::uuid,"
                          " hl_time(:at + n), occurred_at, 0, tenant_id, topic, payload FROM events, generate_series(1, 20000) AS n",
              "embedded": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000)"
                          " SELECT substr(printf('%012x', :at + n), 1, 8) || '-' || substr(printf('%012x', :at + n), 9) ||"
                          " substr(event_id, 14), :at + n, occurred_at, 0, tenant_id, topic, payload FROM events, s"}[store]
    publishers = [Publisher(hookline, tenant, number) for number in range(2)]
    old = "SELECT count(*) FROM events WHERE tenant_id = :id AND created_at < hl_time(:at)"
    if store == "embedded":
        old = old.replace("hl_time(:at)", ":at")
    with before_retention(hookline):
        attempt = rows.attempt(rows.event(), None, at_ms=now_ms() - 400 * DAY)
        first = rows.event(at_ms=at)
        hookline.query("INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic, payload)"
                       f" {copies} WHERE tenant_id = :id AND event_id = :first", at=at, id=tenant.id, first=first)
    with Publishing(publishers) as publishing:
        wait_until(lambda: hookline.value(old, id=tenant.id, at=now_ms() - DAY) == 0, "old events to go", 30)
        publishing.wait_more(10)
    assert hookline.value("SELECT count(*) FROM events WHERE tenant_id = :id AND topic = 'orders.made'",
                          id=tenant.id) == publishing.count()
    assert ids(hookline, "attempts", "attempt_id", tenant) == {attempt}, "attempts are kept for ever"
    hookline.daemon.wait_for_log("old rows were removed .*events=20001 ")
