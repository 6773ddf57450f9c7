"""More clients than descriptors: the log reports the shortage and its end."""

import contextlib
import re
import socket

import pytest

from harness.events import minimal
from harness.waiting import wait_until

LINE = re.compile(r"cannot accept connections, pausing .*times=(\d+)")


@pytest.mark.wanted_by("SLOW_TESTS")
def test_the_log_reports_a_shortage_of_descriptors_at_intervals_and_its_end(make_hooksd):
    daemon = make_hooksd(ACCEPTORS=1)
    daemon.launcher = ["sh", "-c", 'ulimit -n 40 && exec "$0" "$@"']
    daemon.start()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            connection.sendall(b"POST /events HTTP/1.1\r\n")  # an idle connection would be closed
        daemon.wait_for_log(LINE.pattern, count=3, timeout=40)
    daemon.wait_for_log(r"connections are accepted again .*times=\d+", timeout=60)
    first, *others = [int(times) for times in LINE.findall(daemon.log())]
    assert first == 1
    assert sum(others) > 10 * len(others)
    assert daemon.post_event(minimal()).status == 202
