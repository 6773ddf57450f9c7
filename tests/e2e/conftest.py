import contextlib
import itertools
import os

import pytest

from harness.citus import Cluster
from harness.daemon import Daemon
from harness.db_driver import Driver
from harness.dba import apply_schema, apply_webhooks
from harness.deliveries import Endpoints
from harness.disk import make_disk
from harness.nodes import Nodes
from harness.postgres import PostgresServer
from harness.recording_receiver import Receiver
from harness.rows import Rows
from harness.standby import Pair
from harness.waiting import PATIENCE, SANITIZED, wait_until
from harness.webhooks import STORES, clean_up, make_hookline as new_hookline

_numbers = itertools.count()

# "citus": the database tests use the cluster of DATABASE_URL; see docs/testing.md.
CITUS = os.environ.get("HOOKS_ENGINE", "postgres") == "citus"

# Seconds for a test with many waits, each of which may be long.
SLOW_TIMEOUT = 180 * PATIENCE


def pytest_configure(config):
    config.addinivalue_line("markers", "unsanitized(reason): does not run with sanitized binaries")
    config.addinivalue_line("markers", "plain_postgres(reason): does not run with distributed tables")
    config.addinivalue_line("markers", "wanted_by(variable): runs only if the environment has that variable")
    config.addinivalue_line("markers", "citus_cluster(reason): runs only on a Citus cluster")


def is_unwanted(item):
    marks = ["unsanitized"] * SANITIZED + ["plain_postgres" if CITUS else "citus_cluster"]
    return any(map(item.get_closest_marker, marks)) or any(
        mark.args[0] not in os.environ for mark in item.iter_markers("wanted_by"))


def pytest_collection_modifyitems(config, items):
    left_out = [item for item in items if is_unwanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        if item.get_closest_marker("wanted_by") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.fixture(scope="session")
def postgres_server():
    server = Cluster(os.environ["DATABASE_URL"]) if CITUS else PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_server):
    """The session's PostgreSQL server. It runs at the start of every test, even if the test before stopped it."""
    postgres_server.start()
    yield postgres_server
    postgres_server.start()


@pytest.fixture(scope="session")
def hooks_template(postgres_server):
    """
    Options of CREATE DATABASE that copy the tables of hook events from a template. Creating these tables takes half of
    the time of a first start.
    """
    if CITUS:
        return ""
    postgres_server.start()
    template = postgres_server.new_database()
    apply_schema(template)
    return f"TEMPLATE {template.name}"


@pytest.fixture
def database(postgres, hooks_template):
    """A database for this test alone, with the tables of hook events. With Citus they are distributed."""
    database = postgres.new_database(hooks_template)
    if CITUS:
        apply_schema(database)
    yield database
    postgres.start()
    database.drop()


@pytest.fixture
def empty_database(postgres):
    """A database for this test alone, without tables, for tests that create them. With Citus it has the tables too."""
    database = postgres.new_database()
    if CITUS:
        apply_schema(database)
    yield database
    postgres.start()
    database.drop()


@pytest.fixture
def pair():
    """A primary and its synchronous standby, two servers for this test alone."""
    pair = Pair()
    try:
        pair.start()
        yield pair
    finally:
        pair.remove()


@pytest.fixture
def disk(tmp_path):
    """A disk that can be filled. A test names this fixture before its daemons, so that they end first."""
    disk = make_disk(tmp_path / "disk")
    yield disk
    disk.remove()


@contextlib.contextmanager
def making_hooksd(tmp_path):
    """
    A function that makes daemons without starting them; keyword arguments are options. At the end each daemon must stop
    in good order, and its log may hold no failed assert and no report of a sanitizer.
    """
    daemons = []

    def make(database=None, **options):
        number = next(_numbers)
        directory = tmp_path / f"hooksd-{number}"
        directory.mkdir()
        defaults = {
            "HOST": "127.0.0.1",
            "PORT": 0,
            "ACCEPTORS": 2,
            "RING_PATH": f"/dev/shm/hooksd-e2e-{os.getpid()}-{number}.ring",
        }
        if database:
            defaults["DATABASE_URL"] = database.url
        daemon = Daemon(directory, defaults | options)
        daemons.append(daemon)
        return daemon

    yield make

    problems = []
    for daemon in daemons:
        try:
            daemon.clean_up()
        except Exception as problem:  # raised below, when every daemon is cleaned up
            problems.append(problem)
        for path in [daemon.options["RING_PATH"]]:
            if os.path.exists(path):
                os.unlink(path)
    if problems:
        raise problems[0]


@pytest.fixture
def make_hooksd(tmp_path):
    with making_hooksd(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def running_hooksds(tmp_path_factory):
    """For the tests of one module: a function that makes a daemon, and the running daemons by their options."""
    with making_hooksd(tmp_path_factory.mktemp("shared")) as make:
        yield make, {}


@pytest.fixture
def shared_hooksd(running_hooksds):
    """
    Like hooksd, for tests that leave a daemon as they found it. Tests of one module that ask for the same options share
    one daemon. Each test sees only its own part of the JSONL file and of the log; the metrics go on.
    """
    make, running = running_hooksds

    def start(**options):
        key = tuple(sorted(options.items()))
        if key not in running:
            running[key] = make(**options).start()
        running[key].look_from_here()
        return running[key]

    yield start
    for daemon in running.values():
        assert daemon.process.poll() is None, daemon.log()[-4000:]


@pytest.fixture
def hooksd(make_hooksd):
    """Makes and starts a daemon; see make_hooksd."""

    def start(database=None, store_ready=True, **options):
        return make_hooksd(database, **options).start(store_ready)

    return start


# Runs a command without the capabilities that let root bypass the permissions of files.
OBEYING_PERMISSIONS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def make_sqlite(make_hooksd):
    """Makes daemons with an SQLite store that the permissions of files bind, also as root."""

    def make(**options):
        daemon = make_hooksd(**({"STORAGE_TYPE": "sqlite"} | options))
        if os.geteuid() == 0:
            daemon.launcher = OBEYING_PERMISSIONS
        return daemon

    return make


@pytest.fixture
def sqlite(make_sqlite):
    """Makes and starts a daemon with an SQLite store."""

    def start(store_ready=True, **options):
        return make_sqlite(**options).start(store_ready)

    return start


@pytest.fixture
def driver():
    """Opens connections to a store of webhooks: driver(POSTGRES_URL=...) or driver(DATA_PATH=...)."""
    with contextlib.ExitStack() as stack:

        def make(**where):
            made = Driver(**where)
            stack.callback(made.close)
            made.must("open")
            return made

        yield make


@pytest.fixture(scope="session")
def started_hooklines(postgres_server):
    """The daemons of the fixture hookline, by store. The first test that asks for a store starts its daemon."""
    hooklines = {}
    yield hooklines
    postgres_server.start()
    try:
        lies = {store: hookline.query("SELECT attempt_id, http_status FROM attempts WHERE status = 'success'"
                                      " AND (http_status < 200 OR http_status > 299)") for store, hookline in hooklines.items()}
    finally:
        clean_up(hooklines.values())
    assert not any(lies.values()), f"attempts without a 2xx answer count as successes: {lies}"
    for hookline in hooklines.values():
        if hookline.database:
            hookline.database.drop()


@pytest.fixture(params=STORES)
def hookline(request, started_hooklines, postgres_server, tmp_path_factory):
    """
    A daemon with webhooks, once for each store. All tests of a session share it: a test works in a tenant of its own
    (hookline.new_tenant()). A test that kills the daemon or chooses its options uses make_hookline.
    """
    store = request.param
    postgres_server.start()
    if store not in started_hooklines:
        database = postgres_server.new_database() if store == "postgres" else None
        if database and CITUS:
            apply_webhooks(database)
        started_hooklines[store] = new_hookline(
            tmp_path_factory.mktemp("hookline"), store, database, HL_DEV_INBOX="true")
        started_hooklines[store].start()
    hookline = started_hooklines[store]
    hookline.wait_ready()
    # An earlier test may have stopped the server. The publishers reconnect by themselves.
    wait_until(lambda: hookline.daemon.get("/health").json()["webhooks"]["state"] == "ready", "publishers and their store", 30)
    yield hookline
    assert hookline.daemon.process.poll() is None, hookline.daemon.log()[-4000:]


@pytest.fixture(scope="session")
def webhooks_template(postgres_server):
    """Options of CREATE DATABASE that copy all tables from a template: creating them takes longer than most tests."""
    if CITUS:
        return ""
    postgres_server.start()
    template = postgres_server.new_database()
    apply_webhooks(template)
    return f"TEMPLATE {template.name}"


@pytest.fixture
def all_tables(postgres, webhooks_template):
    """A database for this test alone, with all tables."""
    database = postgres.new_database(webhooks_template)
    if CITUS:
        apply_webhooks(database)
    yield database
    postgres.start()
    database.drop()


@pytest.fixture
def make_hookline(request, tmp_path):
    """
    Makes daemons with webhooks without starting them: make_hookline("postgres" or "embedded", database, **options).
    Without `database` the store postgres gets a new one; pass one to share another daemon's database or to use another
    server. An option that is None is not set.
    """
    made, databases = [], []

    def make(store, database=None, **options):
        if store == "postgres" and database is None:
            server = request.getfixturevalue("postgres_server")
            server.start()
            databases.append(database := server.new_database(request.getfixturevalue("webhooks_template")))
            if CITUS:
                apply_webhooks(database)
        made.append(new_hookline(tmp_path, store, database, **options))
        return made[-1]

    yield make
    for database in databases:
        database.server.start()
    clean_up(made)
    for database in databases:
        database.drop()


# For one test, on the session's daemons with webhooks


@pytest.fixture
def tenant(hookline):
    return hookline.new_tenant()


@pytest.fixture
def receiver():
    """A receiver whose address HL_ALLOW_NETWORKS of every daemon of these tests permits."""
    with Receiver(host="127.77.0.1") as receiver:
        yield receiver


@pytest.fixture
def start_nodes(make_hookline):
    return Nodes(make_hookline)


@pytest.fixture
def endpoints(tenant, receiver):
    return Endpoints(tenant, receiver)


@pytest.fixture
def rows(hookline, tenant):
    return Rows(hookline, tenant)
