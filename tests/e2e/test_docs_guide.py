"""
The guide of docs/webhooks.md: its first webhook arrives, and its programs accept only what the service has signed.
"""

import re
import subprocess

import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.documents import blocks
from harness.postgres import free_port
from harness.snippets import GUIDE, LANGUAGES, PROGRAMS, Verifier, check_snippet
from harness.waiting import wait_until
from harness.webhooks import one_store

pytestmark = pytest.mark.unsanitized("tests files of deploy/ and docs/ only")

JQ = re.compile(r"\$\(jq -r \.(\w+) (\w+\.json)\)")
GREP = r"""$(grep -o '"\1":"[^"]*"' \2 | head -n 1 | cut -d '"' -f 4)"""


def test_the_first_webhook_arrives(make_hookline):
    [block] = [block for block in blocks(GUIDE) if "receiver.py &" in block]
    hookline = make_hookline("embedded", HL_STORE_BACKEND=None, HL_API_KEY=None, HL_ADMIN_KEY=None, HL_MAKE_API_KEY="true",
                             HL_ALLOW_NETWORKS="loopback", PORT=free_port()).start()
    directory, port = hookline.daemon.directory, str(free_port())
    for name in ("verify.py", "receiver.py"):
        (directory / name).write_text(PROGRAMS[name].replace("9000", port))
    log = directory / "receiver.log"
    listening = f"until (: <>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done"
    block = JQ.sub(GREP, block.replace("9000", port).replace("build/hooksctl", str(BUILD_DIR / "hooksctl")))
    block = block.replace("receiver.py &", f"receiver.py >receiver.log 2>&1 &\n{listening}")
    # The shell reads a line from the test when the receiver has its webhooks, then ends the receiver.
    shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", f"{block}\nread -r _\nkill $!"], cwd=directory, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment({"PORT": hookline.daemon.port}))
    try:
        wait_until(lambda: shell.poll() is not None or log.exists() and log.read_text().count("webhook ") == 2, "two webhooks", 20)
    finally:
        output, _ = shell.communicate("\n", timeout=20)
    assert shell.returncode == 0, output
    webhooks = re.findall(r"^webhook \S+ (\S+) (.*)$", log.read_text(), re.MULTILINE)
    assert [topic for topic, _ in webhooks] == ["hookline.test", "order.created"] and webhooks[1][1] == "{'amount': 1200}"
    assert "success" in output and "204" in output


def test_the_tests_run_every_program_of_the_guide():
    assert {program for program, *_ in LANGUAGES.values()} | {"receiver.py"} == set(PROGRAMS)


@one_store
@pytest.mark.parametrize("language", ["python", "shell"])
def test_the_program_accepts_signed_webhooks_and_nothing_else(language, hookline, tenant, receiver, tmp_path):
    check_snippet(Verifier(language, tmp_path), tenant, receiver)
