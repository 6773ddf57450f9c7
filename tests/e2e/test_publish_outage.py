"""
Publishing during an outage of PostgreSQL: acknowledged events are on disk and are published when the database is back.
Also: requests that wait while the service stops or their tenant is deleted.
"""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.metrics import metrics, text_of, wait_settled
from harness.waiting import wait_until


@pytest.fixture
def hookline(postgres, make_hookline):
    return make_hookline("postgres", HL_PUBLISHERS=1, ACCEPTORS=1, DRAIN_TIMEOUT_SECONDS=4).start()


@pytest.fixture
def client(hookline):
    client = hookline.new_tenant().client
    wait_until(lambda: client.post("/v1/events", {}).status == 400, "a publisher that takes events")
    return client


def publish(client, topic, **members):
    return client.post("/v1/events", {"topic": topic} | members)


def topics(hookline):
    return sorted(row["topic"] for row in hookline.query("SELECT topic FROM events"))


def test_events_published_during_an_outage_are_stored_later_and_keys_prevent_doubles(postgres, hookline, client):
    assert publish(client, "before", idempotency_key="k").status == 201
    postgres.stop(signal.SIGQUIT)
    wait_until(lambda: publish(client, "away").status == 202, "the spool")
    spooled = publish(client, "one", payload={"n": 1})
    assert spooled.status == 202 and spooled.headers["X-Hooks-Ack"] == "spooled"
    assert spooled.json["job_ids"] is None and spooled.json["idempotency"] == "unchecked"
    assert spooled.json["payload"] == {"n": 1} and "deduped" not in spooled.json
    assert publish(client, "before", idempotency_key="k").status == 202
    batch = client.post("/v1/events/batch", [{"topic": "two"}, {"topic": "three"}])
    assert batch.status == 202 and batch.headers["X-Hooks-Ack"] == "spooled"
    assert batch.json == {"count": 2, "failed": 0, "idempotency": "unchecked", "items": [
        {"id": item["id"], "job_ids": None, "deduped": False} for item in batch.json["items"]]}
    assert client.get("/v1/jobs").status == 503
    assert re.search(r'^hookline_store_ops_total{op="request",status="error"} [1-9]', text_of(hookline.daemon), re.MULTILINE)
    postgres.start()
    # The event with the known key was published before the batch.
    wait_until(lambda: {"one", "two", "three"} <= set(topics(hookline)), "the spooled events", 30)
    assert [topic for topic in topics(hookline) if topic != "away"] == ["before", "one", "three", "two"]
    reply = wait_until(lambda: (reply := client.get(f"/v1/events/{spooled.json['id']}")).status == 200 and reply, "control")
    assert reply.json["payload"] == {"n": 1}
    wait_until(lambda: publish(client, "after").status == 201, "answers from the store")


def test_a_stop_answers_every_publishing_client(postgres, hookline, client):
    """
    The service stops while the database hangs. Each waiting request gets an answer, and its event is kept if
    acknowledged.
    """
    with ThreadPoolExecutor(4) as pool:
        with postgres.hung():
            waiting = [pool.submit(publish, client, f"t{n}") for n in range(4)]
            wait_until(lambda: metrics(hookline.daemon)["messages_received_total"] >= 4, "the requests to wait")
            hookline.daemon.signal(signal.SIGTERM)
            statuses = [future.result(timeout=30).status for future in waiting]
        assert set(statuses) <= {202, 503}
        hookline.daemon.wait_exit()
    hookline.start()
    kept = {f"t{n}" for n, status in enumerate(statuses) if status == 202}
    wait_until(lambda: kept <= set(topics(hookline)), "the spooled events")


def test_waiting_events_of_a_deleted_tenant_are_answered_404(hookline, client):
    tenant = hookline.new_tenant()
    assert publish(tenant.client, "before").status == 201  # the publisher has read the tenant's routes
    waiting = metrics(hookline.daemon)["messages_received_total"] + 2
    publisher, = hookline.daemon.pids("publisher")
    with ThreadPoolExecutor(2) as pool:
        os.kill(publisher, signal.SIGSTOP)
        try:
            one = pool.submit(publish, tenant.client, "late")
            batch = pool.submit(tenant.client.post, "/v1/events/batch", [{"topic": "late"}])
            wait_until(lambda: metrics(hookline.daemon)["messages_received_total"] >= waiting, "the requests to wait")
            assert hookline.admin.delete(f"/v1/tenants/{tenant.id}").status == 204
        finally:
            os.kill(publisher, signal.SIGCONT)
        for reply in (one.result(timeout=30), batch.result(timeout=30)):
            assert reply.status == 404 and reply.json["error"] == "not_found", reply
    assert "late" not in topics(hookline)
    assert wait_settled(hookline.daemon)["messages_discarded_total"] == 2


def test_a_full_disk_during_an_outage_refuses_events_and_loses_none(postgres, disk, make_hookline):
    hookline = make_hookline("postgres", HL_PUBLISHERS=1, ACCEPTORS=1, DATA_DIR=disk.path / "data", SPOOL_AFTER_MS=0,
                             STORE_TIMEOUT_MS=1000).start()
    client = hookline.new_tenant().client
    wait_until(lambda: publish(client, "before").status == 201, "a publisher that takes events")
    postgres.stop()
    acknowledged = []

    def answer():
        topic = f"away.{len(acknowledged)}"
        reply = publish(client, topic, payload="x" * 20000)
        if reply.status == 202:
            assert reply.headers["X-Hooks-Ack"] == "spooled"
            acknowledged.append(topic)
        return reply

    wait_until(lambda: answer().status == 202, "the spool")
    disk.fill(hookline.daemon)
    refused = wait_until(lambda: (reply := answer()).status == 503 and reply, "a refusal")
    assert int(refused.headers["Retry-After"]) > 0 and refused.json["error"] and refused.json["detail"], refused
    disk.free()
    kept = len(acknowledged)
    wait_until(lambda: answer().status == 202 and len(acknowledged) > kept, "the spool")
    postgres.start()
    wait_until(lambda: set(acknowledged) <= set(topics(hookline)), "the spooled events", 30)
    stored = [topic for topic in topics(hookline) if topic.startswith("away.")]
    assert len(set(acknowledged)) == len(acknowledged) and set(stored) - set(acknowledged) <= {f"away.{len(acknowledged)}"}
    wait_until(lambda: publish(client, "after").status == 201, "answers from the store")


def test_an_event_waits_in_the_spool_until_its_month_has_a_partition(postgres, hookline, client):
    assert publish(client, "before").status == 201
    month, = hookline.query("SELECT 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS name")
    hookline.query(f"DROP TABLE events_default, {month['name']}")
    wait_until(lambda: publish(client, "meanwhile").status == 202, "the spool")
    assert hookline.daemon.hooksctl("deadletter", "list").stdout.count("meanwhile") == 0
    hookline.query("SELECT * FROM ensure_partitions('events', 1, current_date)")
    wait_until(lambda: "meanwhile" in topics(hookline), "the spooled events", 30)
    wait_until(lambda: publish(client, "after").status == 201, "answers from the store")
    assert wait_settled(hookline.daemon)["messages_dead_lettered_total"] == 0


def test_without_webhooks_a_service_runs_and_keeps_what_a_killed_run_had_not_published(make_hookline):
    hookline = make_hookline("embedded", HL_PUBLISHERS=1, ACCEPTORS=1, SPOOL_AFTER_MS=0).start()
    with_webhooks = dict(hookline.daemon.options)
    client = hookline.new_tenant().client
    waiting = metrics(hookline.daemon)["messages_received_total"] + 1
    os.kill(hookline.daemon.pids("publisher")[0], signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(publish, client, "waits")
        wait_until(lambda: metrics(hookline.daemon)["messages_received_total"] >= waiting, "the request to wait")
        hookline.daemon.kill()
        assert lost.exception() is not None
    hookline.daemon.options |= {"HL_STORE_BACKEND": "off"}
    hookline.daemon.start()
    hookline.daemon.wait_for_log("webhooks are off")
    wait_until(lambda: metrics(hookline.daemon)["spool_messages"] == 1, "the spool")
    assert hookline.daemon.post_event({"event_type": "t", "session_id": "s"}).status == 202
    hookline.daemon.stop()
    assert "process died" not in hookline.daemon.log()
    hookline.daemon.options = with_webhooks
    hookline.start()
    wait_until(lambda: "waits" in topics(hookline), "the spooled event")
