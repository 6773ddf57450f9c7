"""The package under a real systemd, with everything that the unit forbids forbidden. The tests are steps, in this order."""

import re

from machine import wait_until


def stored(machine):
    return re.findall('"event_type":"(.*?)"', machine.run("cat", "/var/lib/hooksd/events.jsonl").stdout)


def master(machine):
    return int(machine.property("hooksd", "MainPID"))


def test_the_service_starts_with_the_machine_and_stores_events(machine):
    assert machine.property("hooksd", "ActiveState") == "active", machine.journal()
    assert machine.property("hooksd", "StatusText") == "serving on 127.0.0.1 port 8080, storage jsonl"
    assert machine.post("first") == "202"
    assert stored(machine) == ["first"]


def test_it_runs_with_no_privileges(machine):
    for pid in machine.pids():
        status = dict(re.findall(r"^(\w+):\s+(.*)$", machine.run("cat", f"/proc/{pid}/status").stdout, re.M))
        assert int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert int(status["Uid"].split()[0]) > 0


def test_hooksctl_finds_the_service_as_the_manual_says(machine):
    command = "set -a; . /etc/default/hooksd; exec runuser -u hooksd -- hooksctl status"
    status = machine.run("sh", "-c", command).stdout
    assert f"master {master(machine)} (running)" in status


def test_reload_replaces_acceptors_and_only_those(machine):
    before = machine.pids()
    machine.run("systemctl", "reload", "hooksd")
    wait_until(lambda: len(set(before) & set(machine.pids())) == 2, "new acceptors")  # master and writer stay
    wait_until(lambda: machine.property("hooksd", "ActiveState") == "active", "the end of the reload")
    assert machine.post("reloaded") == "202"


def test_what_warns_is_a_warning_in_the_journal(machine):
    [writer] = (pid for pid in machine.pids() if "writer" in machine.run("cat", f"/proc/{pid}/comm").stdout)
    machine.run("sh", "-c", f"kill -KILL {writer}")
    found = wait_until(lambda: machine.journal("-p", "warning", "_COMM=hooksd"), "the warning")
    assert " info " not in found
    assert re.search(r"^\S+ (warning|error) master", found, re.M)


def test_a_killed_service_is_started_again(machine):
    before = master(machine)
    machine.run("systemctl", "kill", "--signal=KILL", "hooksd")
    wait_until(lambda: master(machine) not in (0, before), "another master")
    wait_until(lambda: machine.post("killed") == "202", "an answer")


def test_a_service_that_hangs_is_started_again(machine):
    machine.run("sh", "-c", "mkdir /run/systemd/system/hooksd.service.d && "
                "printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/hooksd.service.d/sooner.conf")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hooksd")
    before = master(machine)
    machine.run("sh", "-c", f"kill -STOP {before}")
    wait_until(lambda: master(machine) not in (0, before), "another master")
    assert "watchdog" in machine.run("journalctl", "--no-pager", "-o", "cat", "-n", "100").stdout
    wait_until(lambda: machine.post("hung") == "202", "an answer")


def test_a_stop_drains_and_removes_the_ring(machine):
    machine.run("systemctl", "stop", "hooksd")
    assert machine.property("hooksd", "Result") == "success"
    assert machine.run("ls", "/dev/shm/hooksd").stdout == ""


def test_the_socket_unit_starts_the_service_with_the_first_connection(machine):
    machine.run("systemctl", "disable", "--now", "hooksd.service")
    machine.run("systemctl", "enable", "--now", "hooksd.socket")
    assert machine.property("hooksd", "ActiveState") == "inactive"
    assert machine.post("socket") == "202"
    assert stored(machine)[-1] == "socket"


def test_removing_the_package_stops_service_and_socket(machine):
    machine.run("dpkg", "--remove", "agentic-hooks-backend")
    assert machine.run("systemctl", "list-units", "--no-legend", "--state=active", "hooksd.*").stdout == ""
    assert machine.post("gone") == "000"
