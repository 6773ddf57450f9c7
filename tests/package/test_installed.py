"""The package on a bare Debian without a running systemd: installed, used, removed. The tests are steps, in this order."""

import json
import re
import shlex
import signal
import subprocess
import sys

from machine import REPOSITORY, run, wait_until

sys.path.append(str(REPOSITORY / "tests/e2e"))
from harness.elf import Elf, weaknesses  # noqa: E402


def settings(chroot):
    lines = chroot.path("/etc/default/hooksd").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_installing_makes_the_user_and_enables_the_service(chroot):
    assert re.search("^hooksd:x:[0-9]{3}:[0-9]{3}:[^:]*:/var/lib/hooksd:/usr/sbin/nologin$",
                     chroot.path("/etc/passwd").read_text(), re.M)
    wanted = chroot.path("/etc/systemd/system/multi-user.target.wants")
    assert (wanted / "hooksd.service").is_symlink()
    assert not list(chroot.path("/etc/systemd/system").rglob("hooksd.socket"))
    assert chroot.path("/etc/default/hooksd").stat().st_mode & 0o777 == 0o640


def test_nothing_that_was_installed_is_damaged_or_missing(chroot):
    assert chroot.run("dpkg", "--verify", "agentic-hooks-backend").stdout == ""
    assert chroot.run("hooksd", "--version").stdout == chroot.run("hooksctl", "--version").stdout.replace("ctl", "d")


def test_the_programs_are_hardened(chroot):
    for name in ("/usr/sbin/hooksd", "/usr/bin/hooksctl"):
        assert weaknesses(Elf(chroot.path(name))) == []


def test_the_bill_of_materials_is_of_what_is_installed(chroot):
    bill = json.loads(chroot.path("/usr/share/doc/agentic-hooks-backend/sbom.cdx.json").read_text())
    shown = chroot.run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n").stdout
    installed = dict(line.split(" ") for line in shown.splitlines())
    libraries = {component["name"]: component["version"] for component in bill["components"]}
    assert set(libraries) - set(installed) == {"libck-dev"}, "headers, whose code is compiled in"
    assert len(libraries) > 10
    assert "timestamp" in bill["metadata"]


def test_nothing_that_was_installed_has_a_newer_version_in_debian(chroot):
    """The lists are of today, the security suite among them."""
    assert "Debian-Security" in chroot.run("apt-cache", "policy").stdout
    assert re.findall("^Inst .*$", chroot.run("apt-get", "-s", "dist-upgrade").stdout, re.M) == []


def test_no_library_is_older_than_what_this_tree_was_tested_with(chroot):
    for line in (REPOSITORY / "deploy/packages.lock").read_text().splitlines():
        if line.startswith("#") or line.startswith("ca-certificates"):
            continue
        name, version = line.split(" ")
        installed = chroot.run("dpkg-query", "-W", "-f", "${Version}", name).stdout
        assert run("dpkg", "--compare-versions", installed, "ge", version, check=False).returncode == 0, (name, installed, version)


def test_systemd_of_that_debian_understands_the_installed_units(chroot):
    verified = chroot.run("systemd-analyze", "verify", "--man=no", "hooksd.service", "hooksd.socket")
    assert verified.stderr == ""
    rated = chroot.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "hooksd.service")
    assert re.search(r"exposure level for hooksd.service: [01]\.\d", rated.stdout)


def test_the_line_of_the_unit_serves_an_event_as_its_user(chroot):
    run("systemd-tmpfiles", f"--root={chroot.root}", "--create", "hooksd.conf")  # as a boot does
    chroot.run("install", "-d", "-o", "hooksd", "-g", "hooksd", "-m", "0750", "/var/lib/hooksd")  # StateDirectory=
    unit = chroot.path("/lib/systemd/system/hooksd.service").read_text()
    program = shlex.split(re.search("^ExecStart=(.*)$", unit, re.M)[1])
    log = chroot.path("/tmp/hooksd.log")
    with open(log, "w") as stderr:
        daemon = subprocess.Popen(
            ["chroot", "--userspec=hooksd:hooksd", chroot.root, "env", "-i", "-C", "/var/lib/hooksd", *settings(chroot),
             *program, "--port=0"], stdin=subprocess.DEVNULL, stderr=stderr)
    try:
        ready = wait_until(lambda: daemon.poll() is not None or re.search(r" ready .*\bport=(\d+)", log.read_text()), "ready")
        assert daemon.poll() is None, log.read_text()
        status = run("curl", "-sS", "--retry", "5", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                     "Content-Type: application/json", "-d", '{"event_type":"packaged","session_id":"s"}',
                     f"http://127.0.0.1:{ready[1]}/events").stdout
        assert status == "202", log.read_text()
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(40) == 0, log.read_text()
    assert '"packaged"' in chroot.path("/var/lib/hooksd/events.jsonl").read_text()


def test_installing_again_keeps_changed_settings(chroot):
    changed = chroot.path("/etc/default/hooksd")
    changed.write_text(changed.read_text().replace("#LOG_LEVEL=info", "LOG_LEVEL=warning"))
    chroot.run("apt-get", "install", "-y", "-q", "--reinstall", "/tmp/package.deb")
    assert "\nLOG_LEVEL=warning\n" in changed.read_text()
    assert changed.stat().st_mode & 0o777 == 0o640


def test_removing_leaves_settings_and_events_purging_leaves_the_events(chroot):
    chroot.run("apt-get", "remove", "-y", "-q", "agentic-hooks-backend")
    for name in ("/usr/sbin/hooksd", "/usr/bin/hooksctl", "/lib/systemd/system/hooksd.service"):
        assert not chroot.path(name).exists()
    assert chroot.path("/etc/default/hooksd").exists()
    purged = chroot.run("apt-get", "purge", "-y", "-q", "agentic-hooks-backend")
    assert "/var/lib/hooksd holds events" in purged.stdout + purged.stderr
    assert [path.name for path in chroot.path("/var/lib/hooksd").iterdir()] == ["events.jsonl"]
    assert not chroot.path("/dev/shm/hooksd").exists()
    for directory in ("etc", "lib/systemd", "usr", "var/lib/systemd"):
        left = [path for path in chroot.path(directory).rglob("*") if re.search("hooksd|hooksctl|agentic-hooks", path.name)]
        assert left == []


def test_purging_without_events_leaves_nothing(chroot):
    run("rm", "-r", chroot.path("/var/lib/hooksd"))
    chroot.run("apt-get", "install", "-y", "-q", "/tmp/package.deb")
    chroot.run("apt-get", "purge", "-y", "-q", "agentic-hooks-backend")
    assert not chroot.path("/var/lib/hooksd").exists()
