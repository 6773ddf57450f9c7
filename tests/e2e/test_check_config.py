"""hooksd --check-config finds the problems of a start without starting."""

import os
import shutil
import subprocess

import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program

WRONG, NOT_HERE = 64, 1


def check(directory, **options):
    result = run_program("hooksd", "--check-config", options={"PORT": 0, "HOST": "127.0.0.1"} | options, cwd=directory)
    assert list(directory.iterdir()) == [directory / "there"], "--check-config changes nothing"
    assert (result.returncode == 0) == (result.stdout == "configuration ok\n")
    return result.returncode, result.stderr


@pytest.fixture
def directory(tmp_path):
    """A directory with "there", which holds a file and a directory."""
    directory = tmp_path / "work"
    (directory / "there/directory").mkdir(parents=True)
    (directory / "there/file").write_text("")
    return directory


@pytest.mark.parametrize("option,value", [
    ("JSONL_PATH", "there/directory"),
    ("JSONL_PATH", "there/file/events.jsonl"),
    ("DATA_DIR", "there/file"),
    ("DATA_DIR", "there/file/data"),
    ("RING_PATH", "there/directory"),
])
def test_a_path_of_the_wrong_kind_is_an_error(directory, option, value):
    code, told = check(directory, **{option: value})
    assert code == WRONG, told
    assert f"{option}={value}" in told


KEY = "hl_" + "k" * 40


def test_the_rings_need_room_for_webhooks_too(directory):
    code, told = check(directory, HL_RING_BYTES="64GiB", HL_API_KEY=KEY)
    assert code == NOT_HERE and "RING_BYTES and HL_RING_BYTES" in told
    assert check(directory, HL_RING_BYTES="64GiB")[0] == 0


@pytest.mark.parametrize("value", ["there/directory", "there/file/hookline.db"])
def test_the_webhooks_file_is_checked_when_an_api_key_is_set(directory, value):
    code, told = check(directory, HL_DATA_PATH=value, HL_API_KEY=KEY)
    assert code == WRONG and f"HL_DATA_PATH={value}" in told
    assert check(directory, HL_DATA_PATH=value)[0] == 0


def test_the_webhooks_file_must_not_be_another_programs_or_that_of_events(directory):
    (directory / "there/file").write_text("a letter\n")
    code, told = check(directory, HL_DATA_PATH="there/file", HL_API_KEY=KEY)
    assert code == WRONG and "HL_DATA_PATH=there/file is not an SQLite database" in told
    code, told = check(directory, HL_DATA_PATH="there/x.db", SQLITE_PATH="there/x.db", STORAGE_TYPE="sqlite", HL_API_KEY=KEY)
    assert code == WRONG and "HL_DATA_PATH and SQLITE_PATH are the same file" in told


@pytest.mark.parametrize("option,value", [
    ("HOST", "no-such-host.invalid"),
    ("HOST", "192.0.2.1"),  # of a network for documentation
    ("RING_PATH", "there/not/ring"),
    ("RING_BYTES", "64GiB"),
])
def test_options_that_do_not_fit_the_machine_are_reported(directory, option, value):
    code, told = check(directory, **{option: value})
    assert code == NOT_HERE, told
    assert option in told


def test_a_path_that_can_be_created_is_ok(directory):
    code, told = check(directory, DATA_DIR="there/not/yet", JSONL_PATH="neither/that.jsonl", RING_PATH="there/ring")
    assert code == 0, told


def test_a_check_beside_a_running_service_is_ok(hooksd):
    daemon = hooksd()
    result = run_program("hooksd", "--check-config", options=daemon.options | {"PORT": daemon.port}, cwd=daemon.directory)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("option,value", [("DATA_DIR", "there/data"), ("JSONL_PATH", "there/file")])
def test_a_path_without_write_permission_is_reported(directory, option, value):
    shutil.copy(BUILD_DIR / "hooksd", directory / "there")
    for parent in [directory, *list(directory.parents)[:3]]:
        os.chmod(parent, 0o755)
    options = {"PORT": 0, "HOST": "127.0.0.1", "DATA_DIR": "/tmp", "JSONL_PATH": "/tmp/events.jsonl"} | {option: value}
    command = ["setpriv", "--reuid=65534", "--clear-groups", "there/hooksd", "--check-config"]
    result = subprocess.run(command, env=clean_environment(options), cwd=directory, capture_output=True, text=True, timeout=30)
    assert result.returncode == NOT_HERE, result.stderr
    assert f"{option}={value}" in result.stderr and "Permission denied" in result.stderr
