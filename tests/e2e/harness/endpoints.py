"""Creates and reads endpoints for the tests of the API."""

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
    """The value of a JSON column. psycopg has parsed it, sqlite3 has not."""
    return json.loads(value) if isinstance(value, str) else value


def run_at_once(works):
    """Runs each call in a thread of its own and raises the first failure."""
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
