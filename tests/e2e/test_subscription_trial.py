"""POST /v1/subscriptions/test: whether a pattern and a filter match an event. Over both stores."""

import pytest

EVENT = {"topic": "order.made", "payload": {"amount": 120, "big": 9007199254740993}}


def trial(client, pattern, event=EVENT, **members):
    reply = client.post("/v1/subscriptions/test", {"topic_pattern": pattern, "event": event} | members)
    assert reply.status == 200, reply
    return reply.json


@pytest.mark.parametrize("pattern, filter, matched, topic_matched, filter_matched, why", [
    ("order.*", None, True, True, None, "no filter"),
    ("#", {"gt": "payload.amount", "value": 100}, True, True, True, "filter is true"),
    ("order.made", {"gt": "payload.amount", "value": 120}, False, True, False, "filter is not true"),
    ("invoice.#", {"eq": "topic", "value": "order.made"}, False, False, True, "does not match the topic"),
    ("order.*", {"eq": "payload.big", "value": 9007199254740993}, True, True, True, "filter is true"),
    ("order.*", {"eq": "payload.big", "value": 9007199254740992}, False, True, False, "filter is not true"),
])
def test_the_reply_says_whether_the_event_matches_and_why_not(tenant, pattern, filter, matched, topic_matched, filter_matched, why):
    reply = trial(tenant.client, pattern, filter=filter)
    assert why in reply.pop("why")
    assert reply == {"matched": matched, "topic_matched": topic_matched, "filter_matched": filter_matched}


def test_a_trial_agrees_with_publishing(tenant):
    """Topics of the service match only patterns that name their first segment, in trials and in publishing."""
    notice = {"topic": "hookline.endpoint.disabled"}
    assert not trial(tenant.client, "#", notice)["matched"] and "first segment" in trial(tenant.client, "#", notice)["why"]
    assert trial(tenant.client, "hookline.#", notice)["matched"]


@pytest.mark.parametrize("body, word", [
    ({"event": EVENT}, "topic_pattern"),
    ({"topic_pattern": "a"}, "event"),
    ({"topic_pattern": "a", "event": {}}, "event.topic"),
    ({"topic_pattern": "a", "event": {"topic": "a.*"}}, "event.topic"),
    ({"topic_pattern": "a", "event": {"topic": "a..b"}}, "event.topic"),
    ({"topic_pattern": "a", "event": []}, "event"),
    ({"topic_pattern": "a*", "event": EVENT}, "topic_pattern"),
    ({"topic_pattern": "a", "event": EVENT, "filter": {"lik": "payload.a"}}, "filter"),
    ({"topic_pattern": "a", "event": EVENT, "filter": []}, "filter"),
])
def test_an_error_of_a_trial_names_the_member(tenant, body, word):
    reply = tenant.client.post("/v1/subscriptions/test", body)
    assert (reply.status, reply.json["error"]) == (400, "validation_error")
    assert reply.json["detail"].startswith(word)


def test_a_trial_needs_only_the_scope_for_reading_and_changes_nothing(tenant):
    before = tenant.client.get("/v1/admin/audit").json["count"]
    trial(tenant.key(["subscriptions.read"]), "#")
    refused = tenant.key(["events.read"]).post("/v1/subscriptions/test", {"topic_pattern": "#", "event": EVENT})
    assert (refused.status, refused.json["required_scope"]) == (403, "subscriptions.read")
    audited = tenant.client.get("/v1/admin/audit").json["items"]
    assert len(audited) == before + 2 and {entry["object_kind"] for entry in audited[:2]} == {"key"}
