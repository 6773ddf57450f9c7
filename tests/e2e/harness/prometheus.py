"""
A real Prometheus with the configuration and the rules of deploy/prometheus at shorter intervals, and the queries of the
dashboards.
"""

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness.daemon import REPOSITORY
from harness.postgres import free_port
from harness.waiting import wait_until

RULES = REPOSITORY / "deploy/prometheus"
DASHBOARDS = sorted((REPOSITORY / "deploy/grafana/dashboards").glob("*.json"))
SCRAPE_SECONDS = 0.2
# Values in place of Grafana's variables.
VARIABLES = {"$__rate_interval": "2s", "$__range": "1m", "$namespace": ".*", "$job": "hooksd", "$instance": ".*"}


def panels(*dashboards):
    """The panels with queries of these dashboards, or of all."""
    return [panel for path in dashboards or DASHBOARDS for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def filled(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


class Prometheus:
    def __init__(self, directory, target_port):
        """Scrapes that port and keeps its data in `directory`, which must not exist yet."""
        shutil.copytree(RULES, directory)
        self.target_port = target_port
        self.directory = directory
        self.port = free_port()
        self.log_path = directory / "log"
        self.process = None
        config = directory / "prometheus.yml"
        text, intervals = re.subn(r"(?<=_interval: )15s\b", f"{SCRAPE_SECONDS * 1000:.0f}ms", config.read_text())
        text, targets = re.subn(r"\[hooksd:8080\]", f"[127.0.0.1:{target_port}]\n        labels: {{instance: hooksd}}", text)
        assert (intervals, targets) == (2, 1)
        config.write_text(text)

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "prometheus", "--config.file=prometheus.yml",
                 "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self.port}"],
                env={"PATH": os.environ["PATH"]}, cwd=self.directory, stdout=log, stderr=log)

        def answers():
            assert self.process.poll() is None, self.log_path.read_text()
            try:
                return self._get("/-/ready")
            except urllib.error.URLError:
                return None

        wait_until(answers, "Prometheus")
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(timeout=30)

    def query(self, expression):
        """The samples of now in Prometheus' form: {"metric": {...}, "value": [time, "text"]}."""
        return self._api("query", query=expression)["result"]

    def query_range(self, expression, start, end, step):
        return self._api("query_range", query=expression, start=start, end=end, step=step)["result"]

    def rules(self):
        return [rule for group in self._api("rules")["groups"] for rule in group["rules"]]

    def _api(self, path, **parameters):
        reply = json.loads(self._get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert reply["status"] == "success" and not reply.get("warnings"), reply
        return reply["data"]

    def _get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise urllib.error.URLError("not ready") from None
            raise AssertionError(f"{path}: {error.read().decode()}") from None
