"""A bare Debian in a directory, and the same one booted with its systemd in namespaces of its own."""

import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")  # new or old style
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--net", "--cgroup", "--kill-child")


def can_boot():
    """Whether this machine lets us make the namespaces and mount into them."""
    probe = "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt"
    return subprocess.run([*NAMESPACES, "sh", "-c", probe], capture_output=True, timeout=30).returncode == 0


def run(*command, check=True, timeout=120, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, timeout=30):
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.05)
    return value


class Chroot:
    """Made with mmdebstrap from where this machine has its own packages; as bare as Debian gets, systemd apart."""

    def __init__(self, root):
        self.root = root
        run("mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd", "bookworm", root,
            next(path for path in SOURCES if Path(path).is_file()), timeout=300)

    def run(self, *command, **options):
        return run("chroot", self.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
                   *command, **options)

    def path(self, absolute):
        return self.root / absolute.lstrip("/")

    def remove(self):
        run("rm", "-rf", "--one-file-system", self.root)


class Booted:
    def __init__(self, chroot):
        self.unshare = subprocess.Popen(
            [*NAMESPACES, "sh", Path(__file__).with_name("boot.sh"), chroot.root],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        pid = self.unshare.pid
        self.init = int(wait_until(Path(f"/proc/{pid}/task/{pid}/children").read_text, "process 1").split()[0])

        def up():
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in ("running", "degraded")  # in namespaces some of systemd's own units fail

        wait_until(up, "the machine to be up", 60)

    def run(self, *command, **options):
        return run("nsenter", "-t", str(self.init), "-m", "-p", "-n", "-C", "-r", "-w", *command, **options)

    def property(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def journal(self, *words):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", "hooksd", *words).stdout

    def pids(self):
        group = self.property("hooksd", "ControlGroup")
        return [int(pid) for pid in self.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").stdout.split()]

    def post(self, event_type):
        """The status code, 000 if there is none; the network is the machine's, curl ours."""
        return run("nsenter", "-t", str(self.init), "-n", "curl", "--silent", "--output", "/dev/null",
                   "--write-out", "%{http_code}", "--header", "Content-Type: application/json", "--data",
                   f'{{"event_type":"{event_type}","session_id":"s"}}', "http://127.0.0.1:8080/events", check=False).stdout

    def power_off(self):
        self.unshare.kill()
        self.unshare.wait()
