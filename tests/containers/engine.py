"""
podman as the tests use it: with settings, storage, volumes and networks of its own in build-containers/, so that the
machine's own containers are left alone, and a network on which containers find each other by name. No registry is asked for
anything: the image that the Dockerfile begins with is made here, by mmdebstrap.

    engine.py prepare     # what the tests do first, too; exit code 3 and the reasons where no container can run
    engine.py clean       # ends all containers and removes build-containers/
"""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DIRECTORY = REPOSITORY / "build-containers"
BASE = "docker.io/library/debian:bookworm-slim"
NETWORK = "hooks"
REFUSED = 3
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")  # new or old style
# As in the image of that name: no documentation, no translations, nothing of apt's is kept.
SLIM = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*"]
APT = r"""
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
"""
# No systemd for podman's timers, no syslog for its name server: the tests do without both.
NOISE = re.compile(r'.*(unable to get systemd connection|failed to connect to syslog).*\n?')


# What a container is made of, and a command that tries whether the kernel gives it.
PARTS = {
    "mounts of its own": ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
    "process numbers of its own": ["unshare", "--pid", "--fork", "true"],
    "a network of its own": ["unshare", "--net", "true"],
    "a bridge between networks": ["unshare", "--net", "ip", "link", "add", "tried", "type", "bridge"],
    "rules that translate addresses": ["unshare", "--net", "iptables", "--table=nat", "--list-rules"],
    "shared memory of its own": ["unshare", "--ipc", "true"],
    "a host name of its own": ["unshare", "--uts", "true"],
}


class Refused(Exception):
    """The kernel lets no container run; the text says what it refuses."""


def hard_limit(which):
    hard = resource.getrlimit(which)[1]
    return 2**20 if hard == resource.RLIM_INFINITY else hard


def limits():
    """The highest that podman can give a container here: raising a limit is a right of its own."""
    processes = min(hard_limit(resource.RLIMIT_NPROC), int(Path("/proc/sys/kernel/pid_max").read_text()))
    return {"nofile": hard_limit(resource.RLIMIT_NOFILE), "nproc": processes}


def settings(driver):
    """The files that podman reads."""
    ulimits = ", ".join(f'"{name}={limit}:{limit}"' for name, limit in limits().items())
    storage = f"""[storage]
driver = "{driver}"
graphroot = "{DIRECTORY}/storage"
runroot = "{DIRECTORY}/run"
"""
    containers = f"""[containers]
default_ulimits = [{ulimits}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{DIRECTORY}/tmp"
volume_path = "{DIRECTORY}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{DIRECTORY}/networks"
"""
    return {"storage.conf": storage, "containers.conf": containers, "registries.conf": "unqualified-search-registries = []\n"}


def environment():
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
            "CONTAINERS_CONF": f"{DIRECTORY}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{DIRECTORY}/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": f"{DIRECTORY}/registries.conf"}


def run(command, timeout):
    """The finished process, with its output; a failure is an AssertionError that shows it."""
    done = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def ask_the_kernel():
    refused = {}
    for part, command in PARTS.items():
        try:
            run(command, timeout=30)
        except AssertionError as error:
            refused[part] = str(error).splitlines()[-1]
    if refused:
        raise Refused("\n".join(f"the kernel refuses {part}: {words}" for part, words in refused.items()))


def podman(*words, check=True, timeout=120, stdin=None):
    """The finished process; what podman says of the machine's systemd is left out."""
    done = subprocess.run(["podman", *map(str, words)], env=environment(), input=stdin, capture_output=True, text=True,
                          timeout=timeout, **({"stdin": subprocess.DEVNULL} if stdin is None else {}))
    done.stderr = NOISE.sub("", done.stderr)
    if check and done.returncode != 0:
        raise AssertionError(f"podman {' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done


def build(tag, *words, context=REPOSITORY, file=REPOSITORY / "deploy/Dockerfile"):
    """By this machine's network, which reaches Debian's packages; as Docker's format, which has health checks."""
    podman("build", "--pull=never", "--network=host", "--format=docker", f"--file={file}", f"--tag={tag}", *words, context,
           timeout=600)
    return tag


def make_base():
    archive = DIRECTORY / "debian.tar"
    excludes = [f"--dpkgopt=path-exclude={path}" for path in SLIM]
    merged = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"]  # else it takes perl
    hook = f"""--customize-hook=cd "$1"; rm -f var/cache/apt/*.bin; printf '%s' '{APT}' >etc/apt/apt.conf.d/docker-clean"""
    sources = next(path for path in SOURCES if Path(path).is_file())
    run(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", *excludes, *merged, hook, "bookworm", archive, sources],
        timeout=600)
    podman("import", archive, BASE)
    archive.unlink()


def configure(driver):
    for name, text in settings(driver).items():
        (DIRECTORY / name).write_text(text)


def choose_storage():
    """Layers over one another, or copies of whole trees, which take more time and room."""
    configure("overlay")
    if podman("info", check=False).returncode != 0:
        remove(DIRECTORY / "storage")
        configure("vfs")


def prepare():
    """Idempotent, so that tests that are run one by one keep the images."""
    ask_the_kernel()
    DIRECTORY.mkdir(exist_ok=True)
    if not (DIRECTORY / "storage").exists():
        choose_storage()
    if podman("image", "exists", BASE, check=False).returncode != 0:
        make_base()
    end_containers()
    podman("network", "rm", "--force", NETWORK, check=False)
    podman("network", "create", NETWORK)
    podman("run", "--rm", f"--network={NETWORK}", BASE, "true")


def end_containers():
    """And what they leave: pods, volumes, secrets. Images and the network stay."""
    root = podman("info", "--format={{.Store.GraphRoot}}").stdout.strip()
    assert root == f"{DIRECTORY}/storage", f"never those of {root}, which are somebody's"
    podman("pod", "rm", "--all", "--force", "--time=0")
    podman("rm", "--all", "--force", "--time=0", "--volumes")
    podman("volume", "rm", "--all", "--force")
    podman("secret", "rm", "--all")


def remove(path):
    """Mounts that a killed engine has left there go first."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in reversed([place for place in mounted if Path(place).is_relative_to(path)]):
        subprocess.run(["umount", "--lazy", place], check=True, timeout=30)
    if path.exists():
        shutil.rmtree(path)


def clean():
    try:
        if (DIRECTORY / "storage").exists():
            end_containers()
            podman("network", "rm", "--force", NETWORK, check=False)
    finally:
        remove(DIRECTORY)


def main():
    if os.geteuid() != 0:
        sys.exit("containers: only root can run these tests")
    if sys.argv[1:] == ["clean"]:
        clean()
    elif sys.argv[1:] == ["prepare"]:
        try:
            prepare()
        except Refused as refused:
            print(f"containers: none can run here.\n{refused}", flush=True)
            sys.exit(REFUSED)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
