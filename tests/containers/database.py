"""PostgreSQL in a container of its own, by the settings of deploy/docker-compose.yaml, under the name `postgres`."""

from collections import Counter

from compose import run_flags, service
from container import start
from engine import REPOSITORY, podman

FILE = "docker-compose.yaml"
NETWORK_URL = "postgresql://{role}:{role}@postgres/hooks"
OWNER_URL = NETWORK_URL.format(role="hooks")
WRITER_URL = NETWORK_URL.format(role="hooks_writer")


class Database:
    def __init__(self, image):
        self.image = image
        self.run()

    def run(self):
        """Under a new address, if somebody else has the old one; the volume is the same."""
        flags, words = run_flags(service("postgres", FILE), "try")
        self.container = start("postgres", self.image, *flags, command=words)

    def make_tables(self, image):
        flags, _ = run_flags(service("migrate", FILE), "try")
        assert start("migrate", image, *flags).wait_exited() == "0"
        podman("rm", "migrate")
        self.grant()

    def grant(self):
        """The writer role, and its rights to the tables."""
        podman("exec", "--interactive", "postgres", "psql", "--quiet", "--username=hooks", "hooks",
               stdin=(REPOSITORY / "schema/roles.sql").read_text())
        self.query("ALTER ROLE hooks_writer PASSWORD 'hooks_writer'")

    def query(self, sql):
        """Its rows as lines."""
        return self.container.run("psql", "--username=hooks", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "hooks",
                                  "--command", sql).strip()

    def stored(self):
        """How many rows each type has."""
        rows = self.query("SELECT event_type, count(*) FROM hook_events GROUP BY 1").splitlines()
        return Counter({event_type: int(count) for event_type, count in (row.split("|") for row in rows)})

    def address(self):
        return self.container.inspect()["NetworkSettings"]["Networks"]["hooks"]["IPAddress"]
