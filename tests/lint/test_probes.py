"""The probes of base/probes.h agree with their calls, with docs/tools.md, and with the scripts of tools/."""

import re
import unittest

from tree import LAYERS, ROOT, files

MACRO = re.compile(r"^#define PROBE_(\w+)\(([^)]*)\) PROBE\((\w+), ([^)]*)\)$", re.MULTILINE)
USE = re.compile(r"usdt:\$1:hooksd:(\w+)\n(.*?)\n\}", re.DOTALL)


def declared():
    """{name: [arguments]}"""
    found = {}
    for macro, parameters, name, arguments in MACRO.findall((ROOT / "base/probes.h").read_text()):
        assert macro == name.upper() and parameters == arguments, macro
        found[name] = parameters.split(", ")
    return found


class Probes(unittest.TestCase):
    def test_each_probe_is_called_in_one_place(self):
        code = "".join((ROOT / path).read_text() for path in files(".c", directories=LAYERS))
        self.assertEqual({name: 1 for name in declared()}, {name: len(re.findall(rf"\bPROBE_{name.upper()}\(", code)) for name in declared()})

    def test_the_documents_have_each_probe_with_its_arguments(self):
        section = (ROOT / "docs/tools.md").read_text().split("\n## Probes\n")[1]
        rows = re.findall(r"^\| `(\w+)` \| ([a-z_, ]+) \|", section, re.MULTILINE)
        self.assertEqual(declared(), {name: arguments.split(", ") for name, arguments in rows})

    def test_scripts_use_existing_probes(self):
        scripts = sorted((ROOT / "tools").glob("*.bt"))
        self.assertEqual(["batches.bt", "latency.bt"], [script.name for script in scripts])
        for script in scripts:
            uses = USE.findall(script.read_text())
            self.assertGreater(len(uses), 2)
            for name, body in uses:
                with self.subTest(script=script.name, probe=name):
                    highest = max([int(number) for number in re.findall(r"\barg(\d)\b", body)], default=-1)
                    self.assertLess(highest, len(declared()[name]))


class Gdb(unittest.TestCase):
    def test_scripts_have_the_headers_flags_of_parcels(self):
        header = re.findall(r"^#define LANE_(\w+) (\d+)u$", (ROOT / "shm/lane_flags.h").read_text(), re.MULTILINE)
        wanted = {name: int(bit) for name, bit in header if name != "FLAGS"}
        table = re.search(r"^LANE_FLAGS = (\{.*\})$", (ROOT / "tools/hooks_gdb.py").read_text(), re.MULTILINE)[1]
        self.assertEqual(wanted, {name: int(bit) for name, bit in re.findall(r'"(\w+)": (\d+)', table)})

    def test_each_command_is_documented(self):
        commands = set(re.findall(r'super\(\).__init__\("hooks (\w+)"', (ROOT / "tools/hooks_gdb.py").read_text()))
        self.assertEqual(commands, set(re.findall(r"^\| `hooks (\w+)", (ROOT / "docs/tools.md").read_text(), re.MULTILINE)))


if __name__ == "__main__":
    unittest.main()
