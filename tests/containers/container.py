"""A running container, from outside: what podman tells of it, and what its published port answers."""

import json

from engine import NETWORK, podman
from harness.client import Client
from harness.waiting import wait_until

PORT = "8080"
IMAGE = "agentic-hooks-backend:0.2.0"


class Container:
    def __init__(self, name):
        self.name = name

    def inspect(self):
        [found] = json.loads(podman("inspect", "--type=container", self.name).stdout)
        return found

    def state(self):
        return self.inspect()["State"]

    def pid(self):
        """Of its process 1, as this machine counts."""
        return self.state()["Pid"]

    def log(self):
        """What it wrote to stderr and stdout, over all its starts."""
        logs = podman("logs", self.name)
        return logs.stdout + logs.stderr

    def run(self, *command, **options):
        return podman("exec", self.name, *command, **options).stdout

    def start(self):
        podman("start", self.name)

    def stop(self):
        """By its stop signal, and within its stop timeout: one that has to be killed ends with 137."""
        podman("stop", self.name)
        return self.state()["ExitCode"]

    def remove(self):
        podman("rm", "--force", "--time=0", "--volumes", self.name)

    def health(self):
        """Makes the image's check, as a timer of systemd does in its interval, and returns the status that podman keeps."""
        podman("healthcheck", "run", self.name, check=False)
        return self.state()["Health"]["Status"]

    def wait_healthy(self):
        wait_until(lambda: self.health() == "healthy", f"{self.name} to be healthy", 60)

    def wait_exited(self):
        """The exit code."""
        return wait_until(lambda: (state := self.state())["Status"] == "exited" and str(state["ExitCode"]),
                          f"the end of {self.name}", 60)

    def port(self):
        """Of this machine."""
        return int(podman("port", self.name, PORT).stdout.rsplit(":", 1)[1])

    def request(self, method, path, *words):
        with Client(self.port()) as client:
            return client.request(method, path, *words)

    def get(self, path):
        return self.request("GET", path)

    def post(self, event_type):
        """The status, and what was reached."""
        body = json.dumps({"event_type": event_type, "session_id": "s"})
        reply = self.request("POST", "/events", body, {"Content-Type": "application/json"})
        return reply.status, reply.headers["X-Hooks-Ack"]

    def wait_ready(self):
        def ready():
            assert self.state()["Running"], self.log()
            try:
                return self.get("/readyz").status == 200
            except OSError:
                return False

        try:
            wait_until(ready, f"{self.name} to be ready", 120)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log ends with:\n{self.log()[-4000:]}") from None


def start(name, image, *flags, command=()):
    """On the network of all, with the port of hooksd on one of this machine's loopback address."""
    podman("run", "--detach", "--pull=never", f"--name={name}", f"--network={NETWORK}", f"--network-alias={name}",
           *flags, image, *command)
    return Container(name)


def start_hooksd(name, *flags, image=IMAGE):
    return start(name, image, f"--publish=127.0.0.1::{PORT}", *flags)
