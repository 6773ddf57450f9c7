"""
One tenant's many jobs delay other tenants' events little on their way into the store. Both stores.
"""

import contextlib
import signal
import threading

import pytest

from harness.endpoints import make
from harness.metrics import metrics
from harness.waiting import wait_until

MANY = 1000  # pairs of an endpoint and a transform
EVENTS = 40


def spread(hookline, tenant, pairs):
    """Adds a disabled endpoint and so many subscriptions with different transforms. Each event makes as many jobs."""
    endpoint = make(tenant.client, enabled=False)
    made = tenant.client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
    assert made.status == 201, made
    number = "lpad(to_hex(i), 12, '0')" if hookline.store == "postgres" else "printf('%012x', i)"
    new_id = f"'01900000-0000-7000-8000-' || {number}"
    if hookline.store == "postgres":
        new_id = f"({new_id})::uuid"
    row = hookline.query("SELECT * FROM subscriptions WHERE subscription_id = :id", id=made.json["id"])[0]
    values = {"subscription_id": new_id, "transform_id": new_id}
    hookline.query(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {pairs - 1})"
        f" INSERT INTO subscriptions ({', '.join(row)}) SELECT {', '.join(values.get(name, name) for name in row)}"
        " FROM subscriptions, n WHERE tenant_id = :tenant AND subscription_id = :id", tenant=tenant.id, id=made.json["id"])
    hookline.query("UPDATE routing_versions SET version = version + 1 WHERE tenant_id = :tenant", tenant=tenant.id)


@contextlib.contextmanager
def nothing_is_stored(hookline):
    """During the block publishers wait for another program's lock."""
    with hookline.reader() as run:
        if hookline.store == "postgres":
            run("BEGIN")
            run("LOCK TABLE events IN SHARE MODE")
        else:
            run("BEGIN IMMEDIATE")
        yield
        run("ROLLBACK")


def on_ring(hookline):
    return int(metrics(hookline.daemon)["ring_messages"])


def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_small_events_of_other_tenants_are_answered_before_one_tenants_large_batch(hookline):
    large, small = hookline.new_tenant(), hookline.new_tenant()
    spread(hookline, large, MANY)
    answered = []

    def publish_batch():
        answered.append(("large", large.client.post("/v1/events/batch", [{"topic": "t"}] * EVENTS)))

    def publish_one():
        answered.append(("small", small.client.post("/v1/events", {"topic": "t"})))

    with nothing_is_stored(hookline):
        threads = [in_thread(publish_batch)]
        wait_until(lambda: on_ring(hookline) == EVENTS, "the large batch to wait")
        threads += [in_thread(publish_one) for _ in range(4)]  # enough for each acceptor and publisher
        wait_until(lambda: on_ring(hookline) == EVENTS + 4, "the small ones to wait behind it")
    for thread in threads:
        thread.join()
    assert [name for name, _ in answered] == ["small"] * 4 + ["large"]
    assert {reply.status for _, reply in answered} == {201}
    batch = answered[-1][1].json
    assert batch["failed"] == 0 and {len(item["job_ids"]) for item in batch["items"]} == {MANY}
    assert hookline.value("SELECT count(*) FROM jobs WHERE tenant_id = :tenant", tenant=large.id) == MANY * EVENTS
    wait_until(lambda: on_ring(hookline) == 0, "all to be released")


def test_events_of_other_tenants_are_stored_during_the_replay_of_one_tenants_batch(postgres, make_hookline):
    hookline = make_hookline("postgres", HL_PUBLISHERS=1, ACCEPTORS=1).start()
    large, small = hookline.new_tenant(), hookline.new_tenant()
    spread(hookline, large, MANY)
    assert small.client.post("/v1/events", {"topic": "t"}).status == 201

    def stored(tenant):
        return hookline.value("SELECT count(*) FROM events WHERE tenant_id = :tenant", tenant=tenant.id)

    def last(tenant):
        return hookline.value("SELECT max(xmin::text::bigint) FROM events WHERE tenant_id = :tenant", tenant=tenant.id)

    postgres.stop(signal.SIGQUIT)
    wait_until(lambda: small.client.post("/v1/events", {"topic": "t"}).status == 202, "the spool")
    assert large.client.post("/v1/events/batch", [{"topic": "t"}] * EVENTS).status == 202
    postgres.start()
    wait_until(lambda: stored(large) > 0, "the replay", 30)
    with nothing_is_stored(hookline):
        done = stored(large)
        assert done < EVENTS
        thread = in_thread(lambda: small.client.post("/v1/events", {"topic": "live"}))
        wait_until(lambda: on_ring(hookline) == 1, "a live event to wait")
    thread.join()
    wait_until(lambda: stored(large) == EVENTS, "the rest")
    assert last(small) < last(large)


@pytest.mark.parametrize("hookline", ["embedded"], indirect=True)
def test_a_batch_with_too_many_jobs_is_stored_in_part_and_a_repeat_stores_the_rest(hookline):
    tenant = hookline.new_tenant()
    spread(hookline, tenant, 10000)
    body = [{"topic": "t", "idempotency_key": f"k{i}"} for i in range(12)]

    def errors():
        reply = tenant.client.post("/v1/events/batch", body)
        assert reply.status == 201 and reply.json["failed"] == sum("error" in item for item in reply.json["items"])
        return [item.get("error") for item in reply.json["items"]], reply.json["items"]

    found, items = errors()
    assert found == [None] * 10 + ["too_many_jobs"] * 2
    assert "fewer events" in items[-1]["detail"] and items[-1]["id"] is None
    assert hookline.value("SELECT count(*) FROM events WHERE tenant_id = :tenant", tenant=tenant.id) == 10
    found, items = errors()
    assert found == [None] * 12 and [item["deduped"] for item in items] == [True] * 10 + [False] * 2
