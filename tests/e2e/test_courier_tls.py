"""Single attempts over TLS to nginx, with HTTP/1.1 and HTTP/2 and various certificates. See test_courier_http.py."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess

import pytest

from harness.certificates import Authority
from harness.http_driver import HttpDriver
from harness.receivers import Receiver
from harness.waiting import wait_until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIG = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {directory}/access.log combined; client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    log_format protocol "$server_protocol $ssl_server_name $request_uri $content_length $host";
    access_log {directory}/protocol.log protocol;
    {servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl{http2}; ssl_certificate "{certificate}"; ssl_certificate_key "{key}";
        keepalive_requests {requests}; location / {{ return 200 "ok"; }}
    }}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Nginx:
    """servers: {name: (certificate, key, options)}. ports: by name."""

    def __init__(self, directory, servers):
        self.directory = directory
        self.ports = {name: free_port() for name in servers}
        texts = [SERVER.format(port=self.ports[name], certificate=certificate, key=key, http2=" http2" if options.get("http2") else "",
                               requests=options.get("requests", 1000)) for name, (certificate, key, options) in servers.items()]
        (directory / "nginx.conf").write_text(CONFIG.format(directory=directory, servers="".join(texts)))
        self.process = subprocess.Popen([NGINX, "-p", directory, "-c", directory / "nginx.conf"], stderr=subprocess.DEVNULL)
        for port in self.ports.values():
            wait_until(lambda port=port: listens(port), "nginx to listen")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def requests(self):
        return [line.split() for line in (self.directory / "protocol.log").read_text().splitlines()]


def joined(directory, name, *certificates):
    path = directory / name
    path.write_bytes(b"".join(certificate.read_bytes() for certificate in certificates))
    return path


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """nginx, the names with its address, and the file of trusted authorities."""
    if not os.access(NGINX, os.X_OK):
        pytest.skip("needs nginx")
    directory = tmp_path_factory.mktemp("nginx")
    root, stranger = Authority(directory, "Trusted Root"), Authority(directory, "Stranger Root")
    middle = Authority(directory, "Middle Authority", issuer=root)
    leaf, leaf_key = middle.issue("good.example")
    whole = joined(directory, "whole.crt", leaf, middle.certificate)
    expired, expired_key = root.issue_expired("expired.example")
    wildcard = root.issue("*.wild.example")
    wrong, wrong_key = root.issue("other.example")
    foreign, foreign_key = stranger.issue("foreign.example")
    nginx = Nginx(directory, {
        "good.example": (whole, leaf_key, {}), "h2.example": (*root.issue("h2.example"), {"http2": True}),
        "goaway.example": (*root.issue("goaway.example"), {"http2": True, "requests": 5}),
        "incomplete.example": (*middle.issue("incomplete.example"), {}), "expired.example": (expired, expired_key, {}),
        "wrong.example": (wrong, wrong_key, {}), "foreign.example": (foreign, foreign_key, {}),
        "self.example": (stranger.certificate, stranger.key, {}), "one.wild.example": (*wildcard, {"http2": True}),
    })
    nginx.ports["two.wild.example"] = nginx.ports["one.wild.example"]
    nginx.trusted = root.certificate
    yield nginx
    nginx.stop()


@pytest.fixture
def driver(tls, tmp_path):
    names = dict.fromkeys(tls.ports, "127.0.0.1")
    with HttpDriver(tmp_path, names, SSL_CERT_FILE=tls.trusted) as driver:
        yield driver


def url_of(tls, name):
    return f"https://{name}:{tls.ports[name]}/hook"


def test_a_certificate_with_its_chain_is_accepted_and_times_are_reported(driver, tls):
    first, second = driver.attempts(url_of(tls, "good.example"), count=2)
    assert first["http_status"] == second["http_status"] == 200 and first["peer"] == f"127.0.0.1:{tls.ports['good.example']}"
    assert first["tls_ms"] >= 0 and first["dns_ms"] >= 0 and second["tls_ms"] == second["connect_ms"] == -1
    assert ["HTTP/1.1", "good.example", "/hook"] == tls.requests()[-1][:3]


def test_http_2_is_used_if_the_receiver_offers_it(driver, tls):
    results = driver.attempts(url_of(tls, "h2.example"), count=200, parallel=20, payload='"' + "a" * 50_000 + '"')
    assert {result["http_status"] for result in results} == {200}
    mine = [line for line in tls.requests() if line[1] == "h2.example"]
    assert 200 <= len(mine) <= 210 and {line[0] for line in mine} == {"HTTP/2.0"} and min(int(line[3]) for line in mine) > 50_000


def test_names_with_the_same_address_and_certificate_share_no_connection(driver, tls):
    for name in ("one.wild.example", "two.wild.example", "one.wild.example", "two.wild.example"):
        results = driver.attempts(url_of(tls, name), count=20, parallel=10)
        assert {result["http_status"] for result in results} == {200}

    def mine():
        return [line for line in tls.requests() if line[1].endswith(".wild.example")]

    wait_until(lambda: len(mine()) >= 80, "nginx to write its log")
    assert {(line[0], line[1] == line[4]) for line in mine()} == {("HTTP/2.0", True)} and len({line[1] for line in mine()}) == 2


def test_a_receiver_that_ends_its_http_2_connections_fails_no_attempt(driver, tls):
    results = driver.attempts(url_of(tls, "goaway.example"), count=300, parallel=10)
    assert {(result["http_status"], result["error"]) for result in results} == {(200, "")}


@pytest.mark.parametrize("name, told", [
    ("incomplete.example", "the chain is incomplete: the certificate of 'CN=Middle Authority', which issued that of 'CN=incomplete.example', "
                           "was not sent and is not known here"),
    ("expired.example", "the certificate of 'CN=expired.example' has expired"),
    ("wrong.example", "it is not for the name wrong.example"),
    ("foreign.example", "the certificate of 'CN=Stranger Root', which issued that of 'CN=foreign.example', was not sent"),
    ("self.example", "the certificate of 'CN=Stranger Root' is signed by itself and is not known here"),
])  # fmt: skip
def test_a_bad_certificate_fails_the_attempt_with_a_clear_reason(driver, tls, name, told):
    for result in driver.attempts(url_of(tls, name), count=2):
        assert result["end"] == "failed" and result["verdict"] == "retry" and result["charged"]
        assert told in result["certificate_error"] and result["error"].startswith(f"the certificate of {name} was not accepted")
    assert not [line for line in tls.requests() if line[1] == name]


def test_an_error_names_a_receiver_without_tls_or_without_an_answer(driver):
    with Receiver(handle=lambda connection: connection.sendall(b"HTTP/1.1 400 No TLS here\r\n\r\n")) as plain:
        assert driver.attempt(plain.url.replace("http", "https"))["error"].startswith("no TLS with 127.0.0.1: ")
    with Receiver(handle=lambda connection: silent.stopped.wait(60)) as silent:
        assert driver.attempt(silent.url.replace("http", "https"), timeout_ms=200)["error"].startswith("no TLS with 127.0.0.1 within ")


def test_a_missing_file_of_authorities_is_not_charged_to_the_endpoint(tls, tmp_path):
    with contextlib.ExitStack() as stack:
        driver = stack.enter_context(HttpDriver(tmp_path, {"good.example": "127.0.0.1"}, SSL_CERT_FILE="/nowhere.pem"))
        result = driver.attempt(url_of(tls, "good.example"))
        assert result["end"] == "ours" and not result["charged"] and "CA cert" in result["error"]
