"""A service of deploy/docker-compose*.yaml as flags of `podman run`. A setting that is not known here is refused."""

import json
import re
import shlex

import yaml

from engine import REPOSITORY, limits

# The ports are the test's, the order in which services start, too; podman's own driver keeps the log.
ELSEWHERE = {"image", "build", "ports", "depends_on", "profiles", "logging"}


def service(name, file):
    return yaml.safe_load((REPOSITORY / "deploy" / file).read_text())["services"][name]


def interpolate(text, variables):
    """${NAME:?words}, ${NAME:-default}."""
    def value(match):
        name, kind, rest = match.groups()
        assert name in variables or kind == "-", rest
        return variables.get(name, rest)

    return re.sub(r"\$\{(\w+):([?-])([^}]*)\}", value, text)


def run_flags(settings, project, **variables):
    """(flags, words after the image); volumes get the project's name, as docker compose does it."""
    settings = {key: value for key, value in settings.items() if key not in ELSEWHERE}
    flags = []
    for name, text in settings.pop("environment", {}).items():
        flags.append(f"--env={name}={interpolate(text, variables)}")
    for volume in settings.pop("volumes", []):
        assert not volume.startswith("."), "a directory of this machine"
        flags.append(f"--volume={project}-{volume}")
    for capability in settings.pop("cap_drop", []):
        flags.append(f"--cap-drop={capability}")
    for option in settings.pop("security_opt", []):
        flags.append(f"--security-opt={option}")
    if "ulimits" in settings:  # podman forgets those of its settings then; no higher than this machine lets them be
        wanted = settings.pop("ulimits")
        assert set(wanted) <= set(limits())
        given = {name: min(limit, wanted.get(name, limit)) for name, limit in limits().items()}
        flags += [f"--ulimit={name}={limit}:{limit}" for name, limit in given.items()]
    if settings.pop("read_only", False):
        flags += ["--read-only", "--read-only-tmpfs=false"]  # docker gives no /tmp either
    for key, flag in (("shm_size", "shm-size"), ("pids_limit", "pids-limit"), ("restart", "restart")):
        if key in settings:
            flags.append(f"--{flag}={settings.pop(key)}")
    if "stop_grace_period" in settings:
        flags.append(f"--stop-timeout={settings.pop('stop_grace_period').removesuffix('s')}")
    if "entrypoint" in settings:
        flags.append(f"--entrypoint={json.dumps(settings.pop('entrypoint'))}")
    resources = settings.pop("deploy", {}).get("resources", {}).get("limits", {})
    flags += [f"--{name}={resources.pop(name)}" for name in ("cpus", "memory") if name in resources]
    flags += check_flags(settings.pop("healthcheck", {}))
    words = shlex.split(settings.pop("command", ""))
    assert (settings, resources) == ({}, {}), "settings that nobody passes on"
    return flags, words


def check_flags(check):
    if check.get("disable"):
        return ["--no-healthcheck"]
    if not check:
        return []
    assert set(check) == {"test", "interval", "timeout", "retries"} and check["test"][0] == "CMD"
    # By a shell: podman 4.3 takes the words of a JSON array apart at their blanks.
    return [f"--health-cmd={shlex.join(check['test'][1:])}", *(f"--health-{key}={check[key]}" for key in check if key != "test")]
