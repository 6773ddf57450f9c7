"""Inserts rows by SQL as publishers and couriers write them, for tests of what the API shows."""

import itertools
import json
import time
import uuid

_numbers = itertools.count(1)


def now_ms():
    return int(time.time() * 1000)


def new_id(at_ms, last=None):
    """A UUIDv7 of that time. last: its last 16 bits."""
    number = next(_numbers)
    last = number & 0xffff if last is None else last
    return str(uuid.UUID(int=at_ms << 80 | 0x7 << 76 | 0x2 << 62 | number << 16 | last))


def job_of(event_id, number=1):
    return f"{event_id[:-4]}{number:04x}"


class Rows:
    """
    Rows of one tenant. Each function adds a row and returns its id. Named columns replace the defaults. query: the
    function of hookline.reader(), for callers that add many rows; hookline.query() opens a connection for each.
    """

    def __init__(self, hookline, tenant, query=None):
        self.hookline = hookline
        self.tenant = tenant
        self.query = query or hookline.query

    def add(self, table, times, columns):
        postgres = self.hookline.store == "postgres"
        columns = {"tenant_id": self.tenant.id} | {name: value for name, value in columns.items()}
        values = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in columns.items()}
        places = [f"hl_time(:{name})" if postgres and name in times else f":{name}" for name in columns]
        self.query(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(places)})", **values)

    def event(self, topic="order.created", at_ms=None, **columns):
        at_ms = at_ms or now_ms()
        event_id = new_id(at_ms, last=0)
        self.add("events", ("created_at", "stored_at", "occurred_at"), {
            "event_id": event_id, "created_at": at_ms, "stored_at": at_ms, "occurred_at": at_ms, "job_count": 0, "topic": topic,
            "payload": "null"} | columns)
        return event_id

    def _many(self):
        """
        Three pieces of SQL: the numbers n from 1 to :count, the time :at, and the id of number n, made of :prefix, n
        and an end to be formatted in.
        """
        if self.hookline.store == "postgres":
            return ("SELECT n FROM generate_series(1, :count) AS n", "hl_time(:at)",
                    "CAST(:prefix || lpad(to_hex(n), 8, '0') || '{}' AS uuid)")
        return ("WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :count) SELECT n FROM g", ":at",
                ":prefix || printf('%08x', n) || '{}'")

    def events_at_once(self, at_ms, count):
        """Adds so many events with the same time in one transaction. Returns their ids in order."""
        prefix = new_id(at_ms)[:-12]
        numbers, time, event = self._many()
        self.hookline.query(
            "INSERT INTO events (tenant_id, event_id, created_at, stored_at, occurred_at, job_count, topic)"
            f" SELECT :id, {event.format('0000')}, {time}, {time}, {time}, 0, 'order.created' FROM ({numbers}) AS m",
            id=self.tenant.id, at=at_ms, prefix=prefix, count=count)
        return [f"{prefix}{number:08x}0000" for number in range(1, count + 1)]

    def job(self, endpoint_id, event_id, number=1, **columns):
        job_id = job_of(event_id, number)
        self.add("jobs", ("next_attempt_at", "expires_at"), {
            "endpoint_id": endpoint_id, "job_id": job_id, "event_id": event_id, "node_id": 2**31 - 1, "status": "pending",
            "next_attempt_at": now_ms() + 3_600_000} | columns)
        return job_id

    def jobs(self, endpoint_id, count, due_in_ms=-60_000, node_id=None):
        """
        Adds so many events of a minute ago with one job each for that node, or for the node of this daemon, and
        notifies its couriers.
        """
        at_ms = now_ms() - 60_000
        prefix = new_id(at_ms)[:-12]
        numbers, time, event = self._many()
        kind = "uuid" if self.hookline.store == "postgres" else "text"
        given = {"id": self.tenant.id, "at": at_ms, "prefix": prefix, "count": count}
        due = {"endpoint": endpoint_id, "due": now_ms() + due_in_ms, "node": node_id}
        with self.hookline.reader() as read:
            read("BEGIN")
            read(f"INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic, payload)"
                 f" SELECT :id, {event.format('0000')}, {time}, {time}, 1, 'order.created', 'null' FROM ({numbers}) AS m", **given)
            read(f"INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at, expires_at)"
                 f" SELECT :id, CAST(:endpoint AS {kind}), {event.format('0001')}, {event.format('0000')},"
                 f" COALESCE(CAST(:node AS int), (SELECT max(node_id) FROM delivery_nodes)), 'pending', {time.replace(':at', ':due')},"
                 f" {time.replace(':at', ':at + 3600000')} FROM ({numbers}) AS m", **due, **given)
            read("UPDATE routing_versions SET version = version + 1, change_version = (SELECT version + 1 FROM changes)"
                 " WHERE tenant_id = :id", id=self.tenant.id)
            read("UPDATE changes SET version = version + 1")
            read("COMMIT")

    def inbox_messages(self, token, at_ms, count):
        """Adds so many messages with the same time."""
        numbers, time, message = self._many()
        self.hookline.query(
            "INSERT INTO inbox_messages (tenant_id, token, message_id, received_at, headers, body)"
            f" SELECT :id, :token, {message.format('0000')}, {time}, '{{}}', 'old' FROM ({numbers}) AS m",
            id=self.tenant.id, token=token, at=at_ms, prefix=new_id(at_ms)[:-12], count=count)

    def attempt(self, endpoint_id, event_id, at_ms=None, **columns):
        at_ms = at_ms or now_ms()
        attempt_id = new_id(at_ms)
        self.add("attempts", ("started_at",), {
            "attempt_id": attempt_id, "started_at": at_ms, "job_id": event_id and job_of(event_id), "event_id": event_id,
            "endpoint_id": endpoint_id, "duration_ms": 12, "attempt_n": 1, "http_status": 200, "status": "success"} | columns)
        return attempt_id

    def dead_letters(self, endpoint_id, count, payload=None):
        """Adds so many dead letters of an hour ago, up to seven with the same time. Returns their ids."""
        at_ms, block = now_ms() - 3_600_000, 0x8000 | next(_numbers) & 0x3fff
        prefix = f"{new_id(at_ms)[:19]}{block:04x}-"
        if self.hookline.store == "postgres":
            numbers, kind = "SELECT n FROM generate_series(1, :count) AS n", "uuid"
            of_number, time = "lpad(to_hex(n), 8, '0')", "hl_time(CAST(:at AS bigint) + n / 7)"
        else:
            numbers = "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :count) SELECT n FROM g"
            kind, of_number, time = "text", "printf('%08x', n)", ":at + n / 7"
        self.hookline.query(
            "INSERT INTO dlq (tenant_id, endpoint_id, job_id, event_id, created_at, occurred_at, reason, attempt_count,"
            f" last_http_status, topic, payload) SELECT :id, CAST(:endpoint AS {kind}), CAST(:prefix || {of_number} || '0001' AS"
            f" {kind}), CAST(:prefix || {of_number} || '0000' AS {kind}), {time}, {time}, 'http_410', 1, 410, 'order.created',"
            f" CAST(:payload AS {'json' if kind == 'uuid' else 'text'}) FROM ({numbers}) AS m", id=self.tenant.id,
            endpoint=endpoint_id, prefix=prefix, at=at_ms, count=count, payload=json.dumps(payload))
        return [f"{prefix}{number:08x}0001" for number in range(1, count + 1)]

    def dead_letter(self, endpoint_id, event_id=None, at_ms=None, number=1, **columns):
        at_ms = at_ms or now_ms()
        event_id = event_id or new_id(at_ms, last=0)
        job_id = job_of(event_id, number)
        self.add("dlq", ("created_at", "occurred_at"), {
            "job_id": job_id, "event_id": event_id, "endpoint_id": endpoint_id, "created_at": at_ms, "reason": "http_410",
            "attempt_count": 1, "last_http_status": 410, "topic": "order.created", "occurred_at": at_ms,
            "payload": "null"} | columns)
        return job_id

    def replay(self, request, **columns):
        """Adds a replay that is due in an hour."""
        at_ms = now_ms()
        replay_id = new_id(at_ms)
        self.add("replays", ("created_at", "updated_at", "next_at"), {
            "replay_id": replay_id, "status": "pending", "request": request, "created_at": at_ms, "updated_at": at_ms,
            "next_at": at_ms + 3_600_000} | columns)
        return replay_id
