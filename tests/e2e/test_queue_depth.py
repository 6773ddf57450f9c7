"""HL_MAX_QUEUE_DEPTH: a tenant with too many waiting jobs cannot publish until some are done. Both stores."""

import pytest

from harness.deliveries import Endpoints
from harness.metrics import metrics, series
from harness.recording_receiver import Answer
from harness.waiting import wait_until
from harness.webhooks import STORES

DEPTH = 20
PROBE = {"topic": "orders.probe", "idempotency_key": "probe"}
BATCH = [{"topic": "orders.made", "idempotency_key": f"later {n}"} for n in range(3)]


def is_refused(reply):
    if reply.status != 429:
        return False
    assert reply.json["error"] == "overloaded" and "HL_MAX_QUEUE_DEPTH" in reply.json["detail"], reply
    assert int(reply.headers["Retry-After"]) >= 1
    return True


def published(hookline, tenant):
    return hookline.value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_a_tenant_with_too_many_waiting_jobs_is_refused_until_its_receiver_works(make_hookline, receiver, store):
    hookline = make_hookline(store, HL_MAX_QUEUE_DEPTH=DEPTH).start()
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    receiver.answers["/in"] = Answer(delay=5)
    Endpoints(tenant, receiver).add("/in", max_in_flight=1)
    client = tenant.client
    assert client.post("/v1/events", PROBE).status == 201
    assert client.post("/v1/events/batch", [{"topic": "orders.made"}] * 3 * DEPTH).status == 201
    wait_until(lambda: is_refused(client.post("/v1/events", PROBE)), "the first refusal")

    stored = published(hookline, tenant)
    assert is_refused(client.post("/v1/events/batch", BATCH))
    assert is_refused(client.post("/v1/events/batch", BATCH, headers={"Prefer": "handling=lenient"}))
    assert published(hookline, tenant) == stored
    assert client.get("/v1/jobs?limit=1").status == 200
    for _ in range(4):  # enough for each acceptor and publisher
        assert other.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    counted = series(hookline.daemon)['requests_rejected_total{reason="queue_depth"}']
    assert counted >= 3
    with hookline.daemon.client() as asking:
        assert asking.get("/metrics").json()["hookline_overload_drops_total"]["queue_depth"] == counted
    wait_until(lambda: metrics(hookline.daemon)["oldest_due_seconds"] > 0, "jobs that are late")

    # After a restart the jobs are counted again, and are still too many.
    hookline.query("UPDATE upkeep SET ran_at = NULL WHERE task = 'tenant_stats'")
    hookline.daemon.restart()
    hookline.wait_ready()
    wait_until(lambda: is_refused(client.post("/v1/events", PROBE)), "the first refusal")
    waiting = wait_until(lambda: client.get("/v1/admin/stats").json["queue"]["pending"], "the figures")
    assert DEPTH < waiting <= 3 * DEPTH + 1
    with hookline.daemon.client() as asking:
        wait_until(lambda: asking.get("/metrics").json()["hookline_queue_depth"] == waiting, "the same in the metrics")

    receiver.answers["/in"] = Answer()
    reply = wait_until(lambda: (reply := client.post("/v1/events/batch", BATCH)).status == 201 and reply, "room", 30)
    assert [item["deduped"] for item in reply.json["items"]] == [False] * len(BATCH), "refused events used up no key"
    assert published(hookline, tenant) == stored + len(BATCH)
