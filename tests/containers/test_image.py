"""The image of deploy/Dockerfile, run as docs/containers.md says and as people get it wrong. Events go to a file on the volume."""

import json
import os
import re

from engine import BASE, podman
from harness.waiting import wait_until

LARGEST = 40 * 10**6  # bytes over the image that it begins with
# As deploy/docker-compose.prod.yaml and the pods of deploy/k8s have it. podman alone would give a writable /tmp.
STRICT = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--shm-size=160m")
VOLUME = "--volume=data:/var/lib/hooksd"


def events(hooksd):
    return [json.loads(line)["event_type"] for line in hooksd.run("cat", "/var/lib/hooksd/events.jsonl").splitlines()]


def processes(hooksd):
    """(pid in the container, state, name) of each."""
    listing = podman("top", hooksd.name, "pid", "state", "comm").stdout.splitlines()[1:]
    return [tuple(line.split()) for line in listing]


def size(image):
    return int(podman("image", "inspect", "--format={{.Size}}", image).stdout)


def test_the_image_stays_small(image, note):
    whole, own = size(image), size(image) - size(BASE)
    note(f"the image has {whole / 1e6:.1f} MB, {own / 1e6:.1f} MB over debian:bookworm-slim")
    assert 0 < own < LARGEST


def test_it_runs_with_no_right_to_spare_on_a_read_only_root(hooksd):
    daemon = hooksd(*STRICT, VOLUME)
    daemon.wait_ready()
    status = dict(re.findall(r"^(\w+):\t(.*)$", daemon.run("cat", "/proc/1/status"), re.M))
    assert (status["Name"], status["Uid"].split()[0], status["Gid"].split()[0]) == ("hooksd", "10001", "10001")
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, "1")
    assert podman("exec", daemon.name, "touch", "/tmp/x", check=False).returncode != 0
    assert daemon.post("stored") == (202, "stored")
    assert events(daemon) == ["stored"]
    assert (daemon.stop(), daemon.log().count(" stopped ")) == (0, 1)


def test_the_volume_holds_what_hooksd_puts_there_and_nothing_else(hooksd):
    daemon = hooksd(*STRICT, VOLUME)
    daemon.wait_ready()
    ours = r"\.?events\.jsonl(\.lock)?|lock|spool|counters.*"
    names = daemon.run("ls", "-A", "/var/lib/hooksd").split()
    assert [name for name in names if not re.fullmatch(ours, name)] == []
    assert daemon.run("stat", "-c", "%u:%g", ".").strip() == "10001:10001"


def test_it_becomes_healthy_and_unhealthy_when_it_hangs(hooksd):
    daemon = hooksd(*STRICT, VOLUME, "--env=STUCK_AFTER_SECONDS=600")
    daemon.wait_healthy()
    check = daemon.inspect()["Config"]["Healthcheck"]
    assert check["Test"] == ["CMD", "hooksctl", "health"]
    assert [check[name] / 1e9 for name in ("Interval", "Timeout", "StartPeriod")] == [10, 5, 10]
    daemon.run("sh", "-c", "kill -STOP $(cat /proc/1/task/1/children)")
    wait_until(lambda: daemon.health() == "unhealthy", "the third failure after the first ten seconds", 60)
    daemon.run("sh", "-c", "kill -CONT $(cat /proc/1/task/1/children)")
    daemon.wait_healthy()


def test_it_says_what_to_do_when_the_shared_memory_is_too_small(hooksd):
    daemon = hooksd("--shm-size=32m")
    assert daemon.wait_exited() == "1"
    assert re.search(r"cannot start .*/dev/shm/hooksd-8080\.ring: .*enlarge /dev/shm .*--shm-size", daemon.log())


def test_it_says_which_directory_is_not_its_own(hooksd, tmp_path):
    daemon = hooksd(*STRICT, f"--volume={tmp_path}:/var/lib/hooksd")  # of this machine's root
    assert daemon.wait_exited() == "1"
    assert re.search(r"cannot start .*/var/lib/hooksd/.*\(DATA_DIR\): Permission denied", daemon.log())
    os.chown(tmp_path, 10001, 10001)
    daemon.start()
    daemon.wait_ready()
    assert daemon.post("stored") == (202, "stored")


def test_as_process_1_it_buries_the_orphans_of_what_is_run_beside_it(hooksd):
    daemon = hooksd(*STRICT, VOLUME)
    daemon.wait_ready()
    daemon.run("sh", "-c", "(sleep 0.05; exit 7) & exit 0")
    wait_until(lambda: "sleep" not in (names := {name for _, _, name in processes(daemon)}) and "sh" not in names,
               "the orphans to be gone")
    assert {state for _, state, _ in processes(daemon)} <= {"S", "R", "D"}
    assert daemon.post("stored") == (202, "stored")
    assert not re.search(r" (warning|error) ", daemon.log())


def test_hup_and_term_are_heard_by_process_1(hooksd):
    daemon = hooksd(*STRICT, VOLUME, "--stop-timeout=35")
    daemon.wait_ready()
    podman("kill", "--signal=HUP", daemon.name)
    wait_until(lambda: "SIGHUP" in daemon.log(), "the reload")
    assert daemon.post("reloaded") == (202, "stored")
    assert daemon.stop() == 0
    assert "draining reason=Terminated" in daemon.log() and " stopped received=1 stored=1" in daemon.log()


def test_a_killed_one_is_started_again_and_stores_what_it_had_acknowledged(hooksd):
    daemon = hooksd(*STRICT, "--restart=unless-stopped", VOLUME)
    daemon.wait_ready()
    before = daemon.pid()
    assert daemon.post("before") == (202, "stored")
    os.kill(before, 9)
    wait_until(lambda: daemon.pid() not in (0, before), "another process 1")
    daemon.wait_ready()
    assert daemon.post("after") == (202, "stored")
    assert events(daemon) == ["before", "after"]
    assert daemon.stop() == 0
    assert daemon.state()["Status"] == "exited", "stopped stays stopped"


def test_a_ring_on_the_volume_outlives_the_container_with_what_is_queued(hooksd):
    """/dev/shm is made anew at each start."""
    flags = ("--restart=always", "--env=ACK=queued", "--env=RING_PATH=/var/lib/hooksd/hooksd.ring")
    daemon = hooksd(*STRICT, VOLUME, *flags)
    daemon.wait_ready()
    before = daemon.pid()
    daemon.run("sh", "-c", "kill -STOP $(grep -l writer-0 /proc/[0-9]*/comm | cut -d/ -f3)")
    assert daemon.post("queued") == (202, "queued")
    os.kill(before, 9)
    wait_until(lambda: daemon.pid() not in (0, before), "another process 1", 60)
    daemon.wait_ready()
    wait_until(lambda: events(daemon) == ["queued"], "the event")


def test_a_second_one_on_the_same_volume_does_not_start(hooksd):
    first = hooksd(*STRICT, VOLUME)
    first.wait_ready()
    second = hooksd(*STRICT, VOLUME)
    assert second.wait_exited() != "0"
    assert "is in use by" in second.log()
    assert first.post("first") == (202, "stored")


def test_tools_run_from_the_image_and_beside_the_service(hooksd, image):
    daemon = hooksd(*STRICT, VOLUME)
    daemon.wait_ready()
    assert "(running)" in daemon.run("hooksctl", "status")
    offline = podman("run", "--rm", "--network=none", *STRICT, VOLUME, "--entrypoint=hooksctl",
                     image, "spool", "verify")
    assert offline.returncode == 0
