"""The operations of the webhooks' API, read from their table, with a valid body and query for each."""

import re
from collections import namedtuple

from harness.daemon import REPOSITORY
from harness.rows import Rows

ROW = re.compile(r'^OPERATION\((\w+), "(\w+)", "([^"]+)", (\w+), (\w+),', re.MULTILINE)
SCOPE = re.compile(r'^\tX\((\w+), "([^"]+)", "([^"]*)"\)', re.MULTILINE)

Operation = namedtuple("Operation", "symbol method path scope resource")


def read_scopes():
    """The names of scopes by their symbols."""
    rows = SCOPE.findall((REPOSITORY / "api/scopes.h").read_text())
    return {symbol: f"{group}.{verb}" if verb else group for symbol, group, verb in rows}


SCOPES = read_scopes()
ALL_OPERATIONS = [
    Operation(symbol, method, path, SCOPES.get(scope), resource)  # None: any key is enough, or none is needed
    for symbol, method, path, scope, resource in ROW.findall((REPOSITORY / "api/operation_list.def").read_text())]
# Without the development inbox, whose tokens name the tenant (test_inbox.py), and without endless streams
# (test_stream.py).
OPERATIONS = [operation for operation in ALL_OPERATIONS if operation.resource not in ("DEV", "STREAM")]

URL = "https://hooks.example.com/in"

# A valid body for each operation that takes one, made from the ids of a tenant's objects. The tests that try all
# operations fail for an operation that is missing here.
BODIES = {
    "TENANT_CREATE": lambda own: {"name": "made"},
    "TENANT_UPDATE": lambda own: {"name": "changed"},
    "TENANT_ROTATE_KEY": lambda own: {"key_id": own["key"]},
    "TENANT_KEY_CREATE": lambda own: {"name": "made", "scopes": ["admin"]},
    "KEY_CREATE": lambda own: {"name": "made", "scopes": ["admin"]},
    "KEY_UPDATE": lambda own: {"name": "changed"},
    "ADMIN_ROTATE_SECRETS": lambda own: {},
    "ADMIN_COMPACT": lambda own: {},
    "ADMIN_PAUSE": lambda own: {"tenant_id": own["tenant"]},
    "ADMIN_RESUME": lambda own: {"tenant_id": own["tenant"]},
    "ENDPOINT_CREATE": lambda own: {"url": URL, "name": "made"},
    "ENDPOINT_UPDATE": lambda own: {"name": "changed"},
    "ENDPOINT_ROTATE_SECRET": lambda own: {"overlap_seconds": 60},
    "ENDPOINT_RETRY": lambda own: {},
    "ENDPOINT_TEST": lambda own: {},
    "JOB_RETRY": lambda own: {},
    "DEAD_LETTER_REQUEUE": lambda own: {},
    "DEAD_LETTER_REQUEUE_MANY": lambda own: {"endpoint_id": own["endpoint"]},
    "SUBSCRIPTION_CREATE": lambda own: {"endpoint_id": own["endpoint"], "topic_pattern": "order.*"},
    "SUBSCRIPTION_UPDATE": lambda own: {"name": "changed"},
    "SUBSCRIPTION_TEST": lambda own: {"topic_pattern": "order.*", "event": {"topic": "order.made"}},
    "REPLAY_CREATE": lambda own: {"event_id": own["event"], "mode": "all"},
}
# Required parameters of the query.
QUERIES = {"EVENT_DELETE_MANY": lambda own: f"topic=nothing.has.this&confirm={own['tenant']}"}
# The kind of object that {id} of a path names, by the operation's resource.
KINDS = {"TENANTS": "tenant", "APIKEYS": "key", "ENDPOINTS": "endpoint", "SUBSCRIPTIONS": "subscription", "EVENTS": "event",
         "DELIVERIES": "attempt", "JOBS": "job", "DLQ": "dead_letter", "REPLAY": "replay"}


def takes_body(operation):
    return operation.method in ("POST", "PATCH")


def body_of(operation, own):
    return BODIES[operation.symbol](own)


def path_of(operation, own):
    """The path with ids of a tenant's objects and the required query."""
    path = operation.path.replace("{key_id}", own["key"]).replace("{id}", own.get(KINDS.get(operation.resource), ""))
    return f"{path}?{QUERIES[operation.symbol](own)}" if operation.symbol in QUERIES else path


def make_objects(tenant, mark, **fields):
    """
    Makes two keys, two endpoints and two subscriptions with the mark in names, addresses and metadata. Adds for each
    endpoint an event, a waiting job, an attempt, a dead letter and a replay with the mark in their texts. Returns one
    id for each kind, and all ids as "all". fields: further fields of the endpoints.
    """
    keys = [tenant.key(name=f"key {mark}") for _ in range(2)]
    client = tenant.client
    endpoints, subscriptions = [], []
    for number in range(2):
        reply = client.post("/v1/endpoints", {
            "url": f"https://{mark}.example.com/{number}", "name": f"endpoint {mark}", "metadata": {"mark": mark}} | fields)
        assert reply.status == 201, reply
        endpoints.append(reply.json["id"])
        reply = client.post("/v1/subscriptions", {
            "endpoint_id": endpoints[-1], "topic_pattern": f"{mark}.*", "name": f"subscription {mark}",
            "metadata": {"mark": mark}})
        assert reply.status == 201, reply
        subscriptions.append(reply.json["id"])
    others = {"event": [], "job": [], "attempt": [], "dead_letter": [], "replay": []}
    with tenant.hookline.reader() as query:
        rows = Rows(tenant.hookline, tenant, query)
        for endpoint in endpoints:
            event = rows.event(topic=f"{mark}.created", payload={"mark": mark})
            others["event"].append(event)
            others["job"].append(rows.job(endpoint, event, last_error=f"error {mark}", status="held"))
            others["attempt"].append(rows.attempt(endpoint, event, status="failure", error=f"error {mark}"))
            others["dead_letter"].append(rows.dead_letter(endpoint, topic=f"{mark}.created", payload={"mark": mark}))
            others["replay"].append(rows.replay({"event_id": event, "mode": mark}))
    own = {"tenant": tenant.id, "key": keys[0].id, "endpoint": endpoints[0], "subscription": subscriptions[0]}
    own |= {kind: ids[0] for kind, ids in others.items()}
    return own | {"all": [tenant.id, *(key.id for key in keys), *endpoints, *subscriptions,
                          *(one for ids in others.values() for one in ids)]}
