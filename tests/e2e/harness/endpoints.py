"""Endpoints as the tests of the API make and read them."""

import base64
import json
import threading

URL = "https://receiver.example/hook?a=%2F&b=%3D+;&c=&"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"o" * 24).decode()


def make(client, **fields):
    reply = client.post("/v1/endpoints", {"url": URL} | fields)
    assert reply.status == 201, reply
    return reply.json


def path_of(endpoint):
    return f"/v1/endpoints/{endpoint['id']}"


def stored(hookline, endpoint):
    return hookline.query("SELECT * FROM endpoints WHERE endpoint_id = :id", id=endpoint["id"])[0]


def patched(client, endpoint, body):
    reply = client.patch(path_of(endpoint), body)
    assert reply.status == 200, reply
    return reply.json


def as_json(value):
    """A JSON column's value: PostgreSQL's client reads it, SQLite's does not."""
    return json.loads(value) if isinstance(value, str) else value


def run_at_once(works):
    """Each in a thread of its own; the first problem is raised."""
    problems = []

    def guarded(work):
        try:
            work()
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
