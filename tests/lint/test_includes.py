"""The include rule: which layer may know which, and which libraries belong to which layer.

A request flows server -> ingest -> shm -> writer -> store, and nothing knows what comes after it but through shared
memory. Only server/main.c, which holds the process table, includes headers of both server and writer.
"""

import re
import unittest
from pathlib import PurePath

from tree import LAYERS, ROOT, files

MAY_INCLUDE = {
    "base": {"base"},
    "shm": {"shm", "base"},
    "schema": {"schema", "base"},
    "ingest": {"ingest", "base", "shm"},
    "server": {"server", "base", "ingest", "shm"},
    "writer": {"writer", "base", "shm", "schema"},
    "cli": {"cli", "base", "shm", "ingest", "schema", "writer"},  # it stores dead letters again, as a writer does
}
PROCESS_TABLE = PurePath("server/main.c")
LIBRARY_USERS = {"libpq-fe.h": {"schema", "writer", "cli"}, "h2o.h": {"server"}, "ck_ring.h": {"shm"}}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def violations(path, text):
    """What is wrong with the includes of that source, as sentences. path is relative to the root of the tree."""
    layer = path.parts[0]
    for quoted, angled in INCLUDE.findall(text):
        library = PurePath(angled or quoted).name
        if layer not in LIBRARY_USERS.get(library, {layer}):
            yield f"{path} includes {library}, which only {', '.join(sorted(LIBRARY_USERS[library]))} may use"
        if angled:
            if angled.split("/")[0] in LAYERS:
                yield f"{path} includes <{angled}>: the project's own headers are written with quotes"
            continue
        if "/" not in quoted or ".." in quoted:
            yield f'{path} includes "{quoted}": write it from the root of the tree'
            continue
        allowed = MAY_INCLUDE[layer] | ({"writer"} if path == PROCESS_TABLE else set())
        if quoted.split("/")[0] not in allowed:
            yield f'{path} includes "{quoted}": {layer} may include {", ".join(sorted(allowed))} and nothing else'


class IncludeRule(unittest.TestCase):
    def test_the_tree_keeps_it(self):
        sources = files(".c", ".h", directories=LAYERS)
        self.assertGreater(len(sources), 20)
        self.assertEqual([], [wrong for path in sources for wrong in violations(path, (ROOT / path).read_text())])

    def test_what_breaks_it_is_seen(self):
        for path, line in (
            ("base/log.c", '#include "shm/record.h"'),
            ("shm/lane.c", '#include "ingest/decode.h"'),
            ("ingest/decode.c", '#include "server/edge.h"'),
            ("ingest/decode.c", '#include "writer/sink.h"'),
            ("server/acceptor.c", '#include "writer/writer.h"'),
            ("server/main.c", '#include "schema/migrate.h"'),
            ("server/main.c", "#include <libpq-fe.h>"),
            ("server/edge.h", "  #  include <postgresql/libpq-fe.h>"),
            ("writer/writer.c", "#include <h2o.h>"),
            ("writer/writer.c", '#include "h2o.h"'),
            ("writer/writer.c", '#include "server/process.h"'),
            ("cli/main.c", '#include "server/process.h"'),
            ("server/events.c", "#include <ck_ring.h>"),
            ("base/log.c", '#include "log.h"'),
            ("shm/lane.c", '#include "../base/log.h"'),
            ("shm/lane.c", "#include <base/log.h>"),
            ("shm/lane.c", '#include "tests/unit/lane_fixture.h"'),
        ):
            with self.subTest(path=path, line=line):
                self.assertTrue(list(violations(PurePath(path), f"/* Purpose. */\n{line}\n")))

    def test_what_is_allowed_is_allowed(self):
        for path, line in (
            ("server/main.c", '#include "writer/writer.h"'),
            ("server/acceptor.c", "#include <h2o.h>"),
            ("writer/sink_postgres.c", "#include <libpq-fe.h>"),
            ("shm/lane.c", "#include <ck_ring.h>"),
            ("ingest/decode.c", '#include "shm/record.h"'),
            ("cli/status.c", '#include "shm/segment.h"'),
            ("cli/deadletter_retry.c", '#include "ingest/decode.h"'),
            ("cli/deadletter_retry.c", '#include "writer/row_encode.h"'),
        ):
            with self.subTest(path=path, line=line):
                self.assertEqual([], list(violations(PurePath(path), line)))


if __name__ == "__main__":
    unittest.main()
