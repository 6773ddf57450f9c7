"""
Published events on their way into the store: routing, jobs, deaths of a publisher, a store that is down or refuses an
event. Over both stores.
"""

import json
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from harness.daemon import stopped
from harness.endpoints import make
from harness.events import minimal
from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.metrics import metrics
from harness.waiting import wait_until
from harness.webhooks import STORES, Tenant

A_LIFE = 1.2  # seconds: the master gives up after ten lives of less than a second


def publish(client, topic="order.created", **members):
    return client.post("/v1/events", {"topic": topic} | members)


def subscribe(client, pattern="#", **fields):
    """Adds a disabled endpoint, whose jobs stay, and a subscription."""
    endpoint = make(client, enabled=False)
    reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": pattern} | fields)
    assert reply.status == 201, reply
    return endpoint, reply.json


def rows_of(hookline, tenant):
    """The numbers of a tenant's events and jobs in the store."""
    return tuple(hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant", tenant=tenant.id)
                 for table in ("events", "jobs"))


def accounts(hookline):
    """The number of received events, the number accounted for, and the parts of the second by name."""
    numbers = metrics(hookline.daemon)
    parts = {name: int(numbers[f"messages_{name}_total"])
             for name in ("stored", "deduplicated", "dead_lettered", "damaged", "discarded")}
    parts |= {name: int(numbers[f"{name}_messages"]) for name in ("ring", "spool")}
    return int(numbers["messages_received_total"]), sum(parts.values()), parts


def settled(hookline):
    published, found, parts = accounts(hookline)
    return published == found and parts["ring"] == parts["spool"] == 0


# ---- routing ----


def test_an_event_is_routed_by_all_changes_answered_before_it(hookline):
    tenant = hookline.new_tenant()
    client = tenant.client
    assert publish(client).json["job_ids"] == []
    made = [subscribe(client) for _ in range(3)]
    assert len(publish(client).json["job_ids"]) == 3
    for left, (endpoint, subscription) in zip((2, 1, 0), made):
        if left == 1:
            assert client.delete(f"/v1/endpoints/{endpoint['id']}").status in (202, 204)
        elif left == 0:
            assert client.patch(f"/v1/subscriptions/{subscription['id']}", {"enabled": False}).status == 200
        else:
            assert client.delete(f"/v1/subscriptions/{subscription['id']}").status == 204
        assert len(publish(client).json["job_ids"]) == left


def test_an_event_has_a_job_for_each_endpoint_and_transform(hookline):
    tenant = hookline.new_tenant()
    client = tenant.client
    endpoint, first = subscribe(client)
    transform = [{"remove_field": {"field": "payload.secret"}}]
    made = [first["id"]]
    for fields in ({"topic_pattern": "order.*"}, {"topic_pattern": "#", "transform": transform},
                   {"topic_pattern": "order.#", "transform": transform},
                   {"topic_pattern": "#", "filter": {"gt": "payload.n", "value": 5}, "transform": transform + transform}):
        reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"]} | fields)
        assert reply.status == 201
        made.append(reply.json["id"])
    event = publish(client, payload={"n": 5}).json
    assert len(event["job_ids"]) == 2
    assert len(publish(client, payload={"n": 6}).json["job_ids"]) == 3
    rows = hookline.query("SELECT status, attempt_count, expires_at FROM jobs WHERE tenant_id = :tenant"
                          " AND event_id = :event", tenant=tenant.id, event=event["id"])
    assert {(row["status"], row["attempt_count"], row["expires_at"]) for row in rows} == {("held", 0, None)}
    shown = client.get(f"/v1/jobs?event_id={event['id']}").json["items"]
    assert {frozenset(job["subscription_ids"]) for job in shown} == {frozenset(made[:2]), frozenset(made[2:4])}
    assert shown[0] == client.get(f"/v1/jobs/{shown[0]['id']}").json


def test_an_event_of_a_just_deleted_tenant_is_discarded(hookline):
    """The acceptors' table still has the tenant's key."""
    tenant = hookline.new_tenant()
    subscribe(tenant.client)
    assert publish(tenant.client).status == 201
    before = accounts(hookline)[2]["discarded"]
    hookline.query("UPDATE tenants SET deleted_at = created_at WHERE tenant_id = :tenant", tenant=tenant.id)
    hookline.query("UPDATE routing_versions SET version = version + 1 WHERE tenant_id = :tenant", tenant=tenant.id)
    assert publish(tenant.client).status == 404
    assert rows_of(hookline, tenant) == (1, 1)
    assert accounts(hookline)[2]["discarded"] == before + 1

def again(hookline, tenant):
    """Makes a new tenant with the id of a deleted one, if upkeep has removed that already. False otherwise."""
    made = hookline.admin.post("/v1/tenants", {"id": tenant.id})
    return made.status == 201 and Tenant(hookline, made.json)


def test_a_new_tenant_with_a_deleted_ones_id_gets_no_cached_routes(hookline):
    first = hookline.new_tenant()
    subscribe(first.client)
    for _ in range(8):  # each publisher has the routes
        assert len(publish(first.client).json["job_ids"]) == 1
    assert hookline.admin.delete(f"/v1/tenants/{first.id}").status == 204
    second = wait_until(lambda: again(hookline, first), "the id to be free")
    endpoint, _ = subscribe(second.client)
    for _ in range(8):
        assert len(publish(second.client).json["job_ids"]) == 1
    assert {str(row["endpoint_id"]) for row in hookline.query(
        "SELECT endpoint_id FROM jobs WHERE tenant_id = :tenant", tenant=second.id)} == {endpoint["id"]}



def test_an_event_of_a_removed_tenant_without_endpoints_is_discarded(hookline):
    tenant = hookline.new_tenant()
    for _ in range(8):  # each publisher has the routes
        assert publish(tenant.client).status == 201
    for table in ("events", "routing_versions", "tenants"):
        hookline.query(f"DELETE FROM {table} WHERE tenant_id = :tenant", tenant=tenant.id)
    assert {publish(tenant.client).status for _ in range(8)} == {404}
    assert rows_of(hookline, tenant) == (0, 0)


# ---- a publisher that dies ----


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("side", [BEFORE, AFTER])
def test_an_event_is_stored_once_although_its_publisher_dies_at_the_commit(make_hookline, tmp_path, store, side):
    killpoint = Killpoint(tmp_path / "killpoint", process="publisher")
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=1, **killpoint.environment()).start()
    tenant = hookline.new_tenant()
    subscribe(tenant.client)
    assert publish(tenant.client, idempotency_key="first").status == 201  # the publisher has read the routes
    killpoint.arm(1000, AFTER)
    assert publish(tenant.client, idempotency_key="second").status == 201
    statements = 1000 - killpoint.left()
    assert statements >= 4
    time.sleep(A_LIFE)

    killpoint.arm(statements, side)
    reply = publish(tenant.client, idempotency_key="third")
    assert killpoint.disarm(), "it has died"
    assert reply.status == 201 and len(reply.json["job_ids"]) == 1
    assert rows_of(hookline, tenant) == (3, 3)
    again = publish(tenant.client, idempotency_key="third")
    assert again.status == 200 and again.json["id"] == reply.json["id"]
    wait_until(lambda: settled(hookline), "all that was published is accounted for")


@pytest.mark.parametrize("store", STORES)
def test_published_events_are_acknowledged_by_the_commit_also_with_ack_queued(make_hookline, store):
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", ACK="queued", ACCEPTORS=1, HL_PUBLISHERS=1).start()
    tenant = hookline.new_tenant()
    assert publish(tenant.client).status == 201
    with ThreadPoolExecutor(1) as pool:
        with stopped(hookline.daemon.pids("publisher")[0]):
            waiting = pool.submit(publish, tenant.client)
            wait_until(lambda: accounts(hookline)[2]["ring"] == 1, "the event to be on the ring")
            for _ in range(20):
                assert hookline.daemon.post_event(minimal()).headers["X-Hooks-Ack"] == "queued"
            assert not waiting.done() and rows_of(hookline, tenant) == (1, 0)
        assert waiting.result().status == 201 and rows_of(hookline, tenant) == (2, 0)


def test_a_few_events_need_no_second_publisher(make_hookline):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=2).start()
    tenant = hookline.new_tenant()
    many = tenant.client.post("/v1/events/batch", [{"topic": "order.created"}] * 1000)
    assert many.status == 201
    with stopped(hookline.daemon.pids("publisher")[1]):
        assert {publish(tenant.client).status for _ in range(20)} == {201}


def test_the_second_publisher_works_while_the_first_one_hangs(make_hookline):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=2).start()
    tenant = hookline.new_tenant()
    first, sent = hookline.daemon.pids("publisher")[0], []
    with ThreadPoolExecutor(20) as pool:

        def one_more_is_answered():
            sent.append(pool.submit(publish, tenant.client))
            return wait(sent, 0.1, FIRST_COMPLETED).done

        with stopped(first):
            [answered] = wait_until(one_more_is_answered, "the second publisher to take what comes")
            assert answered.result().status == 201 and not sent[0].done()
        assert {each.result().status for each in sent} == {201}


# ---- a store that is down, or refuses ----


def test_events_published_during_an_outage_of_the_store_are_spooled_and_stored_later(make_hookline):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", SPOOL_AFTER_MS=100).start()
    tenant = hookline.new_tenant()
    subscribe(tenant.client)
    first = publish(tenant.client, payload=1, idempotency_key="known")
    assert first.status == 201
    hookline.database.server.stop()
    for payload in (1, 2):  # the same event again, then another event with the same key
        reply = publish(tenant.client, payload=payload, idempotency_key="known")
        assert reply.status == 202 and reply.headers["X-Hooks-Ack"] == "spooled" and reply.json["job_ids"] is None
    kept = [publish(tenant.client, payload=number).json["id"] for number in range(5)]
    listed = hookline.daemon.hooksctl("spool", "list")
    assert "hl-spool/" in listed.stdout and " 7 events wait" in listed.stdout
    exported = [json.loads(line) for line in hookline.daemon.hooksctl("spool", "export").stdout.splitlines()]
    assert sorted(event["id"] for event in exported if event["id"] in kept) == sorted(kept)
    hookline.database.server.start()
    wait_until(lambda: settled(hookline), "what was spooled is stored", 30)
    parts = accounts(hookline)[2]
    assert (parts["stored"], parts["deduplicated"], parts["dead_lettered"]) == (6, 1, 1)
    assert rows_of(hookline, tenant) == (6, 6)
    assert {tenant.client.get(f"/v1/events/{event}").status for event in kept} == {200}
    assert f"its idempotency key is that of event {first.json['id']}" in hookline.daemon.hooksctl("deadletter", "list").stdout


def test_hooksctl_stores_the_spool_of_a_stopped_service(make_hookline):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", SPOOL_AFTER_MS=100).start()
    tenant = hookline.new_tenant()
    subscribe(tenant.client)
    assert publish(tenant.client).status == 201
    hookline.database.server.stop()
    for number in range(3):
        assert publish(tenant.client, payload=number).status == 202
    hookline.daemon.stop()
    hookline.database.server.start()
    version = hookline.value("SELECT version FROM changes")
    replayed = hookline.daemon.hooksctl("spool", "replay")
    assert replayed.returncode == 0 and "in all: stored 3, duplicates 0" in replayed.stdout, replayed
    assert rows_of(hookline, tenant) == (4, 4)
    assert hookline.value("SELECT version FROM changes") > version, "couriers are notified of the jobs"
    assert " 0 events wait" in hookline.daemon.hooksctl("spool", "list").stdout


def test_hooksd_is_ready_only_when_it_can_store_published_events(make_hookline):
    """Events can be stored only when the node has its row, to which jobs belong, and the start key's tenant exists."""
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl")
    assert hookline.daemon.hooksctl("migrate").returncode == 0
    with hookline.reader() as run:
        run("BEGIN IMMEDIATE")  # so that hooksd cannot make the row
        hookline.daemon.start(store_ready=False)
        assert hookline.daemon.get("/readyz").status == 503
        assert publish(hookline.start_key, idempotency_key="k").status == 503
    wait_until(lambda: hookline.daemon.get("/readyz").status == 200, "readiness")
    assert publish(hookline.start_key, idempotency_key="k").status == 201, "the refused request did not use up its key"


def refuse(hookline, on):
    """Adds a rule of a DBA to the table, or removes it."""
    if hookline.store == "postgres":
        hookline.query("ALTER TABLE events ADD CONSTRAINT no_bad CHECK (topic <> 'bad')" if on else
                       "ALTER TABLE events DROP CONSTRAINT no_bad")
    else:
        hookline.query("CREATE TRIGGER no_bad BEFORE INSERT ON events WHEN NEW.topic = 'bad'"
                       " BEGIN SELECT RAISE(ABORT, 'no_bad'); END" if on else "DROP TRIGGER no_bad")


@pytest.mark.parametrize("store", STORES)
def test_a_refused_event_becomes_a_dead_letter_and_its_retry_makes_jobs(make_hookline, store):
    hookline = make_hookline(store, STORAGE_TYPE="jsonl").start()
    tenant = hookline.new_tenant()
    subscribe(tenant.client)
    assert publish(tenant.client).status == 201  # the store takes events
    refuse(hookline, True)
    sent = {"payload": {"n": 1.50, "text": "ü\u0001"}, "ordering_key": "o", "occurred_at": 1700000000123, "colour": "red"}
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    reply = tenant.client.post("/v1/events", {"topic": "bad"} | sent, headers=trace)
    assert reply.status >= 400
    assert rows_of(hookline, tenant) == (1, 1)
    wait_until(lambda: settled(hookline), "the dead letter is accounted for")
    assert accounts(hookline)[2]["dead_lettered"] == 1

    hooksctl = hookline.daemon.hooksctl
    listed = hooksctl("deadletter", "list").stdout
    assert "bad" in listed and tenant.id[:19] in listed and "no_bad" in listed
    [letter] = [json.loads(line) for line in hooksctl("deadletter", "export").stdout.splitlines()]
    assert letter["topic"] == "bad" and letter["tenant_id"] == tenant.id
    shown = hooksctl("deadletter", "show", letter["event_id"]).stdout
    assert "dead-letters.jsonl" in shown and "no_bad" in shown and letter["payload"] in shown
    subscribe(tenant.client)  # counts, because the event is routed when it is stored
    refused = hooksctl("deadletter", "retry", "all")
    assert refused.returncode == 1 and "still refused" in refused.stdout
    refuse(hookline, False)
    retried = hooksctl("deadletter", "retry", letter["event_id"])
    assert retried.returncode == 0 and "stored 1" in retried.stdout, retried
    assert "no dead letters" in hooksctl("deadletter", "list").stdout
    assert rows_of(hookline, tenant) == (2, 3)
    event = tenant.client.get(f"/v1/events/{letter['event_id']}").json
    assert {name: event[name] for name in sent} == sent and event["topic"] == "bad" and event["_trace"] == trace
