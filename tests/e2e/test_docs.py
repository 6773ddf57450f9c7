"""
Runs the commands of the README, of the pages for operators and of the runbook as they stand, against a real hooksd and
a real PostgreSQL.
"""

import pytest

from harness.daemon import REPOSITORY
from harness.documents import Manager, blocks, commands, run_block
from harness.postgres import free_port

# One service runs the commands of these pages in this order.
PAGES = ("README.md", "docs/events.md", "docs/storage.md", "docs/running.md", "docs/systemd.md", "docs/containers.md",
         "docs/kubernetes.md")
# {program: why blocks with this program are not run here}. For the runbook the test has a stand-in for `systemctl`.
NOT_HERE = {
    "make": "installs packages of the system and builds or tests all of this again; every run of the tests begins with it",
    "meson": "installs into the system",
    "apt-get": "installs into the system",
    "systemctl": "changes the services of the system",
    "docker": "needs a container engine",
    "podman": "needs the image; tests/containers runs it",
    "kubectl": "needs a cluster",
    "old/hooksd": "needs the version before",
}
# {first word: description} of blocks that are not commands.
NO_COMMANDS = {
    "one": "the picture of the processes",
    "[FILTER]": "a configuration of Fluent Bit",
    "[OUTPUT]": "a configuration of Fluent Bit",
    "[Socket]": "a unit of systemd",
    "[Service]": "a unit of systemd",
    'KEY="Authorization:': "the first commands of webhooks, which test_readme_webhooks.py runs",
}


def not_here(block, allowed=()):
    """The reason why the block cannot run here, or None."""
    for program in sorted(commands(block) - set(allowed)):
        if program in NOT_HERE:
            return NOT_HERE[program]
    if "hooksctl stream " in block:
        return "does not end: test_hook_stream.py follows it"
    return NO_COMMANDS.get(block.split()[0])


@pytest.fixture
def scene(hooksd, empty_database, tmp_path):
    """A service with a dead letter whose cause is gone and an event of a month without partition, and a Manager."""
    daemon = hooksd(empty_database, PORT=free_port(), DATA_DIR=tmp_path / "data", ACCEPTORS=1)
    empty_database.query("ALTER TABLE hook_events ADD CONSTRAINT narrow CHECK (event_type <> 'refused')")
    daemon.post_event({"event_type": "refused", "session_id": "s"})
    empty_database.query("ALTER TABLE hook_events DROP CONSTRAINT narrow")
    daemon.post_event({"event_type": "late", "session_id": "s", "timestamp": "2019-01-01T00:00:00Z"})
    daemon.manager = Manager(daemon, tmp_path / "manager")
    yield daemon
    daemon.manager.end()


def leave_spool(daemon, postgres):
    """Stops the daemon with an event in its spool."""
    postgres.stop()
    reply = daemon.post_event({"event_type": "spooled", "session_id": "s"})
    assert reply.headers["X-Hooks-Ack"] == "spooled"
    daemon.stop()
    assert daemon.spool_files()
    postgres.start()


def test_every_command_for_operators_runs_or_has_a_reason_not_to(scene, postgres, empty_database):
    ran, output = [], None
    for block in [block for page in PAGES for block in blocks((REPOSITORY / page).read_text())]:
        if not_here(block):
            continue
        if block.startswith("{"):
            assert block.strip() == output.strip(), "the output is the one on the page"
            continue
        stopped = "spool replay" in commands_text(block)
        if stopped:
            leave_spool(scene, postgres)
        output = run_block(block.replace("8080", str(scene.port)), scene, scene.manager, postgres.bindir)
        ran.append(block)
        if stopped:
            assert scene.spool_files() == []
            scene.start()
    assert len(ran) >= 7, "the page's commands are found"
    assert empty_database.value("SELECT count(*) FROM hook_events WHERE session_id = 'test-123'") == 1
    assert empty_database.value("SELECT count(*) FROM hook_events WHERE event_type = 'spooled'") == 1
    assert empty_database.value("SELECT count(*) FROM hook_events_dead_letters") == 0


def commands_text(block):
    return "\n".join(line.split(" # ")[0] for line in block.splitlines())


def test_every_command_of_the_runbook_runs_or_has_a_reason_not_to(scene, hooksd, postgres, empty_database, tmp_path):
    gone = hooksd(empty_database, DATA_DIR=tmp_path / "volume", ACCEPTORS=1)
    leave_spool(gone, postgres)
    scene.wait_store_ready()
    places = {"NEW": tmp_path / "new", "VOLUME": tmp_path / "volume"}
    places["NEW"].mkdir()

    ran = []
    for block in blocks((REPOSITORY / "docs/operations.md").read_text()):
        if not_here(block, allowed=["systemctl"]):
            continue
        run_block(block, scene, scene.manager, postgres.bindir, **places)
        ran.append(block)
        if scene.process is None:
            scene.start()
        scene.wait_store_ready()
    assert len(ran) >= 15, "the runbook's commands are found"
    assert gone.spool_files() == []
    assert empty_database.value("SELECT count(*) FROM hook_events WHERE event_type = 'spooled'") == 1
    assert empty_database.value("SELECT count(*) FROM hook_events_dead_letters") == 0
    assert empty_database.value("SELECT count(*) FROM pg_tables WHERE tablename = 'hook_events_2027_01'") == 1


def test_blocks_and_their_programs_are_found():
    text = ("text\n\n    first --flag\n\n    { answer }\n\n```sh\n# a comment; rm\nA=1 B=x second | third && fourth; fifth # not: sixth\n```\n"
            "\n    VAR=1 seventh\n")
    found = blocks(text)
    assert [sorted(commands(block)) for block in found[2:]] == [["fifth", "fourth", "second", "third"], ["seventh"]]
    assert commands(found[0]) == {"first"}
    assert not_here("DATABASE_URL=postgresql://x make run") and not_here("[Socket]\nListenStream=1")
    assert not not_here("systemctl stop hooksd", allowed=["systemctl"]) and not not_here("hooksctl status")
