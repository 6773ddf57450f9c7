#!/usr/bin/python3
"""
deploy/sbom.py PROGRAM...: prints a bill of materials of these programs, as CycloneDX 1.5 in JSON: the Debian packages
of all libraries that the dynamic linker loads for them, and of those whose code is compiled in. It uses readelf, ldd
and dpkg-query, so run it on the system of the build. The same programs and packages make the same output, with the
time of SOURCE_DATE_EPOCH if that is set.
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
# Of Concurrency Kit only headers are used.
COMPILED_IN = ["libck-dev"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout


def needed(paths):
    """The needed libraries (DT_NEEDED) of each of these two or more programs and libraries, by path."""
    parts = re.split(r"^File: (.*)$", output("readelf", "--dynamic", "--wide", *paths), flags=re.MULTILINE)
    return {path: set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)\]", text)) for path, text in zip(parts[1::2], parts[2::2])}


def loaded(program):
    """The libraries that the dynamic linker loads for a program, directly or for other libraries: path by name."""
    found = {}
    for name, path in re.findall(r"^\s+(?:(\S+) => )?(/\S+) \(0x", output("ldd", program), re.MULTILINE):
        found[name or Path(path).name] = path
    return found


def spellings(path):
    """The paths by which dpkg may know a library, because /lib is /usr/lib."""
    names = {path, os.path.realpath(path)}
    bare = {name.removeprefix("/usr") for name in names}
    return names | bare | {f"/usr{name}" for name in bare}


def owners(paths):
    """The package of each library, by path."""
    names = sorted(set().union(*map(spellings, paths)))
    listed = subprocess.run(["dpkg-query", "--search", *names], capture_output=True, text=True).stdout
    packages = {name: package for package, name in re.findall(r"^([^:,\s]+)(?::\w+)?: (/\S+)$", listed, re.MULTILINE)}
    found = {path: next((packages[name] for name in spellings(path) if name in packages), None) for path in paths}
    if None in found.values():
        sys.exit(f"sbom: no Debian package owns {[path for path, package in found.items() if package is None]}")
    return found


def distribution():
    with open("/etc/os-release") as lines:
        release = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    return "-".join(release[key].strip('"') for key in ("ID", "VERSION_ID") if key in release)


def components(packages):
    """The description of each package, by its name."""
    shown = output("dpkg-query", "--show",
                   "--showformat=${Package}\t${Architecture}\t${Version}\t${source:Package}\t${Homepage}\n", *packages)
    found = {}
    for line in shown.splitlines():
        package, architecture, version, source, url = line.split("\t")
        purl = f"pkg:deb/debian/{quote(package)}@{quote(version, safe='')}?arch={architecture}&distro={distribution()}"
        found[package] = {"type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl,
                          "properties": [{"name": "debian:source", "value": source}]}
        if url:
            found[package]["externalReferences"] = [{"type": "website", "url": url}]
    return found


def version():
    return re.search(r'^#define HOOKS_VERSION "(.*)"$', (ROOT / "base/version.h").read_text(), re.MULTILINE)[1]


def document(programs):
    paths = {}
    for program in programs:
        paths |= loaded(program)
    owner = owners(sorted(set(paths.values())))
    package_of = {name: owner[path] for name, path in paths.items()}
    found = components(sorted({*owner.values(), *COMPILED_IN}))
    refs = {package: component["bom-ref"] for package, component in found.items()}
    names = needed(programs + sorted(owner))
    edges = {package: set() for package in sorted(found)}
    for path, package in owner.items():
        edges[package] |= {package_of[other] for other in names[path]} - {package}
    own = f"{NAME}@{version()}"
    direct = {package_of[name] for program in programs for name in names[program]} | set(COMPILED_IN)
    text = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": own, "name": NAME, "version": version(),
                          "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": [found[package] for package in sorted(found)],
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
