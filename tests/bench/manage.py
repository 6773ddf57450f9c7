#!/usr/bin/python3
"""
The client of the case management: connections that create, read, change, list and delete endpoints and subscriptions,
each in a separate loop. Reads the start key from the environment (HL_API_KEY). Prints "ready" when it has connected,
and begins when it gets a line. Then prints one JSON object: the answers, the CPU time of this process, and the times of
each kind of request.
"""

import argparse
import json
import os
import socket
import sys
import threading
import time

KINDS = ("create", "read", "change", "list", "delete")


class Connection:
    """One connection, and the times of its requests in seconds by kind."""

    def __init__(self, options, number):
        self.options = options
        self.number = number
        self.times = {kind: [] for kind in KINDS}
        self.failed = {}  # by status
        self.sent = 0
        self.socket = socket.create_connection(("127.0.0.1", options.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def request(self, kind, method, path, body=None):
        """Sends a request. Returns the reply's JSON, or None."""
        data = b"" if body is None else json.dumps(body).encode()
        fields = ["Host: localhost", f"Authorization: Bearer {self.options.key}", f"Content-Length: {len(data)}", "", ""]
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *fields])
        self.wait_for_turn()
        begun = time.monotonic()
        self.socket.sendall(head.encode() + data)
        status, reply = self.read_reply()
        self.times[kind].append(time.monotonic() - begun)
        if status >= 300:
            self.failed[status] = self.failed.get(status, 0) + 1
        return json.loads(reply) if reply else None

    def read_reply(self):
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.read()
        head, data = data[:end].lower(), data[end + 4 :]
        status = int(head[9:12])
        at = head.find(b"content-length:")
        length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
        while len(data) < length:
            data += self.read()
        self.rest = data[length:]
        return status, data[:length]

    def read(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError("the service has closed the connection")
        return data

    def wait_for_turn(self):
        """Sends requests. With a rate: so many a second at equal distances, by all connections together."""
        if self.options.rate:
            due = self.options.begin + (self.sent * self.options.connections + self.number) / self.options.rate
            time.sleep(max(0, due - time.monotonic()))
        self.sent += 1

    def run(self):
        while time.monotonic() < self.options.end:
            self.one_round()

    def one_round(self):
        """Deletes the created objects again, so that lists keep their length."""
        endpoint = {"url": "https://example.com/hooks", "name": "bench", "headers": {"X-Team": "bench"}, "metadata": {"n": 1}}
        made = self.request("create", "POST", "/v1/endpoints", endpoint) or {}
        where = f"/v1/endpoints/{made.get('id')}"
        self.request("read", "GET", where)
        self.request("change", "PATCH", where, {"timeout_ms": 5000})
        subscription = {
            "endpoint_id": made.get("id"), "topic_pattern": f"bench.{self.number}.#",
            "filter": {"and": [{"eq": "payload.country", "value": "DE"}, {"gt": "payload.total", "value": 100}]},
            "transform": [{"op": "remove_field", "field": "payload.email"}],
        }
        made = self.request("create", "POST", "/v1/subscriptions", subscription) or {}
        under = f"/v1/subscriptions/{made.get('id')}"
        self.request("read", "GET", under)
        self.request("change", "PATCH", under, {"topic_pattern": f"bench.{self.number}.*"})
        self.request("list", "GET", "/v1/subscriptions?limit=50")
        self.request("delete", "DELETE", under)
        self.request("delete", "DELETE", where)


def quantiles(seconds):
    ordered = sorted(seconds)
    return {f"p{percent}_ms": 1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 99)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as fast as replies come")
    options = parser.parse_args()
    options.key = os.environ["HL_API_KEY"]
    connections = [Connection(options, number) for number in range(options.connections)]
    print("ready", flush=True)
    sys.stdin.readline()
    options.begin = time.monotonic()
    options.end = options.begin + options.seconds
    threads = [threading.Thread(target=connection.run) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - options.begin
    times = {kind: [t for connection in connections for t in connection.times[kind]] for kind in KINDS}
    failed = {}
    for connection in connections:
        for status, count in connection.failed.items():
            failed[status] = failed.get(status, 0) + count
    used = os.times()
    print(json.dumps({
        "requests": sum(map(len, times.values())), "seconds": elapsed, "failed": failed, "cpu_us": 1e6 * (used.user + used.system),
        "all": quantiles([t for of_kind in times.values() for t in of_kind]),
        "kinds": {kind: quantiles(of_kind) for kind, of_kind in times.items() if of_kind},
    }))


if __name__ == "__main__":
    main()
