"""
The development inbox: a URL that accepts any request and shows it to the tenant that made it. Over both stores.
"""

import base64
import json

import pytest

from harness.operations import ALL_OPERATIONS
from harness.rows import Rows, new_id, now_ms
from harness.waiting import wait_until
from harness.webhooks import ApiClient

RECEIVE = "/v1/dev/inbox/receive/"


@pytest.fixture
def receiver(tenant):
    return made(tenant.client)


def made(client):
    reply = client.post("/v1/dev/inbox", {})
    assert reply.status == 201, reply
    return reply.json


def messages(client, receiver, query=""):
    return client.items(f"/v1/dev/inbox?token={receiver['token']}{query}")


def send(hookline, receiver, body=b"", method="POST", headers=()):
    reply = hookline.keyless.request(method, RECEIVE + receiver["token"], body, headers)
    assert reply.status == 200, reply
    return reply


def test_posted_messages_can_be_read(hookline, tenant, receiver):
    assert receiver["id"] == receiver["token"] and receiver["tenant_id"] == tenant.id
    assert receiver["receive_url"] == f"http://127.0.0.1:{hookline.daemon.port}{RECEIVE}{receiver['token']}"
    assert receiver["expires_at"] > receiver["created_at"] + 86_400_000
    assert messages(tenant.client, receiver) == []
    sent = {"a": [1, "\u00e9"]}
    before = now_ms()
    assert send(hookline, receiver, sent, headers=[("X-One", "a"), ("x-one", "b"), ("Webhook-Id", "w")]).json == {"ok": True}
    (message,) = messages(tenant.client, receiver)
    assert json.loads(message["body"]) == sent and message["id"] == message["message_id"]
    assert message["token"] == receiver["token"] and before - 1000 <= message["received_at"] <= now_ms() + 1000
    assert message["headers"]["x-one"] == "a, b" and message["headers"]["webhook-id"] == "w"
    assert message["headers"]["host"] == f"127.0.0.1:{hookline.daemon.port}"
    path = f"/v1/dev/inbox/messages/{message['id']}?token={receiver['token']}"
    assert tenant.client.get(path).json == message
    assert tenant.client.get(f"/v1/dev/inbox/messages?endpoint_id={receiver['token']}").json["items"] == [message]


def test_an_endpoint_can_have_the_inboxs_url_on_any_port(hookline, tenant, receiver):
    endpoint = tenant.client.post("/v1/endpoints", {"url": receiver["receive_url"]}).json
    assert tenant.client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"}).status == 201
    event = tenant.client.post("/v1/events", {"topic": "a", "payload": {"n": 1}}).json
    (message,) = wait_until(lambda: messages(tenant.client, receiver), "the webhook")
    assert json.loads(message["body"])["event_id"] == event["id"]


def test_a_receiver_with_a_topic_pattern_gets_published_events(hookline, tenant):
    made = tenant.client.post("/v1/dev/inbox", {"topic_pattern": "order.#"}, headers={"Host": "hooks.example"})
    assert made.status == 201 and made.json["topic_pattern"] == "order.#"
    endpoint = tenant.client.get(f"/v1/endpoints/{made.json['endpoint_id']}").json
    assert endpoint["url"] == f"http://localhost{RECEIVE}{made.json['token']}", "couriers reach it by localhost"
    subscription = tenant.client.get(f"/v1/subscriptions/{made.json['subscription_id']}").json
    assert (subscription["endpoint_id"], subscription["topic_pattern"]) == (endpoint["id"], "order.#")
    tenant.client.post("/v1/events", {"topic": "other", "payload": {}})
    event = tenant.client.post("/v1/events", {"topic": "order.made", "payload": {"n": 1}}).json
    (message,) = wait_until(lambda: messages(tenant.client, made.json), "the webhook")
    assert json.loads(message["body"])["event_id"] == event["id"]
    assert [row["action"] for row in tenant.client.items("/v1/admin/audit")][:2] == ["subscription.create", "endpoint.create"]


@pytest.mark.parametrize("body, place", [({"topic_pattern": "a..b"}, "topic_pattern"), ({"topic_pattern": 1}, "topic_pattern"),
                                         ({"topic_pattern": "a" * 256}, "topic_pattern"), ("{", "byte")])
def test_a_receiver_with_a_wrong_pattern_is_refused(tenant, body, place):
    reply = tenant.client.post("/v1/dev/inbox", body)
    assert reply.status == 400 and place in reply.json["detail"]
    assert tenant.client.items("/v1/endpoints") == [] == tenant.client.items("/v1/subscriptions")


@pytest.mark.parametrize("scope, missing", [("endpoints.write", "subscriptions.write"), ("subscriptions.write", "endpoints.write")])
def test_a_receiver_with_a_topic_pattern_needs_the_scopes_of_its_objects(tenant, scope, missing):
    reply = tenant.key([scope]).post("/v1/dev/inbox", {"topic_pattern": "#"})
    assert (reply.status, reply.json["required_scope"]) == (403, missing)
    assert tenant.client.items("/v1/endpoints") == []


def test_a_list_without_a_token_has_all_receivers_of_the_tenant(hookline, tenant, receiver):
    other, foreign = made(tenant.client), made(hookline.new_tenant().client)
    for number, one in enumerate([receiver, other, foreign, other, receiver]):
        send(hookline, one, str(number))
    found = tenant.client.items("/v1/dev/inbox?limit=2")
    assert [message["body"] for message in found] == ["0", "1", "3", "4"]
    assert [message["token"] for message in found] == [one["token"] for one in (receiver, other, other, receiver)]
    assert [message["body"] for message in tenant.client.items("/v1/dev/inbox/messages?token=&order=desc")] == ["4", "3", "1", "0"]


def test_every_method_is_accepted(hookline, tenant, receiver):
    for method in ("GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
        send(hookline, receiver, method.encode(), method)
    assert hookline.keyless.request("HEAD", RECEIVE + receiver["token"]).status == 200
    assert [message["body"] for message in messages(tenant.client, receiver)] == [
        "GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", ""]


def test_pages_have_the_oldest_messages_first(hookline, tenant, receiver):
    other = made(tenant.client)
    for number in range(5):
        send(hookline, receiver, str(number))
    send(hookline, other, "other")
    assert [message["body"] for message in messages(tenant.client, receiver, "&limit=2")] == list("01234")
    assert [message["body"] for message in messages(tenant.client, receiver, "&limit=2&order=desc")] == list("43210")


@pytest.mark.parametrize("body, kept", [
    (b"\xff\x00a\xc3", "\ufffd\ufffda\ufffd"), (b"", ""), (b"{", "{"), (b"a\nb\n", "a\nb\n"), (b"x" * 200_000, "x" * 200_000)],
    ids=["bytes", "nothing", "half", "lines", "long"])
def test_any_bytes_are_accepted(hookline, tenant, receiver, body, kept):
    send(hookline, receiver, body, headers={"Content-Type": "application/octet-stream", "X-Bytes": b"\xff\xfe".decode("latin-1")})
    (message,) = messages(tenant.client, receiver)
    assert message["body"] == kept and message["headers"]["x-bytes"] == "\ufffd\ufffd"


def test_a_message_may_have_a_mebibyte(hookline, tenant, receiver):
    send(hookline, receiver, b"x" * (1 << 20))
    reply = hookline.keyless.post(RECEIVE + receiver["token"], b"x" * ((1 << 20) + 1))
    assert (reply.status, reply.json["error"]) == (413, "payload_too_large")
    assert [len(message["body"]) for message in messages(tenant.client, receiver)] == [1 << 20]


def forged(token, change):
    data = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    change(data)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_forged_token_is_unknown(hookline, tenant, receiver):
    def flip(place):
        def change(data):
            data[place] ^= 1
        return change

    def cut(data):
        del data[-1]

    good = receiver["token"]
    for token in [forged(good, flip(0)), forged(good, flip(10)), forged(good, flip(21)), forged(good, flip(-1)), forged(good, cut),
                  good + "A", good[:-1], "x", "%FF" * 3, "A" * 300]:
        assert hookline.keyless.post(RECEIVE + token, b"x").status in (400, 404), token
        assert tenant.client.get(f"/v1/dev/inbox?token={token}").status in (400, 404), token
    assert messages(tenant.client, receiver) == []


def test_only_the_own_tenant_can_read_messages(hookline, tenant, receiver):
    send(hookline, receiver, "mine")
    (message,) = messages(tenant.client, receiver)
    other = hookline.new_tenant().client
    for client in (other, hookline.admin):
        for path in ("/v1/dev/inbox?", "/v1/dev/inbox/messages?", f"/v1/dev/inbox/messages/{message['id']}?"):
            assert client.get(f"{path}token={receiver['token']}").status == 404
    own = made(other)
    assert other.get(f"/v1/dev/inbox/messages/{message['id']}?token={own['token']}").status == 404


def test_a_key_of_any_scope_is_enough_and_required(hookline, tenant, receiver):
    for operation in (one for one in ALL_OPERATIONS if one.resource == "DEV" and one.method != "ANY"):
        path = operation.path.replace("{id}", "x") + f"?token={receiver['token']}"
        assert hookline.keyless.request(operation.method, path).status == 401
        assert ApiClient(hookline, receiver["token"]).request(operation.method, path).status == 401
        assert tenant.key(["metrics"]).request(operation.method, path).status in (200, 201, 404)


def test_a_receivers_url_has_the_host_that_the_client_used(tenant):
    for headers, wanted in (({"Host": "hooks.example"}, "http://hooks.example"),
                            ({"Host": "hooks.example:8443", "X-Forwarded-Proto": "https"}, "https://hooks.example:8443")):
        reply = tenant.client.post("/v1/dev/inbox", headers=headers)
        assert reply.json["receive_url"].startswith(wanted + RECEIVE)


@pytest.mark.parametrize("query, place", [("/messages/{id}", "token"), ("/messages/{id}?token=", "token"),
                                          ("?token={token}&cursor=x", "cursor"), ("?token={token}&limit=0", "limit")])
def test_a_wrong_query_is_refused_with_the_parameter(tenant, receiver, query, place):
    reply = tenant.client.get(f"/v1/dev/inbox{query.format(**(receiver | {'id': new_id(now_ms())}))}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]


def test_a_thousand_messages_of_the_last_day_are_kept(hookline, tenant, receiver):
    rows, at = Rows(hookline, tenant), now_ms()
    rows.inbox_messages(receiver["token"], at - 3_600_000, 1000)
    send(hookline, receiver, "new")
    kept = messages(tenant.client, receiver)
    assert len(kept) == 1000 and kept[-1]["body"] == "new"
    rows.inbox_messages(receiver["token"], at - 86_500_000, 1)
    assert len(messages(tenant.client, receiver)) == 1000, "a message older than a day is not shown"


def test_tokens_survive_restarts_and_a_refusal_names_the_option(make_hookline):
    hookline = make_hookline("embedded", HL_PUBLIC_URL="https://hooks.example").start()
    tenant = hookline.new_tenant()
    receiver = made(tenant.client)
    assert receiver["receive_url"].startswith("https://hooks.example" + RECEIVE)
    send(hookline, receiver, "before")
    hookline.daemon.stop()
    hookline.start()
    send(hookline, receiver, "after")
    assert [message["body"] for message in messages(tenant.client, receiver)] == ["before", "after"]
    hookline.daemon.stop()
    hookline.daemon.options["HL_DEV_INBOX"] = "false"
    hookline.start()
    for reply in (tenant.client.post("/v1/dev/inbox"), tenant.client.get(f"/v1/dev/inbox?token={receiver['token']}"),
                  hookline.keyless.post(RECEIVE + receiver["token"], b"x")):
        assert (reply.status, reply.json["error"]) == (404, "dev_inbox_disabled") and "HL_DEV_INBOX" in reply.json["detail"]
