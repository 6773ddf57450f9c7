"""Options of the management API, and the old names of options."""

import re

import pytest

OLD_NAMES = {"HL_SINGLE_TENANT": "true", "HL_DELIVERY_WORKERS": "4", "HL_STORE_SOCKET": "/run/x", "HL_STORE_POOL_SIZE": "8",
             "HL_COMPACT_INTERVAL_MS": "60000"}


def test_the_start_key_has_the_scope_admin_only_without_an_admin_key(hookline, make_hookline):
    assert hookline.start_key.get("/v1/endpoints").status == 200
    assert hookline.start_key.get("/v1/tenants").json["required_scope"] == "admin"
    if hookline.store == "embedded":
        alone = make_hookline("embedded", HL_ADMIN_KEY=None).start()
        assert alone.start_key.post("/v1/tenants").status == 201


@pytest.fixture
def old(make_hookline):
    """A daemon configured with the option names of its predecessor."""
    hookline = make_hookline("c", HL_DATA_DIR="old", HL_PORT="0", PORT=None, HL_LISTEN_ADDR="127.0.0.1", HOST=None, **OLD_NAMES)
    (hookline.daemon.directory / "old").mkdir()
    return hookline.start()


def test_the_old_names_of_options_work_and_are_warned_about(old):
    assert (old.daemon.directory / "old/hookline.db").exists()
    warned = re.findall(r"warning .*HL_\w+.*", old.daemon.log())
    for name in OLD_NAMES:
        assert sum(name in line for line in warned) == 1, warned


def test_allowed_networks_can_be_named_by_words_and_a_refusal_names_the_option(hookline, make_hookline):
    urls = ["http://127.0.0.1:8080/", "http://localhost/", "http://[::1]/", "http://10.1.2.3/"]
    client = hookline.new_tenant().client
    for url in urls:
        reply = client.post("/v1/endpoints", {"url": url})
        assert reply.status == 400 and "HL_ALLOW_NETWORKS" in reply.json["detail"], reply
    if hookline.store == "embedded":
        client = make_hookline("embedded", HL_ALLOW_NETWORKS="loopback,private").start().new_tenant().client
        assert [client.post("/v1/endpoints", {"url": url}).status for url in urls] == [201] * 4
