"""
A proxy before a plain PostgreSQL that answers on the wire as a Citus cluster does:

  * a worker's refusal of a COPY is an internal error, whatever the reason, and names no table or constraint;
  * a worker's refusal of an INSERT keeps its SQLSTATE, and names no table or constraint;
  * INSERT ... SELECT ... ON CONFLICT DO NOTHING counts the rows of the SELECT, unless it has RETURNING;
  * while a worker is down, each statement that needs it fails; an empty COPY needs no worker.

Refusals by the coordinator itself (a missing table, an invalid value) pass unchanged.
"""

import re
import struct

from harness.proxy import DOWN, UP, Proxy

NAMES = b"stcdn"  # fields of an error: schema, table, column, data type, constraint
EMPTY_COPY = 21  # bytes: header and trailer
ROWS_OF = re.compile(rb"^(COPY) (?:hook_events|events|jobs|attempts) \(|^(INSERT INTO) (?:hook_)?events \(|; (COPY) hook_events \(")
ASKS_WORKERS = re.compile(rb"^SELECT 1 FROM hook_events ")


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def fields_of(error):
    return {field[:1]: field[1:] for field in error.split(b"\0") if field}


def error_of(fields):
    return message(b"E", b"".join(name + value + b"\0" for name, value in fields.items()) + b"\0")


def rows_given(bind):
    """The number of elements of the first parameter, an array."""
    _portal, _statement, rest = bind.split(b"\0", 2)
    formats, = struct.unpack("!H", rest[:2])
    dimensions, _flags, _oid, elements = struct.unpack_from("!IIII", rest, 2 + 2 * formats + 2 + 4)
    return elements if dimensions else 0


class Conversation:
    """The state of one connection."""

    def __init__(self):
        self.pending = {UP: b"", DOWN: b""}
        self.greeted = False
        self.statement = None  # COPY, INSERT
        self.counts_given = False
        self.given = 0
        self.copied = 0
        self.failing = False


class CitusProxy(Proxy):
    def __init__(self, port):
        self.worker_away = False
        self.conversations = {}
        super().__init__(port)

    def url(self, database):
        return super().url(database) + "?sslmode=disable&gssencmode=disable"

    def release(self):
        self.worker_away = False

    def pass_on(self, link, direction, data):
        talk = self.conversations.setdefault(link, Conversation())
        pending = talk.pending[direction] + data
        out = b""
        while True:
            head = 1 if direction == DOWN or talk.greeted else 0
            if len(pending) < head + 4:
                break
            size = head + struct.unpack_from("!I", pending, head)[0]
            if len(pending) < size:
                break
            kind, body, pending = pending[:head], pending[head + 4 : size], pending[size:]
            if not kind:
                talk.greeted = True
                out += struct.pack("!I", len(body) + 4) + body
            else:
                out += (self.up if direction == UP else self.down)(talk, kind, body)
        talk.pending[direction] = pending
        link.ends[direction][1].sendall(out)

    def up(self, talk, kind, body):
        if kind in b"QP":
            sql = body.split(b"\0")[0 if kind == b"Q" else 1]
            found = ROWS_OF.search(sql)
            talk.statement = found and next(filter(None, found.groups())).split()[0]
            talk.counts_given = talk.statement == b"INSERT" and b" RETURNING " not in sql
            talk.copied, talk.failing = 0, False
            if self.worker_away and ASKS_WORKERS.match(sql):
                talk.failing = True
                return message(b"Q", b"SELECT a_worker_that_is_away\0")
        elif kind == b"B":
            talk.given = rows_given(body) if talk.statement == b"INSERT" else 0
            if self.worker_away and talk.given:
                talk.failing = True
                return message(b"B", b"\0no such statement\0\0\0\0\0\0\0")
        elif kind == b"d":
            talk.copied += len(body)
        elif kind == b"c" and self.worker_away and talk.copied > EMPTY_COPY:
            talk.failing = True
            return message(b"f", b"a worker is away\0")
        return message(kind, body)

    def down(self, talk, kind, body):
        if kind == b"E":
            fields = fields_of(body)
            if talk.failing:
                fields |= {b"C": b"08006", b"M": b"connection to the remote node worker-1:5432 failed"}
            elif talk.statement and fields[b"C"].startswith((b"23", b"53")):
                if talk.statement == b"COPY":
                    fields[b"C"] = b"XX000"
                for name in NAMES:
                    fields.pop(bytes([name]), None)
            return error_of(fields)
        if kind == b"C" and talk.counts_given and body.startswith(b"INSERT 0 "):
            body = b"INSERT 0 %d\0" % talk.given
        return message(kind, body)
