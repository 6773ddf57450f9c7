#!/usr/bin/python3
"""
deploy/sbom.py PROGRAM...: a bill of materials of these programs, as CycloneDX 1.5 in JSON, on stdout: the Debian packages of all
libraries that the dynamic linker loads for them, and of those whose code is compiled in. It asks readelf, ldd and dpkg-query,
so it runs where the programs were built. The same programs and packages make the same text; SOURCE_DATE_EPOCH, if it is set, is
the time in it.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
NAME = "agentic-hooks-backend"
# Concurrency Kit is headers, as far as it is used.
COMPILED_IN = ["libck-dev"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout


def needed(path):
    """The libraries that a program or a library names."""
    return re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)\]", output("readelf", "--dynamic", "--wide", path))


def loaded(program):
    """Where the dynamic linker finds each library, those that libraries name included: path by name."""
    found = {}
    for name, path in re.findall(r"^\s+(?:(\S+) => )?(/\S+) \(0x", output("ldd", program), re.MULTILINE):
        found[name or Path(path).name] = path
    return found


def owner(path):
    """The package of a library. dpkg may know it under /lib or under /usr/lib, which are one directory."""
    names = {path, os.path.realpath(path)}
    names |= {name.removeprefix("/usr") for name in names} | {f"/usr{name}" for name in names if not name.startswith("/usr")}
    for name in sorted(names):
        found = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"sbom: no Debian package owns {path}")


def component(package):
    architecture, version, source, url = output(
        "dpkg-query", "--show", "--showformat=${Architecture}\t${Version}\t${source:Package}\t${Homepage}", package).splitlines()[0].split("\t")
    with open("/etc/os-release") as lines:
        release = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    distribution = "-".join(release[key].strip('"') for key in ("ID", "VERSION_ID") if key in release)
    purl = f"pkg:deb/debian/{quote(package)}@{quote(version, safe='')}?arch={architecture}&distro={distribution}"
    found = {"type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl,
             "properties": [{"name": "debian:source", "value": source}]}
    if url:
        found["externalReferences"] = [{"type": "website", "url": url}]
    return found


def version():
    return re.search(r'^#define HOOKS_VERSION "(.*)"$', (ROOT / "base/version.h").read_text(), re.MULTILINE)[1]


def document(programs):
    paths = {}
    for program in programs:
        paths |= loaded(program)
    packages = {name: owner(path) for name, path in sorted(paths.items())}
    components = {package: component(package) for package in sorted({*packages.values(), *COMPILED_IN})}
    refs = {package: found["bom-ref"] for package, found in components.items()}
    edges = {package: set() for package in components}
    for name, path in paths.items():
        edges[packages[name]] |= {packages[other] for other in needed(path)} - {packages[name]}
    own = f"{NAME}@{version()}"
    direct = {packages[name] for program in programs for name in needed(program)} | set(COMPILED_IN)
    text = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": own, "name": NAME, "version": version(),
                          "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": list(components.values()),
        "dependencies": [{"ref": own, "dependsOn": sorted(refs[package] for package in direct)}] + [
            {"ref": refs[package], "dependsOn": sorted(refs[other] for other in others)} for package, others in edges.items()],
    }
    if "SOURCE_DATE_EPOCH" in os.environ:
        text["metadata"]["timestamp"] = datetime.fromtimestamp(
            int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(json.dumps(text, sort_keys=True).encode()).digest()
    return {"serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"} | text


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: deploy/sbom.py PROGRAM...")
    json.dump(document(sys.argv[1:]), sys.stdout, indent=2)
    print()
