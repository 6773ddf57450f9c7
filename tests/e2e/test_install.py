"""The files of `meson install`: units, manual pages, the environment file."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY, clean_environment, run_program


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def install(root):
    installed = run("meson", "install", "-C", BUILD_DIR, "--no-rebuild", "--destdir", root)
    assert installed.returncode == 0, installed.stdout + installed.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root directory after `meson install`, with systemd's own units beside those of hooksd."""
    root = tmp_path_factory.mktemp("root")
    install(root)
    shutil.copytree("/lib/systemd/system", root / "lib/systemd/system", symlinks=True)
    (root / "bin").mkdir()
    shutil.copy("/bin/sh", root / "bin/sh")
    return root


def find(root, name):
    """The only file of that name, for any prefix of the build directory."""
    [path] = (path for path in root.rglob(name) if path.is_file())
    return path


def environment_file(root):
    return find(root, "default/hooksd")


def option_names():
    return re.findall(r"^\| `(\w+)`", run_program("hooksd", "--print-config-markdown").stdout, re.M)


def settings(lines):
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("# "))


def test_systemd_verifies_the_units(root):
    for unit in ("hooksd.service", "hooksd.socket"):
        verified = run("systemd-analyze", "verify", "--man=no", f"--root={root}", unit)
        assert (verified.returncode, verified.stderr) == (0, "")


def test_the_services_exposure_by_systemd_analyze_is_below_two_of_ten(root):
    rated = run("systemd-analyze", "security", "--offline=true", "--threshold=20", f"--root={root}", "hooksd.service")
    assert rated.returncode == 0, rated.stdout + rated.stderr
    assert float(re.search(r"exposure level for hooksd.service: (\S+)", rated.stdout)[1]) < 2.0


def test_the_unit_leaves_time_to_drain(root):
    unit = find(root, "system/hooksd.service").read_text()
    drain = int(settings(run_program("hooksd", "--print-config").stdout.splitlines())["DRAIN_TIMEOUT_SECONDS"])
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]) > drain


def test_the_environment_file_is_private_and_has_exactly_the_options(root):
    path = environment_file(root)
    assert path.stat().st_mode & 0o777 == 0o640
    listed = [re.match(r"#?(\w+)=", line)[1] for line in path.read_text().splitlines() if line and line[:2] != "# "]
    assert listed == option_names()


def test_hooksd_accepts_the_environment_file_also_with_all_lines_uncommented(root, tmp_path):
    lines = environment_file(root).read_text().splitlines()
    for values in (settings(line for line in lines if not line.startswith("#")),
                   settings(line.removeprefix("#") for line in lines if not line.startswith("# "))):
        # The Debian package creates the ring's directory, so this test does too.
        values["RING_PATH"] = tmp_path / "ring"
        checked = run_program("hooksd", "--check-config", options=values, cwd=tmp_path)
        assert (checked.returncode, checked.stdout) == (0, "configuration ok\n"), checked.stderr


@pytest.mark.unsanitized("sanitizers need SANDBOX=off")
def test_commented_lines_show_the_defaults(root, tmp_path):
    shown = settings(line[1:] for line in environment_file(root).read_text().splitlines()
                     if line.startswith("#") and not line.startswith("# "))
    assert shown["PORT"] == "8080"
    printed = [run_program("hooksd", "--print-config", options=options, cwd=tmp_path) for options in ({}, shown)]
    assert printed[0].returncode == 0
    assert printed[0].stdout == printed[1].stdout


def test_a_shell_and_systemd_read_the_environment_file_alike(root):
    path = environment_file(root)
    script = 'set -a; . "$1"; exec "$2" --print-config'
    printed = settings(run("sh", "-c", script, "sh", path, BUILD_DIR / "hooksd", env=clean_environment({}))
                       .stdout.splitlines())
    for name, value in settings(line for line in path.read_text().splitlines() if not line.startswith("#")).items():
        assert printed[name] == value


def test_the_directories_of_unit_and_environment_file_agree(root):
    values = settings(line for line in environment_file(root).read_text().splitlines() if not line.startswith("#"))
    unit = find(root, "system/hooksd.service").read_text()
    state = Path("/var/lib", re.search(r"^StateDirectory=(\S+)$", unit, re.M)[1])
    assert Path(values["DATA_DIR"]) == state == Path(re.search(r"^WorkingDirectory=(\S+)$", unit, re.M)[1])
    assert Path(values["JSONL_PATH"]).parent == state
    made = find(root, "tmpfiles.d/hooksd.conf").read_text().splitlines()[-1].split()
    assert made == ["d", str(Path(values["RING_PATH"]).parent), "0700", "hooksd", "hooksd", "-"]
    assert f"EnvironmentFile=/{environment_file(root).relative_to(root)}\n" in unit


def test_installing_again_keeps_the_settings(tmp_path):
    install(tmp_path)
    path = environment_file(tmp_path)
    path.write_text("HOST=::1\n")
    install(tmp_path)
    assert environment_file(tmp_path).read_text() == "HOST=::1\n"


@pytest.mark.parametrize("page", ["man8/hooksd.8", "man1/hooksctl.1"])
def test_manual_pages_are_clean_and_readable(root, page):
    path = find(root, page)
    assert run("mandoc", "-T", "lint", "-W", "warning", path).stdout == ""
    shown = run("man", "--warnings", "-l", path, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})
    assert (shown.returncode, shown.stderr) == (0, "")
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES",
                    "SEE ALSO"):
        assert re.search(f"^{heading}$", shown.stdout, re.M)


def text(root, page):
    """The text in lower case, with each run of white space as one blank."""
    plain = run("mandoc", "-T", "ascii", find(root, page)).stdout
    return " ".join(re.sub(".\b", "", plain).split())


def exit_codes(header, name):
    return re.findall(rf"^\t{name}_\w+ = (\d+),", (REPOSITORY / header).read_text(), re.M)


def test_the_manual_of_hooksd_has_every_option_signal_and_exit_code(root):
    manual = text(root, "man8/hooksd.8")
    for name in option_names():
        assert f"--{name.lower().replace('_', '-')}=value, {name} " in manual
    shown = "".join(run_program("hooksd", flag).stdout for flag in ("--help", "--help=all"))
    for flag in re.findall(r"--[a-z-]+", shown):
        assert flag in manual
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        assert name in manual
    status = re.search("EXIT STATUS (.*) EXAMPLES", manual)[1]
    codes = exit_codes("base/exit_codes.h", "EXIT")
    assert len(codes) >= 4
    for code in codes:
        assert re.search(rf"(^| ){code} [A-Z]", status)


def test_the_manual_of_hooksctl_has_every_command_and_exit_code(root):
    manual = text(root, "man1/hooksctl.1")
    commands = re.findall(r"^  (\w+) +(.*)$", run_program("hooksctl", "--help").stdout, re.M)
    assert len(commands) >= 4
    for name, help_text in commands:
        assert f"{name} {help_text[0].upper()}{help_text[1:]}." in manual
        usage = run_program("hooksctl", name, "--help").stdout
        if usage.startswith(f"usage: hooksctl {name}"):
            assert " ".join(usage.split()) in manual
    status = re.search("EXIT STATUS (.*) EXAMPLES", manual)[1]
    for code in exit_codes("cli/commands.h", "COMMAND"):
        assert re.search(rf"(^| ){code} [A-Z]", status)


def test_the_schema_is_installed_for_psql(root):
    migrations = sorted((REPOSITORY / "schema/postgres").glob("*.sql"))
    assert len(migrations) >= 3
    for source in [*migrations, REPOSITORY / "schema/roles.sql"]:
        assert find(root, f"agentic-hooks-backend/{source.name}").read_bytes() == source.read_bytes()


def test_logrotate_accepts_the_example_and_no_event_is_lost(root, tmp_path, hooksd):
    daemon = hooksd()
    events = daemon.jsonl_path
    events.parent.chmod(0o755)  # logrotate refuses a directory that others can write
    example = find(root, "logrotate.example").read_text()
    example = re.sub(r"^/\S+ \{", f"{events} {{", example, flags=re.M)
    example = re.sub(r"^\tsu .*$", "", example, flags=re.M)
    example = example.replace("systemctl reload hooksd.service", f"kill -HUP {daemon.pid}")
    (tmp_path / "logrotate.conf").write_text(example)
    assert daemon.post_event({"event_type": "before", "session_id": "s"}).status == 202
    rotated = run("/usr/sbin/logrotate", "--force", "--state", tmp_path / "state", tmp_path / "logrotate.conf")
    assert (rotated.returncode, rotated.stderr) == (0, "")
    daemon.wait_for_log("SIGHUP")
    assert daemon.post_event({"event_type": "after", "session_id": "s"}).status == 202
    [old] = events.parent.glob("events.jsonl-*")
    assert '"before"' in old.read_text() and '"after"' in events.read_text()
