"""What the end-to-end tests drive: the daemon, a PostgreSQL server, HTTP connections, and events."""
