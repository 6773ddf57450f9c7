"""hooksctl's commands for the management API, on both stores."""

import json
import re
import subprocess

import pytest

from harness.daemon import run_program
from harness.recording_receiver import Answer
from harness.rows import Rows


@pytest.fixture
def ctl(hookline, tmp_path):
    """Runs hooksctl with a key of the test's tenant; ctl.admin(...) uses the installation's admin key."""
    return Ctl(hookline, hookline.new_tenant(), tmp_path)


class Ctl:
    def __init__(self, hookline, tenant, directory):
        self.hookline, self.tenant, self.directory = hookline, tenant, directory
        self.url = f"http://127.0.0.1:{hookline.daemon.port}"

    def run(self, *words, stdout=subprocess.PIPE, **options):
        return run_program("hooksctl", *words, options={"HL_URL": self.url, "HL_API_KEY": self.tenant.client.key} | options,
                           cwd=self.directory, stdout=stdout)

    def __call__(self, *words, **options):
        run = self.run(*words, **options)
        assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
        return run.stdout

    def admin(self, *words):
        return self(*words, HL_ADMIN_KEY=self.hookline.admin.key)

    def json(self, *words, **options):
        return json.loads(self(*words, "--json", **options))


def fields(text):
    """The JSON of one object that hooksctl prints."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())


def table(text):
    """The lines of a list that hooksctl prints, without the header."""
    return [re.split(r" {2,}", line) for line in text.splitlines()[1:]]


@pytest.mark.parametrize("words", [["endpoints", "ls"], ["endpoints", "ls", "--json"], ["endpoints", "--help"]])
def test_a_reply_that_cannot_be_written_is_no_success(ctl, words):
    with open("/dev/full", "wb") as full:
        run = ctl.run(*words, stdout=full)
    assert run.returncode == 1
    assert run.stderr == "hooksctl endpoints: cannot write the reply to the standard output\n"


def test_endpoints_can_be_created_shown_changed_and_deleted(ctl):
    made = fields(ctl("endpoints", "add", "https://shop.example/hooks?a=b", "--name=shop", "--timeout-ms=5000",
                      "--header=X-Team: a:b", "--enabled=false", "--metadata={\"n\":1234567890123456789}"))
    assert made["url"] == "https://shop.example/hooks?a=b"
    assert made["secret"].startswith("whsec_")
    assert made["timeout_ms"] == "5000"
    assert json.loads(made["headers"]) == {"X-Team": "***"}
    assert ctl.json("endpoints", "get", made["id"])["metadata"] == {"n": 1234567890123456789}
    [row] = table(ctl("endpoints", "ls"))
    assert row[:3] == [made["id"], "https://shop.example/hooks?a=b", "false"]
    assert fields(ctl("endpoints", "enable", made["id"]))["enabled"] == "true"
    assert fields(ctl("endpoints", "update", made["id"], "--name", "store"))["name"] == "store"
    assert ctl("endpoints", "rm", made["id"]) == ""
    assert table(ctl("endpoints", "ls")) == []


def test_subscriptions_can_be_created_from_options_or_a_document(ctl):
    endpoint = ctl.json("endpoints", "add", "--url=https://shop.example/")["id"]
    filter = {"gt": "payload.total", "value": 9223372036854775807}
    made = ctl.json("subs", "add", f"--endpoint={endpoint}", "--topic=orders.*", f"--filter={json.dumps(filter)}")
    assert made["topic_pattern"] == "orders.*"
    assert made["filter"] == filter
    (ctl.directory / "document.json").write_text(json.dumps({"endpoint_id": endpoint, "topic_pattern": "#"}))
    assert ctl.json("subscriptions", "create", "--file=document.json")["topic_pattern"] == "#"
    assert sorted(row[2] for row in table(ctl("subs", "ls", "--endpoint", endpoint))) == ["#", "orders.*"]


def test_a_list_shows_all_pages_or_one_page_with_a_limit(ctl):
    for number in range(3):
        ctl("endpoints", "add", f"https://shop.example/{number}")
    assert len(table(ctl("endpoints", "ls"))) == 3
    assert len(table(ctl("endpoints", "ls", "--limit=2"))) == 2
    cursor = ctl.json("endpoints", "ls", "--limit=2")["next_cursor"]
    assert len(table(ctl("endpoints", "ls", "--cursor", cursor))) == 1


def test_a_change_of_an_outdated_version_is_refused(ctl):
    made = ctl.json("endpoints", "add", "https://shop.example/")
    ctl("endpoints", "update", made["id"], "--name=one", "--if-match=1")
    run = ctl.run("endpoints", "update", made["id"], "--name=two", "--if-match=1")
    assert run.returncode == 1
    assert run.stderr.startswith("hooksctl: 412 precondition_failed: ")
    assert ctl.json("endpoints", "get", made["id"])["name"] == "one"


def test_the_admin_can_create_tenants_and_keys(ctl):
    tenant = f"{ctl.tenant.id[:20]}.two"
    made = fields(ctl.admin("tenants", "add", tenant, "--name=Two"))
    assert made["id"] == tenant
    assert ctl("endpoints", "ls", HL_API_KEY=made["api_key"]).startswith("id ")
    key = fields(ctl.admin("keys", "add", "reader", f"--tenant={tenant}", "--scopes=endpoints.read,subscriptions.read"))
    assert json.loads(key["scopes"]) == ["endpoints.read", "subscriptions.read"]
    refused = ctl.run("endpoints", "add", "https://a.example/", HL_API_KEY=key["key"])
    assert refused.returncode == 1
    assert refused.stderr.startswith("hooksctl: 403 forbidden: ")
    ctl.admin("keys", "revoke", key["id"])
    assert ctl.run("endpoints", "ls", HL_API_KEY=key["key"]).stderr.startswith("hooksctl: 401 unauthorized: ")
    assert [row[3] for row in table(ctl.admin("audit", f"--tenant={tenant}"))] == ["key.revoke", "key.create", "key.create"]
    ctl.admin("tenants", "rm", tenant)


def test_the_api_key_can_be_in_a_file(ctl):
    (ctl.directory / "key").write_text(ctl.tenant.client.key + "\n")
    assert ctl("subs", "ls", HL_API_KEY="", HL_API_KEY_FILE="key").startswith("id ")
    assert ctl("subs", "ls", "--hl-api-key-file=key", HL_API_KEY="a-key-that-is-none").startswith("id ")


def test_an_unknown_object_is_a_failure(ctl):
    run = ctl.run("endpoints", "get", "no/such?thing")
    assert run.returncode == 1
    assert run.stderr.startswith("hooksctl: 404 not_found: ")


def test_control_characters_are_shown_as_escapes(ctl):
    made = ctl.json("endpoints", "add", "https://shop.example/", "--name=café", '--metadata={"note":"\u009b31m\\u001b[31m"}')
    shown = fields(ctl("endpoints", "get", made["id"]))
    assert (shown["name"], shown["metadata"]) == ("café", '{"note":"\\xc2\\x9b31m\\u001b[31m"}')


def test_events_can_be_replayed_by_id_and_by_options(ctl):
    rows = Rows(ctl.hookline, ctl.tenant)
    endpoint = ctl.json("endpoints", "add", "https://shop.example/in", "--paused")["id"]
    ctl("subs", "add", "--endpoint", endpoint, "--topic=#")
    events = [rows.event() for _ in range(3)]
    made = ctl.json("replay", events[0])
    assert (made["status"], made["scheduled"]) == ("done", 1)
    assert ctl.json("replay", "--topic=order.*", "--limit", "2", "--dry-run")["skipped"] == 1
    other = ctl.json("replay", "start", "--from=1", "--endpoint", endpoint, "--mode=failed_only")
    assert (other["scheduled"], other["skipped"]) == (2, 1)
    assert fields(ctl("replay", "get", made["id"]))["status"] == "done"
    assert [row[0] for row in table(ctl("replay", "ls"))] == [other["id"], made["id"]]
    waiting = rows.replay({"topic": "#"})
    ctl("replay", "cancel", waiting)
    assert ctl.json("replay", "get", waiting)["status"] == "cancelled"
    assert "is required" in ctl.run("replay", "start").stderr


def test_events_can_be_deleted_by_options_and_a_confirmation(ctl):
    rows = Rows(ctl.hookline, ctl.tenant)
    rows.event(topic="order.made"), rows.event(topic="invoice.made")
    words = ("events", "rm", "--tenant", ctl.tenant.id, "--topic=order.*")
    run = ctl.run(*words, HL_API_KEY=ctl.hookline.admin.key)
    assert run.returncode == 1 and f"confirm must be the id of the tenant whose events are to be deleted: {ctl.tenant.id}" in run.stderr
    assert ctl.json(*words, f"--confirm={ctl.tenant.id}", HL_API_KEY=ctl.hookline.admin.key)["deleted"] == 1
    assert [row[1] for row in table(ctl("events", "ls"))] == ["invoice.made"]


def test_dead_letters_can_be_requeued_one_by_one_and_by_options(ctl):
    endpoint = ctl.json("endpoints", "add", "https://shop.example/hooks", "--enabled=false")["id"]
    rows = Rows(ctl.hookline, ctl.tenant)
    first, second, third = (rows.dead_letter(endpoint, reason=reason) for reason in ("http_410", "http_403", "http_403"))
    assert ctl.json("dlq", "requeue", first) == {"ok": True, "job_id": first}
    assert ctl.json("dlq", "requeue", "--endpoint", endpoint, "--reason=http_403", "--dry-run")["matched"] == 2
    assert "a word is missing: id" in ctl.run("dlq", "requeue").stderr
    assert ctl.json("dlq", "requeue", "--topic=#", "--limit=1")["remaining"] == 1
    assert {row[0] for row in table(ctl("jobs", "ls"))} == {first, second}
    assert ctl("jobs", "cancel", first) == ""
    for words in (("jobs", "retry", second), ("endpoints", "retry", endpoint)):
        run = ctl.run(*words)
        assert run.returncode == 1 and "disabled" in run.stderr
    assert [row[0] for row in table(ctl("dlq", "ls"))] == [third]


def test_deliveries_of_a_tenant_can_be_paused_counted_and_resumed(ctl):
    tenant = ("--tenant", ctl.tenant.id)
    assert json.loads(ctl.admin("admin", "pause", *tenant, "--reason=a move", "--json")) == {"ok": True, "paused": True}
    assert fields(ctl.admin("admin", "stats", *tenant))["paused"] == "true"
    assert json.loads(ctl.admin("admin", "resume", *tenant, "--json")) == {"ok": True, "paused": False}
    assert fields(ctl.admin("admin", "stats", *tenant))["paused"] == "false"


def test_an_endpoint_can_be_tested_and_the_result_is_shown(ctl, receiver):
    endpoint = ctl.json("endpoints", "add", receiver.url("/in"), "--enabled=false")["id"]
    shown = fields(ctl("test", endpoint))
    assert (shown["status"], shown["http_status"], shown["test"]) == ("success", "200", "true")
    receiver.answers["/in"] = Answer(500)
    told = ctl.json("endpoints", "test", endpoint, "--topic=order.created", '--payload={"amount":1200}')
    assert (told["status"], told["http_status"]) == ("failure", 500)
    assert [json.loads(arrival.body)["event"]["topic"] for arrival in receiver.arrivals] == ["hookline.test", "order.created"]
    assert [row[1] for row in table(ctl("deliveries", "ls"))] == [told["id"], shown["id"]]


def test_a_repeated_command_with_an_idempotency_key_is_executed_once(ctl):
    event = ctl.json("events", "publish", "orders.made", "--payload=1", "--idempotency-key=one")
    (ctl.directory / "event.json").write_text(json.dumps({"topic": "orders.made", "payload": 1}))
    assert ctl.json("events", "publish", "--file=event.json", "--idempotency-key=one")["id"] == event["id"]
    replay = ctl.json("replay", event["id"], "--idempotency-key", "two")
    assert ctl.json("replay", event["id"], "--idempotency-key", "two")["id"] == replay["id"]
    refused = ctl.run("replay", "--topic=#", "--idempotency-key", "two")
    assert refused.returncode == 1 and "Idempotency-Key" in refused.stderr
    words = ("tenants", "add", "--name=twice", f"--idempotency-key={ctl.tenant.id}", "--json")
    made, again = (json.loads(ctl.admin(*words)) for _ in range(2))
    assert made["id"] == again["id"] and "api_key" not in again
    assert ctl.run("replay", event["id"], "--idempotency-key=a\nb").returncode == 64
