"""Only two files use libh2o's private parts and distinguish its versions."""

import re
import unittest

from tree import ROOT, files

HOME = ("server/h2o_internals.c", "server/h2o_internals.h", "server/h2o_compat.h")
PRIVATE = re.compile(r"(?:->|\.)_[a-z]\w*|\b(?:h2o_connection_id|h2o_socket_buffer_prototype|http1_is_persistent|shutdown_requested)\b")

VERSION = re.compile(r"\bH2O_(?:LIBRARY_)?VERSION\w*|\bLIBH2O_IS_\w+|h2o/version\.h")


def code(text):
    """The source without comments and literals."""
    return re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', "", text, flags=re.DOTALL)


def uses(pattern, sources):
    """The places with the pattern in all sources but the permitted ones."""
    found = {str(path): pattern.findall(code((ROOT / path).read_text())) for path in sources if str(path) not in HOME}
    return {path: names for path, names in found.items() if names}


class H2oInternals(unittest.TestCase):
    def test_private_parts_are_used_in_one_place(self):
        sources = files(".c", ".h", directories=("server",))
        self.assertGreater(len(sources), 20)
        self.assertEqual({}, uses(PRIVATE, sources))

    def test_a_private_part_is_found(self):
        for line in ("socket->_cb.read = f;", "p._initial_buf.capacity = 1;", "n = h2o_connection_id;", "req->http1_is_persistent"):
            with self.subTest(line=line):
                self.assertTrue(PRIVATE.findall(code(line)))
        self.assertEqual([], PRIVATE.findall(code('/* ->_cb */ log("._x"); __m128i bytes;')))

    def test_versions_are_distinguished_in_one_place(self):
        sources = files(".c", ".h", ".build", directories=("server", "tests"))
        self.assertGreater(len(sources), 100)
        self.assertEqual({}, uses(VERSION, sources))

    def test_a_version_is_found(self):
        for line in ("#if H2O_LIBRARY_VERSION_MINOR == 13", "#ifdef H2O_VERSION_BASE", "#if !LIBH2O_IS_2_2", "#include <h2o/version.h>"):
            with self.subTest(line=line):
                self.assertTrue(VERSION.findall(line))

    def test_only_known_versions_are_built_with(self):
        self.assertRegex((ROOT / "server/h2o_compat.h").read_text(), r"#else\n#error")


if __name__ == "__main__":
    unittest.main()
