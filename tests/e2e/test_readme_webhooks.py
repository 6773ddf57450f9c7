"""The first lines of the README's chapter on webhooks, as a shell runs them."""

import json
import re
import subprocess

from harness.daemon import BUILD_DIR, REPOSITORY, clean_environment


def commands():
    chapter = (REPOSITORY / "README.md").read_text().split("\n## Webhooks\n", 1)[1].split("\n## ", 1)[0]
    [text] = re.findall(r"\n\n((?:    .*\n)+)\n", chapter)[:1]
    return text.replace("\\\n", " ").strip().splitlines()


def test_the_first_commands_make_an_endpoint_and_a_subscription(make_hookline, tmp_path):
    export, *rest = (line.strip() for line in commands())
    key = export.partition("HL_API_KEY=")[2]
    hookline = make_hookline("embedded", HL_API_KEY=key, HL_ADMIN_KEY="")
    hookline.daemon.start()
    port = hookline.daemon.port
    options = {"PORT": port, "HL_API_KEY": key}

    def shell(line):
        line = line.replace(":8080", f":{port}").replace("build/hooksctl", str(BUILD_DIR / "hooksctl"))
        run = subprocess.run(["sh", "-c", line], env=clean_environment(options), capture_output=True, text=True, cwd=tmp_path,
                             timeout=30)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    create, show, subscribe = rest
    endpoint = json.loads(shell(create))
    assert endpoint["name"] == "shop"
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["id"] in shell(show)
    assert re.search(r"topic_pattern +orders\.\*", shell(subscribe.replace("=ID", f"={endpoint['id']}")))
