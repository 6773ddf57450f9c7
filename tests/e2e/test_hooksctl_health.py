"""hooksctl health, the health check of a container."""

import socket
import threading
from contextlib import contextmanager

import pytest

from harness.daemon import run_program
from harness.postgres import free_port


def health(daemon, *words, **options):
    return run_program("hooksctl", "health", *words, options=daemon.options | {"PORT": daemon.port} | options)


@contextmanager
def somebody(answer):
    """Another service on some port. answer(connection) handles each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def test_a_daemon_that_serves_is_healthy(hooksd):
    daemon = hooksd()
    result = health(daemon)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == daemon.get("/health").body.decode() + "\n"


@pytest.mark.parametrize("host, reached_by", [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "localhost")])
def test_host_and_port_are_taken_from_the_daemons_options(hooksd, host, reached_by):
    daemon = hooksd(HOST=host)
    assert health(daemon).returncode == 0
    url_host = f"[{reached_by}]" if ":" in reached_by else reached_by
    assert health(daemon, f"http://{url_host}:{daemon.port}/livez", PORT=free_port()).stdout == "ok\n"


def test_other_paths_can_be_checked(hooksd):
    daemon = hooksd()
    assert health(daemon, "/readyz").stdout == "ok\n"
    missing = health(daemon, "/nowhere")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "/nowhere answered 404: " in missing.stderr


def test_health_and_readiness_differ_before_the_store_is_reached(hooksd):
    daemon = hooksd(store_ready=False, DATABASE_URL=f"postgresql://127.0.0.1:{free_port()}/none")
    assert '"degraded"' in health(daemon).stdout
    ready = health(daemon, "/readyz")
    assert ready.returncode == 1
    assert "/readyz answered 503: " in ready.stderr and "has not been reached" in ready.stderr


def test_a_closed_port_is_unhealthy(hooksd):
    port = free_port()
    result = run_program("hooksctl", "health", options={"PORT": port})
    assert result.returncode == 1
    assert f"no answer from http://127.0.0.1:{port}/health: Failed to connect" in result.stderr


@pytest.mark.parametrize("answer", [b"", b"200 OK\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"\0" * 20000],
                         ids=["none", "no version", "no status", "unfinished", "zeros"])
def test_another_service_on_the_port_is_unhealthy(answer):
    def serve(connection):
        connection.recv(4096)
        try:
            connection.sendall(answer)
        except ConnectionError:  # hooksctl has read enough and closed
            pass

    with somebody(serve) as port:
        result = run_program("hooksctl", "health", options={"PORT": port})
    assert result.returncode == 1
    assert "is not complete" in result.stderr or "no answer" in result.stderr


def test_health_gives_up_on_a_daemon_that_never_answers():
    def serve(connection):
        while connection.recv(4096):
            pass

    with somebody(serve) as port:
        result = run_program("hooksctl", "health", options={"PORT": port})
    assert result.returncode == 1
    assert "no answer" in result.stderr and "timed out" in result.stderr


def test_control_characters_of_an_answer_do_not_reach_the_terminal():
    def serve(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n\x1b[2J\xc2\x9bfine\n")

    with somebody(serve) as port:
        result = run_program("hooksctl", "health", options={"PORT": port})
    assert (result.returncode, result.stdout) == (0, " [2J  fine\n")


@pytest.mark.parametrize("words", [
    ("health",), ("ftp://localhost/",), ("http://",), ("http://:80/",), ("http://[::1/",), ("https://a:b@localhost/",),
    ("http://localhost:80x/",), ("http://localhost:123456/",), ("http://localhost:80/a b",), ("/a\r\nHost: b",),
    ("/livez", "/readyz")])
def test_an_invalid_url_is_wrong_usage(words):
    result = run_program("hooksctl", "health", *words)
    assert result.returncode == 64
    assert "health" in result.stderr


def test_health_with_port_0_asks_for_the_port():
    result = run_program("hooksctl", "health", options={"PORT": 0})
    assert result.returncode == 64
    assert "PORT is 0" in result.stderr
