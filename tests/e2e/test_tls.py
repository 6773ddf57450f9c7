"""TLS to PostgreSQL: hooksd checks the server's certificate and reports why it refuses one."""

import re

import pytest

from harness.certificates import Authority
from harness.daemon import run_program
from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.postgres import PostgresServer

# The name in the server's certificate. hostaddr= in the URL saves a look-up.
HOST = "db.test"
PASSWORD = "not-a-real-secret"

ACCESS = """
hostssl all hooks 127.0.0.1/32 scram-sha-256
host all hooks 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""


class TlsServer:
    def __init__(self, directory):
        self.authority = Authority(directory, "authority")
        self.stranger = Authority(directory, "stranger")
        certificate, key = self.authority.issue(HOST)
        self.server = PostgresServer()
        for name, path in (("server.crt", certificate), ("server.key", key)):
            self.server.write_data_file(name, path.read_text())
        self.server.write_data_file("pg_hba.conf", ACCESS)
        self.server.settings["ssl"] = "on"

    def start(self):
        self.server.start()
        with self.server.connect("postgres") as connection:
            connection.execute(f"CREATE ROLE hooks LOGIN PASSWORD '{PASSWORD}'")

    def new_database(self):
        database = self.server.new_database()
        database.query(f"ALTER DATABASE {database.name} OWNER TO hooks")
        database.query("ALTER SCHEMA public OWNER TO hooks")
        return database

    def url(self, database, host=HOST, authority=None, password=PASSWORD):
        certificate = (authority or self.authority).certificate
        return (f"postgresql://hooks:{password}@{host}:{self.server.port}/{database.name}"
                f"?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={certificate}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    tls = TlsServer(tmp_path_factory.mktemp("certificates"))
    try:
        tls.start()
        yield tls
    finally:
        tls.server.remove()


@pytest.fixture
def tls_database(tls):
    database = tls.new_database()
    yield database
    database.drop()


def test_events_are_stored_over_tls_in_a_verified_server(tls, tls_database, hooksd):
    daemon = hooksd(DATABASE_URL=tls.url(tls_database), WRITERS=2, LOG_LEVEL="debug")
    load = Load(daemon, random_events(2000, sessions=4, seed=21), batch=50)
    with load:
        pass
    assert differences([expected(event) for event in load.events()], tls_database.events()) == []
    assert tls_database.query("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'hooks'") == [(True,)] * 2
    # Requests of a megabyte take many TLS records, and exceed the socket's buffer.
    big = [minimal(data={"n": n, "text": "x" * 2**20}) for n in range(6)]
    assert daemon.post_batch(big).status == 202
    assert tls_database.value("SELECT sum(length(data->>'text')) FROM hook_events WHERE data ? 'text'") >= 6 * 2**20
    assert PASSWORD not in daemon.whole_log()


def assert_refused(url, daemon, reason):
    """
    The store is unavailable for that reason. The log, /health and the reply to a client say so, each in suitable words.
    """
    daemon.wait_for_log(rf"the store is unavailable .*{reason}")
    reply = daemon.post_event(minimal())
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    health = daemon.get("/health")
    assert (health.status, health.json()["status"]) == (200, "degraded")
    assert health.json()["detail"]
    assert daemon.get("/readyz").status == 503
    migrate = run_program("hooksctl", "migrate", options={"DATABASE_URL": url})
    assert migrate.returncode != 0
    assert re.search(reason, migrate.stderr)
    status = run_program("hooksctl", "status", options={"RING_PATH": daemon.options["RING_PATH"]})
    assert status.returncode == 0
    told = [reply.body.decode(), health.body.decode(), migrate.stdout + migrate.stderr, status.stdout + status.stderr]
    assert PASSWORD not in daemon.whole_log() + "".join(told)


def test_a_certificate_for_another_host_name_is_refused(tls, tls_database, hooksd):
    url = tls.url(tls_database, host="other.test")
    daemon = hooksd(store_ready=False, DATABASE_URL=url, LOG_LEVEL="debug")
    assert_refused(url, daemon, r'certificate for \\?"db\.test\\?" does not match host name \\?"other\.test')
    assert tls_database.value("SELECT to_regclass('hook_events')") is None


def test_a_certificate_of_an_unknown_authority_is_refused(tls, tls_database, hooksd):
    url = tls.url(tls_database, authority=tls.stranger)
    daemon = hooksd(store_ready=False, DATABASE_URL=url, LOG_LEVEL="debug")
    assert_refused(url, daemon, "certificate verify failed")
    assert tls_database.value("SELECT to_regclass('hook_events')") is None


def test_a_refused_password_is_reported_but_not_shown(tls, tls_database, hooksd):
    url = tls.url(tls_database, password="another-secret")
    daemon = hooksd(store_ready=False, DATABASE_URL=url, LOG_LEVEL="debug")
    assert_refused(url, daemon, "password authentication failed for user")
    assert "another-secret" not in daemon.whole_log()


def test_a_server_without_tls_is_refused(tls, database, hooksd):
    url = database.url + f"?sslmode=verify-full&sslrootcert={tls.authority.certificate}"
    daemon = hooksd(store_ready=False, DATABASE_URL=url, LOG_LEVEL="debug")
    assert_refused(url, daemon, "server does not support SSL")


def test_a_corrected_file_of_the_authority_is_used_without_a_restart(tls, tls_database, hooksd, tmp_path):
    trusted = tmp_path / "trusted.crt"
    trusted.write_text(tls.stranger.certificate.read_text())
    url = tls.url(tls_database).replace(str(tls.authority.certificate), str(trusted))
    daemon = hooksd(store_ready=False, DATABASE_URL=url)
    daemon.wait_for_log("certificate verify failed")
    trusted.write_text(tls.authority.certificate.read_text())
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    assert tls_database.count() == 1


def test_credentials_of_a_pg_service_that_are_links_are_read(tls, tls_database, hooksd, tmp_path):
    """Connecting processes are confined to directories. Here the links and their targets are in two directories."""
    for directory in ("kept", "named", "services"):
        (tmp_path / directory).mkdir()
    (tmp_path / "kept/ca.crt").write_text(tls.authority.certificate.read_text())
    (tmp_path / "kept/words").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / "kept/words").chmod(0o600)
    for name in ("ca.crt", "words"):
        (tmp_path / "named" / name).symlink_to(tmp_path / "kept" / name)
    services = tmp_path / "services/pg_service.conf"
    services.write_text(f"[hooks]\nhost={HOST}\nhostaddr=127.0.0.1\nport={tls.server.port}\ndbname={tls_database.name}\nuser=hooks\n"
                        f"sslmode=verify-full\nsslrootcert={tmp_path}/named/ca.crt\npassfile={tmp_path}/named/words\n")
    daemon = hooksd(DATABASE_URL="postgresql:///?service=hooks", PGSERVICEFILE=services)
    assert daemon.post_event(minimal()).status == 202
    assert tls_database.count() == 1
