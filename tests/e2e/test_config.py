"""Options from the environment and from flags, and what happens when they are wrong."""

import json
import re
import socket

import pytest

from harness.daemon import REPOSITORY, run_program
from harness.events import minimal
from harness.postgres import free_port
from harness.waiting import SANITIZED

EX_USAGE = 64

# Options that operators rely on. The option table has more.
OPTIONS = """
    DATABASE_URL STORAGE_TYPE JSONL_PATH LOG_LEVEL HOST PORT ACCEPTORS WRITERS ACK DATA_DIR RING_PATH RING_BYTES
    MAX_BODY_BYTES MAX_EVENT_BYTES MAX_BATCH_EVENTS DRAIN_TIMEOUT_SECONDS LOG_FORMAT JSONL_ROTATE_BYTES AUTO_MIGRATE
    PARTITIONS_AHEAD
""".split()


def printed_config(*args, **options):
    result = run_program("hooksd", "--print-config", *args, options=options)
    assert result.returncode == 0, result.stderr
    return dict(line.split("=", 1) for line in result.stdout.splitlines())


def test_help_fits_on_a_screen_and_names_the_flag_for_all_options():
    for flag in ("--help", "-h"):
        shown = run_program("hooksd", flag)
        assert shown.returncode == 0
        assert "--database-url" in shown.stdout and "--help=all" in shown.stdout
        assert len(shown.stdout.splitlines()) < 24
        assert max(map(len, shown.stdout.splitlines())) <= 80


def test_help_all_lists_every_option_by_section():
    every = run_program("hooksd", "--help=all")
    assert every.returncode == 0
    for name in OPTIONS:
        assert f"--{name.lower().replace('_', '-')}" in every.stdout
    assert max(map(len, every.stdout.splitlines())) <= 80
    logging = run_program("hooksd", "--help=logging")
    assert logging.returncode == 0
    assert "--log-level" in logging.stdout and "--port" not in logging.stdout


def test_version_prints_the_version():
    result = run_program("hooksd", "--version")
    assert result.returncode == 0
    version = re.search(r'"(.+)"', (REPOSITORY / "base/version.h").read_text()).group(1)
    assert result.stdout == f"hooksd {version}\n"


def test_the_originals_options_keep_their_defaults():
    config = printed_config()
    assert {name: config[name] for name in ("STORAGE_TYPE", "JSONL_PATH", "LOG_LEVEL", "HOST", "PORT")} == {
        "STORAGE_TYPE": "jsonl",
        "JSONL_PATH": ".agentic/analytics/events.jsonl",
        "LOG_LEVEL": "info",
        "HOST": "0.0.0.0",
        "PORT": "8080",
    }
    assert set(OPTIONS) <= set(config)


def test_storage_type_auto_is_postgres_when_a_database_url_is_set():
    assert printed_config(DATABASE_URL="postgresql://localhost/x")["STORAGE_TYPE"] == "postgres"
    assert printed_config(DATABASE_URL="postgresql://localhost/x", STORAGE_TYPE="jsonl")["STORAGE_TYPE"] == "jsonl"
    assert printed_config(DATABASE_URL="")["STORAGE_TYPE"] == "jsonl"


def test_printed_settings_mask_secrets():
    secret = "correct-horse-battery"
    for url in (f"postgresql://hooks:{secret}@localhost:5432/hooks", f"host=localhost password={secret} dbname=hooks"):
        result = run_program("hooksd", "--print-config", options={"DATABASE_URL": url})
        assert result.returncode == 0
        assert secret not in result.stdout + result.stderr
        assert "DATABASE_URL=" in result.stdout


@pytest.mark.parametrize("url,told", [
    ("postgresql://u:correct-horse@h/d?schema=public", '"schema"'),
    ("postgresql://u:correct-horse@h/d?pgbouncer=true&connection_limit=1", '"pgbouncer"'),
    ("postgresql://u:correct%horse@h/d", "%25"),
    ("postgresql://u:correct-horse@h/d?sslmode=verify_full", "sslmode"),
])
def test_a_database_url_in_another_librarys_form_is_refused_at_start(url, told, tmp_path):
    options = {"DATABASE_URL": url, "PORT": 0}
    commands = [("hooksd",), ("hooksd", "--check-config"), ("hooksd", "--print-config"), ("hooksctl", "migrate"),
                ("hooksctl", "spool", "list")]
    for program, *words in commands:
        result = run_program(program, *words, options=options, cwd=tmp_path)
        assert result.returncode == EX_USAGE, (program, words, result.stderr)
        assert "DATABASE_URL" in result.stderr and told in result.stderr
        assert "horse" not in result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


def test_flags_win_over_the_environment():
    assert printed_config(PORT=9000)["PORT"] == "9000"
    assert printed_config("--port=9001", PORT=9000)["PORT"] == "9001"
    assert printed_config("--port", "9002", "--max-body-bytes=1000000", PORT=9000)["PORT"] == "9002"


def test_flags_start_a_daemon_too(hooksd, make_hooksd):
    port = free_port()
    daemon = make_hooksd()
    daemon.arguments = [f"--port={port}", "--jsonl-path", "elsewhere/deep/events.jsonl", "--acceptors=1"]
    daemon.start()
    assert daemon.port == port
    assert daemon.post_event(minimal()).status == 202
    assert len((daemon.directory / "elsewhere/deep/events.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("name,value", [
    ("PORT", "http"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "80 80"),
    ("PORT", "99999999999999999999"),
    ("ACCEPTORS", "0"),
    ("ACCEPTORS", "65"),
    ("WRITERS", "33"),
    ("ACK", "maybe"),
    ("STORAGE_TYPE", "mysql"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("RING_BYTES", "12 parsecs"),
    ("RING_BYTES", "1"),
    ("MAX_BATCH_EVENTS", "0"),
    ("DRAIN_TIMEOUT_SECONDS", "soon"),
    ("AUTO_MIGRATE", "perhaps"),
    ("HOST", "not an address"),
    ("JSONL_ROTATE_BYTES", "-5"),
])
def test_an_error_names_the_option_the_value_and_the_allowed_values(name, value, tmp_path):
    for arguments, options in (([], {name: value}), ([f"--{name.lower().replace('_', '-')}={value}"], {})):
        for mode in (["--check-config"], []):
            result = run_program("hooksd", *mode, *arguments, options={"PORT": 0} | options, cwd=tmp_path)
            assert result.returncode == EX_USAGE, result.stderr
            assert name in result.stderr and value in result.stderr
            assert len(result.stderr.strip()) > len(name) + len(value) + 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--no-such-option=1"], ["serve"], ["--port"]])
def test_unknown_arguments_are_refused(arguments):
    result = run_program("hooksd", *arguments)
    assert result.returncode == EX_USAGE
    assert arguments[0].split("=")[0] in result.stderr


def test_postgres_without_a_url_is_a_clear_error():
    result = run_program("hooksd", options={"STORAGE_TYPE": "postgres", "PORT": 0})
    assert result.returncode == EX_USAGE
    assert "DATABASE_URL" in result.stderr and "postgres" in result.stderr


def test_a_ring_too_small_for_the_biggest_body_is_refused():
    options = {"RING_BYTES": 1 << 20, "MAX_BODY_BYTES": 8 << 20, "PORT": 0}
    result = run_program("hooksd", "--check-config", options=options)
    assert result.returncode == EX_USAGE
    assert "RING_BYTES" in result.stderr and "MAX_BODY_BYTES" in result.stderr


def test_check_config_accepts_a_good_configuration(tmp_path):
    result = run_program("hooksd", "--check-config", options={"PORT": 9000}, cwd=tmp_path)
    assert result.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_a_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = {"HOST": "127.0.0.1", "PORT": port, "RING_PATH": tmp_path / "ring"}
        result = run_program("hooksd", options=options, cwd=tmp_path)
    assert result.returncode == 1
    assert str(port) in result.stderr and "in use" in result.stderr


def test_a_second_daemon_on_the_same_ring_is_refused(hooksd, tmp_path):
    daemon = hooksd()
    assert daemon.post_event(minimal()).status == 202
    options = {"HOST": "127.0.0.1", "PORT": 0, "RING_PATH": daemon.options["RING_PATH"]}
    result = run_program("hooksd", options=options, cwd=tmp_path)
    assert result.returncode == 1
    assert daemon.options["RING_PATH"] in result.stderr
    assert daemon.post_event(minimal()).status == 202


def test_log_lines_can_be_json(make_hooksd):
    daemon = make_hooksd(LOG_FORMAT="json")
    daemon.ready_pattern = r'"port":\s*"?(\d+)'
    daemon.start()
    daemon.post_event("nonsense")
    daemon.stop()
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert lines
    assert any("ready" in json.dumps(line) for line in lines)


def test_log_level_silences_what_is_below_it(make_hooksd):
    daemon = make_hooksd(LOG_LEVEL="debug")
    daemon.start()
    daemon.stop()
    assert " info " in daemon.log()
    quiet = make_hooksd(LOG_LEVEL="error", PORT=free_port()).start_unheard()
    assert quiet.post_event(minimal()).status == 202
    quiet.stop()
    assert quiet.log() == ""


def test_a_host_may_be_a_name(hooksd):
    daemon = hooksd(HOST="localhost")
    assert daemon.post_event(minimal()).status == 202


def test_the_tables_of_the_document_are_the_option_table():
    result = run_program("hooksd", "--print-config-markdown")
    assert result.returncode == 0
    document = (REPOSITORY / "docs/configuration.md").read_text()
    assert f"<!-- options: hooksd --print-config-markdown -->\n{result.stdout}<!-- /options -->\n" in document


def test_acceptors_have_no_database_credentials_in_memory(database, hooksd):
    daemon = hooksd(database)
    assert daemon.post_event(minimal()).status == 202
    must_hold_no_credentials(daemon)


def test_the_database_url_can_be_in_a_file_and_stays_out_of_acceptors_memory(database, make_hooksd, tmp_path):
    file = tmp_path / "url"
    file.write_text(f"{database.url}\n")
    migrated = run_program("hooksctl", "migrate", f"--database-url-file={file}")
    assert migrated.returncode == 0, migrated.stderr
    daemon = make_hooksd(DATABASE_URL_FILE=file, AUTO_MIGRATE="false").start()
    assert daemon.post_event(minimal()).status == 202
    assert database.count() == 1
    must_hold_no_credentials(daemon)


def test_a_secret_file_that_cannot_be_read_is_a_clear_error(tmp_path):
    for program, *words in (("hooksd",), ("hooksd", "--check-config"), ("hooksctl", "migrate")):
        result = run_program(program, *words, options={"DATABASE_URL_FILE": "/run/secrets/nothing"}, cwd=tmp_path)
        assert result.returncode == EX_USAGE
        assert "DATABASE_URL_FILE=/run/secrets/nothing: cannot be read: No such file or directory" in result.stderr


def must_hold_no_credentials(daemon):
    for pid in daemon.pids("acceptor"):
        for name in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                assert b"not-a-real-secret" not in file.read(), name
        memory = process_memory(pid)
        assert len(memory) > 100_000
        if not SANITIZED:  # AddressSanitizer keeps a copy of the environment
            assert b"not-a-real-secret" not in memory


def process_memory(pid):
    """All private, readable and writable memory of a process, without the terabytes that sanitizers reserve."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            addresses, permissions, *_ = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if permissions != "rw-p" or end - start > 1 << 30:
                continue
            try:
                memory.seek(start)
                found.append(memory.read(end - start))
            except (OSError, OverflowError):
                continue  # a mapping of the kernel
    return b"".join(found)
