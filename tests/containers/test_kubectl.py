"""What kubectl makes of deploy/k8s and deploy/podman, and what the tests without a kubectl take it for. Needs no engine."""

import json
import re
import subprocess

import pytest
import yaml

from engine import REPOSITORY
from harness.kustomize import render

DIRECTORIES = sorted(path.parent for path in (REPOSITORY / "deploy").rglob("kustomization.yaml")
                     if "kind: Component" not in path.read_text())
each_kustomization = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)


def kubectl_render(program, directory):
    """The objects, with the names of ConfigMaps less their hash; kubectl must have nothing to complain of."""
    result = subprocess.run([program, "kustomize", directory], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    objects = list(yaml.safe_load_all(result.stdout))
    text = json.dumps(objects)
    for name in [thing["metadata"]["name"] for thing in objects if thing["kind"] == "ConfigMap"]:
        text = text.replace(f'"{name}"', f'"{re.fullmatch("(.*)-[a-z0-9]{10}", name)[1]}"')
    return json.loads(text)


def by_name(objects):
    return sorted(objects, key=lambda thing: (thing["kind"], thing["metadata"]["name"]))


def lost(before, after, where=""):
    """What stands in the one and not in the other, which may have more."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [place for key, value in before.items() for place in
                (lost(value, after[key], f"{where}.{key}") if key in after else [f"{where}.{key}"])]
    if isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        return [place for number, value in enumerate(before) for place in lost(value, after[number], f"{where}[{number}]")]
    return [] if str(before) == str(after) else [where]


def test_there_are_kustomizations():
    assert {"base", "migrate", "pgbouncer", "production", "statefulset", "tls", "webhooks", "podman"} == {path.name for path in DIRECTORIES}


@each_kustomization
def test_kubectl_makes_the_same_of_it(directory, kubectl):
    assert by_name(kubectl_render(kubectl, directory)) == by_name(render(directory))


@each_kustomization
def test_every_field_is_one_of_its_kind(directory, kubectl):
    """kubectl reads each workload into the type of its kind and prints that: what it does not know is gone."""
    workloads = {thing["metadata"]["name"]: thing for thing in render(directory)
                 if thing["kind"] in ("Deployment", "StatefulSet", "Job")}
    command = [kubectl, "set", "env", "--local", "--filename=-", "--output=yaml", "TRIED=yes"]
    result = subprocess.run(command, input=yaml.safe_dump_all(workloads.values()), capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    printed = {thing["metadata"]["name"]: thing for thing in yaml.safe_load_all(result.stdout)}
    assert {name: lost(thing, printed[name]) for name, thing in workloads.items()} == dict.fromkeys(workloads, [])
