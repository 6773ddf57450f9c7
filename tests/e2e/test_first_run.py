"""A first start without options: the service makes an API key, and hooksctl finds it."""

import json
import stat
import subprocess

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY, run_program
from harness.postgres import free_port
from harness.waiting import wait_until
from harness.webhooks import ApiClient

KEY_FILE = ".agentic/hooksd/api-key"


@pytest.fixture
def own(make_hookline):
    """A daemon that will make its key when it is started."""
    return make_hookline("embedded", HL_STORE_BACKEND=None, HL_API_KEY=None, HL_ADMIN_KEY=None, HL_MAKE_API_KEY="true")


def client_of(own):
    return ApiClient(own, (own.daemon.directory / KEY_FILE).read_text().strip())


def test_the_first_start_makes_a_key_and_later_ones_keep_it(own):
    own.start()
    client = client_of(own)
    assert len(client.key) == 50 and client.post("/v1/tenants", {"name": "acme"}).status == 201
    assert stat.S_IMODE((own.daemon.directory / KEY_FILE).stat().st_mode) == 0o600
    own.daemon.kill()
    own.start()
    assert client_of(own).key == client.key and "acme" in [tenant["name"] for tenant in client.items("/v1/tenants")]
    told = f"url=http://127.0.0.1:{own.daemon.port}/v1 key_file={KEY_FILE}"
    assert told in own.daemon.log() and client.key not in own.daemon.whole_log()
    assert own.keyless.get("/v1/tenants").status == 401


def test_hooksctl_finds_the_key_and_sends_it_only_to_the_own_service(own, tmp_path):
    own.start()
    port = {"PORT": own.daemon.port}
    there = own.daemon.directory

    def endpoints(cwd, **options):
        return run_program("hooksctl", "endpoints", "ls", options=port | options, cwd=cwd)

    assert endpoints(there).returncode == 0
    assert endpoints(tmp_path, DATA_DIR=there / ".agentic/hooksd").returncode == 0
    for run in (endpoints(tmp_path), endpoints(there, HL_URL=f"http://127.0.0.1:{own.daemon.port}")):
        assert run.returncode == 64 and "no key is known" in run.stderr


def test_check_config_and_print_config_make_no_key(own):
    for flag in ("--check-config", "--print-config"):
        assert run_program("hooksd", flag, options=own.daemon.options, cwd=own.daemon.directory).returncode == 0
    assert not (own.daemon.directory / KEY_FILE).exists()


@pytest.mark.parametrize("content, sentence", [("", "is empty"), ("short", "must hold 8 to 255"), (None, "is not a regular file")])
def test_an_invalid_file_of_the_key_is_an_error(own, content, sentence):
    path = own.daemon.directory / KEY_FILE
    path.parent.mkdir(parents=True)
    path.mkdir() if content is None else path.write_text(content)
    run = run_program("hooksd", options=own.daemon.options, cwd=own.daemon.directory)
    assert run.returncode == 64 and KEY_FILE in run.stderr and sentence in run.stderr


def test_a_configured_key_is_used_instead(own):
    own.daemon.options["HL_API_KEY"] = "a-key-of-the-operator"
    own.start()
    assert ApiClient(own, "a-key-of-the-operator").get("/v1/endpoints").status == 200
    assert not (own.daemon.directory / KEY_FILE).exists()


# Mounts a small /dev/shm. The tests' directories are often in /dev/shm, so the working directory is bound back into it.
SMALL = ["unshare", "--mount", "sh", "-ec", """
mount -t tmpfs -o size=32m tmpfs /dev/shm
mkdir -p "$PWD"
mount -c --bind /proc/self/cwd "$PWD"
cd "$PWD"
exec "$@"
""", "sh"]


@pytest.mark.parametrize("shared_memory", ["plenty", "small"])
def test_make_run_starts_with_the_api_also_with_little_shared_memory(make_hooksd, shared_memory):
    daemon = make_hooksd(PORT=free_port(), RING_PATH="", ACCEPTORS=1)
    daemon.program, daemon.arguments = REPOSITORY / ".ci/serve", [BUILD_DIR]
    # A small /dev/shm, as in a container. Without the right to mount, both parameters run the same test.
    small = shared_memory == "small" and subprocess.run([*SMALL, "true"], capture_output=True).returncode == 0
    daemon.launcher = SMALL if small else []
    daemon.start()
    wait_until(lambda: daemon.get("/readyz").status == 200, "readiness")
    key = (daemon.directory / KEY_FILE).read_text().strip()
    with daemon.client() as client:
        reply = client.request("GET", "/v1/endpoints", headers={"Authorization": f"Bearer {key}"})
    assert reply.status == 200 and json.loads(reply.body)["count"] == 0
    assert (daemon.directory / ".agentic/hooksd/ring").exists() == small
