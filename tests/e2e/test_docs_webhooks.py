"""docs/webhooks-reference.md: its commands work, and its table has the program's defaults and ranges."""

import json
import re
import subprocess

from harness.daemon import REPOSITORY, clean_environment
from harness.documents import blocks

TEXT = (REPOSITORY / "docs/webhooks-reference.md").read_text()
ROW = re.compile(r"^ENDPOINT_(\w+)\((\w+), (.*)\)$", re.MULTILINE)


def test_the_commands_create_change_and_delete_an_endpoint(make_hookline, tmp_path):
    hookline = make_hookline("embedded").start()
    script = re.sub(r"\$\(jq -r \.(\w+) (\w+\.json)\)",
                    r"""$(grep -o '"\1":"[^"]*"' \2 | head -n 1 | cut -d '"' -f 4)""", "\n".join(block for block in blocks(TEXT) if "$HL_URL" in block))
    script = re.sub(r'(?<=[^\\])\n(?=curl|[A-Z_]+=)', "\necho\n", script)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30,
        env=clean_environment({"HL_URL": f"http://127.0.0.1:{hookline.daemon.port}", "HL_API_KEY": hookline.start_key.key}))
    assert run.returncode == 0, run.stdout + run.stderr
    subscription, endpoints, changed, rotated, tested, subscriptions, received, inbox = (
        json.loads(line) for line in run.stdout.splitlines() if line)
    assert subscription["topic_pattern"] == "order.*" and subscriptions["items"] == [subscription]
    assert endpoints["items"][0]["headers"] == {"X-Api-Key": "***"}
    assert changed["retry_schedule"] == "5s,1m,10m" and rotated["secret"].startswith("whsec_")
    assert tested["test"] is True and tested["endpoint_id"] == endpoints["items"][0]["id"]
    assert received == {"ok": True} and [message["body"] for message in inbox["items"]] == ['{"hello": "inbox"}']
    assert hookline.start_key.get("/v1/endpoints").json["count"] == 0


def test_the_table_has_the_defaults_and_ranges_of_the_program():
    rows = ROW.findall((REPOSITORY / "store/webhooks/endpoint_fields.def").read_text())
    assert len(rows) == 13
    for kind, name, columns in rows:
        default, *range_ = columns.strip('"').replace(",", "").split()
        told, meaning = re.findall(rf"^\| `{name}` \| `?(\w+)`? \| (.*) \|$", TEXT, re.MULTILINE)[0]
        assert told == default, name
        if kind == "INT":
            assert f"{range_[0]} to {range_[1]}" in meaning, name
        if kind == "CHOICE":
            assert all(f"`{word}`" in meaning for word in range_), name
