"""
The outcome of a job for each reply of a receiver, as the API, the store and the receiver show it. Over both stores.
"""

import time
from email.utils import formatdate

from harness.recording_receiver import Answer
from harness.rows import now_ms
from harness.waiting import wait_until

HOUR, DAY = 3_600_000, 86_400_000
WAITS, DELIVERED = "waits", "delivered"
CUT = Answer(body=b"x" * 100, cut=10)  # status 200 and ten of 100 bytes


def asks_for(seconds, status):
    return Answer(status=status, headers=(("Retry-After", str(seconds)),))


def says(word, status):
    return Answer(status=status, headers=(("webhook-delivery", word),))


# What becomes of the job by an answer: it waits, is delivered, or is dead with that reason; and how many attempts are
# charged.
ANSWERS = {
    **{f"/{status}": (Answer(status=status), WAITS, 1) for status in (401, 403, 404, 408, 409, 421, 425, 429, 500, 503)},
    **{f"/moved/{status}": (Answer(status=status), WAITS, 1) for status in (301, 302, 303, 307, 308)},
    **{f"/{status}": (Answer(status=status), f"http_{status}", 1) for status in (400, 405, 410, 413, 415, 422)},
    **{f"/patient/{status}": (Answer(status=status), WAITS, 1) for status in (400, 422)},
    "/200": (Answer(), DELIVERED, 1), "/204": (Answer(status=204), DELIVERED, 1), "/cut": (CUT, DELIVERED, 1),
    "/aborted": (says("abort-message", 500), "aborted", 1), "/taken": (says("abort-message", 200), DELIVERED, 1),
    "/hour/429": (asks_for(3600, 429), WAITS, 0), "/hour/503": (asks_for(3600, 503), WAITS, 0),
    "/hour/500": (asks_for(3600, 500), WAITS, 1),
    **{f"/ages/{status}/{digits}": (asks_for("9" * digits, status), WAITS, 0) for status in (429, 503) for digits in (10, 20)},
}


def attempts_of(tenant, endpoint):
    return tenant.client.items(f"/v1/deliveries?endpoint_id={endpoint}")


def outcomes(jobs, letters, ids):
    """{path: (the outcome of the endpoint's job, the charged attempts)}."""
    found = {one["endpoint_id"]: (WAITS, one["attempt_count"]) for one in jobs}
    dead = {one["endpoint_id"]: (one["reason"], one["attempt_count"]) for one in letters}
    assert not found.keys() & dead.keys()
    return {path: (found | dead).get(id, (DELIVERED, 1)) for path, id in ids.items()}


def wait_least_ms(path):
    """The least time until the next attempt of a waiting job."""
    return {"ages": DAY, "hour": HOUR}.get(path.split("/")[1], HOUR / 6)


def test_each_reply_has_its_outcome(hookline, tenant, endpoints, receiver):
    for path, (answer, _, _) in ANSWERS.items():
        if path.startswith("/moved/"):
            answer = Answer(status=answer.status, headers=(("Location", receiver.url("/target?token=s3cret")),))
        receiver.answers[path] = answer
        endpoints.add(path, retry_schedule=["10m", "10m"], fail_fast=not path.startswith("/patient/"))
    began = now_ms()
    assert tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": 1}}).status == 201
    receiver.wait(len(ANSWERS))
    jobs = wait_until(lambda: (jobs := tenant.client.items("/v1/jobs")) and all(job["last_error"] for job in jobs) and jobs,
                      "the outcomes to be stored")
    assert outcomes(jobs, tenant.client.items("/v1/dlq"), endpoints.ids) == {
        path: (becomes, charged) for path, (_, becomes, charged) in ANSWERS.items()}
    assert sorted(arrival.path for arrival in receiver.arrivals) == sorted(ANSWERS), "one request each"

    attempts = tenant.client.items("/v1/deliveries")
    shown = {path: [one for one in attempts if one["endpoint_id"] == id] for path, id in endpoints.ids.items()}
    assert {path: [(one["http_status"], one["status"]) for one in found] for path, found in shown.items()} == {
        path: [(answer.status, "success" if answer.delivers else "failure")] * charged
        for path, (answer, _, charged) in ANSWERS.items()}
    for status in (301, 302, 303, 307, 308):
        error = shown[f"/moved/{status}"][0]["error"]
        assert f"http://127.77.0.1:{receiver.port}" in error and "target" not in error and "s3cret" not in error
    waits = {job["endpoint_id"]: job["next_attempt_at"] - began for job in jobs}
    for path in (path for path, (_, becomes, _) in ANSWERS.items() if becomes == WAITS):
        least, wait = wait_least_ms(path), waits[endpoints.ids[path]]
        assert least - 1000 <= wait <= least * (1 if least >= HOUR else 1.2) + 60_000, (path, wait)
    disabled = [one["id"] for one in tenant.client.items("/v1/endpoints") if one["state"] != "active"]
    assert disabled == [endpoints.ids["/410"]]


# What a Retry-After says that asks for less than a second, or for no time that can be read: the second kind is as if
# there was none.
TOO_SHORT, UNREADABLE = ("0", "-5", "an hour ago"), ("", "abc", "1.5")


def test_an_odd_retry_after_causes_no_two_requests_within_a_second(hookline, tenant, endpoints, receiver):
    said = {"an hour ago": formatdate(time.time() - 3600, usegmt=True)}
    for number, asked in enumerate(TOO_SHORT + UNREADABLE):
        receiver.answers[f"/{number}"] = [asks_for(said.get(asked, asked), 503)] * 2 + [Answer()]
        endpoints.add(f"/{number}", retry_schedule=["1s", "1s"])
    later = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(time.time() + 2))  # as in RFC 850
    receiver.answers["/rfc850"] = [asks_for(later, 503), Answer()]
    endpoints.add("/rfc850", retry_schedule=["10m"])
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    receiver.wait(3 * len(TOO_SHORT + UNREADABLE) + 2)
    wait_until(lambda: tenant.client.items("/v1/jobs") == [], "all to be delivered")
    for number, asked in enumerate(TOO_SHORT + UNREADABLE):
        times = [arrival.at for arrival in receiver.at(f"/{number}")]
        waits = [after - before for before, after in zip(times, times[1:])]
        assert len(waits) == 2 and min(waits) >= 0.99, (asked, waits)
        turns = [one["attempt_n"] for one in attempts_of(tenant, endpoints.ids[f"/{number}"])]
        assert turns == ([1] if asked in TOO_SHORT else [3, 2, 1]), (asked, turns)
    assert [one["attempt_n"] for one in attempts_of(tenant, endpoints.ids["/rfc850"])] == [1]


def test_a_dead_letter_names_an_address_that_is_no_longer_allowed(hookline, tenant, endpoints, receiver):
    """The row is older than the guard's setting. The guard checks each connection."""
    endpoint = endpoints.add("/in", retry_schedule=[])["id"]
    url = f"http://127.0.0.1:{receiver.port}/in?k=s3cret"
    hookline.query("UPDATE endpoints SET url = :url WHERE endpoint_id = :id", id=endpoint, url=url)
    # The reply comes when couriers have read the row.
    assert tenant.client.patch(f"/v1/endpoints/{endpoint}", {"name": "as before"}).status == 200
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    wait_until(lambda: tenant.client.items("/v1/dlq"), "the dead letter")
    letter, = tenant.client.items("/v1/dlq")
    attempt, = attempts_of(tenant, endpoint)
    assert (letter["reason"], letter["attempt_count"], letter["last_http_status"]) == ("guard", 1, None)
    assert (attempt["status"], attempt["http_status"]) == ("failure", None)
    for text in (letter["last_error"], attempt["error"]):
        assert "HL_ALLOW_NETWORKS" in text and "s3cret" not in text
    assert receiver.opened == 0


def test_a_dead_letter_names_a_damaged_transform(hookline, tenant, endpoints, receiver):
    made = tenant.client.post("/v1/endpoints", {"url": receiver.url("/in")}).json
    body = {"endpoint_id": made["id"], "topic_pattern": "#", "transform": [{"op": "remove_field", "field": "payload.x"}]}
    assert tenant.client.post("/v1/subscriptions", body).status == 201
    hookline.query("""UPDATE transforms SET steps = '[{"op": "no such thing"}]' WHERE tenant_id = :id""", id=tenant.id)
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    letter, = wait_until(lambda: tenant.client.items("/v1/dlq"), "the dead letter")
    assert (letter["reason"], letter["attempt_count"]) == ("transform_error", 0)
    assert attempts_of(tenant, made["id"]) == [] and not receiver.arrivals
