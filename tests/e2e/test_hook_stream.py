"""
GET /events/stream: hook events as they are stored, without a gap over late commits, restarts, nodes and outages. Over
PostgreSQL and SQLite.
"""

import base64
import contextlib
import itertools
import json
import sqlite3
import subprocess
import uuid

import psycopg
import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.dba import apply_roles, url_as
from harness.events import minimal
from harness.streams import Stream
from harness.waiting import wait_until
from harness.webhooks import clean_up, make_hookline as new_hookline

STORES = ["postgres", "sqlite"]
over_postgres = pytest.mark.parametrize("service", ["postgres"], indirect=True)


def options_of(store, database=None):
    if store == "sqlite":
        return {"STORAGE_TYPE": "sqlite"}
    return {"DATABASE_URL": database.url, "EVENT_STREAM_SECONDS": 3600}


@pytest.fixture(scope="module")
def services(postgres_server, webhooks_template, tmp_path_factory):
    """The daemons of the fixture service, by store."""
    services = {}

    def start(store):
        if store not in services:
            database = postgres_server.new_database(webhooks_template) if store == "postgres" else None
            backend = "postgres" if database else "embedded"
            services[store] = new_hookline(tmp_path_factory.mktemp("service"), backend, database, **options_of(store, database))
            services[store].start()
        return services[store]

    yield start
    clean_up(services.values())
    for service in services.values():
        if service.database:
            service.database.drop()


@pytest.fixture(params=STORES)
def service(request, services):
    return services(request.param)


@pytest.fixture
def tenant(service):
    return service.new_tenant()


@pytest.fixture
def stream(service, tenant):
    """Opens streams of the tenant, and closes them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, key=tenant.client.key, **query: stack.enter_context(
            Stream(service.daemon, key, *args, path="/events/stream", **query))


def post(client, ack="stored", **fields):
    event = minimal(event_id=str(uuid.uuid4())) | fields
    reply = client.post("/events", event)
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack), reply
    return event["event_id"]


def ids(frames):
    return [frame.data["event_id"] for frame in frames]


def until(stream, events):
    return stream.until(events, name="event_id")


def test_a_stream_shows_events_as_they_are_stored(tenant, stream):
    watching = stream().opened()
    assert watching.headers["Content-Type"] == "text/event-stream" and watching.headers["X-Tenant-Id"] == tenant.id
    event = post(tenant.client, event_type="tool_failed", session_id="s é", workflow_id="w", milestone_id="m",
                 timestamp="2026-11-01T12:00:00.5+01:00", data={"n": 12345678901234567890, "s": "é\nx"})
    frame = watching.next()
    assert frame.type is None and frame.id
    data = frame.data
    assert data.pop("received_at") > data["timestamp"]
    assert data == {
        "event_id": event, "event_type": "tool_failed", "session_id": "s é", "workflow_id": "w", "phase_id": None, "milestone_id": "m",
        "timestamp": "2026-11-01T11:00:00.500000Z", "client_event_id": None, "data": {"n": 12345678901234567890, "s": "é\nx"}}
    assert tenant.client.post("/events", minimal(event_id="mine")).status == 202
    assert watching.next().data["client_event_id"] == "mine"


def test_a_stream_can_be_limited_to_types_and_a_session(tenant, stream):
    of_types, of_session = stream(type="a,b").opened(), stream(session="s&2").opened()
    of_both = stream(type="b", session="s&2").opened()
    sent = {(kind, session): post(tenant.client, event_type=kind, session_id=session)
            for kind in ("a", "ab", "b") for session in ("s", "s&2")}
    assert set(ids(of_types.take(4))) == {event for (kind, _), event in sent.items() if kind != "ab"}
    assert set(ids(of_session.take(3))) == {event for (_, session), event in sent.items() if session == "s&2"}
    assert ids(of_both.take(1)) == [sent["b", "s&2"]]


def test_a_stream_has_only_the_tenants_own_events(service, tenant, stream):
    other = service.new_tenant()
    watching = stream().opened()
    keyless = Stream(service.daemon, service.start_key.key, path="/events/stream")
    with keyless.opened():
        theirs, mine = post(other.client), post(tenant.client)
        nobodys = post(service.keyless)
        assert ids(watching.take(1)) == [mine]
        assert nobodys in ids(until(keyless, [nobodys])), "an event without a key is the default tenant's"
    assert theirs != mine


def test_a_reconnecting_client_continues_at_its_position(service, tenant, stream):
    with stream().opened() as first:
        sent = [post(tenant.client) for _ in range(3)]
        frames = until(first, sent)
    missed = [post(tenant.client) for _ in range(3)]
    for again in (stream(frames[0].id), stream(last_event_id=frames[0].id)):
        got = ids(until(again.opened(), [*sent[1:], *missed]))
        assert len(set(got)) == len(got), "each event comes once on a stream"
        if service.database is None:
            assert got == [*sent[1:], *missed]
    live = post(tenant.client)
    until(again, [live])


def test_a_reconnecting_client_without_events_continues_where_it_began(tenant, stream):
    with stream().opened() as first:
        assert first.place
    missed = post(tenant.client)
    until(stream(first.place).opened(), [missed])


def test_an_idle_stream_sends_its_position(tenant, stream):
    watching = stream(type="of_nobody").opened()
    frame = watching.frame()
    assert frame.lines[0] == ":" and frame.data is None
    missed = post(tenant.client)
    until(stream(frame.id).opened(), [missed])


def test_a_repeated_event_comes_once_on_a_stream(tenant, stream):
    watching = stream().opened()
    again = {"event_id": str(uuid.uuid4()), "timestamp": "2026-11-01T12:00:00Z"}
    for _ in range(2):
        post(tenant.client, **again)
    fresh = minimal(event_id=str(uuid.uuid4()))
    assert tenant.client.post("/events/batch", [minimal(**again), fresh]).status == 202
    assert ids(watching.take(2)) == [again["event_id"], fresh["event_id"]]


def test_a_slow_reader_gets_every_event(tenant, stream):
    slow, quick = stream().opened(), stream().opened()
    sent = [[minimal(event_id=str(uuid.uuid4()), data={"text": "x" * 2000}) for _ in range(400)] for _ in range(4)]
    for batch in sent:
        assert tenant.client.post("/events/batch", batch).status == 202
    expected = {event["event_id"] for batch in sent for event in batch}
    for one in (quick, slow):
        got = ids(until(one, expected))
        assert set(got) == expected and len(got) == len(expected)


@over_postgres
def test_events_of_a_transaction_that_commits_late_are_not_skipped(service, tenant, stream):
    watching, late = stream().opened(), str(uuid.uuid4())
    with service.database.server.connect(service.database.name) as connection:
        with connection.transaction():
            connection.execute("INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id, tenant_id)"
                               " VALUES (%s, '2026-11-03 12:00Z', '2026-11-03', 'late', 's', %s)", (late, tenant.id))
            connection.execute("INSERT INTO hook_event_log (first_day, last_day, event_ids) VALUES ('2026-11-03', '2026-11-03', %s::uuid[])",
                               ([late],))
            position = until(watching, [post(tenant.client) for _ in range(2)])[-1].id
            beside = stream(position).opened()
    assert ids(watching.take(1)) == [late]
    until(beside, [late])
    until(stream(position).opened(), [late])


@over_postgres
def test_a_deleted_event_does_not_stop_a_stream(service, tenant, stream):
    with stream().opened() as first:
        gone = post(tenant.client)
        position = first.take(1)[0].id
    service.database.query("DELETE FROM hook_events WHERE event_id = %s", gone)
    service.database.query("INSERT INTO hook_event_log (first_day, last_day, event_ids) VALUES ('2026-11-03', '2026-11-03', %s::uuid[])",
                           [str(uuid.uuid4()) for _ in range(300)])
    live = post(tenant.client)
    until(stream(position).opened(), [live])


def test_new_rows_with_the_numbers_of_deleted_rows_come(make_hookline):
    hookline = make_hookline("embedded", STORAGE_TYPE="sqlite").start()
    client, path = hookline.start_key, hookline.daemon.sqlite_path

    def numbers():
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
            return [row[0] for row in database.execute("SELECT rowid FROM hook_events ORDER BY rowid")]

    with Stream(hookline.daemon, client.key, path="/events/stream").opened() as watching:
        for count, lost in ((3, 2), (2, 5)):
            position = until(watching, [post(client) for _ in range(count)])[-1].id
            with contextlib.closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as database:
                database.execute("DELETE FROM hook_events")
            sent = [post(client) for _ in range(lost)]
            assert numbers() == list(range(1, lost + 1))
            until(watching, sent)
            with Stream(hookline.daemon, client.key, position, path="/events/stream").opened() as again:
                assert ids(until(again, sent)) == sent


def test_clients_without_the_right_to_stream_are_refused(service, tenant, stream):
    for key, query, status in ((None, {}, 401), ("wrong", {}, 401), (None, {"token": "wrong"}, 401),
                               (tenant.key(["events.read"]).key, {}, 403)):
        refused = stream(key=key, **query)
        assert (refused.status, refused.headers["Content-Type"]) == (status, "application/json")
    for query in ({"types": "a"}, {"last_event_id": "nonsense"}, {"last_event_id": str(uuid.uuid4())}):
        assert stream(**query).status == 400
    browser = tenant.key(["stream.subscribe"])
    watching = stream(key=None, token=browser.key).opened()
    event = post(tenant.client)
    assert ids(watching.take(1)) == [event]
    assert browser.key not in service.daemon.whole_log()


@over_postgres
def test_a_position_that_is_older_than_the_log_is_refused(tenant, stream):
    place = base64.urlsafe_b64encode(f"sa{1_700_000_000_000_000}.{uuid.uuid4()}".encode()).decode().rstrip("=")
    refused = stream(place)
    assert refused.status == 410
    assert "EVENT_STREAM_SECONDS" in json.loads(refused.response.read())["detail"]


def test_a_recent_position_is_valid_although_transactions_may_last_long(make_hookline, postgres_server, webhooks_template):
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    hookline = make_hookline("postgres", database, DATABASE_URL=database.url, EVENT_STREAM_SECONDS=60, STORE_TIMEOUT_MS=60_000)
    client = hookline.start().start_key
    with Stream(hookline.daemon, client.key, path="/events/stream").opened() as first:
        event = post(client)
        place = until(first, [event])[-1].id
    with Stream(hookline.daemon, client.key, place, path="/events/stream").opened() as again:
        until(again, [post(client)])


@pytest.mark.parametrize("options, word", [
    ({"STORAGE_TYPE": "jsonl"}, "STORAGE_TYPE"),
    pytest.param({"STORAGE_TYPE": "null"}, "STORAGE_TYPE", marks=pytest.mark.wanted_by("SLOW_TESTS")),
    pytest.param({}, "EVENT_STREAM_SECONDS", marks=pytest.mark.wanted_by("SLOW_TESTS"))])
def test_a_service_without_streams_names_the_missing_option(make_hookline, request, options, word):
    if options:
        hookline = make_hookline("embedded", **options)
    else:
        server = request.getfixturevalue("postgres_server")
        server.start()
        database = server.new_database(request.getfixturevalue("webhooks_template"))
        hookline = make_hookline("postgres", database, DATABASE_URL=database.url)
    reply = hookline.start().start_key.get("/events/stream")
    assert (reply.status, reply.json["error"]) == (404, "event_stream_disabled")
    assert word in reply.json["detail"]


@pytest.mark.plain_postgres("gives another extension the name of Citus")
@pytest.mark.parametrize("lack, word", [
    ("CREATE TABLE pg_dist_partition (logicalrelid regclass); GRANT SELECT ON pg_dist_partition TO PUBLIC;"
     " UPDATE pg_extension SET extname = 'citus' WHERE extname = 'plpgsql'", "Citus"),
    ("REVOKE INSERT ON hook_event_log FROM hooks_writer", "rights")])
def test_a_database_without_the_log_has_no_streams(make_hookline, postgres_server, webhooks_template, lack, word):
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    apply_roles(database)
    database.query(lack)
    hookline = make_hookline("embedded", DATABASE_URL=url_as(database, "hooks_writer"), EVENT_STREAM_SECONDS=60).start()

    def refused():
        with Stream(hookline.daemon, hookline.start_key.key, path="/events/stream") as stream:
            return stream.status == 404 and json.loads(stream.response.read())

    reply = wait_until(refused, "the end of streams", 10)
    assert reply["error"] == "event_stream_disabled" and word in reply["detail"]


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.plain_postgres("looks at the tables of one server")
def test_streams_miss_nothing_once_the_role_has_its_rights(make_hookline, postgres_server, webhooks_template):
    """The log is looked for every twenty seconds."""
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    apply_roles(database)
    database.query("REVOKE INSERT ON hook_event_log FROM hooks_writer")
    hookline = make_hookline("embedded", DATABASE_URL=url_as(database, "hooks_writer"), EVENT_STREAM_SECONDS=60).start()
    client = hookline.start_key

    def status():
        with Stream(hookline.daemon, client.key, path="/events/stream") as stream:
            return stream.status

    post(client)
    wait_until(lambda: status() == 404, "the end of streams", 10)
    database.query("GRANT INSERT ON hook_event_log TO hooks_writer")
    wait_until(lambda: status() == 200, "streams", 60)
    with Stream(hookline.daemon, client.key, path="/events/stream").opened() as watching:
        until(watching, [post(client)])


def test_streams_are_off_without_api_keys(hooksd):
    reply = hooksd().get("/events/stream")
    assert reply.status == 404 and b"HL_API_KEY" in reply.body


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.wanted_by("SLOW_TESTS"))])
def test_a_client_misses_no_event_over_a_restart(make_hookline, request, store):
    database = None
    if store == "postgres":
        server = request.getfixturevalue("postgres_server")
        server.start()
        database = server.new_database(request.getfixturevalue("webhooks_template"))
    hookline = make_hookline("postgres" if database else "embedded", database, **options_of(store, database)).start()
    daemon, client = hookline.daemon, hookline.start_key
    with Stream(daemon, client.key, path="/events/stream").opened() as first:
        sent = [post(client)]
        position = until(first, sent)[-1].id
        sent.append(post(client))
        daemon.signal(15)
        with contextlib.suppress(AssertionError):
            while frame := first.next():
                position = frame.id
        daemon.wait_exit()
    hookline.start()
    sent.append(post(client))
    with Stream(daemon, client.key, position, path="/events/stream").opened() as again:
        until(again, sent[2:])


def test_a_client_misses_no_event_over_outages_and_changes_of_node(make_hookline, postgres_server, webhooks_template):
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    options = options_of("postgres", database) | {"SPOOL_AFTER_MS": 0, "HL_API_KEY": "start-" + uuid.uuid4().hex}
    one, other = (make_hookline("postgres", database, **options).start() for _ in range(2))
    with Stream(one.daemon, one.start_key.key, path="/events/stream").opened() as watching:
        sent = [post(node.start_key) for node in (one, other, one, other)]
        position = until(watching, sent)[-1].id
        postgres_server.stop()
        late = [post(node.start_key, ack="spooled") for node in (one, other)]
        postgres_server.start()
        until(watching, late)
    one.daemon.stop()
    missed = post(other.start_key)
    with Stream(other.daemon, other.start_key.key, position, path="/events/stream").opened() as again:
        until(again, [*late, missed])


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.plain_postgres("checks the tables of one server")
def test_the_roles_of_the_schema_have_enough_rights_for_streams(make_hookline, postgres_server):
    postgres_server.start()
    database = postgres_server.new_database()
    apply_roles(database, webhooks="1")
    migrated = run_program("hooksctl", "migrate", options={"HL_POSTGRES_URL": url_as(database, "hooks_owner")})
    assert migrated.returncode == 0, migrated.stderr
    apply_roles(database)
    hookline = make_hookline("postgres", database, DATABASE_URL=url_as(database, "hooks_writer"), EVENT_STREAM_SECONDS=60,
                             HL_POSTGRES_URL=url_as(database, "hooks_control"), AUTO_MIGRATE="false").start()
    with Stream(hookline.daemon, hookline.start_key.key, path="/events/stream").opened() as watching:
        event = post(hookline.start_key)
        assert ids(watching.take(1)) == [event]
    with psycopg.connect(url_as(database, "hooks_writer")) as session:
        assert session.execute("DELETE FROM hook_event_log").rowcount == 1


@over_postgres
@pytest.mark.wanted_by("SLOW_TESTS")
def test_old_rows_of_the_log_are_removed_but_for_the_newest(service):
    """Old rows are removed once a minute."""
    service.database.query("INSERT INTO hook_event_log (stored_at, first_day, last_day, event_ids) VALUES"
                           " (now() - interval '2 hours', '2026-11-03', '2026-11-03', '{}'), (now() - interval '1 day', '2026-11-03', '2026-11-03', '{}')")
    old = "SELECT count(*) FROM hook_event_log WHERE stored_at < now() - interval '61 minutes'"
    wait_until(lambda: service.database.value(old) == 1, "the end of old rows", 150)


def test_hooksctl_shows_hook_events_as_json_lines(service, tenant):
    options = {"HL_URL": f"http://127.0.0.1:{service.daemon.port}", "HL_API_KEY": tenant.client.key}
    command = [BUILD_DIR / "hooksctl", "stream", "hooks", "--session", "s", "--type", "a,b"]
    with Stream(service.daemon, tenant.client.key, path="/events/stream").opened() as watching:
        post(tenant.client)
        position = watching.take(1)[0].id
    sent = [post(tenant.client, session_id=session, event_type="b") for session in ("s", "t", "s")]
    with subprocess.Popen([*command, "--from", position], env=clean_environment(options), stdout=subprocess.PIPE, text=True) as process:
        lines = [json.loads(line) for line in itertools.islice(process.stdout, 2)]
        process.terminate()
    assert [line["event_id"] for line in lines] == [sent[0], sent[2]]
