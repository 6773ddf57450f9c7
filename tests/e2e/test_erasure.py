"""
A tenant or an endpoint is deleted under load: no further request is sent, and no row is left. Over both stores.
"""

import itertools
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.deliveries import Endpoints, Publisher, Publishing
from harness.metrics import metrics
from harness.recording_receiver import Answer
from harness.rows import Rows, new_id, now_ms
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES, Tenant

JOBS = 10_000
OTHERS = {"pauses", "hook_events"}  # a paused tenant gets no requests anyway; hook events belong to agents
SLOW = 4  # seconds of an attempt under way, longer than the erasure takes


def publishers(hookline, tenant):
    """Publishers with a pause, so that the store has time for the removal and the receiver for all events."""
    return [Publisher(hookline, tenant, number, pause=0.02) for number in range(2)]


def gone(hookline, tenant):
    wait_until(lambda: not hookline.counts_of(tenant.id), f"all of {tenant.id} to be removed", 60)


def sent_ms(receiver, paths):
    return [int(arrival.header("x-hl-timestamp")) for path in paths for arrival in receiver.at(path)]


def wait_idle(hookline, tenant):
    """Waits until all attempts have ended and all couriers have stored the outcomes, those of a new event included."""
    wait_until(lambda: metrics(hookline.daemon)["deliveries_in_flight"] == 0, "all attempts to end")
    event = tenant.client.post("/v1/events", {"topic": "idle"}).json
    wait_until(lambda: tenant.client.get(f"/v1/deliveries?event_id={event['id']}").json["count"] == len(event["job_ids"]),
               "what came of them to be written", 40)


def publish_until_refused(client, batch):
    """Publishes until a reply says that the tenant or its key is gone. Returns the statuses."""
    statuses = []
    until = time.monotonic() + 60 * PATIENCE
    for number in itertools.count():
        assert time.monotonic() < until, "publishing was not refused in time"
        body = [{"topic": "order.made", "idempotency_key": f"{batch}-{number}-{part}"} for part in range(batch)]
        reply = client.post("/v1/events/batch", body) if batch > 1 else client.post("/v1/events", body[0])
        statuses.append(reply.status)
        if reply.status in (401, 404):
            return statuses


def fill(hookline, tenant, endpoints):
    """Adds rows to each table with rows of tenants."""
    rows, client = Rows(hookline, tenant), tenant.client
    held = endpoints.add("/held", enabled=False)["id"]
    client.post("/v1/subscriptions", {"endpoint_id": held, "topic_pattern": "#", "transform": [{"remove_field": {"field": "x"}}]})
    first, second = (rows.dead_letter(held) for _ in range(2))
    for letter in (first, second):
        assert client.post(f"/v1/dlq/{letter}/requeue").status == 200
    assert client.delete(f"/v1/jobs/{second}").status == 204
    rows.dead_letter(held)
    rows.replay({"topic": "#"})
    inbox = client.post("/v1/dev/inbox").json["receive_url"].split("/v1/", 1)[1]
    assert hookline.keyless.post(f"/v1/{inbox}", {"n": 1}).status == 200
    assert client.post("/v1/replay", {"topic": "x"}, headers={"Idempotency-Key": "k"}).status == 200
    rows.add("notices", ("occurred_at", "next_at"), {
        "notice_id": new_id(now_ms(), last=0), "topic": "hookline.endpoint.disabled", "payload": "{}", "occurred_at": now_ms(),
        "next_at": now_ms() + 3_600_000})
    rows.add("endpoint_tests", ("requested_at", "expires_at"), {
        "attempt_id": new_id(now_ms()), "endpoint_id": held, "node_id": 2**31 - 1, "topic": "test", "payload": "{}",
        "requested_at": now_ms(), "expires_at": now_ms() + 3_600_000})
    rows.add("fifo_heads", (), {"endpoint_id": held, "ordering_key": "", "last_seq": 1})
    hookline.query("INSERT INTO tenant_stats (tenant_id, queue_depth, in_flight, dlq_count, api_keys, event_count, endpoint_count,"
                   " subscription_count, delivery_count, counted_at) SELECT tenant_id, 1, 1, 1, 1, 1, 1, 1, 1, created_at"
                   " FROM tenants WHERE tenant_id = :id ON CONFLICT (tenant_id) DO NOTHING", id=tenant.id)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_tenant_deleted_under_load_gets_no_request_and_leaves_no_row(hookline, receiver):
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    receiver.answers["/slow"] = Answer(delay=SLOW)
    receiver.answers["/failing"] = Answer(status=500)
    mine, others = Endpoints(tenant, receiver), Endpoints(other, receiver)
    fill(hookline, tenant, mine)
    mine.add("/slow", max_in_flight=20)
    mine.add("/failing", retry_schedule=["1s"] * 20)
    full = mine.add("/full", pattern="none", rate_limit_rps=50)["id"]
    for number in range(4):
        others.add(f"/other-{number}", rate_limit_rps=10_000)
    Rows(hookline, tenant).jobs(full, JOBS)
    with ThreadPoolExecutor(2) as pool, Publishing(publishers(hookline, other)) as publishing:
        refused = [pool.submit(publish_until_refused, tenant.key(["events.publish"]), batch) for batch in (1, 20)]
        publishing.wait_more(20)
        wait_until(lambda: len(receiver.at("/failing")) > 5 and len(receiver.at("/full")) > 10 and receiver.at("/slow"),
                   "couriers to be at it")
        assert set(hookline.counts_of(tenant.id)) == set(hookline.tables_of_tenants()) - OTHERS, "fill() fills all"
        reply = hookline.admin.delete(f"/v1/tenants/{tenant.id}")
        moment = int(time.time() * 1000)
        assert reply.status == 204, reply
        assert tenant.client.get("/v1/events").status == 401
        assert {status for each in refused for status in each.result()} <= {201, 401, 404}
        gone(hookline, tenant)
        publishing.wait_more(20)
    wait_until(lambda: all(arrival.done for arrival in receiver.at("/slow")), "attempts under way to end")
    wait_idle(hookline, other)
    assert max(sent_ms(receiver, ("/slow", "/failing", "/full", "/held"))) <= moment, "an attempt began later"
    assert hookline.counts_of(tenant.id) == {}, "the outcomes of attempts under way are not stored"
    made = hookline.admin.post("/v1/tenants", {"id": tenant.id})
    assert made.status == 201 and hookline.rows_of(tenant.id)["events"] == []
    assert [entry["action"] for entry in hookline.admin.items(
        f"/v1/admin/audit?object_kind=tenant&object_id={tenant.id}&order=asc")] == ["tenant.create", "tenant.delete", "tenant.create"]


@pytest.mark.wanted_by("SLOW_TESTS")
def test_an_endpoint_deleted_under_load_gets_no_request_and_leaves_no_job(hookline, tenant, endpoints, rows, receiver):
    receiver.answers["/in"] = Answer(status=500)
    endpoint = endpoints.add("/in", retry_schedule=["1s"] * 20, rate_limit_rps=50)["id"]
    other = endpoints.add("/other", rate_limit_rps=10_000)["id"]
    held = endpoints.add("/held", enabled=False)["id"]
    rows.jobs(endpoint, JOBS)
    tenant.client.post("/v1/events/batch", [{"topic": "order.made"}] * 20)
    wait_until(lambda: len(receiver.at("/in")) > 5, "couriers to be at it")
    with Publishing(publishers(hookline, tenant)) as publishing:
        publishing.wait_more(20)
        reply = tenant.client.delete(f"/v1/endpoints/{endpoint}")
        moment = int(time.time() * 1000)
        assert reply.status == 204, reply
        publishing.wait_more(20)
        wait_until(lambda: not hookline.value("SELECT count(*) FROM endpoints WHERE endpoint_id = :id", id=endpoint),
                   "the endpoint to be removed", 60)
        publishing.wait_more(20)
    for table in ("jobs", "subscriptions"):
        assert hookline.value(f"SELECT count(*) FROM {table} WHERE endpoint_id = :id", id=endpoint) == 0, table
    wait_until(lambda: not tenant.client.get(f"/v1/jobs?endpoint_id={other}").json["items"], "the other endpoint's jobs to be done", 60)
    assert max(sent_ms(receiver, ["/in"])) <= moment
    assert len(receiver.at("/other")) == hookline.value("SELECT count(*) FROM jobs WHERE endpoint_id = :id", id=held)


LARGE = 200  # the number of events of 512 KiB


@pytest.mark.wanted_by("SLOW_TESTS")
def test_other_tenants_publish_while_large_events_of_a_deleted_one_are_removed(make_hookline):
    """SQLite has one writer at a time. The removal works in slices of a few events, and publishers write in between."""
    hookline = make_hookline("embedded").start()
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    hookline.query(
        "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :count)"
        " INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic, payload)"
        " SELECT :id, :prefix || printf('%08x', n) || '0000', :at, :at, 0, 'large', '\"' || hex(zeroblob(262143)) || '\"' FROM g",
        id=tenant.id, count=LARGE, at=now_ms(), prefix=new_id(now_ms())[:-12])
    assert hookline.admin.delete(f"/v1/tenants/{tenant.id}").status == 204
    left = []
    while not left or left[-1] > 0:
        assert other.client.post("/v1/events", {"topic": "small"}).status == 201
        left.append(hookline.value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id))
    assert len(set(left) - {0, LARGE}) >= 3, left
    gone(hookline, tenant)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_spooled_events_of_a_deleted_tenant_are_discarded_and_counted(make_hookline, store):
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", SPOOL_AFTER_MS=100, HL_PUBLISHERS=1).start()
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    for each in (tenant, other):
        assert each.client.post("/v1/events", {"topic": "stored"}).status == 201

    def spool():
        for each in (tenant, other, tenant):
            assert each.client.post("/v1/events", {"topic": "spooled"}).status == 202

    if store == "postgres":
        hookline.database.server.stop()
        spool()
        hookline.daemon.kill()
        hookline.database.server.start()
    else:
        with hookline.reader() as run:
            run("BEGIN IMMEDIATE")
            spool()
            hookline.daemon.kill()
    # Deletes the tenant as the API does, before the spool is replayed.
    hookline.query("UPDATE tenants SET status = 'deleted', deleted_at = created_at WHERE tenant_id = :id", id=tenant.id)
    hookline.query("UPDATE routing_versions SET version = version + 1 WHERE tenant_id = :id", id=tenant.id)
    hookline.start()
    wait_until(lambda: metrics(hookline.daemon)["messages_discarded_total"] == 2, "what was spooled to be discarded")
    gone(hookline, tenant)
    assert len(other.client.items("/v1/events")) == 2


@pytest.mark.wanted_by("SLOW_TESTS")
def test_spooled_events_of_a_deleted_tenant_do_not_go_to_a_new_one_with_the_same_id(make_hookline, receiver):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl", SPOOL_AFTER_MS=100, HL_PUBLISHERS=1).start()
    first, other = hookline.new_tenant(), hookline.new_tenant()
    with hookline.reader() as run:
        run("BEGIN IMMEDIATE")
        for each in (first, other):
            assert each.client.post("/v1/events", {"topic": "spooled"}).status == 202
        hookline.daemon.kill()
    spool = hookline.data_path.parent / "hl-spool"
    aside = spool.rename(spool.with_name("of-a-node-that-is-down"))
    hookline.start()
    assert hookline.admin.delete(f"/v1/tenants/{first.id}").status == 204
    gone(hookline, first)
    second = Tenant(hookline, hookline.admin.post("/v1/tenants", {"id": first.id}).json)
    Endpoints(second, receiver).add("/second")
    hookline.daemon.stop()
    shutil.rmtree(spool, ignore_errors=True)
    aside.rename(spool)
    hookline.start()
    wait_until(lambda: len(other.client.items("/v1/events")) == 1, "the spool to be stored")
    wait_until(lambda: metrics(hookline.daemon)["messages_discarded_total"] == 1, "the first tenant's event to be discarded")
    new = second.client.post("/v1/events", {"topic": "new"}).json["id"]
    assert [event["id"] for event in second.client.items("/v1/events")] == [new]
    receiver.wait(1)
    assert [arrival.path for arrival in receiver.at("/second")] == ["/second"], "only the new tenant's event"
