"""The shipped programs: their hardening and their components (deploy/sbom.py, deploy/packages.lock)."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness.daemon import BUILD_DIR, REPOSITORY
from harness.elf import Elf, weaknesses

PROGRAMS = ["hooksd", "hooksctl"]

# The parts of the schema of CycloneDX 1.5 that this bill of materials uses.
REF = {"type": "string", "minLength": 1}
COMPONENT = {
    "type": "object",
    "required": ["type", "bom-ref", "name", "version"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver",
                          "firmware", "file", "machine-learning-model", "data"]},
        "bom-ref": REF, "name": {"type": "string"}, "version": {"type": "string"},
        "purl": {"type": "string", "pattern": r"^pkg:deb/debian/[a-z0-9.+%-]+@[^?]+\?arch=\w+&distro=debian-\d+$"},
        "licenses": {"type": "array", "items": {"type": "object", "properties": {"license": {"type": "object", "required": ["id"]}}}},
        "properties": {"type": "array", "items": {
            "type": "object", "additionalProperties": False, "properties": {"name": {"type": "string"}, "value": {"type": "string"}}}},
        "externalReferences": {"type": "array", "items": {
            "type": "object", "required": ["url", "type"], "additionalProperties": False,
            "properties": {"type": {"enum": ["website", "vcs", "issue-tracker", "distribution"]},
                           "url": {"type": "string", "pattern": "^https?://"}}}},
    },
}
CYCLONEDX = {
    "type": "object",
    "required": ["bomFormat", "specVersion", "version", "components"],
    "additionalProperties": False,
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.5"},
        "serialNumber": {"pattern": r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
        "version": {"type": "integer", "minimum": 1},
        "metadata": {"type": "object", "additionalProperties": False, "properties": {
            "timestamp": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}, "component": COMPONENT}},
        "components": {"type": "array", "uniqueItems": True, "items": COMPONENT},
        "dependencies": {"type": "array", "uniqueItems": True, "items": {
            "type": "object", "required": ["ref"], "additionalProperties": False,
            "properties": {"ref": REF, "dependsOn": {"type": "array", "uniqueItems": True, "items": REF}}}},
    },
}


def bill(**environment):
    made = subprocess.run([REPOSITORY / "deploy/sbom.py", *(BUILD_DIR / name for name in PROGRAMS)], capture_output=True, text=True,
                          timeout=60, env={"PATH": os.environ["PATH"]} | environment)
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.fixture(scope="module")
def sbom():
    return json.loads(bill(SOURCE_DATE_EPOCH="1717245296"))


@pytest.mark.unsanitized("sanitizers exclude fortified calls")
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_hardened(name):
    assert weaknesses(Elf(BUILD_DIR / name)) == []


def test_a_program_without_hardening_is_detected(tmp_path):
    source = tmp_path / "weak.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-O0", "-fno-stack-protector", "-no-pie", "-Wl,-z,execstack,-z,norelro,-z,lazy,-rpath,/tmp", "-o", tmp_path / "weak",
                    source], check=True, capture_output=True)
    found = weaknesses(Elf(tmp_path / "weak"))
    assert set(found) >= {"calls are not fortified", "it looks for libraries by itself", "its address is fixed", "its stack can be executed",
                          "stacks have no canaries", "symbols are bound late", "what the linker relocates stays writable"}


@pytest.mark.unsanitized("a sanitizer writes into the output that the script reads")
def test_the_bill_of_materials_is_valid_cyclonedx(sbom):
    jsonschema.Draft7Validator(CYCLONEDX).validate(sbom)
    refs = [component["bom-ref"] for component in sbom["components"]] + [sbom["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs))
    named = {entry["ref"] for entry in sbom["dependencies"]} | {ref for entry in sbom["dependencies"] for ref in entry["dependsOn"]}
    assert named == set(refs)


def test_the_bill_of_materials_has_every_loaded_library_with_its_version(sbom):
    versions = {component["name"]: component["version"] for component in sbom["components"]}
    loaded = set()
    for name in PROGRAMS:
        listing = subprocess.run(["ldd", BUILD_DIR / name], capture_output=True, text=True, check=True).stdout
        loaded |= {path.removeprefix("/usr") for path in re.findall(r"(/\S+) \(0x", listing)}
    owners = subprocess.run(["dpkg-query", "-S", *loaded, *(f"/usr{path}" for path in loaded)], capture_output=True, text=True).stdout
    packages = set(re.findall(r"^([^:,\n]+)(?::\S+)?: ", owners, re.M))
    assert {"libssl3", "libpq5", "libcurl4", "libc6"} <= packages
    assert packages <= set(versions)
    assert "libck-dev" in versions, "its code is compiled in"
    for package in ("libssl3", "libc6", "libck-dev"):
        shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True)
        assert versions[package] == shown.stdout


def test_the_bill_of_materials_is_reproducible(sbom):
    assert sbom["metadata"]["timestamp"] == "2024-06-01T12:34:56Z"
    assert sbom == json.loads(bill(SOURCE_DATE_EPOCH="1717245296", TZ="Asia/Tokyo", LC_ALL="C.UTF-8"))


def locked():
    lines = (REPOSITORY / "deploy/packages.lock").read_text().splitlines()
    return dict(line.split(" ") for line in lines if not line.startswith("#"))


def test_every_package_of_the_image_is_locked():
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text()
    image = dockerfile[dockerfile.index(" AS hooksd\n"):]
    installed = re.search(r"--no-install-recommends \\\n\s+(.*?) &&", image, re.S)[1].split()
    assert set(locked()) == set(installed)


def check_of_the_image():
    """The command of the image's build, with the path of the lock on this machine."""
    dockerfile = (REPOSITORY / "deploy/Dockerfile").read_text()
    [command] = re.findall(r"^RUN (grep -v .*?done)$", dockerfile, re.M | re.S)
    return command.replace("\\\n", " ")


@pytest.mark.parametrize("lock, code", [("zlib1g 1:1.2\n", 0), ("# of old\nzlib1g 1:1.2\nlibssl3 1\n", 0),
                                        ("zlib1g 1:1.2\nlibssl3 999\nlibzstd1 1\n", 1), ("not-a-package 1\n", 1)])
def test_the_image_refuses_packages_older_than_the_lock(tmp_path, lock, code):
    Path(tmp_path, "packages.lock").write_text(lock)
    command = check_of_the_image().replace("/usr/local/share/agentic-hooks-backend/packages.lock", f"{tmp_path}/packages.lock")
    done = subprocess.run([shutil.which("sh"), "-c", command], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("is older than" in done.stderr) == (code == 1)
