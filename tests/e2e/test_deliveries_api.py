"""Attempts at delivery in the API. Over both stores."""

import pytest

from harness.rows import job_of, new_id, now_ms

HOUR = 3_600_000
ENDPOINT, OTHER = "01a225bc-ea3c-7e39-9904-03d6a2f5e81e", "01a225bc-ea3c-7e39-9904-03d6a2f5e81f"


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/deliveries?{query}").json["items"]]


def test_an_attempt_shows_its_request_and_outcome(tenant, rows):
    at, event = now_ms() - HOUR, new_id(now_ms(), last=0)
    attempt = rows.attempt(ENDPOINT, event, at, status="failure", http_status=503, error="the reply has the status 503", attempt_n=2,
                           duration_ms=40, dns_ms=1, connect_ms=2, tls_ms=3, first_byte_ms=39, peer_address="203.0.113.7:443",
                           response_body="<html>")
    shown = tenant.client.get(f"/v1/deliveries/{attempt}").json
    assert shown == {
        "id": attempt, "attempt_id": attempt, "job_id": job_of(event), "event_id": event, "endpoint_id": ENDPOINT,
        "tenant_id": tenant.id, "attempt_n": 2, "status": "failure", "http_status": 503, "error": "the reply has the status 503",
        "started_at": at, "duration_ms": 40, "dns_ms": 1, "connect_ms": 2, "tls_ms": 3, "first_byte_ms": 39,
        "peer_address": "203.0.113.7:443", "certificate_error": None, "test": False, "response_body": "<html>"}
    assert tenant.client.get("/v1/deliveries").json == {"items": [shown], "count": 1, "next_cursor": None, "cursor": None}
    silent = tenant.client.get(f"/v1/deliveries/{rows.attempt(ENDPOINT, event, http_status=None, status='failure')}").json
    assert silent["http_status"] is None and silent["dns_ms"] is None and "response_body" not in silent


def test_the_attempt_of_a_test_has_no_job_and_no_event(tenant, rows):
    shown = tenant.client.get(f"/v1/deliveries/{rows.attempt(ENDPOINT, None, test=True)}").json
    assert shown["test"] is True and shown["job_id"] is None and shown["event_id"] is None


def test_an_unknown_or_foreign_attempt_is_404(tenant, rows, hookline):
    attempt = rows.attempt(ENDPOINT, new_id(now_ms(), last=0))
    assert hookline.new_tenant().client.get(f"/v1/deliveries/{attempt}").status == 404
    for name in (new_id(now_ms()), "x", attempt[:-1]):
        assert tenant.client.get(f"/v1/deliveries/{name}").status == 404


def test_pages_have_fifty_attempts_the_newest_first(tenant, rows):
    at = now_ms() - HOUR
    attempts = [rows.attempt(ENDPOINT, new_id(at, last=0), at + number) for number in range(52)]
    assert ids(tenant.client) == attempts[:1:-1]
    for limit in (1, 26, 51):
        assert [one["id"] for one in tenant.client.items(f"/v1/deliveries?limit={limit}")] == attempts[::-1]
        assert [one["id"] for one in tenant.client.items(f"/v1/deliveries?limit={limit}&order=asc")] == attempts


def test_filters_name_job_event_endpoint_status_and_time(tenant, rows):
    at = now_ms() - HOUR
    first, second = new_id(at, last=0), new_id(at, last=0)
    attempts = [
        rows.attempt(ENDPOINT, first, at, status="failure", http_status=500),
        rows.attempt(ENDPOINT, first, at + 10, attempt_n=2),
        rows.attempt(OTHER, first, at + 20, job_id=job_of(first, 2)),
        rows.attempt(ENDPOINT, second, at + 30, status="failure", http_status=None)]
    for query, wanted in ((f"job_id={job_of(first)}", [1, 0]), (f"job_id={job_of(first, 2)}", [2]),
                          (f"event_id={first}", [2, 1, 0]), (f"event_id={first}&order=asc", [0, 1, 2]),
                          (f"event_id={first}&endpoint_id={ENDPOINT.upper()}", [1, 0]),
                          (f"event_id={second}&job_id={job_of(first)}", []), (f"endpoint_id={OTHER}", [2]),
                          ("status=failure", [3, 0]), ("status=failed", [3, 0]), ("status=success", [2, 1]), ("status=", [3, 2, 1, 0]),
                          (f"from_ms={at + 10}&to_ms={at + 30}", [2, 1]), (f"from_ms={at + 10}&status=failure", [3])):
        assert ids(tenant.client, query) == [attempts[number] for number in wanted], query
        pages = tenant.client.items(f"/v1/deliveries?limit=1&{query}")
        assert [one["id"] for one in pages] == [attempts[number] for number in wanted], query


def test_attempts_of_several_months_are_one_list(tenant, rows):
    month = 31 * 24 * HOUR
    event = new_id(now_ms(), last=0)
    attempts = [rows.attempt(ENDPOINT, event, now_ms() - number * month) for number in (3, 2, 1)]
    for query in ("", f"&event_id={event}"):
        assert [one["id"] for one in tenant.client.items(f"/v1/deliveries?limit=1{query}")] == attempts[::-1]
        assert [one["id"] for one in tenant.client.items(f"/v1/deliveries?limit=1&order=asc{query}")] == attempts
    for attempt in attempts:
        assert tenant.client.get(f"/v1/deliveries/{attempt}").json["id"] == attempt


@pytest.mark.parametrize("query, place", [
    ("status=pending", "/v1/jobs"), ("status=done", "status"), ("job_id=1", "job_id"), ("event_id=x", "event_id"),
    ("endpoint_id=%00", "endpoint_id"), ("cursor=x", "cursor"), ("limit=many", "limit"), ("from_ms=1.5", "from_ms"),
    ("to_ms=1e3", "to_ms")])
def test_a_wrong_query_is_refused_with_the_parameter(tenant, query, place):
    reply = tenant.client.get(f"/v1/deliveries?{query}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]
