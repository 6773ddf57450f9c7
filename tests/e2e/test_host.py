"""HOST: which addresses are served."""

import os
import socket

import pytest

from harness.client import Client
from harness.daemon import BUILD_DIR, REPOSITORY, run_program
from harness.events import minimal
from harness.options import refusal

NO_IPV6 = {"LD_PRELOAD": BUILD_DIR / "tests/preload/noipv6.so",
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def test_the_wildcard_of_ipv6_serves_both_families(hooksd):
    daemon = hooksd(HOST="::")
    for host in ("127.0.0.1", "::1"):
        with Client(daemon.port, host=host) as client:
            assert client.post_event(minimal()).status == 202
    assert "warning" not in daemon.log()


def test_without_ipv6_its_wildcard_is_that_of_ipv4(hooksd):
    daemon = hooksd(HOST="::", **NO_IPV6)
    assert daemon.post_event(minimal()).status == 202
    daemon.wait_for_log("warning master.* HOST=:: listens on 0.0.0.0")
    daemon.wait_for_log("host=0.0.0.0")
    assert run_program("hooksctl", "health", options=daemon.options | {"PORT": daemon.port}).returncode == 0


def test_an_address_of_ipv6_without_ipv6_is_an_error(make_hooksd):
    daemon = make_hooksd(HOST="::1", **NO_IPV6)
    daemon.spawn()
    daemon.wait_exit(1)
    assert "cannot listen on HOST=::1" in daemon.log()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_port_that_has_somebody_on_ipv4_is_not_free(make_hooksd, host):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as other:
        daemon = make_hooksd(HOST=host, PORT=other.getsockname()[1])
        daemon.spawn()
        daemon.wait_exit(1)
        assert "another program has this port" in daemon.log()


def test_pods_serve_whichever_family_the_cluster_has():
    lines = (REPOSITORY / "deploy/k8s/base/hooksd.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert settings["HOST"] == "::"
    assert refusal(settings | {"DATABASE_URL": "postgresql://u:p@h/d"}) is None
