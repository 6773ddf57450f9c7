"""Least rights: the confinement of each process, RUN_AS, and a kernel without a sandbox."""

import contextlib
import os
import pwd
import random
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.daemon import BUILD_DIR, run_program
from harness.events import minimal
from harness.waiting import wait_until

ROLES = ("acceptor", "writer", "publisher", "courier", "control")

pytestmark = pytest.mark.unsanitized("sanitizers need SANDBOX=off")
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def status(pid):
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M))


def descriptors(pid):
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed just now, because a client has left
            found.append(os.readlink(entry))
    return found


def uids(daemon):
    pids = [daemon.pid, *(pid for role in ROLES for pid in daemon.pids(role))]
    return {uid for pid in pids for uid in status(pid)["Uid"].split()}


def test_every_process_is_confined_and_has_no_capability(hookline):
    for role in ROLES:
        pids = hookline.daemon.pids(role)
        assert pids, role
        for pid in pids:
            shown = status(pid)
            assert shown["Seccomp"] == "2", role
            assert shown["NoNewPrivs"] == "1", role
            assert not any(int(shown[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")), role


@by_root
def test_an_acceptor_has_only_its_sockets_open_and_no_file(make_hooksd, tmp_path):
    left_open = open(tmp_path / "of the shell", "w")
    daemon = make_hooksd()
    daemon.pass_fds = (left_open.fileno(),)
    daemon.start()
    for pid in [*daemon.pids("acceptor"), *daemon.pids("writer")]:
        held = descriptors(pid)
        assert not [name for name in held if "of the shell" in name or "inotify" in name], held

    def sockets():
        return {len([name for name in descriptors(pid) if name.startswith("socket:")]) for pid in daemon.pids("acceptor")}

    # Its listening socket, both ends of the channel to its successor, and one socket to control. A client that has just
    # left may add one.
    wait_until(lambda: sockets() == {4}, "the descriptors of acceptors to be their own")
    files = {name for pid in daemon.pids("acceptor") for name in descriptors(pid) if name.startswith("/")}
    expected = {"/dev/null", str(daemon.options["RING_PATH"]), str(daemon.log_path)}
    locks = {str(path) for path in daemon.directory.glob(".agentic/**/*lock")}
    assert {name for name in files if not name.startswith("/proc/")} <= expected | locks
    left_open.close()


def test_sandbox_off_confines_no_process_and_is_logged(hooksd):
    daemon = hooksd(SANDBOX="off")
    assert {status(pid)["Seccomp"] for pid in [*daemon.pids("acceptor"), *daemon.pids("writer")]} == {"0"}
    assert "processes are not confined option=SANDBOX" in daemon.log()


def test_the_service_runs_on_a_kernel_without_a_sandbox(hooksd):
    daemon = hooksd(LD_PRELOAD=BUILD_DIR / "tests/preload/nosandbox.so")
    assert daemon.post_event(minimal()).status == 202
    assert daemon.log().count('missing="seccomp, Landlock"') == 1
    for pid in [*daemon.pids("acceptor"), *daemon.pids("writer")]:
        assert (status(pid)["NoNewPrivs"], int(status(pid)["CapEff"], 16)) == ("1", 0)


# RUN_AS


@pytest.fixture
def open_directory():
    """A directory that other users can reach, unlike those of pytest."""
    directory = Path(tempfile.mkdtemp(prefix="hooksd-run-as-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def daemon(make_hooksd, open_directory):
    daemon = make_hooksd(ACK="queued")
    daemon.directory = open_directory
    daemon.log_path = open_directory / "hooksd.log"
    return daemon


def free_low_port():
    for port in random.sample(range(512, 1024), 512):  # random, because another test may search at the same time
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port below 1024 is free")


@by_root
@pytest.mark.parametrize("storage", ["jsonl", "sqlite"])
def test_a_service_started_by_root_runs_as_the_user_of_run_as(daemon, storage):
    nobody = pwd.getpwnam("nobody")
    daemon.options |= {"STORAGE_TYPE": storage, "PORT": free_low_port(), "RUN_AS": "nobody"}
    daemon.start()
    assert uids(daemon) == {str(nobody.pw_uid)}
    assert int(status(daemon.pid)["CapEff"], 16) == 0
    assert os.stat(f"/proc/{daemon.pid}/mem").st_uid == 0, "other processes of the user cannot read its memory"
    assert daemon.post_event(minimal(session_id="of nobody")).status == 202
    wait_until(lambda: {event["session_id"] for event in daemon.stored_events()} == {"of nobody"}, "the event")
    made = [daemon.directory / ".agentic", *(daemon.directory / ".agentic").rglob("*")]
    assert {path.lstat().st_uid for path in made} == {nobody.pw_uid}, made
    daemon.stop()
    daemon.start()


@by_root
def test_files_of_an_earlier_service_of_root_are_refused_with_the_fix(daemon):
    daemon.start()
    assert uids(daemon) == {"0"}
    assert daemon.post_event(minimal(session_id="of root")).status == 202
    daemon.kill()

    daemon.options["RUN_AS"] = "nobody"
    daemon.spawn()
    daemon.wait_for_log("RUN_AS=nobody: .agentic/hooksd belongs to root: chown -R 65534:65534 it")
    assert daemon.wait_exit(expect=1) == 1

    for path in (daemon.directory / ".agentic", daemon.options["RING_PATH"]):
        subprocess.run(["chown", "-R", "65534:65534", path], check=True)
    daemon.start()
    assert daemon.post_event(minimal(session_id="of nobody")).status == 202
    wait_until(lambda: {event["session_id"] for event in daemon.stored_events()} == {"of root", "of nobody"}, "both events")


@by_root
def test_root_creates_no_directory_through_another_users_link(daemon):
    target = daemon.directory / "target"
    target.mkdir()
    theirs = daemon.directory / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    (theirs / "data").symlink_to(target)
    daemon.options |= {"RUN_AS": "nobody", "DATA_DIR": theirs / "data/hooksd"}
    daemon.spawn()
    assert daemon.wait_exit(expect=1) == 1
    assert list(target.iterdir()) == [] and target.stat().st_uid == 0


def test_an_invalid_or_unknown_user_is_a_clear_error(tmp_path):
    wrong = run_program("hooksd", options={"RUN_AS": "no:one:here"}, cwd=tmp_path)
    assert wrong.returncode == 64 and "RUN_AS=no:one:here: must be a user or user:group" in wrong.stderr
    options = {"RUN_AS": "no-such-user", "PORT": 0, "RING_PATH": f"/dev/shm/hooksd-e2e-run-as-{os.getpid()}.ring"}
    unknown = run_program("hooksd", options=options, cwd=tmp_path)
    assert unknown.returncode == 1 and "RUN_AS=no-such-user: there is no user no-such-user" in unknown.stderr
    checked = run_program("hooksd", "--check-config", options=options, cwd=tmp_path)
    assert checked.returncode == 1 and "there is no user" in checked.stderr


@by_root
def test_only_root_can_become_another_user(open_directory):
    program = shutil.copy(BUILD_DIR / "hooksd", open_directory)
    command = ["setpriv", "--reuid=65534", "--clear-groups", program, "--check-config", "--run-as=root"]
    result = subprocess.run(command, cwd=open_directory, capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "only root can become another user" in result.stderr
