"""Only server/h2o_internals.[ch] touch what libh2o keeps to itself, and they say for which version of it they were written."""

import re
import unittest

from tree import ROOT, files

HOME = ("server/h2o_internals.c", "server/h2o_internals.h")
PRIVATE = re.compile(r"(?:->|\.)_[a-z]\w*|\b(?:h2o_connection_id|h2o_socket_buffer_prototype|http1_is_persistent|shutdown_requested)\b")


def code(text):
    """Without comments and literals."""
    return re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', "", text, flags=re.DOTALL)


class H2oInternals(unittest.TestCase):
    def test_private_parts_are_used_in_one_place(self):
        sources = files(".c", ".h", directories=("server",))
        self.assertGreater(len(sources), 20)
        found = {str(path): PRIVATE.findall(code((ROOT / path).read_text())) for path in sources if str(path) not in HOME}
        self.assertEqual({}, {path: names for path, names in found.items() if names})

    def test_a_private_part_is_seen(self):
        for line in ("socket->_cb.read = f;", "p._initial_buf.capacity = 1;", "n = h2o_connection_id;", "req->http1_is_persistent"):
            with self.subTest(line=line):
                self.assertTrue(PRIVATE.findall(code(line)))
        self.assertEqual([], PRIVATE.findall(code('/* ->_cb */ log("._x"); __m128i bytes;')))

    def test_the_version_is_checked(self):
        self.assertRegex((ROOT / HOME[1]).read_text(), r"_Static_assert\(H2O_LIBRARY_VERSION_MAJOR == ")


if __name__ == "__main__":
    unittest.main()
