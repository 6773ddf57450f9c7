"""
The include rule: the folders and libraries that each folder may include.

master -> {server, writer, control, courier} -> {store, ingest, api} -> shm -> {config, event} -> base; cli stands
beside master. A folder includes only folders to the right, so there are no circles. The roles (server, writer, control,
courier) never include each other.
"""

import re
import unittest
from pathlib import PurePath

from tree import LAYERS, ROOT, files

MAY_INCLUDE = {
    "base": {"base"},
    "config": {"config", "base"},
    "event": {"event", "base"},
    "shm": {"shm", "base", "config", "event"},
    "ingest": {"ingest", "base", "event"},
    "store": {"store", "base", "config", "event", "shm"},
    "api": {"api", "base", "config", "event"},
    "server": {"server", "base", "config", "event", "shm", "ingest", "api"},
    "writer": {"writer", "base", "config", "event", "shm", "store"},
    "courier": {"courier", "base", "config", "event", "shm", "store", "api"},
    "control": {"control", "base", "config", "event", "shm", "store", "api"},
    "master": {"master", "base", "config", "event", "shm", "ingest", "api", "store", "server", "writer", "courier",
               "control"},
    "cli": {"cli", "base", "config", "event", "shm", "ingest", "store", "writer", "api"},
}
LIBRARY_USERS = {
    "libpq-fe.h": ["store/postgres"], "sqlite3.h": ["store/sqlite"], "h2o.h": ["server"], "curl.h": ["cli", "courier"],
    "ck_ring.h": ["shm"], "ck_pr.h": ["shm"], "sha.h": ["base/crypto.c"], "evp.h": ["base/crypto.c", "server/tickets.c"], "rand.h": ["base/crypto.c"],
    "seccomp.h": ["base/seccomp_filter.c"],
    "ssl.h": ["courier/certificate.c", "server/h2o_internals.c", "server/tickets.c", "server/tls.c"], "x509_vfy.h": ["courier/certificate.c"],
}
# A sink needs no shared memory: store/ includes only shm's names of the numbers that it reports, and the struct of a
# node's row. The exception hands the segment's write turn to a database.
STORE_MAY_KNOW = {"shm/series.h", "shm/node.h"}
STORE_AND_SEGMENT = PurePath("store/db_turn")
# Only a database's own folder and these two files may include its headers. The rest of the tree includes their headers,
# sink.h, db.h, and these.
STORE_CHOOSERS = {PurePath("store/store.c"), PurePath("store/webhooks_store.c")}
STORE_FACES = {"store/jsonl/jsonl_line.h", "store/postgres/dead_letter_db.h", "store/postgres/server_facts.h", "store/sqlite/sqlite_copy.h", "store/sqlite/sqlite_facts.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def violations(path, text):
    """The violations in the includes of that source, as sentences. path is relative to the root of the tree."""
    layer = path.parts[0]
    # shm/lane.h includes ck_pr.h, so this also checks the calls.
    if layer != "shm" and "ck_pr_" in text:
        yield f"{path} calls ck_pr_*: words of the segment are read and written by functions of shm"
    for quoted, angled in INCLUDE.findall(text):
        library = PurePath(angled or quoted).name
        users = LIBRARY_USERS.get(library, [layer])
        if not any(path.is_relative_to(user) for user in users):
            yield f"{path} includes {library}, which only {' and '.join(users)} may use"
        if angled:
            if angled.split("/")[0] in LAYERS:
                yield f"{path} includes <{angled}>: the project's own headers are written with quotes"
            continue
        if "/" not in quoted or ".." in quoted:
            yield f'{path} includes "{quoted}": write it from the root of the tree'
            continue
        if layer == "store" and quoted.startswith("shm/") and quoted not in STORE_MAY_KNOW and path.with_suffix("") != STORE_AND_SEGMENT:
            yield f'{path} includes "{quoted}": a sink needs no shared memory'
        database = PurePath(quoted).parent
        knows = path.is_relative_to(database) or path in STORE_CHOOSERS or quoted in STORE_FACES
        if database.parent == PurePath("store") and database != PurePath("store/webhooks") and not knows:
            yield f'{path} includes "{quoted}": only store/store.c and store/webhooks_store.c know which databases there are'
        allowed = MAY_INCLUDE[layer]
        if quoted.split("/")[0] not in allowed:
            yield f'{path} includes "{quoted}": {layer} may include {", ".join(sorted(allowed))} and nothing else'


def circle(included):
    """A circle in the graph {module: included modules} as a list, or []. A module is a .c file and its header."""
    done = set()

    def visit(module, path):
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        for other in sorted(included.get(module, ())):
            found = visit(other, [*path, module])
            if found:
                return found
        done.add(module)
        return []

    return next((found for module in sorted(included) if (found := visit(module, []))), [])


class IncludeRule(unittest.TestCase):
    def test_modules_include_each_other_in_one_direction(self):
        included = {}
        for path in files(".c", ".h", directories=LAYERS):
            module = str(path.with_suffix(""))
            quoted = {str(PurePath(name).with_suffix("")) for name, _ in INCLUDE.findall((ROOT / path).read_text()) if name}
            included.setdefault(module, set()).update(quoted - {module})
        self.assertEqual([], circle(included))

    def test_a_circle_is_found(self):
        self.assertEqual(["b", "c"], circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}))
        self.assertEqual([], circle({"a": {"b", "c"}, "b": {"c"}}))

    def test_the_tree_keeps_the_include_rule(self):
        sources = files(".c", ".h", directories=LAYERS)
        self.assertGreater(len(sources), 20)
        self.assertEqual([], [wrong for path in sources for wrong in violations(path, (ROOT / path).read_text())])

    def test_violations_are_found(self):
        for path, line in (
            ("base/log.c", '#include "event/record.h"'),
            ("config/config.c", '#include "shm/segment.h"'),
            ("event/record.c", '#include "config/config.h"'),
            ("shm/lane.c", '#include "ingest/decode.h"'),
            ("ingest/decode.c", '#include "server/reply.h"'),
            ("ingest/decode.c", '#include "store/sink.h"'),
            ("store/sink.h", '#include "writer/loop.h"'),
            ("store/sink_env.h", '#include "shm/segment.h"'),
            ("server/acceptor.c", '#include "writer/loop.h"'),
            ("server/acceptor.c", '#include "store/sink.h"'),
            ("courier/loop.c", '#include "writer/loop.h"'),
            ("courier/loop.c", '#include "control/request.h"'),
            ("control/loop.c", "#include <curl/curl.h>"),
            ("server/control_link.c", '#include "control/loop.h"'),
            ("control/loop.c", '#include "server/reply.h"'),
            ("control/request.c", "#include <h2o.h>"),
            ("control/request.c", "#include <libpq-fe.h>"),
            ("api/frame.c", '#include "shm/slots.h"'),
            ("server/acceptor.c", '#include "master/supervisor.h"'),
            ("master/main.c", "#include <libpq-fe.h>"),
            ("ingest/event_id.c", "#include <openssl/sha.h>"),
            ("server/reply.h", "  #  include <postgresql/libpq-fe.h>"),
            ("store/jsonl/sink_jsonl.c", "#include <libpq-fe.h>"),
            ("cli/main.c", "#include <sqlite3.h>"),
            ("writer/loop.c", "#include <h2o.h>"),
            ("writer/loop.c", '#include "h2o.h"'),
            ("writer/loop.c", '#include "server/reply.h"'),
            ("cli/main.c", '#include "master/supervisor.h"'),
            ("cli/main.c", '#include "server/reply.h"'),
            ("cli/deadletter_retry.c", '#include "store/postgres/pg.h"'),
            ("store/sqlite/sqlite_row.c", '#include "store/postgres/sqlstate.h"'),
            ("store/dead_letter_file.c", '#include "store/postgres/pg.h"'),
            ("writer/outage.c", '#include "store/postgres/sink_postgres.h"'),
            ("server/events.c", "#include <ck_ring.h>"),
            ("server/events.c", "#include <ck_pr.h>"),
            ("server/events.c", "\treturn ck_pr_load_32(&header->draining) != 0;"),
            ("base/log.c", '#include "log.h"'),
            ("shm/lane.c", '#include "../base/log.h"'),
            ("shm/lane.c", "#include <base/log.h>"),
            ("shm/lane.c", '#include "tests/unit/lane_fixture.h"'),
        ):
            with self.subTest(path=path, line=line):
                self.assertTrue(list(violations(PurePath(path), f"/* Purpose. */\n{line}\n")))

    def test_permitted_includes_are_accepted(self):
        for path, line in (
            ("master/main.c", '#include "writer/loop.h"'),
            ("server/acceptor.c", "#include <h2o.h>"),
            ("store/postgres/sink_postgres.c", "#include <libpq-fe.h>"),
            ("shm/lane.c", "#include <ck_ring.h>"),
            ("shm/slots.c", "\treturn ck_pr_load_32(&slot->state);"),
            ("ingest/decode.c", '#include "event/record.h"'),
            ("cli/status.c", '#include "shm/segment.h"'),
            ("cli/deadletter_retry.c", '#include "ingest/decode.h"'),
            ("cli/deadletter_retry.c", '#include "store/postgres/dead_letter_db.h"'),
            ("store/store.c", '#include "store/postgres/sink_postgres.h"'),
            ("store/postgres/pg_batch.c", '#include "store/dead_letter_file.h"'),
            ("store/postgres/pg_batch.c", '#include "store/postgres/pg_probe.h"'),
            ("store/sink_env.h", '#include "shm/series.h"'),
        ):
            with self.subTest(path=path, line=line):
                self.assertEqual([], list(violations(PurePath(path), line)))


if __name__ == "__main__":
    unittest.main()
