"""The service's own TLS: protocols, refusals, clients' certificates, and a new certificate at run time."""

import copy
import re
import signal
import socket
import ssl
import subprocess

import pytest

from harness.certificates import Authority
from harness.client import detail, http_post
from harness.daemon import Daemon, run_program
from harness.events import minimal
from harness.listening import pass_descriptors
from harness.metrics import series
from harness.waiting import wait_until
from harness.witness import Witness, Witnesses

EVENT = b'{"event_type":"a","session_id":"s"}'
POST = http_post("/events", EVENT)
KEY = "start-key-of-the-tests-of-tls"


def trusting(authority, version=None, client=None, protocols=None):
    """A client's TLS context. client: the client's certificate and key."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    if client:
        context.load_cert_chain(*client)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def options_of(files):
    return dict(zip(("TLS_CERT_FILE", "TLS_KEY_FILE"), files))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """The authority that signs clients' certificates."""
    return Authority(tmp_path_factory.mktemp("clients"), "clients")


@pytest.fixture(scope="module")
def certificate(authority):
    """The paths of the service's certificate and key."""
    return authority.issue("localhost")


def issued_in(directory, authority):
    """A certificate and a key in new files. The shared daemon would reload its own files when they change."""
    authority = copy.copy(authority)
    authority.directory = directory
    return authority.issue("localhost")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority, certificate, clients):
    """A shared daemon that requires certificates of clients."""
    directory = tmp_path_factory.mktemp("hooksd")
    daemon = Daemon(directory, {
        "HOST": "127.0.0.1", "PORT": 0, "ACCEPTORS": 2, "RING_PATH": directory / "ring", "LOG_LEVEL": "debug",
        "TLS_CLIENT_CA_FILE": clients.certificate, **options_of(certificate)})
    daemon.tls = trusting(authority, client=clients.issue("agent"))
    try:
        yield daemon.start()
    finally:
        daemon.clean_up()


@pytest.fixture
def tls_hooksd(make_hooksd, authority, certificate):
    """Makes and starts a daemon for one test."""

    def start(**options):
        daemon = make_hooksd(**options_of(certificate) | options)
        daemon.tls = trusting(authority)
        return daemon.start()

    return start


def s_client(daemon, *args):
    """The output of openssl s_client, which makes a handshake and closes the connection."""
    result = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{daemon.port}", *args],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return result.stdout + result.stderr


def handshakes(daemon, result):
    return series(daemon)[f'tls_handshakes_total{{result="{result}"}}']


def shown_certificate(daemon):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as plain:
        context = trusting_nobody()
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            return connection.getpeercert(binary_form=True)


def trusting_nobody():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# Protocols


def test_curl_posts_an_event_over_tls(shared, authority, clients):
    certificate, key = clients.issue("curl")
    result = subprocess.run(
        ["curl", "-sS", "--cacert", authority.certificate, "--cert", certificate, "--key", key, "-w", " %{http_code} %{http_version}",
         "-H", "Content-Type: application/json", "-d", EVENT,
         f"https://localhost:{shared.port}/events"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(" 202 1.1"), result.stdout


@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_tls_is_1_2_or_1_3(shared, authority, version):
    told = s_client(shared, f"-tls{version}", "-brief", "-CAfile", authority.certificate)
    assert f"Protocol version: TLSv{version.replace('_', '.')}" in told and "Verification: OK" in told, told


@pytest.mark.parametrize("version", ["1", "1_1"])
def test_older_tls_is_refused_by_an_alert(shared, version):
    told = s_client(shared, f"-tls{version}", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "alert protocol version" in told, told


def test_ciphers_without_forward_secrecy_are_refused_by_an_alert(shared):
    told = s_client(shared, "-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-SHA:ECDHE-ECDSA-AES128-SHA")
    assert "alert handshake failure" in told, told


@pytest.mark.parametrize("offered,chosen", [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (None, None)])
def test_http_1_1_is_chosen(shared, authority, offered, chosen):
    with shared.raw(tls=trusting(authority, protocols=offered)) as connection:
        assert connection.socket.selected_alpn_protocol() == chosen


def test_a_client_without_a_common_protocol_gets_an_alert(shared, authority):
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        shared.raw(tls=trusting(authority, protocols=["h2"]))


def test_sslscan_finds_no_weakness(shared):
    """sslscan marks weak protocols by colour only, so the test reads the lines."""
    scan = subprocess.run(["sslscan", "--no-colour", f"localhost:{shared.port}"], capture_output=True, text=True, timeout=60).stdout
    assert re.findall(r"^(\S+) +(enabled|disabled)$", scan, re.MULTILINE) == [
        ("SSLv2", "disabled"), ("SSLv3", "disabled"), ("TLSv1.0", "disabled"), ("TLSv1.1", "disabled"), ("TLSv1.2", "enabled"),
        ("TLSv1.3", "enabled")], scan
    assert "not vulnerable to heartbleed" in scan and "vulnerable to heartbleed" not in scan.replace("not vulnerable", ""), scan
    assert "Compression enabled" not in scan and "Session renegotiation not supported" in scan, scan
    ciphers = re.findall(r"^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)", scan, re.MULTILINE)
    assert {version for version, _ in ciphers} == {"TLSv1.2", "TLSv1.3"}, scan
    assert all(re.fullmatch(r"(TLS_|ECDHE-ECDSA-).*(GCM|POLY1305|CCM).*", name) for _, name in ciphers), ciphers


# Requests


def test_requests_in_any_division_into_records_are_answered(shared):
    """Many requests in a record, one in many records, a pipelined one, a large one, one in chunks."""
    with shared.raw() as connection:
        connection.send(POST * 5)
        for _ in range(5):
            assert connection.read_reply().status == 202
        for byte in POST[:-1]:
            connection.send(bytes([byte]))
        connection.send(POST[-1:] + POST)
        assert [connection.read_reply().status for _ in range(2)] == [202, 202]
        large = b'{"event_type":"a","session_id":"s","data":{"text":"%s"}}' % (b"x" * 2_000_000)
        connection.send(http_post("/events", large))
        assert connection.read_reply().status == 202
        connection.send(b"POST /events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT))
        assert connection.read_reply().status == 202
        connection.send(b"GET /metrics/prometheus HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.read_reply().status == 200


@pytest.mark.parametrize("sent,status", [(b"NONSENSE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
                                         (http_post("/events", b"x" * 9_000_000)[:3000], 413)])
def test_invalid_requests_are_answered_and_the_end_is_announced(shared, sent, status):
    with shared.raw() as connection:
        connection.send(sent)
        assert connection.read_reply().status == status
        assert connection.closed_by_peer()  # an end without close_notify raises an error


@pytest.mark.parametrize("sent", [POST, b"\x80garbage", b"\r\n"])
def test_plain_http_gets_400_that_names_https(shared, sent):
    before = series(shared)['requests_rejected_total{reason="http"}']
    with shared.raw(tls=None) as connection:
        connection.send(sent)
        reply = connection.read_reply()
        assert (reply.status, detail(reply)) == (400, "This port speaks TLS: use https:// here")
        assert connection.closed_by_peer()
    assert series(shared)['requests_rejected_total{reason="http"}'] == before + 1


def test_garbage_in_a_handshake_ends_the_connection_and_is_counted(shared):
    before = handshakes(shared, "failed")
    with shared.raw(tls=None) as connection:
        connection.send(b"\x16\x03\x01\x00\x05hello")
        connection.socket.recv(100)
        assert connection.closed_by_peer()
    assert handshakes(shared, "failed") == before + 1
    shared.wait_for_log("a TLS handshake failed")


def test_a_slow_handshake_is_cut_off_and_an_idle_connection_is_not(tls_hooksd):
    daemon = tls_hooksd(REQUEST_TIMEOUT_SECONDS=1, IDLE_TIMEOUT_SECONDS=60)
    with daemon.raw(tls=None) as silent, daemon.raw(tls=None) as dawdling, daemon.raw() as late:
        late.send(POST[:20])
        dawdling.send(b"\x16\x03\x01\x02\x00\x01")
        assert dawdling.closed_by_peer()
        assert late.read_reply().status == 408
        assert late.closed_by_peer()
        silent.socket = daemon.tls.wrap_socket(silent.socket, server_hostname="localhost")
        silent.send(POST)
        assert silent.read_reply().status == 202


def test_an_idle_connection_is_closed_with_close_notify(tls_hooksd):
    daemon = tls_hooksd(IDLE_TIMEOUT_SECONDS=1)
    with daemon.raw() as used, daemon.raw() as fresh, daemon.raw(tls=None) as silent:
        used.send(POST)
        assert used.read_reply().status == 202
        for connection in (used, fresh, silent):
            assert connection.closed_by_peer()
    assert handshakes(daemon, "failed") == 0


def test_urls_of_the_service_begin_with_https(shared):
    assert f"https://localhost:{shared.port}/events" in shared.get("/").body.decode()
    assert " protocol=https " in shared.log()


# Certificates of clients


def test_a_client_without_a_certificate_can_use_only_routes_without_a_key(shared, authority):
    with shared.client(tls=trusting(authority)) as client:
        assert [client.get(path).status for path in ("/livez", "/readyz", "/health", "/healthz", "/")] == [200] * 5
        for reply in (client.post_event(minimal()), client.get("/metrics"), client.get("/openapi.json")):
            assert reply.status == 403
            assert "TLS_CLIENT_CA_FILE" in detail(reply)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_another_authority_is_refused_by_an_alert(shared, authority, version, tmp_path):
    foreign = Authority(tmp_path, "foreign").issue("agent")
    with pytest.raises(ssl.SSLError, match="unknown ca"):
        with shared.raw(tls=trusting(authority, version, foreign)) as connection:
            connection.socket.recv(1)  # for a client of TLS 1.3 the handshake has succeeded until now


def test_an_expired_certificate_of_a_client_is_refused_by_an_alert(shared, authority, clients):
    with pytest.raises(ssl.SSLError, match="certificate expired"):
        with shared.raw(tls=trusting(authority, client=clients.issue_expired("late"))) as connection:
            connection.socket.recv(1)


# Tickets


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_acceptor_resumes_sessions_of_all_with_the_clients_identity(shared, authority, clients, version):
    tls = trusting(authority, version, clients.issue("returning"))
    before = handshakes(shared, "resumed")
    session = None
    for n in range(16):  # the kernel spreads the connections over the acceptors
        with shared.raw(tls=tls, session=session) as connection:
            assert connection.socket.session_reused == (n > 0)
            connection.send(POST)
            assert connection.read_reply().status == 202
            session = session or connection.socket.session
    assert handshakes(shared, "resumed") == before + 15


def test_no_session_is_resumed_after_a_change_of_the_clients_authority(tls_hooksd, authority, clients, tmp_path):
    file = tmp_path / "clients.crt"
    file.write_bytes(clients.certificate.read_bytes())
    daemon = tls_hooksd(TLS_CLIENT_CA_FILE=file, ACCEPTORS=1)
    tls = trusting(authority, client=clients.issue("agent"))
    with daemon.raw(tls=tls) as connection:
        connection.send(POST)
        assert connection.read_reply().status == 202
        session = connection.socket.session
    file.write_bytes(Authority(tmp_path, "others").certificate.read_bytes())
    roll(daemon)
    with pytest.raises(ssl.SSLError, match="unknown ca"):
        with daemon.raw(tls=tls, session=session) as connection:
            connection.socket.recv(1)


# A new certificate, a stop


def roll(daemon):
    """Sends HUP. Returns when every acceptor has been replaced."""
    before = set(daemon.pids("acceptor"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: not before & set(daemon.pids("acceptor")), "the old acceptors to be gone", 30)
    wait_until(lambda: len(daemon.pids("acceptor")) == len(before), "new acceptors")
    wait_until(lambda: daemon.get("/readyz").status == 200, "an acceptor that serves")


def test_a_new_certificate_under_load_fails_no_request(tls_hooksd, authority, tmp_path):
    daemon = tls_hooksd(**options_of(issued_in(tmp_path, authority)))
    old = shown_certificate(daemon)
    tickets = trusting(authority)
    with daemon.raw(tls=tickets) as connection:
        connection.send(POST)
        connection.read_reply()
        session = connection.socket.session
    with Witnesses([Witness(daemon.port, batch=1 + 9 * (n % 2), pause=0.02 * (n % 3), anew=n % 4 == 3, tls=daemon.tls)
                    for n in range(8)]) as witnesses:
        issued_in(tmp_path, authority)  # replaces the files
        roll(daemon)
        witnesses.wait_for_answers(2)
    assert set(witnesses.outcomes()) == {"202"}, witnesses.outcomes()
    stored = {event["event_id"] for event in daemon.stored_events()}
    assert set(witnesses.acknowledged()) <= stored
    assert shown_certificate(daemon) != old
    with daemon.raw(tls=tickets, session=session) as connection:
        assert connection.socket.session_reused


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_slow_handshake_does_not_delay_a_new_certificate(tls_hooksd):
    """A connection in a handshake cannot be handed over. New clients must not wait for it."""
    daemon = tls_hooksd(ACCEPTORS=1)
    with daemon.raw() as slow, daemon.raw(tls=None) as slower, daemon.raw() as resting:
        slow.send(POST[:-5])
        slower.send(b"\x16\x03\x01\x02\x00\x01")
        roll(daemon)
        assert resting.closed_by_peer()
        assert daemon.post_event(minimal()).status == 202


def test_unusable_files_leave_the_old_certificate_in_use(tls_hooksd, authority, tmp_path):
    files = [tmp_path / "crt", tmp_path / "key"]
    for file, issued in zip(files, issued_in(tmp_path, authority)):
        file.write_bytes(issued.read_bytes())
    daemon = tls_hooksd(**options_of(files), ACCEPTORS=1)
    old = shown_certificate(daemon)
    files[1].write_text("nothing")
    roll(daemon)
    daemon.wait_for_log(r"cannot use the files of TLS: .*TLS_KEY_FILE=.*holds no private key")
    assert shown_certificate(daemon) == old
    for file, expired in zip(files, authority.issue_expired("late")):
        file.write_bytes(expired.read_bytes())
    roll(daemon)
    daemon.wait_for_log(r"cannot use the files of TLS: .*TLS_CERT_FILE=.*has expired at 2020-02-01")
    assert shown_certificate(daemon) == old


def test_a_stop_answers_every_request_over_tls(tls_hooksd):
    daemon = tls_hooksd()
    with Witnesses([Witness(daemon.port, pause=0.01 * (n % 2), tls=daemon.tls) for n in range(6)]) as witnesses, daemon.raw() as idle:
        daemon.stop()
        witnesses.join()
        assert idle.closed_by_peer()
    outcomes = witnesses.outcomes()
    assert outcomes.pop("refused") == 6 and set(outcomes) == {"202"}, outcomes


def test_sockets_of_a_service_manager_use_tls(make_hooksd, authority, certificate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = make_hooksd(**options_of(certificate))
        daemon.tls = trusting(authority)
        pass_descriptors(daemon, [listener.fileno()])
        daemon.start()
        assert daemon.port == listener.getsockname()[1]
        assert daemon.post_event(minimal()).status == 202


# Webhooks


def test_the_development_inbox_gets_deliveries_over_tls_without_a_certificate(tls_hooksd, authority, clients):
    daemon = tls_hooksd(HL_API_KEY=KEY, TLS_CLIENT_CA_FILE=clients.certificate)
    daemon.tls = trusting(authority, client=clients.issue("publisher"))
    key = {"Authorization": f"Bearer {KEY}"}
    with daemon.client() as client:
        inbox = client.post("/v1/dev/inbox", b"", **key).json()
        assert inbox["receive_url"].startswith(f"https://localhost:{daemon.port}/")
        endpoint = client.post("/v1/endpoints", {"url": inbox["receive_url"]}, **key).json()
        client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"}, **key)
        assert client.post("/v1/events", {"topic": "orders.made"}, **key).status in (200, 201, 202)
        path = f"/v1/dev/inbox?token={inbox['token']}"
        wait_until(lambda: client.request("GET", path, headers=key).json()["items"], "the delivery")


# The files, and hooksctl


KEYS = {
    "missing": lambda good, tmp: tmp / "none",
    "a directory": lambda good, tmp: tmp,
    "empty": lambda good, tmp: written(tmp / "empty", b""),
    "another key": lambda good, tmp: Authority(tmp, "other").key,
    "a certificate": lambda good, tmp: good[0],
    "encrypted": lambda good, tmp: encrypted(good[1], tmp / "encrypted"),
}


def written(path, content):
    path.write_bytes(content)
    return path


def encrypted(key, path):
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", path], check=True, timeout=30)
    return path


def check(tmp_path, **options):
    result = run_program("hooksd", "--check-config", options={"PORT": 0, "HOST": "127.0.0.1"} | options, cwd=tmp_path)
    return result.returncode, result.stderr


@pytest.mark.parametrize("kind,told", [
    ("missing", "No such file or directory"), ("a directory", "is not a regular file"), ("empty", "holds no private key"),
    ("another key", "is not the key of the first certificate in TLS_CERT_FILE"), ("a certificate", "holds no private key"),
    ("encrypted", "openssl pkey")])
def test_an_error_names_a_wrong_key(tmp_path, certificate, kind, told):
    key = KEYS[kind](certificate, tmp_path)
    code, said = check(tmp_path, TLS_CERT_FILE=certificate[0], TLS_KEY_FILE=key)
    assert code == 64 and f"TLS_KEY_FILE={str(key)[:80]}" in said and told in said, said


def test_an_error_names_wrong_certificates(tmp_path, authority, certificate):
    expired, key = authority.issue_expired("old")
    lines = certificate[0].read_bytes().splitlines(keepends=True)
    damaged = written(tmp_path / "damaged", b"".join([lines[0], b"!" * 64 + b"\n", *lines[2:]]))
    truncated = written(tmp_path / "truncated", certificate[0].read_bytes()[:200])
    for option, file, told in (
            ("TLS_CERT_FILE", certificate[1], "holds no certificate"), ("TLS_CERT_FILE", tmp_path / "none", "No such file"),
            ("TLS_CERT_FILE", truncated, "damaged"), ("TLS_CLIENT_CA_FILE", certificate[1], "holds no certificate"),
            ("TLS_CLIENT_CA_FILE", damaged, "certificate in it")):
        code, said = check(tmp_path, **options_of(certificate) | {option: file})
        assert code == 64 and f"{option}={str(file)[:80]}" in said and told in said, said
    code, said = check(tmp_path, **options_of((expired, key)))
    assert code == 64 and "TLS_CERT_FILE=" in said and "has expired at 2020-02-01" in said, said
    assert check(tmp_path, **options_of(certificate))[0] == 0


@pytest.mark.parametrize("given,named", [({"TLS_CERT_FILE"}, "TLS_KEY_FILE"), ({"TLS_KEY_FILE"}, "TLS_CERT_FILE"),
                                         ({"TLS_CLIENT_CA_FILE"}, "TLS_CLIENT_CA_FILE")])
def test_a_certificate_without_a_key_is_refused(tmp_path, certificate, given, named):
    code, said = check(tmp_path, **dict.fromkeys(given, certificate[0]))
    assert code == 64 and said.startswith(f"hooksd: {named}"), said


def test_an_expired_certificate_is_served_with_a_warning(make_hooksd, authority):
    expired = authority.issue_expired("localhost-old")
    daemon = make_hooksd(**options_of(expired))
    daemon.tls = trusting_nobody()
    daemon.start()
    daemon.wait_for_log(r" warning .*the certificate is not good at this time .*has expired at 2020-02-01")
    assert series(daemon)["tls_certificate_end_timestamp_seconds"] == 1580515200


def test_the_health_check_needs_no_certificate(shared):
    for words in ((), ("/readyz",), (f"https://localhost:{shared.port}/livez",)):
        result = run_program("hooksctl", "health", *words, options=shared.options | {"PORT": shared.port})
        assert (result.returncode, result.stderr) == (0, ""), result
