"""Single attempts over HTTP/2 at receivers that end streams and connections early. See test_courier_http.py."""

import pytest

from harness.certificates import Authority
from harness.http2_receiver import CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, SETTINGS, Http2Receiver
from harness.http_driver import HttpDriver


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"), "Root")
    authority.issued = authority.issue("h2.example")
    return authority


@pytest.fixture
def driver(authority, tmp_path):
    with HttpDriver(tmp_path, {"h2.example": "127.0.0.1"}, SSL_CERT_FILE=authority.certificate) as driver:
        yield driver


def leave(connection, stream):
    connection.go_away(stream)
    connection.close()


def reset_and_leave(connection, stream):
    connection.reset(stream, INTERNAL_ERROR)
    connection.go_away(stream, INTERNAL_ERROR)


@pytest.mark.parametrize("end", [
    pytest.param(lambda connection, stream: connection.reset(stream, INTERNAL_ERROR), id="internal error"),
    pytest.param(lambda connection, stream: connection.reset(stream, CANCEL), id="cancel"),
    pytest.param(lambda connection, stream: connection.reset(stream, NO_ERROR), id="no error"),
    pytest.param(lambda connection, stream: connection.close(), id="close"),
    pytest.param(leave, id="go away after it"),
    pytest.param(reset_and_leave, id="reset and go away after it"),
    pytest.param(lambda connection, stream: connection.send(SETTINGS, 0, 0, b"no settings"), id="an invalid frame"),
])  # fmt: skip
def test_a_request_that_may_have_been_processed_is_not_repeated_within_an_attempt(authority, driver, end):
    with Http2Receiver(*authority.issued, end) as receiver:
        result = driver.attempt(f"https://h2.example:{receiver.port}/")
    assert (result["end"], result["verdict"], result["charged"]) == ("failed", "retry", True)
    assert result["error"].startswith(("h2.example ", "the connection to h2.example "))
    assert receiver.requests == 1


@pytest.mark.parametrize("refuse", [
    pytest.param(lambda connection, stream: connection.reset(stream, REFUSED_STREAM), id="refused stream"),
    pytest.param(lambda connection, stream: connection.go_away(stream - 1), id="go away before it"),
])  # fmt: skip
def test_a_request_that_was_surely_not_processed_is_repeated_within_the_attempt(authority, driver, refuse):
    def react(connection, stream):
        (refuse if connection.number == 1 else type(connection).answer)(connection, stream)

    with Http2Receiver(*authority.issued, react) as receiver:
        result = driver.attempt(f"https://h2.example:{receiver.port}/")
    assert (result["http_status"], result["error"]) == (200, "") and receiver.connections == 2


def test_a_request_whose_body_was_not_read_whole_is_repeated(authority, driver):
    def on_headers(connection, stream):
        if connection.number == 1:
            connection.close()

    with Http2Receiver(*authority.issued, lambda connection, stream: connection.answer(stream), on_headers) as receiver:
        result = driver.attempt(f"https://h2.example:{receiver.port}/", body="payload", payload='"' + "a" * 500_000 + '"')
    assert result["http_status"] == 200 and receiver.requests == 1
