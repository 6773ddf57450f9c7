"""The tools of the end-to-end tests: the daemon, PostgreSQL servers, HTTP connections, events, receivers, faults."""
