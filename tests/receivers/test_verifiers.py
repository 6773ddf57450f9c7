"""What hooksd sends is what the verifiers of Standard Webhooks and of Svix, from npm, take; and node's http and http2."""

import base64
import itertools

import pytest

VERIFIED = {"standardwebhooks": "verified", "svix": "verified", "own": "verified"}
REFUSED = {"standardwebhooks": "No matching signature found", "svix": "No matching signature found", "own": "another signature"}
SECRETS = {
    "whsec": "whsec_" + base64.b64encode(bytes(range(32))).decode(),
    "plain": "a plain secret",
    "utf8": "geheim-\u00fc\u20ac\U0001f511",
}
# As a publisher writes them; sent as they are, but for white space between tokens.
PAYLOADS = {
    "one byte": ("1", b"1"),
    "empty text": ('""', b'""'),
    "null": ("null", b"null"),
    "text and emoji": ('{"a": "gr\u00fc\u00dfe \U0001f680"}', '{"a":"gr\u00fc\u00dfe \U0001f680"}'.encode()),
    "escapes": (r'{"a": "\u001B\u001b\ud83d\ude80\/"}', rb'{"a":"\u001B\u001b\ud83d\ude80\/"}'),
    "line separators": ('"\u2028\u2029"', '"\u2028\u2029"'.encode()),
    "a newline at the end": ('"x\\n" \r\n', b'"x\\n"'),
    "numbers": ('[9007199254740993, 1e400, -0, 1.10]', b'[9007199254740993,1e400,-0,1.10]'),
    "large": ('"' + "\u20ac" * 100_000 + '"', b'"' + "\u20ac".encode() * 100_000 + b'"'),
}
_numbers = itertools.count()


@pytest.fixture
def tenant(hookline):
    return hookline.new_tenant()


def subscribe(tenant, receiver, **fields):
    """An endpoint at a path of its own that gets all topics."""
    path = f"/hook/{next(_numbers)}?a=%2F&b=;"
    made = tenant.client.post("/v1/endpoints", {"url": receiver.url(path)} | fields)
    assert made.status == 201, made
    assert tenant.client.post("/v1/subscriptions", {"endpoint_id": made.json["id"], "topic_pattern": "#"}).status == 201
    return made.json | {"path": path}


def publish(tenant, payload='{"x": 1}'):
    reply = tenant.client.post("/v1/events", f'{{"topic": "order.made", "payload": {payload}}}')
    assert reply.status == 201, reply
    return reply.json["id"]


def arrived(tenant, receiver, endpoint, **fields):
    event = publish(tenant, **fields)
    request = receiver.next()
    assert (request["path"], request["headers"]["x-hl-event-id"]) == (endpoint["path"], event)
    return request


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_official_verifiers_take_what_is_sent(tenant, receiver, secret, payload):
    text, sent = PAYLOADS[payload]
    receiver.try_secrets(right=SECRETS[secret], wrong="another secret")
    endpoint = subscribe(tenant, receiver, secret=SECRETS[secret], body="payload")
    request = arrived(tenant, receiver, endpoint, payload=text)
    assert request["body"] == sent
    assert request["verdicts"] == {"right": VERIFIED, "wrong": REFUSED}


@pytest.mark.parametrize("body", ["envelope", "event", "payload"])
def test_every_kind_of_body_is_signed_as_it_is_sent(tenant, receiver, body):
    receiver.try_secrets(right=SECRETS["whsec"])
    request = arrived(tenant, receiver, subscribe(tenant, receiver, secret=SECRETS["whsec"], body=body))
    assert request["verdicts"] == {"right": VERIFIED}
    assert b'"x":1' in request["body"] and int(request["headers"]["content-length"]) == len(request["body"])


@pytest.mark.parametrize("old, new", [("plain", "whsec"), ("whsec", "utf8")])
def test_during_a_rotation_both_secrets_verify_and_after_one_without_overlap_the_new_one_alone(tenant, receiver, old, new):
    receiver.try_secrets(old=SECRETS[old], new=SECRETS[new])
    endpoint = subscribe(tenant, receiver, secret=SECRETS[old])
    assert arrived(tenant, receiver, endpoint)["verdicts"] == {"old": VERIFIED, "new": REFUSED}

    rotate = f"/v1/endpoints/{endpoint['id']}/rotate-secret"
    assert tenant.client.post(rotate, {"secret": SECRETS[new], "overlap_seconds": 3600}).status == 200
    request = arrived(tenant, receiver, endpoint)
    assert request["verdicts"] == {"old": VERIFIED, "new": VERIFIED | {"own": "another signature"}}
    assert len(request["headers"]["webhook-signature"].split(" ")) == 2

    assert tenant.client.patch(f"/v1/endpoints/{endpoint['id']}", {"secret": SECRETS[new]}).status == 200
    assert arrived(tenant, receiver, endpoint)["verdicts"] == {"old": REFUSED, "new": VERIFIED}


def test_node_is_spoken_to_by_the_newest_protocol_that_it_offers(tenant, receiver):
    receiver.try_secrets()
    request = arrived(tenant, receiver, subscribe(tenant, receiver))
    assert request["version"] == ("1.1" if receiver.scheme == "http" else "2.0")
    assert request["headers"]["content-type"] == "application/json"
