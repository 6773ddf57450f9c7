"""deploy/prometheus and deploy/grafana: every rule and every panel works with the real service."""

import json
import os
import re
import subprocess
import time
from collections import Counter
from xml.etree import ElementTree

import pytest

from harness.daemon import REPOSITORY, run_program
from harness.picture import SHOWN, draw
from harness.postgres import free_port
from harness.prometheus import DASHBOARDS, RULES, Prometheus, filled, panels
from harness.steady import RATE, SteadyLoad
from harness.waiting import wait_until

FAMILIES = set(re.findall(r"^\| `(hook\w+)` \|", run_program("hooksd", "--print-metrics-markdown").stdout, re.M))
KEY = "start-key-of-the-monitoring-tests"
SECONDS = float(os.environ.get("PICTURE_SECONDS", 3))  # the duration of each load in the picture

def promtool(*args):
    done = subprocess.run(["promtool", *args], cwd=RULES, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def prometheus(tmp_path_factory):
    """One Prometheus for all tests. It starts with the first test because its first scrape takes five seconds."""
    with Prometheus(tmp_path_factory.mktemp("monitoring") / "prometheus", free_port()) as prometheus:
        yield prometheus


@pytest.fixture
def daemon(prometheus, database, hooksd):
    """A daemon with PostgreSQL and the management API that Prometheus scrapes."""
    daemon = hooksd(database, PORT=prometheus.target_port, HL_API_KEY=KEY, HL_ALLOW_NETWORKS="loopback",
                    HL_MAX_QUEUE_DEPTH=100000)
    wait_until(lambda: prometheus.query("up == 1"), "the first scrape")
    return daemon


def without_thresholds(expression):
    """The left side of an alert's comparison. The comparison itself has a result only when something is wrong."""
    return re.sub(r" (?:==|!=|>=?|<=?) [0-9.]+", "", expression)


def has_data(prometheus, expression):
    return any(sample["value"][1] != "NaN" for sample in prometheus.query(expression))


# Rules


def test_promtool_accepts_the_metrics():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    for rules in ("recording.yml", "alerts.yml"):
        assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", rules)


def test_each_alert_fires_only_when_it_should():
    promtool("test", "rules", "alerts_test.yml")
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:( \[\])?\n", (RULES / "alerts_test.yml").read_text())
    alerts = re.findall(r"- alert: (\w+)", (RULES / "alerts.yml").read_text())
    assert {(name, bool(silent)) for name, silent in cases} == {(name, case) for name in alerts for case in (True, False)}


# With the real service


def test_every_rule_and_every_panel_has_data(daemon, prometheus, receiver):
    with SteadyLoad(daemon):
        wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), "every rule to be evaluated")
        rules = prometheus.rules()
        wanted = {without_thresholds(rule["query"]) for rule in rules}
        wanted |= {without_thresholds(filled(target["expr"])) for panel in panels() for target in panel["targets"]}
        assert len(wanted) > 150
        key = {"Authorization": f"Bearer {KEY}"}
        with daemon.client() as client:
            made = wait_until(lambda: (reply := client.post("/v1/endpoints", {"url": receiver.url("/in")}, **key)).status == 201 and reply,
                              "control and its store", 30)
            client.post("/v1/subscriptions", {"endpoint_id": made.json()["id"], "topic_pattern": "#"}, **key)

        def all_have_data():
            with daemon.client() as client:
                client.request("GET", "/v1/endpoints", headers=key)
                client.post("/v1/events", {"topic": "orders.made"}, **key)
            wanted.difference_update([expression for expression in wanted if has_data(prometheus, expression)])
            return not wanted

        try:
            wait_until(all_have_data, "data of every expression")
        except AssertionError as error:
            raise AssertionError(f"{error}: {wanted}") from None
        wait_until(lambda: all(rule.get("state", "inactive") == "inactive" for rule in prometheus.rules()), "silence")


def test_each_alert_has_a_severity_and_instructions(prometheus):
    runbook = (REPOSITORY / "docs/operations.md").read_text()
    for alert in [rule for rule in prometheus.rules() if rule["type"] == "alerting"]:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
        assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['name'].lower()}"
        assert f"\n### {alert['name']}\n" in runbook


@pytest.mark.timeout(60 + 2 * SECONDS)
def test_the_dashboards_picture_shows_an_outage(daemon, prometheus, database):
    """The picture shows load, twice the load, an outage and its end. `make picture` keeps it for docs/running.md."""
    begin = time.time()
    with SteadyLoad(daemon, acks=("stored", "spooled")) as load:
        part = int(RATE * SECONDS / 5)
        load.flow(part)
        with SteadyLoad(daemon, acks=("stored", "spooled")) as more:
            more.flow(part)
        load.flow(part)
        database.server.stop()
        load.flow(part)
        wait_until(lambda: prometheus.query('hooks_store_writers{state="spooling"} > 0'), "the outage to be seen")
        database.server.start()
        load.flow(part)
        daemon.wait_spool_empty()
    picture = draw(prometheus, begin, time.time())
    drawn = ElementTree.fromstring(picture)
    assert [text.text for text in drawn.findall(".//{*}text") if text.get("class") == "t"] == SHOWN
    names = {text.text for text in drawn.findall(".//{*}text")}
    assert {"stored", "spooled", "ready", "spooling", "p99", "writer"} - names == set()
    if "PICTURE_SECONDS" in os.environ:
        (REPOSITORY / "docs/dashboard.svg").write_text(picture)


# The dashboards

each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


@each_dashboard
def test_every_panel_is_explained_and_follows_the_variables(path):
    dashboard = json.loads(path.read_text())
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert [name for name in variables if name != "namespace"] == ["datasource", "job", "instance"]
    wanted = ",".join(f'{name}=~"${name}"' for name in variables[1:])
    for panel in panels(path):
        title = panel["title"]
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        for target in panel["targets"]:
            selectors = re.findall(r"(?:\b(?:hook(?:s|line)_\w+|up|ALERTS)|:\w+){([^}]*)}", target["expr"])
            assert selectors and all(wanted in found for found in selectors), title
            assert re.search(r"(?<!by )\b(?:rate|increase|delta)\(", target["expr"]) is None or re.search(
                r"\[\$__(?:rate_interval|range)\]", target["expr"]), title


@each_dashboard
def test_panels_do_not_overlap(path):
    dashboard = json.loads(path.read_text())
    taken = Counter((place["x"] + x, place["y"] + y) for place in (panel["gridPos"] for panel in dashboard["panels"])
                    for x in range(place["w"]) for y in range(place["h"]))
    assert max(taken.values()) == 1 and max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_metric_is_on_a_dashboard():
    used = {name for path in DASHBOARDS for name in re.findall(r"\bhook(?:s|line)_\w+", path.read_text())}
    used = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in used}
    assert FAMILIES <= used


def test_no_panel_is_on_two_dashboards():
    shown = Counter(expression for path in DASHBOARDS for expression in {
        target["expr"].replace('namespace=~"$namespace",', "") for panel in panels(path) for target in panel["targets"]})
    assert [expression for expression, times in shown.items() if times > 1 and "ALERTS" not in expression] == []


def test_every_recorded_series_is_used():
    expressions = "".join(path.read_text() for path in DASHBOARDS) + (RULES / "alerts.yml").read_text()
    recorded = re.findall(r"- record: (\S+)", (RULES / "recording.yml").read_text())
    assert recorded and all(name in expressions for name in recorded)


def test_the_dashboards_are_provisioned():
    """deploy/docker-compose.yaml mounts them at the provisioned path and starts their data source."""
    provisioning = REPOSITORY / "deploy/grafana/provisioning"
    assert "path: /var/lib/grafana/dashboards\n" in (provisioning / "dashboards/hooksd.yml").read_text()
    assert "url: http://prometheus:9090\n" in (provisioning / "datasources/prometheus.yml").read_text()
