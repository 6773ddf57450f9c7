"""A hot standby of a PostgreSQL server of these tests. The primary waits for it at every commit."""

from harness.postgres import Database, PostgresServer
from harness.waiting import wait_until


class Standby(PostgresServer):
    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def create_data(self):
        self.run("pg_basebackup", "-D", self.data, "-d", f"host=127.0.0.1 port={self.primary.port} user=postgres",
                 "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")

    def make_synchronous(self):
        """From now on each commit of the primary waits until this standby has flushed it."""
        with self.primary.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        self.wait_synchronous()

    def wait_synchronous(self):
        def synchronous():
            with self.primary.connect("postgres") as connection:
                return connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]

        wait_until(synchronous, "the standby to be synchronous")

    def promote(self):
        """Promotes the standby. Returns when it accepts writes, which wait for no standby."""
        self.run("pg_ctl", "promote", "-w", "-D", self.data)


class Pair:
    """Both servers, and the database on each of them."""

    def __init__(self):
        self.primary = PostgresServer()
        self.standby = None

    def start(self):
        self.primary.start()
        self.before = self.primary.new_database()
        self.standby = Standby(self.primary)
        self.standby.start()
        self.standby.make_synchronous()
        self.after = Database(self.standby, self.before.name)
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        self.url = f"postgresql://postgres:not-a-real-secret@{hosts}/{self.before.name}?target_session_attrs=read-write"

    def remove(self):
        for server in (self.primary, self.standby):
            if server:
                server.remove()
