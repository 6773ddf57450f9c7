"""deploy/Dockerfile and the compose files agree with the program. .ci/image executes the Dockerfile's steps."""

import json
import os
import re
import shlex
import subprocess

import pytest
import yaml

from harness.daemon import BUILD_DIR, REPOSITORY, run_program
from harness.options import option_defaults, refusal, ring_file_bytes, seconds, size
from harness.postgres import PostgresServer

DEPLOY = REPOSITORY / "deploy"
COMPOSE_FILES = ["docker-compose.yaml", "docker-compose.prod.yaml"]
VERSION = run_program("hooksd", "--version").stdout.split()[-1]

each_compose_file = pytest.mark.parametrize("name", COMPOSE_FILES)


def stage(name):
    """The instructions of one stage of the Dockerfile, as (instruction, text)."""
    lines = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ").splitlines()
    start = next(number for number, line in enumerate(lines) if re.fullmatch(rf"FROM \S+ AS {name}", line))
    found = []
    for line in lines[start + 1 :]:
        if line.startswith("FROM "):
            break
        if line:
            found.append(tuple(line.split(" ", 1)))
    return found


def texts(name, instruction):
    return [text for found, text in stage(name) if found == instruction]


def image_environment():
    return dict(pair.split("=", 1) for text in texts("hooksd", "ENV") for pair in shlex.split(text))


def runtime_packages():
    [text] = [text for text in texts("hooksd", "RUN") if "apt-get install" in text]
    return text.split("--no-install-recommends")[1].split("&&")[0].split()


def services(name):
    return yaml.safe_load((DEPLOY / name).read_text())["services"]


def settings(service, **given):
    """
    The container's environment: ${NAME:-} is empty unless given, ${NAME:?why} gets a value as a user would set it.
    """
    def fill_in(match):
        return given.get(match[1], "postgresql://a:b@c/d" if match[1].endswith("DATABASE_URL") else "")

    return {key: re.sub(r"\$\{(\w+):[^}]*\}", fill_in, value) for key, value in service.get("environment", {}).items()}


def test_the_image_has_every_library_that_the_programs_load():
    """Finds the Debian package of each library that the dynamic linker loads here."""
    needed = set()
    for program in ("hooksd", "hooksctl"):
        listing = subprocess.run(["objdump", "-p", BUILD_DIR / program], capture_output=True, text=True, check=True)
        needed |= set(re.findall(r"NEEDED +(\S+)", listing.stdout))
    # The base image has the C library. The others belong to a sanitized build.
    needed = {name for name in needed if not re.match(r"lib(c|m|gcc_s|asan|ubsan)\.", name)}
    assert "libpq.so.5" in needed
    owners = subprocess.run(["dpkg-query", "-S", *(f"*/{name}" for name in needed)], capture_output=True, text=True)
    packages = dict(re.findall(r"^([^:,\n]+)(?::\S+)?: \S*/(lib[^/\n]+)$", owners.stdout, re.M))
    found = {package for package, library in packages.items() if library in needed}
    assert found == set(runtime_packages()) - {"ca-certificates"}


def test_the_image_runs_without_root_and_without_a_shell():
    assert texts("hooksd", "USER") == ["10001:10001"]
    assert texts("hooksd", "ENTRYPOINT") == ['["hooksd"]']
    [check] = texts("hooksd", "HEALTHCHECK")
    assert check.endswith(' CMD ["hooksctl", "health"]')
    assert refusal(image_environment()) is None
    assert image_environment()["DATA_DIR"] == texts("hooksd", "WORKDIR")[0]


def test_the_image_is_the_last_stage_and_has_the_default_port():
    assert re.findall(r"^FROM \S+ AS (\w+)", (DEPLOY / "Dockerfile").read_text(), re.M)[-1] == "hooksd"
    assert texts("hooksd", "EXPOSE") == [option_defaults()["PORT"]]


def test_the_health_check_waits_longer_than_hooksctl_does():
    timeout = int(re.search(r"--timeout=(\d+)s", texts("hooksd", "HEALTHCHECK")[0])[1])
    assert timeout > int(re.search(r"Gives up after (\d+) seconds", run_program("hooksctl", "health", "--help").stdout)[1])


@each_compose_file
def test_hooksd_accepts_every_setting(name):
    for service in (services(name)["hooksd"], services(name)["migrate"]):
        assert service["image"] == f"agentic-hooks-backend:{VERSION}"
        assert "DATABASE_URL" in settings(service)
        assert refusal(image_environment() | settings(service)) is None
        with_webhooks = settings(service, HL_API_KEY="a-key-of-my-own", HL_POSTGRES_URL="postgresql://a:b@c/d")
        assert refusal(image_environment() | with_webhooks) is None


@each_compose_file
def test_the_ring_fits_into_the_shared_memory(name):
    service = services(name)["hooksd"]
    with_webhooks = settings(service, HL_API_KEY="a-key-of-my-own", HL_POSTGRES_URL="postgresql://a:b@c/d")
    assert 2 * ring_file_bytes(image_environment() | with_webhooks) <= size(service["shm_size"])
    limit = service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory", "1G")
    assert size(service["shm_size"]) < size(limit) / 2


@each_compose_file
def test_the_stop_timeout_covers_a_drain(name):
    service = services(name)["hooksd"]
    drain = seconds((option_defaults() | settings(service))["DRAIN_TIMEOUT_SECONDS"])
    assert int(service["stop_grace_period"].removesuffix("s")) >= drain + 5


@each_compose_file
def test_the_spool_is_on_a_volume_and_the_published_port_is_hooksds(name):
    service = services(name)["hooksd"]
    assert service["volumes"] == [f"hooksd:{(image_environment() | settings(service))['DATA_DIR']}"]
    assert "hooksd" in yaml.safe_load((DEPLOY / name).read_text())["volumes"]
    assert [port.split(":")[-1] for port in service["ports"]] == [texts("hooksd", "EXPOSE")[0]]


def test_the_compose_files_refer_to_existing_files():
    for service in services("docker-compose.yaml").values():
        if "build" in service:
            assert (DEPLOY / service["build"]["context"]).resolve() == REPOSITORY
            assert os.path.exists(REPOSITORY / service["build"]["dockerfile"])
            assert stage(service["build"]["target"])
    for name, service in services("docker-compose.prod.yaml").items():
        if "extends" in service:
            assert service["extends"]["service"] in services(service["extends"]["file"])
        assert "restart" in service or name == "migrate"


def test_the_image_of_pgbouncer_starts_its_packages_program():
    [entry] = texts("pgbouncer", "ENTRYPOINT")
    assert os.access(json.loads(entry)[0], os.X_OK)
    assert texts("pgbouncer", "CMD") == ['["/etc/pgbouncer/pgbouncer.ini"]']


def test_postgresql_accepts_the_compose_files_settings():
    program, *words = shlex.split(services("docker-compose.yaml")["postgres"]["command"])
    wanted = dict(word.split("=") for word in words[1::2])
    assert program == "postgres" and set(words[::2]) == {"-c"}
    server = PostgresServer(wanted)
    server.start()
    try:
        database = server.new_database()
        assert {name: database.value(f"SHOW {name}") for name in wanted} == wanted
    finally:
        server.remove()


@each_compose_file
def test_prometheus_and_grafana_need_a_profile(name):
    for program in ("prometheus", "grafana"):
        service = services(name)[program]
        if "extends" in service:
            service = services(service["extends"]["file"])[program]
        assert service["profiles"] == ["monitoring"]
        for volume in service["volumes"]:
            source, target = volume.split(":")[:2]
            assert target.startswith("/")
            assert source.startswith(f"./{program}") or source == program


def test_the_build_context_has_every_file_that_the_build_needs():
    """Every directory that meson enters, and the scripts that the Dockerfile names."""
    ignored = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    needed = re.findall(r"^ *subdir\('([^']+)'\)", (REPOSITORY / "meson.build").read_text(), re.M)
    assert len(needed) > 8
    for path in [*needed, ".ci/deps", "meson.build"]:
        parents = [path, *(path[:at] for at, letter in enumerate(path) if letter == "/")]
        assert not set(parents) & set(ignored), path
