"""Waiting jobs and their reasons in the API. Over both stores."""

import pytest

from harness.endpoints import make
from harness.rows import new_id, now_ms

ENDPOINT, OTHER = "01a225bc-ea3c-7e39-9904-03d6a2f5e81e", "01a225bc-ea3c-7e39-9904-03d6a2f5e81f"


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/jobs?{query}").json["items"]]


def test_a_job_shows_why_it_waits(tenant, rows):
    event, due = new_id(now_ms(), last=0), now_ms() + 3_600_000
    endpoint = make(tenant.client)["id"]
    job = rows.job(endpoint, event, attempt_count=4, next_attempt_at=due, expires_at=due + 1, last_error="connection refused")
    shown = tenant.client.get(f"/v1/jobs/{job.upper()}").json
    assert shown == {
        "id": job, "job_id": job, "event_id": event, "endpoint_id": endpoint, "tenant_id": tenant.id, "status": "pending",
        "attempt_count": 4, "next_attempt_at": due, "last_error": "connection refused", "expires_at": due + 1,
        "transform_id": None, "replay_id": None, "subscription_ids": []}
    assert tenant.client.get("/v1/jobs").json == {"items": [shown], "count": 1, "next_cursor": None, "cursor": None}


def test_an_ended_or_foreign_job_is_404(tenant, rows, hookline):
    job = rows.job(ENDPOINT, new_id(now_ms(), last=0))
    assert hookline.new_tenant().client.get(f"/v1/jobs/{job}").status == 404
    reply = tenant.client.get(f"/v1/jobs/{new_id(now_ms())}")
    assert reply.status == 404 and "/v1/deliveries" in reply.json["detail"]
    assert tenant.client.get("/v1/jobs/nonsense").status == 404


def test_the_newest_jobs_of_all_endpoints_come_first(tenant, rows):
    at = now_ms() - 1_000_000
    events = [new_id(at + number, last=0) for number in range(5)]
    jobs = [rows.job((ENDPOINT, OTHER)[number % 2], event) for number, event in enumerate(events)]
    jobs.insert(1, rows.job(OTHER, events[0], 2))
    assert ids(tenant.client) == jobs[::-1] and ids(tenant.client, "order=asc") == jobs
    for limit in (1, 2, 5):
        assert [one["id"] for one in tenant.client.items(f"/v1/jobs?limit={limit}")] == jobs[::-1]
        assert [one["id"] for one in tenant.client.items(f"/v1/jobs?limit={limit}&order=asc")] == jobs


def test_filters_name_endpoint_event_and_status(tenant, rows):
    first, second = (new_id(now_ms() + number, last=0) for number in range(2))
    jobs = [rows.job(ENDPOINT, first), rows.job(OTHER, first, 2, status="held"), rows.job(ENDPOINT, second, status="held")]
    for query, wanted in ((f"endpoint_id={ENDPOINT}", [2, 0]), (f"event_id={first}", [1, 0]), ("status=held", [2, 1]),
                          ("status=pending", [0]), (f"endpoint_id={OTHER}&event_id={second}", []),
                          (f"endpoint_id={ENDPOINT}&status=held&order=asc", [2]), ("status=&event_id=", [2, 1, 0])):
        assert ids(tenant.client, query) == [jobs[number] for number in wanted], query
        assert [one["id"] for one in tenant.client.items(f"/v1/jobs?limit=1&{query}")] == [jobs[number] for number in wanted], query


def test_a_page_has_a_thousand_jobs_by_default(tenant, rows):
    rows.jobs(ENDPOINT, 1001, due_in_ms=3_600_000, node_id=2**31 - 1)
    page = tenant.client.get("/v1/jobs").json
    assert page["count"] == 1000 and page["next_cursor"]
    assert ids(tenant.client, f"cursor={page['next_cursor']}") == ids(tenant.client, "order=asc&limit=1")


@pytest.mark.parametrize("query, place", [
    ("status=done", "status"), ("endpoint_id=1", "endpoint_id"), ("event_id=x", "event_id"), ("cursor=ag", "cursor"),
    ("limit=-1", "limit"), ("order=up", "order")])
def test_a_wrong_query_is_refused_with_the_parameter(tenant, query, place):
    reply = tenant.client.get(f"/v1/jobs?{query}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]
