"""
The services of the compose files, one after the other: PostgreSQL and migrations as in docker-compose.yaml, hooksd as in
docker-compose.prod.yaml, as the writer role; through an outage, a restart and an upgrade, with one volume. The tests are
steps, in this order.
"""

import json
import os
import re
from collections import Counter

import pytest

from compose import run_flags, service
from container import IMAGE, start, start_hooksd
from database import OWNER_URL, WRITER_URL, Database
from engine import end_containers, podman
from harness.metrics import metrics, wait_settled
from harness.waiting import wait_until


class Scene:
    """What the steps hand on."""

    def __init__(self, postgres_image):
        self.database = Database(postgres_image)
        self.hooksd = None
        self.sent = Counter()

    def start_hooksd(self, image):
        flags, words = run_flags(service("hooksd", "docker-compose.prod.yaml"), "prod", DATABASE_URL=WRITER_URL)
        assert not words
        self.hooksd = start_hooksd("hooksd", *flags, image=image)

    def post(self, event_type, reached):
        assert self.hooksd.post(event_type) == (202, reached)
        self.sent[event_type] += 1


@pytest.fixture(scope="module")
def scene(postgres_image, image):
    yield Scene(postgres_image)
    end_containers()


def test_postgres_becomes_healthy_with_its_settings(scene):
    scene.database.container.wait_healthy()
    wanted = service("postgres", "docker-compose.yaml")["command"].split()
    for name, value in (word.split("=") for word in wanted if "=" in word):
        assert scene.database.query(f"SHOW {name}") == value


def test_the_tables_are_made_by_a_container_that_ends(scene, image):
    scene.database.make_tables(image)
    assert scene.database.stored() == Counter()


def test_the_owners_migration_of_production_says_that_there_is_nothing_to_do(scene, image):
    flags, _ = run_flags(service("migrate", "docker-compose.prod.yaml"), "prod", OWNER_DATABASE_URL=OWNER_URL)
    assert start("migrate-again", image, *flags).wait_exited() == "0"


def test_hooksd_of_the_version_before_serves_with_the_limits_of_the_file(scene, previous_image):
    scene.start_hooksd(previous_image)
    scene.hooksd.wait_healthy()
    scene.hooksd.wait_ready()
    status = dict(re.findall(r"^(\w+):\t(.*)$", scene.hooksd.run("cat", "/proc/1/status"), re.M))
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"], status["Uid"].split()[0]) == (0, "1", "10001")
    limits = scene.hooksd.inspect()["HostConfig"]
    assert (limits["Memory"], limits["PidsLimit"], limits["ReadonlyRootfs"]) == (2**30, 128, True)
    assert json.loads(scene.hooksd.get("/health").body)["version"] == previous_image.split(":")[1]
    scene.post("before", "stored")
    assert scene.database.stored() == scene.sent


def test_while_postgres_is_away_events_are_spooled_and_the_check_stays_healthy(scene):
    assert scene.database.container.stop() == 0
    scene.post("outage", "spooled")
    scene.post("outage", "spooled")
    assert scene.hooksd.health() == "healthy"
    assert json.loads(scene.hooksd.get("/health").body)["status"] == "degraded"


def test_a_stop_drains_and_ends_with_0(scene):
    assert scene.hooksd.stop() == 0
    assert '"message":"stopped"' in scene.hooksd.log()


def test_the_same_container_started_again_keeps_the_spool(scene):
    scene.hooksd.start()
    wait_until(lambda: scene.hooksd.health() == "healthy", "an answer", 60)
    assert metrics(scene.hooksd)["spool_events"] == 2
    scene.post("restarted", "spooled")


def test_a_container_of_the_new_version_takes_the_volume_and_stores_the_spool(scene):
    assert scene.hooksd.stop() == 0
    podman("rm", scene.hooksd.name)
    scene.start_hooksd(IMAGE)
    wait_until(lambda: scene.hooksd.health() == "healthy", "an answer", 60)
    scene.post("upgraded", "spooled")
    scene.database.container.start()
    scene.hooksd.wait_ready()
    wait_settled(scene.hooksd)
    scene.post("after", "stored")
    assert scene.database.stored() == scene.sent == {"before": 1, "outage": 2, "restarted": 1, "upgraded": 1, "after": 1}


def test_a_killed_one_is_started_again_by_the_engine(scene):
    before = scene.hooksd.pid()
    os.kill(before, 9)
    wait_until(lambda: scene.hooksd.pid() not in (0, before), "another process 1", 60)
    scene.hooksd.wait_ready()
    scene.post("killed", "stored")
    wait_settled(scene.hooksd)
    assert scene.database.stored() == scene.sent


def test_postgres_is_found_again_under_another_address(scene, postgres_image):
    """A container that is made anew keeps its name only."""
    old = scene.database.address()
    assert scene.database.container.stop() == 0
    podman("rm", "postgres")
    start("in-the-way", postgres_image, f"--ip={old}", "--entrypoint=sleep", command=["600"])
    scene.post("moved", "spooled")
    scene.database.run()
    assert scene.database.address() != old
    wait_settled(scene.hooksd)
    assert scene.database.stored() == scene.sent
    assert scene.hooksd.stop() == 0
