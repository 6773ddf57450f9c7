"""A hot standby of a PostgreSQL server of these tests, which the primary waits for at every commit."""

from harness.postgres import PostgresServer
from harness.waiting import wait_until


class Standby(PostgresServer):
    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def create_data(self):
        self.run("pg_basebackup", "-D", self.data, "-d", f"host=127.0.0.1 port={self.primary.port} user=postgres",
                 "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")

    def make_synchronous(self):
        """From now on the primary commits nothing that this standby has not flushed."""
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
        """Returns when it takes writes, which wait for no standby."""
        self.run("pg_ctl", "promote", "-w", "-D", self.data)
