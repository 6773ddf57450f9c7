"""
Renders deploy/k8s as `kubectl kustomize` does. It knows the features in use there (resources, components, generated
ConfigMaps, JSON patches) and refuses any other. The tests do not use kubectl because Debian 12's version is too old;
tests/containers compares the two. Names of generated ConfigMaps get no hash.
"""

import copy

import yaml

KNOWN = {"apiVersion", "kind", "resources", "components", "configMapGenerator", "patches"}


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def render(directory):
    """The objects of a kustomization."""
    return apply(directory, [])


def apply(directory, objects):
    [kustomization] = documents(directory / "kustomization.yaml")
    assert set(kustomization) <= KNOWN, f"{directory}: {set(kustomization) - KNOWN}"
    for name in kustomization.get("resources", []):
        path = directory / name
        objects = objects + (render(path) if path.is_dir() else documents(path))
    for generator in kustomization.get("configMapGenerator", []):
        generate(directory, generator, objects)
    for name in kustomization.get("components", []):
        objects = apply(directory / name, objects)
    for patch in kustomization.get("patches", []):
        text = patch.get("patch") or (directory / patch["path"]).read_text()
        hit = [thing for thing in objects if thing["kind"] == patch["target"]["kind"]
               and thing["metadata"]["name"] == patch["target"]["name"]]
        assert hit, f"{directory}: the patch has no target"
        for thing in hit:
            for operation in yaml.safe_load(text):
                change(thing, operation)
    return objects


def generate(directory, generator, objects):
    pairs = {}
    for name in generator.get("envs", []):
        lines = (directory / name).read_text().splitlines()
        pairs |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    pairs |= dict(literal.split("=", 1) for literal in generator.get("literals", []))
    pairs |= {name: (directory / name).read_text() for name in generator.get("files", [])}
    there = [thing for thing in objects if (thing["kind"], thing["metadata"]["name"]) == ("ConfigMap", generator["name"])]
    if generator.get("behavior", "create") == "merge":
        there[0]["data"] |= pairs
    else:
        assert not there
        metadata = {"name": generator["name"]} | generator.get("options", {})
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": pairs})


def change(thing, operation):
    """One operation of RFC 6902."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    for part in way:
        thing = thing[int(part) if isinstance(thing, list) else part]
    if isinstance(thing, list) and last == "-":
        assert operation["op"] == "add"
        thing.append(copy.deepcopy(operation["value"]))
        return
    last = int(last) if isinstance(thing, list) else last
    if operation["op"] == "remove":
        del thing[last]
    elif operation["op"] == "test":
        assert thing[last] == operation["value"]
    else:
        assert operation["op"] == "replace" or operation["op"] == "add" and isinstance(thing, dict)
        assert operation["op"] == "add" or isinstance(thing, list) or last in thing
        thing[last] = copy.deepcopy(operation["value"])
