"""Secrets of endpoints in the store, and the change of the master key."""

import os
import secrets
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.waiting import wait_until
from harness.webhooks import STORES

URL = "https://receiver.example/"
PLAIN = "a secret that is easily found"
HEADER = "a header value that is easily found"
KEYS = [secrets.token_hex(32) for _ in range(3)]


def make(client, secret=PLAIN):
    reply = client.post("/v1/endpoints", {"url": URL, "secret": secret, "headers": {"x-token": HEADER}})
    assert reply.status == 201, reply
    return reply.json["id"]


def stored(hookline):
    return hookline.query("SELECT tenant_id, endpoint_id, version, secret, old_secret, headers FROM endpoints"
                          " WHERE deleted_at IS NULL ORDER BY tenant_id, endpoint_id")


def prefixes(hookline):
    """The keys that the stored secrets name."""
    return {text.rsplit(":", 1)[0] for row in stored(hookline) for text in (row["secret"], row["headers"])}


def rotate(hookline):
    return hookline.admin.post("/v1/admin/rotate-secrets")


def started(make_hookline, store, **options):
    hookline = make_hookline(store, **options)
    return hookline.start()


def restart_with(hookline, **options):
    """Restarts the daemon with other master keys. None removes an option."""
    hookline.daemon.stop()
    for name, value in options.items():
        hookline.daemon.options.pop(name, None)
        if value is not None:
            hookline.daemon.options[name] = value
    hookline.start()


def test_each_stored_secret_is_encrypted_differently(hookline):
    tenant = hookline.new_tenant()
    make(tenant.client)
    make(tenant.client)
    rows = [row for row in stored(hookline) if row["tenant_id"] == tenant.id]
    texts = [row[column] for row in rows for column in ("secret", "headers")]
    assert len(set(texts)) == 4
    assert all(text.startswith("enc:v1:") for text in texts)
    assert PLAIN not in repr(rows)
    assert HEADER not in repr(rows)
    assert PLAIN not in hookline.daemon.whole_log()


def test_a_rotation_without_old_keys_is_refused(hookline):
    reply = rotate(hookline)
    assert (reply.status, reply.json["error"]) == (409, "conflict")
    assert "HL_MASTER_KEY_OLD" in reply.json["detail"]
    assert hookline.new_tenant().client.post("/v1/admin/rotate-secrets").status == 403


@pytest.mark.parametrize("store", STORES)
def test_a_rotation_reencrypts_secrets_and_changes_nothing_else(make_hookline, store):
    hookline = started(make_hookline, store, HL_MASTER_KEY=None)
    tenant = hookline.new_tenant()
    plain = make(tenant.client)
    assert [row["secret"] for row in stored(hookline)] == [PLAIN]
    assert rotate(hookline).status == 409

    restart_with(hookline, HL_MASTER_KEY=KEYS[0])
    first = make(tenant.client)
    rotated = tenant.client.post(f"/v1/endpoints/{first}/rotate-secret", {"overlap_seconds": 3600})
    assert rotated.status == 200
    restart_with(hookline, HL_MASTER_KEY=KEYS[1], HL_MASTER_KEY_OLD=KEYS[0])
    second = make(hookline.new_tenant().client)
    before = {str(row["endpoint_id"]): row["version"] for row in stored(hookline)}
    shown = tenant.client.get("/v1/endpoints").json

    reply = rotate(hookline)
    assert (reply.status, reply.json["ok"], reply.json["reencrypted"]) == (200, True, 2)
    assert len(prefixes(hookline)) == 1
    assert all(row["old_secret"] is None or row["old_secret"].startswith(prefixes(hookline).pop()) for row in stored(hookline))
    assert {str(row["endpoint_id"]): row["version"] for row in stored(hookline)} == before
    assert set(before) == {plain, first, second}
    assert rotate(hookline).json["reencrypted"] == 0, "a second rotation finds nothing to do"
    [entry] = hookline.admin.items("/v1/admin/audit?action=secrets.rotate")
    assert entry["after"] == {"reencrypted": 2}

    # Now the present key alone opens everything: a PATCH with *** reads and rewrites header values.
    restart_with(hookline, HL_MASTER_KEY_OLD=None)
    assert tenant.client.get("/v1/endpoints").json == shown
    for endpoint in (plain, first):
        changed = tenant.client.patch(f"/v1/endpoints/{endpoint}", {"headers": {"x-token": "***", "x-more": "1"}})
        assert changed.status == 200, changed


def test_a_secret_with_a_missing_key_is_logged_and_the_others_are_reencrypted(make_hookline):
    hookline = started(make_hookline, "embedded", HL_MASTER_KEY=KEYS[0])
    lost = make(hookline.new_tenant().client)
    restart_with(hookline, HL_MASTER_KEY=KEYS[1])
    hookline.daemon.wait_for_log(r"with a master key that is not in the configuration fingerprint=[0-9a-f]{16} endpoints=1\b")
    make(hookline.new_tenant().client)
    before = {str(row["endpoint_id"]): row for row in stored(hookline)}
    restart_with(hookline, HL_MASTER_KEY=KEYS[2], HL_MASTER_KEY_OLD=KEYS[1])
    reply = rotate(hookline)
    assert (reply.status, reply.json["error"]) == (409, "conflict")
    assert reply.json["detail"].startswith("1 endpoints have secrets that none of the master keys opens; 1 others")
    after = {str(row["endpoint_id"]): row for row in stored(hookline)}
    assert after[lost] == before[lost]
    assert sum(after[name] != before[name] for name in after) == 1
    hookline.daemon.wait_for_log(f"the secrets of an endpoint cannot be encrypted with the present master key.*{lost}")
    restart_with(hookline, HL_MASTER_KEY_OLD=",".join(KEYS[:2]))
    assert rotate(hookline).json["reencrypted"] == 1
    assert len(prefixes(hookline)) == 1


@pytest.mark.parametrize("store", STORES)
def test_a_thousand_secrets_are_reencrypted_in_slices_also_over_a_death(make_hookline, store):
    hookline = started(make_hookline, store, HL_MASTER_KEY=None)
    tenant = hookline.new_tenant()
    make(tenant.client)
    number = {"postgres": "lpad(n::text, 12, '0')", "embedded": "substr('000000000000' || n, -12)"}[store]
    many = {"postgres": "SELECT n FROM generate_series(1, 1000) AS n",
            "embedded": "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 1000) SELECT n FROM g"}[store]
    id_of = f"'00000000-0000-7000-8000-' || {number}"
    columns = [name for name in hookline.query("SELECT * FROM endpoints")[0] if name != "endpoint_id"]
    hookline.query(f"INSERT INTO endpoints (endpoint_id, {', '.join(columns)})"
                   f" SELECT {f'({id_of})::uuid' if store == 'postgres' else id_of}, {', '.join(columns)}"
                   f" FROM endpoints, ({many}) AS m")
    restart_with(hookline, HL_MASTER_KEY=KEYS[0], HL_MASTER_KEY_OLD=KEYS[1])

    def left():
        return hookline.value("SELECT count(*) FROM endpoints WHERE secret = :plain", plain=PLAIN)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rotate, hookline)
        wait_until(lambda: left() < 1001, "the first slice to be committed")
        os.kill(hookline.daemon.pids("control")[0], signal.SIGKILL)
        assert first.result().status in (200, 503)
    hookline.wait_ready()
    assert rotate(hookline).status == 200
    assert left() == 0
    assert PLAIN not in repr(stored(hookline))
    told = hookline.admin.items("/v1/admin/audit?action=secrets.rotate")
    assert sum(entry["after"]["reencrypted"] for entry in told) == 1001, "each secret once"
    assert len(told) > 1


@pytest.mark.parametrize("store", STORES)
def test_a_rotation_reencrypts_endpoints_that_change_at_the_same_time(make_hookline, store):
    """
    A rename rewrites an endpoint's row with the stored secrets, and so with the old key if it overlaps the rotation.
    """
    hookline = started(make_hookline, store, HL_MASTER_KEY=KEYS[0])
    client = hookline.new_tenant().client
    endpoints = [make(client) for _ in range(20)]
    restart_with(hookline, HL_MASTER_KEY=KEYS[1], HL_MASTER_KEY_OLD=KEYS[0])
    done = threading.Event()

    def rename(endpoint):
        while not done.is_set():
            assert client.patch(f"/v1/endpoints/{endpoint}", {"name": secrets.token_hex(4)}).status == 200

    with ThreadPoolExecutor(4) as pool:
        renaming = [pool.submit(rename, endpoint) for endpoint in endpoints[-4:]]
        reply = rotate(hookline)
        done.set()
        [each.result() for each in renaming]
    assert (reply.status, reply.json["reencrypted"], len(prefixes(hookline))) == (200, 20, 1)
