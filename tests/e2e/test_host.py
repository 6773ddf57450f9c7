"""HOST: the addresses to listen on. ALLOWED_HOSTS: the host names that requests may use."""

import os
import socket

import pytest

from harness.client import Client
from harness.daemon import BUILD_DIR, REPOSITORY, run_program
from harness.events import minimal
from harness.options import refusal

NO_IPV6 = {"LD_PRELOAD": BUILD_DIR / "tests/preload/noipv6.so",
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def test_the_ipv6_wildcard_serves_both_families(hooksd):
    daemon = hooksd(HOST="::")
    for host in ("127.0.0.1", "::1"):
        with Client(daemon.port, host=host) as client:
            assert client.post_event(minimal()).status == 202
    assert "warning" not in daemon.log()


def test_the_ipv6_wildcard_serves_ipv4_on_a_machine_without_ipv6(hooksd):
    daemon = hooksd(HOST="::", **NO_IPV6)
    assert daemon.post_event(minimal()).status == 202
    daemon.wait_for_log("warning master.* HOST=:: listens on 0.0.0.0")
    daemon.wait_for_log("host=0.0.0.0")
    assert run_program("hooksctl", "health", options=daemon.options | {"PORT": daemon.port}).returncode == 0


def test_an_ipv6_address_is_an_error_on_a_machine_without_ipv6(make_hooksd):
    daemon = make_hooksd(HOST="::1", **NO_IPV6)
    daemon.spawn()
    daemon.wait_exit(1)
    assert "cannot listen on HOST=::1" in daemon.log()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_port_in_use_on_ipv4_is_an_error_for_the_ipv6_wildcard(make_hooksd, host):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as other:
        daemon = make_hooksd(HOST=host, PORT=other.getsockname()[1])
        daemon.spawn()
        daemon.wait_exit(1)
        assert "another program has this port" in daemon.log()


def test_the_host_of_the_kubernetes_manifests_serves_both_families():
    lines = (REPOSITORY / "deploy/k8s/base/hooksd.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert settings["HOST"] == "::"
    assert refusal(settings | {"DATABASE_URL": "postgresql://u:p@h/d"}) is None


def test_requests_with_a_host_that_is_not_allowed_are_refused(hooksd):
    """DNS rebinding: the name of a page's origin leads to this service, so the page may read its replies."""
    daemon = hooksd(ALLOWED_HOSTS="localhost, 127.0.0.1, ::1, hooks.example")
    event = b'{"event_type":"a","session_id":"s"}'
    with daemon.client() as client:
        for host in (f"localhost:{daemon.port}", "hooks.example", "[::1]:1", "HOOKS.example.:443"):
            assert client.request("POST", "/events", event, {"Host": host}).status == 202, host
            assert client.request("GET", "/metrics", None, {"Host": host}).status == 200, host
        for host in (f"evil.example:{daemon.port}", "localhost.evil.example", "127.0.0.2", "[::2]"):
            page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            for method, path, body in (("POST", "/events", event), ("POST", "/events/batch", b"[]"), ("GET", "/metrics", None),
                                       ("GET", "/metrics/prometheus", None), ("GET", "/openapi.json", None)):
                reply = client.request(method, path, body, page)
                assert reply.status == 403, (host, path)
                assert "ALLOWED_HOSTS" in reply.json()["detail"]
            for probe in ("/livez", "/readyz", "/healthz", "/health"):
                assert client.request("GET", probe, None, {"Host": host}).status == 200, "probes call a pod by its address"
    assert len(daemon.jsonl_events()) == 4
