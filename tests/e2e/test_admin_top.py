"""GET /v1/admin/stats?top=N: the tenants and endpoints with the largest figures, and who may see them. Both stores."""

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer
from harness.waiting import wait_until

STATS = "/v1/admin/stats"


def top_of(client, count, **query):
    reply = client.get(f"{STATS}?top={count}" + "".join(f"&{name}={value}" for name, value in query.items()))
    assert reply.status == 200, reply
    return reply.json["top"]


def publish(tenant, topic, count):
    reply = tenant.client.post("/v1/events/batch", [{"topic": topic}] * count)
    assert reply.status == 201, reply


@pytest.fixture
def waiting(tenant, receiver):
    """The tenant's endpoints by name. Five jobs wait for /many and two for /few, each after one failure."""
    endpoints = Endpoints(tenant, receiver)
    for path, topic in (("/many", "many"), ("/few", "few")):
        receiver.answers[path] = Answer(status=500)
        endpoints.add(path, topic, retry_schedule=["1h"])
    publish(tenant, "many", 5)
    publish(tenant, "few", 2)
    receiver.wait(7)
    return endpoints.ids


def test_endpoints_with_the_most_waiting_jobs_and_failures_come_first(tenant, waiting):
    def all_failed():
        top = top_of(tenant.client, 10)
        return sum(item["failures"] for item in top["failing"]) == 7 and top

    top = wait_until(all_failed, "every failure to be stored")
    many, few = waiting["/many"], waiting["/few"]
    assert [(item["endpoint_id"], item["waiting"]) for item in top["waiting"]] == [(many, 5), (few, 2)]
    assert [(item["endpoint_id"], item["failures"], item["attempts"]) for item in top["failing"]] == [(many, 5, 5), (few, 2, 2)]
    assert (top["jobs_counted"], top["jobs_complete"]) == (7, True)
    assert (top["attempts_counted"], top["attempts_complete"]) == (7, True)
    first = top_of(tenant.client, 1)
    assert [item["endpoint_id"] for item in first["waiting"]] == [many] and first["jobs_counted"] == 7


def test_a_tenant_sees_its_own_figures_and_an_administrator_all(hookline, tenant, waiting):
    other = hookline.new_tenant()
    top = top_of(other.client, 100)
    assert (top["tenants"], top["waiting"], top["failing"]) == ([], [], [])
    assert (top["jobs_counted"], top["attempts_counted"]) == (0, 0)
    assert other.client.get(f"{STATS}?top=10&tenant_id={tenant.id}").status == 404
    assert {item["tenant_id"] for item in top_of(tenant.client, 10)["waiting"]} == {tenant.id}
    assert top_of(hookline.admin, 100)["jobs_counted"] >= 7
    assert len(top_of(hookline.admin, 100, tenant_id=tenant.id)["waiting"]) == 2


@pytest.mark.wanted_by("SLOW_TESTS")
def test_tenants_are_listed_by_the_queue_depth_that_upkeep_has_counted(hookline, tenant, waiting):
    hookline.query("UPDATE upkeep SET ran_at = NULL WHERE task = 'tenant_stats'")

    def counted():
        return top_of(tenant.client, 5)["tenants"] == [{"tenant_id": tenant.id, "queue_depth": 7}]

    wait_until(counted, "upkeep to count", 90)
    assert {"tenant_id": tenant.id, "queue_depth": 7} in top_of(hookline.admin, 1, tenant_id=tenant.id)["tenants"]


@pytest.mark.parametrize("count", ["-1", "101", "many", "1.5"])
def test_a_top_out_of_range_is_refused(tenant, count):
    reply = tenant.client.get(f"{STATS}?top={count}")
    assert reply.status == 400 and "top must be a whole number from 0 to 100" in reply.json["detail"]


def test_the_reply_without_top_has_no_lists(tenant):
    assert "top" not in tenant.client.get(STATS).json
    assert "top" not in tenant.client.get(f"{STATS}?top=0").json
