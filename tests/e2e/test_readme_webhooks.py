"""A shell runs the commands of the README's chapter on webhooks."""

import json
import re
import subprocess

from harness.daemon import BUILD_DIR, REPOSITORY, clean_environment
from harness.postgres import free_port
from harness.waiting import wait_until


def commands():
    chapter = (REPOSITORY / "README.md").read_text().split("\n## Webhooks\n", 1)[1].split("\n## ", 1)[0]
    [text] = re.findall(r"\n\n((?:    .*\n)+)\n", chapter)[:1]
    return [line.strip() for line in text.splitlines()]


def test_the_first_commands_publish_an_event_and_read_it_in_the_inbox(make_hookline):
    key, create, publish, read, deliveries = commands()
    hookline = make_hookline("embedded", HL_STORE_BACKEND=None, HL_API_KEY=None, HL_ADMIN_KEY=None, HL_MAKE_API_KEY="true",
                             PORT=free_port())
    hookline.start()
    port = hookline.daemon.port

    def shell(*lines):
        text = "\n".join(lines).replace(":8080", f":{port}").replace("build/hooksctl", str(BUILD_DIR / "hooksctl"))
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", text], env=clean_environment({"PORT": port}),
                             capture_output=True, text=True, cwd=hookline.daemon.directory, timeout=30)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    shell(create)
    event = json.loads(shell(key, publish))
    [message] = wait_until(lambda: json.loads(shell(key, read))["items"], "the event to be in the inbox")
    assert json.loads(message["body"])["event"]["payload"] == {"total": 9.9}
    assert '"total":9.90' in message["body"] and message["headers"]["webhook-id"] == event["job_ids"][0]
    assert "success" in shell(deliveries)
