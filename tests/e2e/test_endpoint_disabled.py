"""The service disables an endpoint because of its deliveries, and publishes an event about it. Over both stores."""

import json

import pytest

from harness.deliveries import Endpoints
from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.metrics import series
from harness.recording_receiver import Answer
from harness.rows import Rows, new_id, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

TOPIC = "hookline.endpoint.disabled"
GONE = Answer(status=410)
FAILURE = Answer(status=500)
ASKS = Answer(status=200, headers=(("webhook-delivery", "disable"),))
HOUR_MS = 3_600_000


def publish(tenant):
    assert tenant.client.post("/v1/events", {"topic": "orders.made", "payload": None}).status == 201


def got(tenant, endpoint):
    return tenant.client.get(f"/v1/endpoints/{endpoint['id']}").json


def wait_disabled(tenant, endpoint):
    return wait_until(lambda: (now := got(tenant, endpoint))["state"] == "disabled" and now, "the endpoint to be disabled", 20)


def notices(tenant):
    """The events about disabled endpoints, as the API shows them."""
    return tenant.client.items(f"/v1/events?topic={TOPIC}")


def set_times(hookline, endpoint, **ago_ms):
    times = ", ".join(f"{column} = {f'hl_time(:{column})' if hookline.store == 'postgres' else f':{column}'}" for column in ago_ms)
    hookline.query(f"UPDATE endpoints SET {times} WHERE endpoint_id = :id", id=endpoint["id"],
                   **{column: now_ms() - ago for column, ago in ago_ms.items()})


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("answer,reason", [(GONE, "http_410"), (ASKS, "asked_for_by_reply")], ids=["410", "header"])
def test_an_endpoint_that_answers_410_is_disabled_at_once_and_an_event_reports_it(
        hookline, tenant, endpoints, receiver, answer, reason):
    counted = f'endpoints_disabled_total{{reason="{reason}"}}'
    before = series(hookline.daemon)[counted]
    receiver.answers["/gone"] = answer
    gone = endpoints.add("/gone?key=s3cret", "orders.#", name="a shop")
    for path, pattern in (("/watch", "hookline.endpoint.*"), ("/all", "#"), ("/stars", "*.*.*"), ("/named", TOPIC)):
        endpoints.add(path, pattern)
    publish(tenant)
    now = wait_disabled(tenant, gone)
    assert (now["disabled_reason"], now["enabled"]) == (reason, False)
    (arrival,) = receiver.wait(1, "/watch", 20)
    receiver.wait(1, "/named")
    event = json.loads(arrival.body)["event"]
    assert event["topic"] == arrival.header("x-hl-topic") == TOPIC and event["tenant_id"] == tenant.id
    told = event["payload"]
    assert set(told) == {"endpoint_id", "host", "reason", "failing_since", "last_success_at", "disabled_at"}
    assert (told["endpoint_id"], told["host"], told["reason"]) == (gone["id"], f"127.77.0.1:{receiver.port}", reason)
    assert abs(told["disabled_at"] - now_ms()) < HOUR_MS and told["disabled_at"] == event["occurred_at"]
    (listed,) = notices(tenant)
    assert listed["id"] == arrival.event and listed["payload"] == told and listed["job_count"] == 2
    (audited,) = tenant.client.items("/v1/admin/audit?action=endpoint.disable")
    assert (audited["key_id"], audited["object_id"]) == ("service", gone["id"])
    assert audited["after"] == {"state": "disabled", "disabled_reason": reason}
    assert receiver.at("/stars") == [] and {arrival.header("x-hl-topic") for arrival in receiver.at("/all")} == {"orders.made"}
    wait_until(lambda: series(hookline.daemon)[counted] == before + 1, "the endpoint to be counted")
    (line,) = [line for line in hookline.daemon.log().splitlines() if gone["id"] in line and "is disabled because" in line]
    assert f"reason={reason}" in line and "s3cret" not in line


@pytest.mark.wanted_by("SLOW_TESTS")
def test_an_endpoint_that_fails_for_five_days_is_disabled_until_it_is_enabled(hookline, tenant, endpoints, receiver):
    receiver.answers["/down"] = FAILURE
    down = endpoints.add("/down", "orders.#", retry_schedule=["10m"] * 5)
    endpoints.add("/watch", "hookline.#")
    publish(tenant)
    wait_until(lambda: got(tenant, down)["failing_since"], "the failure to be stored")
    before = got(tenant, down)
    set_times(hookline, down, failing_since=120 * HOUR_MS + 60_000)
    now = wait_disabled(tenant, down)
    assert (now["disabled_reason"], now["version"]) == ("failed_for_5_days", before["version"] + 1)
    (arrival,) = receiver.wait(1, "/watch", 20)
    told = json.loads(arrival.body)["event"]["payload"]
    assert (told["endpoint_id"], told["reason"]) == (down["id"], "failed_for_5_days")
    assert (told["failing_since"], told["last_success_at"]) == (now["failing_since"], None)
    (audited,) = tenant.client.items("/v1/admin/audit?action=endpoint.disable")
    assert audited["object_id"] == down["id"]
    publish(tenant)
    assert {job["status"] for job in tenant.client.items(f"/v1/jobs?endpoint_id={down['id']}")} >= {"held"}
    assert len(receiver.at("/down")) == 1

    enabled = tenant.client.patch(f"/v1/endpoints/{down['id']}", {"enabled": True}).json
    assert (enabled["state"], enabled["disabled_reason"], enabled["failing_since"]) == ("active", None, None)
    receiver.wait(2, "/down")
    since = wait_until(lambda: got(tenant, down)["failing_since"], "the next failure to be stored")
    assert since >= enabled["updated_at"]
    assert got(tenant, down)["state"] == "active" and len(notices(tenant)) == 1


@pytest.mark.wanted_by("SLOW_TESTS")
def test_deliveries_of_such_an_event_cause_no_further_events(hookline, tenant, endpoints, receiver):
    """One receiver of these events answers 410, another one always fails."""
    for path, answer in (("/one", GONE), ("/other", GONE), ("/ends", GONE), ("/fails", FAILURE)):
        receiver.answers[path] = answer
    one = endpoints.add("/one", "orders.#")
    ends = endpoints.add("/ends", "hookline.endpoint.#")
    fails = endpoints.add("/fails", "hookline.endpoint.#", retry_schedule=["10m"])
    endpoints.add("/watch", "hookline.endpoint.#")
    publish(tenant)
    wait_disabled(tenant, one)
    assert wait_disabled(tenant, ends)["disabled_reason"] == "http_410"
    other = endpoints.add("/other", "bills.#")
    assert tenant.client.post("/v1/events", {"topic": "bills.made", "payload": None}).status == 201
    wait_disabled(tenant, other)
    told = receiver.wait(2, "/watch", 20)
    assert {json.loads(arrival.body)["event"]["payload"]["endpoint_id"] for arrival in told} == {one["id"], other["id"]}
    assert len(notices(tenant)) == 2 and len(receiver.at("/ends")) == 1
    wait_until(lambda: len(tenant.client.items("/v1/deliveries?status=failure")) >= 5, "the failures to be stored")
    assert got(tenant, fails)["failing_since"] is None
    assert len(tenant.client.items("/v1/admin/audit?action=endpoint.disable")) == 3


# A notice is the row of such an event until control publishes it.


def add_notice(hookline, tenant, topic=TOPIC, ago_ms=0):
    notice = new_id(now_ms(), last=0)
    Rows(hookline, tenant).add("notices", ("occurred_at", "next_at"), {
        "notice_id": notice, "topic": topic, "payload": {"reason": "http_410"}, "occurred_at": now_ms(), "next_at": now_ms() - ago_ms})
    return notice


def is_published(hookline, tenant):
    return hookline.value("SELECT count(*) FROM notices WHERE tenant_id = :id", id=tenant.id) == 0


def test_an_invalid_notice_does_not_stop_others_from_being_published(hookline, tenant):
    """The first notice was edited by hand and is invalid."""
    edited = add_notice(hookline, tenant, topic="", ago_ms=60_000)
    good = add_notice(hookline, tenant)
    wait_until(lambda: [event["id"] for event in notices(tenant)] == [good], "the other one to be published")
    assert hookline.value("SELECT count(*) FROM notices WHERE notice_id = :id", id=edited) == 1
    hookline.query("DELETE FROM notices WHERE notice_id = :id", id=edited)
    assert "cannot be published" in hookline.daemon.log()


# Control dies while it publishes a notice.


@pytest.fixture(params=STORES)
def killable(request, make_hookline, tmp_path):
    killpoint = Killpoint(tmp_path / "killpoint")
    hookline = make_hookline(request.param, STORAGE_TYPE="jsonl", ACCEPTORS=1, **killpoint.environment()).start()
    return hookline, killpoint


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_each_notice_becomes_one_event_wherever_control_dies(killable, receiver):
    hookline, killpoint = killable
    tenant = hookline.new_tenant()
    Endpoints(tenant, receiver).add("/watch", "hookline.#")
    killpoint.arm(1 << 30, BEFORE)
    made = [add_notice(hookline, tenant)]
    wait_until(lambda: is_published(hookline, tenant), "the notice to be published", 30)
    count = (1 << 30) - killpoint.left()
    killpoint.disarm()

    def kills():
        """Whether control dies in the transaction of a new notice. Other tasks of control have transactions too."""
        made.append(add_notice(hookline, tenant))
        wait_until(lambda: killpoint.left() == 0 or is_published(hookline, tenant), "control to work on the notice", 30)
        return killpoint.left() == 0

    for part, side in ((0.6, BEFORE), (1, BEFORE), (1, AFTER)):
        killpoint.arm(max(1, int(count * part)), side)
        wait_until(kills, "control to die", 30)
        wait_until(lambda: is_published(hookline, tenant), "the notice to be published", 30)
    wait_until(lambda: {arrival.event for arrival in receiver.at("/watch")} == set(made), "all of them to arrive", 30)
    assert len({arrival.job for arrival in receiver.at("/watch")}) == len(made)
    hookline.wait_ready()
    assert sorted(event["id"] for event in notices(tenant)) == sorted(made)
