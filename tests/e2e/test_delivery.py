"""Published events arrive at the matching endpoints, once, within the endpoints' limits, also after restarts."""

import bisect
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.metrics import metrics
from harness.recording_receiver import Answer
from harness.rows import Rows, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

FAILURE = Answer(status=500)


def publish(tenant, count=1, topic="orders.made", **fields):
    """Publishes so many events. Returns them as the reply shows them."""
    events = []
    for number in range(count):
        reply = tenant.client.post("/v1/events", {"topic": topic, "payload": {"n": f"n-{number}"}} | fields)
        assert reply.status == 201, reply
        events.append(reply.json)
    return events


def jobs_left(hookline, tenant):
    return hookline.value("SELECT count(*) FROM jobs WHERE tenant_id = :id", id=tenant.id)


def wait_done(hookline, tenant, timeout=20):
    wait_until(lambda: jobs_left(hookline, tenant) == 0, "no job to be left", timeout)


def attempts(hookline, tenant):
    rows = hookline.query("SELECT attempt_n, status, http_status FROM attempts WHERE tenant_id = :id ORDER BY attempt_n",
                          id=tenant.id)
    return [(row["attempt_n"], row["status"], row["http_status"]) for row in rows]


def test_an_event_arrives_once_with_its_headers(hookline, tenant, endpoints, receiver):
    endpoints.add("/in")
    event, = publish(tenant)
    arrival, = receiver.wait(1)
    wait_done(hookline, tenant)
    assert len(receiver.arrivals) == 1
    assert arrival.method == "POST" and arrival.header("content-type") == "application/json"
    assert [arrival.job] == event["job_ids"] and arrival.event == event["id"]
    assert arrival.header("x-hl-topic") == "orders.made"
    for name in ("webhook-signature", "webhook-timestamp", "x-hl-signature", "x-hl-timestamp", "user-agent"):
        assert arrival.header(name), name
    body = json.loads(arrival.body)
    assert body["event_id"] == event["id"] and body["event"]["payload"] == {"n": "n-0"} and body["attempt"] == 1
    assert attempts(hookline, tenant) == [(1, "success", 200)]


def test_every_endpoint_gets_what_matches_it(hookline, tenant, endpoints, receiver):
    for path, pattern in (("/orders", "orders.#"), ("/made", "*.made"), ("/none", "bills.#")):
        endpoints.add(path, pattern)
    publish(tenant, 20)
    receiver.wait(40)
    wait_done(hookline, tenant)
    assert len(receiver.at("/orders")) == len(receiver.at("/made")) == 20 and receiver.at("/none") == []
    assert len({arrival.job for arrival in receiver.arrivals}) == 40


def test_a_failed_job_is_retried_by_the_endpoints_schedule(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = [FAILURE, FAILURE, Answer(status=204)]
    endpoints.add("/in", retry_schedule=["1s", "1s", "1s"])
    publish(tenant)
    first, second, third = receiver.wait(3)
    wait_done(hookline, tenant)
    assert len({arrival.job for arrival in (first, second, third)}) == 1
    assert 0.99 <= second.at - first.at < 5 and 0.99 <= third.at - second.at < 5
    assert [json.loads(arrival.body)["attempt"] for arrival in (first, second, third)] == [1, 2, 3]
    assert attempts(hookline, tenant) == [(1, "failure", 500), (2, "failure", 500), (3, "success", 204)]


def test_an_event_becomes_a_dead_letter_at_the_end_of_the_schedule(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = FAILURE
    endpoints.add("/in", retry_schedule=["1s"])
    event, = publish(tenant)
    receiver.wait(2)
    wait_done(hookline, tenant)
    dead, = hookline.query("SELECT event_id, reason FROM dlq WHERE tenant_id = :id", id=tenant.id)
    assert str(dead["event_id"]) == event["id"] and dead["reason"] == "max_attempts_exceeded"
    assert len(receiver.arrivals) == 2


def test_attempts_at_once_never_exceed_max_in_flight(hookline, tenant, endpoints, receiver):
    most = 0

    def slow(_arrival):
        nonlocal most
        most = max(most, receiver.in_flight() + 1)
        return Answer(delay=0.05)

    receiver.answers["/in"] = slow
    endpoints.add("/in", max_in_flight=3)
    publish(tenant, 30)
    receiver.wait(30)
    wait_done(hookline, tenant)
    assert most == 3


def test_a_tenants_figures_count_attempts_under_way(hookline, tenant, endpoints, receiver):
    def in_flight(of):
        return hookline.admin.get(f"/v1/tenants/{of.id}/stats").json["in_flight"]

    receiver.answers["/in"] = Answer(delay=1)
    endpoints.add("/in", max_in_flight=4)
    publish(tenant, 6)
    wait_until(lambda: in_flight(tenant) == 4, "four attempts to be under way")
    assert in_flight(hookline.new_tenant()) == 0
    wait_done(hookline, tenant)
    assert in_flight(tenant) == 0


def test_requests_a_second_never_exceed_rate_limit_rps(hookline, tenant, endpoints, receiver):
    endpoints.add("/in", rate_limit_rps=4)
    publish(tenant, 5)
    arrivals = receiver.wait(5)
    wait_done(hookline, tenant)
    waits = [later.at - earlier.at for earlier, later in zip(arrivals, arrivals[1:])]
    assert 0.9 <= sum(waits) < 5 and all(wait > 0.1 for wait in waits), waits
    assert attempts(hookline, tenant) == [(1, "success", 200)] * 5


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = FAILURE
    receiver.answers["/clock"] = [FAILURE, FAILURE, Answer()]
    made = endpoints.add("/in", "orders.#", retry_schedule=["1s"] * 20)
    endpoints.add("/clock", "clock", retry_schedule=["1s", "1s"])
    publish(tenant, 3)
    receiver.wait(3)
    assert tenant.client.patch(f"/v1/endpoints/{made['id']}", {"enabled": False}).status == 200
    moment = time.time()
    publish(tenant, 3)
    publish(tenant, topic="clock")
    receiver.wait(3, "/clock")  # takes two seconds, longer than the schedule's delay
    assert not receiver.sent_after(moment, "/in")
    receiver.answers["/in"] = Answer()
    assert tenant.client.patch(f"/v1/endpoints/{made['id']}", {"enabled": True}).status == 200
    wait_done(hookline, tenant)
    assert len({arrival.job for arrival in receiver.at("/in") if arrival.answer.delivers}) == 6


def test_a_deleted_endpoint_gets_no_further_request(hookline, tenant, endpoints, receiver):
    receiver.answers["/gone"] = FAILURE
    made = endpoints.add("/gone", retry_schedule=["1s", "1s", "1s"])
    publish(tenant, 3)
    receiver.wait(3)
    assert tenant.client.delete(f"/v1/endpoints/{made['id']}").status == 204
    moment = time.time()
    endpoints.add("/in")
    publish(tenant)
    receiver.wait(1, "/in")
    wait_done(hookline, tenant)
    assert not receiver.sent_after(moment, "/gone")


def test_a_changed_url_is_used_from_the_reply_on(hookline, tenant, endpoints, receiver):
    receiver.answers["/old"] = FAILURE
    made = endpoints.add("/old", retry_schedule=["1s", "1s", "1s"])
    publish(tenant)
    receiver.wait(1, "/old")
    assert tenant.client.patch(f"/v1/endpoints/{made['id']}", {"url": receiver.url("/new")}).status == 200
    publish(tenant)
    receiver.wait(2, "/new")
    wait_done(hookline, tenant)
    assert len(receiver.at("/old")) == 1


# A service that stops. test_delivery_killed.py kills its processes.


@pytest.fixture(params=STORES)
def own(request, make_hookline):
    return make_hookline(request.param, HL_COURIERS=1).start()


def most_in(arrivals, seconds):
    """The greatest number of requests in any interval of so many seconds, by the couriers' clock."""
    times = sorted(arrival.sent for arrival in arrivals)
    return max(bisect.bisect(times, begin + seconds) - number for number, begin in enumerate(times))


@pytest.mark.wanted_by("SLOW_TESTS")
def test_rate_limit_rps_holds_in_any_ten_seconds_although_couriers_die(own, receiver):
    """A new courier does not know how many requests its predecessor has just sent."""
    tenant = own.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    endpoints.add("/one", "one", rate_limit_rps=1)
    endpoints.add("/twenty", "twenty", rate_limit_rps=20)
    for topic, count in (("one", 30), ("twenty", 300)):
        assert tenant.client.post("/v1/events/batch", [{"topic": topic}] * count).status == 201
    receiver.wait(6, "/one")  # a courier reads rows without an attempt when they are five seconds old
    for number in range(6, 10):
        os.kill(wait_until(lambda: own.daemon.pids("courier"), "a courier")[0], signal.SIGKILL)
        receiver.wait(number + 1, "/one")
    receiver.wait(180, "/twenty")
    one = sorted(arrival.sent for arrival in receiver.at("/one"))
    waits = [later - earlier for earlier, later in zip(one, one[1:])]
    assert min(waits) > 0.7, waits  # on a busy machine an attempt begins a little after it is counted
    assert most_in(receiver.at("/twenty"), 10) <= 220


@pytest.mark.wanted_by("SLOW_TESTS")
def test_every_event_arrives_although_the_service_restarts(own, receiver):
    tenant = own.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    receiver.answers["/in"] = Answer(delay=1)
    endpoints.add("/in", max_in_flight=2)
    publishers = [Publisher(own, tenant, number) for number in range(2)]
    with Publishing(publishers) as publishing:
        publishing.wait_more(60)
    assert jobs_left(own, tenant) > 0
    own.daemon.stop()
    receiver.answers["/in"] = Answer()
    own.start()
    Ledger(own, endpoints, publishers).wait_delivered()
    count = own.value("SELECT count(*) FROM attempts WHERE tenant_id = :id AND status <> 'success'", id=tenant.id)
    assert count == 0  # the stop is charged to no endpoint


def kept_rows(hookline, tenant):
    rows = hookline.query("SELECT job_id, status, attempt_count, next_attempt_at, expires_at FROM jobs WHERE tenant_id = :id",
                          id=tenant.id)
    return sorted((str(row["job_id"]), *list(row.values())[1:]) for row in rows)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_stop_changes_nothing_of_a_thousand_jobs_in_memory_and_ten_under_way(own, receiver):
    """Jobs with one failure become due during the stop, which takes five seconds."""
    tenant = own.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    receiver.answers = {"/in": Answer(hang=True), "/failing": FAILURE}
    endpoints.add("/in", "orders.#", max_in_flight=10, rate_limit_rps=10_000, timeout_ms=60_000)
    failing = endpoints.add("/failing", "failing", retry_schedule=["12s"])["id"]
    assert tenant.client.post("/v1/events/batch", [{"topic": "orders.made"}] * 1000).status == 201
    publish(tenant, 5, "failing")
    receiver.wait(15)
    wait_until(lambda: len(attempts(own, tenant)) == 5, "the failures to be stored")
    before = kept_rows(own, tenant)
    due_ms = min(job["next_attempt_at"] for job in tenant.client.items(f"/v1/jobs?endpoint_id={failing}"))
    wait_until(lambda: now_ms() > due_ms - 4000, "a stop to last until they are due")
    own.daemon.stop()
    assert kept_rows(own, tenant) == before and len(before) == 1005
    assert len(attempts(own, tenant)) == 5 and len(receiver.arrivals) == 15
    receiver.answers.clear()
    own.start()
    wait_done(own, tenant, 40)
    assert len({arrival.job for arrival in receiver.at("/in")[10:]}) == 1000
    assert sorted(attempts(own, tenant)) == sorted([(1, "failure", 500), (2, "success", 200)] * 5 + [(1, "success", 200)] * 1000)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_events_acknowledged_before_a_kill_are_delivered_after_the_next_start(own, receiver):
    """The courier is stopped, so the kill comes between the commit and the first attempt."""
    tenant = own.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    for pid in own.daemon.pids("courier"):
        os.kill(pid, signal.SIGSTOP)
    events = publish(tenant, 20)
    own.daemon.kill()
    assert jobs_left(own, tenant) == 20 and not receiver.arrivals
    own.start()
    wait_done(own, tenant)
    assert sorted(arrival.job for arrival in receiver.arrivals) == sorted(job for event in events for job in event["job_ids"])
    assert attempts(own, tenant) == [(1, "success", 200)] * 20


WINDOW = 10  # seconds


def cpu_seconds(pid):
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def updates_of_jobs(hookline):
    """The number of changes of jobs by PostgreSQL's statistics. None: SQLite has none."""
    if hookline.store != "postgres":
        return None
    return hookline.value("SELECT n_tup_upd + n_tup_ins + n_tup_del FROM pg_stat_user_tables WHERE relname = 'jobs'")


@pytest.mark.unsanitized("measures CPU time")
@pytest.mark.wanted_by("SLOW_TESTS")
def test_ten_thousand_jobs_behind_max_in_flight_cost_no_attempt_no_update_and_no_cpu(own, receiver):
    tenant = own.new_tenant()
    receiver.answers["/in"] = Answer(hang=True)
    endpoint = Endpoints(tenant, receiver).add("/in", max_in_flight=1, timeout_ms=120_000)["id"]
    Rows(own, tenant).jobs(endpoint, 10_000)
    receiver.wait(1)
    courier, = own.daemon.pids("courier")

    def second():
        """The courier's CPU seconds within one second."""
        used = cpu_seconds(courier)
        time.sleep(1)  # the interval of the measurement
        return cpu_seconds(courier) - used

    wait_until(lambda: second() <= 0.05, "the courier to have its memory full", 30)
    before, updates, used = kept_rows(own, tenant), updates_of_jobs(own), cpu_seconds(courier)
    time.sleep(WINDOW)
    assert cpu_seconds(courier) - used < WINDOW * 0.05
    assert kept_rows(own, tenant) == before and len(before) == 10_000
    assert updates_of_jobs(own) == updates
    assert len(receiver.arrivals) == 1 and attempts(own, tenant) == []
    assert tenant.client.delete(f"/v1/endpoints/{endpoint}").status == 204


@pytest.mark.wanted_by("SLOW_TESTS")
def test_hup_fails_no_publish_and_no_attempt_and_keeps_publishers_and_couriers(own, receiver):
    receiver.answers["/in"] = Answer(delay=0.05)
    tenant = own.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    endpoints.add("/in", rate_limit_rps=10000)
    publishers = [Publisher(own, tenant, number, pause=0.01) for number in range(2)]
    roles = {role: own.daemon.pids(role) for role in ("acceptor", "control", "publisher", "courier")}
    with Publishing(publishers) as publishing:
        for _ in range(2):
            publishing.wait_more(20)
            own.daemon.signal(signal.SIGHUP)
        wait_until(lambda: not {*roles["acceptor"], *roles["control"]} & {*own.daemon.pids("acceptor"), *own.daemon.pids("control")},
                   "new acceptors and control")
        publishing.wait_more(20)
    assert {role: own.daemon.pids(role) for role in ("publisher", "courier")} == {role: roles[role] for role in ("publisher", "courier")}
    assert {word for publisher in publishers for word in publisher.acks} == {"stored"}
    ledger = Ledger(own, endpoints, publishers)
    ledger.wait_delivered()
    ledger.check(duplicates_most=0)


def anonymous_bytes(pid):
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer keeps freed memory")
@pytest.mark.parametrize("store", STORES)
def test_a_courier_delivers_more_bytes_than_its_memory_limit(make_hookline, receiver, store):
    """Replies pass through it too. Each endpoint keeps their beginning."""
    limit, size, count = 8 << 20, 100_000, 400
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_COURIERS=1, HL_COURIER_BYTES=limit).start()
    tenant = hookline.new_tenant()
    endpoints, reply = Endpoints(tenant, receiver), b"y" * 100_000
    receiver.answers = {"/slow": Answer(delay=0.05, body=reply), "/fast": Answer(body=reply)}
    for path in receiver.answers:
        endpoints.add(path, max_in_flight=8, rate_limit_rps=10000, keep_response=True)
    [courier] = hookline.daemon.pids("courier")
    before = anonymous_bytes(courier)
    for _ in range(count // 5):
        assert tenant.client.post("/v1/events/batch", [{"topic": "orders.made", "payload": "x" * size}] * 5).status == 201
    most_told, most = 0, 0

    def done():
        nonlocal most_told, most
        most_told = max(most_told, metrics(hookline.daemon)["courier_memory_bytes"])
        most = max(most, anonymous_bytes(courier) - before)
        return jobs_left(hookline, tenant) == 0

    wait_until(done, "all jobs to end", 60)
    print(f"{most_told} bytes told, {most} more than at the start")
    assert len(receiver.arrivals) == 2 * count and len({arrival.job for arrival in receiver.arrivals}) == 2 * count
    assert 0 < most_told <= limit and most < 2 * limit
    assert hookline.daemon.pids("courier") == [courier]
