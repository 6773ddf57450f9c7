"""Rules for the tree that need no compiler: files are short and open with their purpose, fallbacks are pinned."""

import configparser
import json
import re
import unittest
from email.utils import parsedate_to_datetime
from pathlib import PurePath

from tree import LAYERS, ROOT, files

LONGEST = {".c": 500, ".py": 500, ".h": 180}  # lines; a longer file has two reasons to change

ROLE = re.compile(r'^\tR\(X, (\w+), "\w+", "(\w+)"', re.MULTILINE)  # a row of shm/roles.h: symbol, plural


def roles_named(text):
    """
    The roles that C code names outside of comments, by symbol or by plural in any case, as in members and options.
    """
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    roles = ROLE.findall((ROOT / "shm/roles.h").read_text())
    return {symbol for symbol, plural in roles if re.search(rf"\bROLE_{symbol}\b|\b{plural}\b|\b{plural.upper()}\b", code)}


# Each of these functions has a separate file.
TABLES_OF_FUNCTIONS = {PurePath("cli/commands.h"), PurePath("cli/doctor.h")}
PROTOTYPE = re.compile(r"^(?!static|typedef)\w[\w\s*]*?\b(\w+)\((?:[^;{}()]|\([^()]*\))*\)[^;{}]*;", re.MULTILINE)


def prototypes(text):
    """The names of the functions that a header declares."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return PROTOTYPE.findall(re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", "", text, flags=re.MULTILINE))


class Tree(unittest.TestCase):
    def test_files_stay_short(self):
        sources = files(*LONGEST)
        self.assertGreater(len(sources), 40)
        lengths = {path: len((ROOT / path).read_text().splitlines()) for path in sources}
        self.assertEqual({}, {str(path): n for path, n in lengths.items() if n > LONGEST[path.suffix]})

    def test_lines_are_at_most_120_columns_wide(self):
        wide = [f"{path}:{number}" for path in files(".c", ".h")
                for number, line in enumerate((ROOT / path).read_text().splitlines(), 1) if len(line.expandtabs(8)) > 120]
        self.assertEqual([], wide)

    def test_files_open_with_their_purpose(self):
        silent = [str(path) for path in files(".c", ".h") if not (ROOT / path).read_text().startswith("/*")]
        self.assertEqual([], silent)

    def test_headers_are_guarded_by_their_path(self):
        for path in files(".h", directories=LAYERS):
            guard = re.sub(r"[/.]", "_", str(path)).upper()
            with self.subTest(path=str(path)):
                self.assertIn(f"\n#ifndef {guard}\n#define {guard}\n", (ROOT / path).read_text())

    def test_a_headers_functions_are_defined_in_the_source_of_its_name(self):
        homes = {}
        for path in files(".c", directories=LAYERS):
            for name in re.findall(r"^(\w+)\(", (ROOT / path).read_text(), re.MULTILINE):
                homes.setdefault(name, set()).add(path)
        declared = 0
        for path in files(".h", directories=LAYERS):
            if path in TABLES_OF_FUNCTIONS:
                continue
            for name in prototypes((ROOT / path).read_text()):
                declared += 1
                with self.subTest(header=str(path), function=name):
                    self.assertIn(path.with_suffix(".c"), homes.get(name, ()))
        self.assertGreater(declared, 400)

    def test_prototypes_are_found(self):
        self.assertEqual(["f", "g", "sink_new"], prototypes(
            "/* int c(void); */\n#define X(a) \\\n\tint m(a);\nint f(void);\nstatic inline int s(void);\n"
            "const char *g(const char *p, int (*compare)(int a, int b))\n    __attribute__((pure));\n"
            "struct sink *\nsink_new(void);\n"))  # fmt: skip

    def test_no_variables_are_declared_outside_headers(self):
        found = [str(path) for path in files(".c", directories=LAYERS)
                 if re.search(r"^extern\b", (ROOT / path).read_text(), re.MULTILINE)]
        self.assertEqual([], found)

    def test_only_the_tables_name_more_than_one_role(self):
        """Code for all roles uses shm/roles.h, so that a new role needs only a row there and one in master/roles.c."""
        shared = files(".c", ".h", directories=set(LAYERS) - {"server", "writer", "control", "courier"})
        named = {str(path) for path in shared if len(roles_named((ROOT / path).read_text())) > 1}
        tables = {"master/roles.c", "shm/roles.h"}
        # The ring of 0.1.0 has two roles for ever. config/load.c computes the defaults of single options.
        excused = {"shm/old_ring.h", "shm/old_ring.c", "shm/old_ring_layout.h", "config/load.c"}
        # Hook events and published events have separate accounts, by the two roles with ledgers.
        excused |= {f"shm/{name}" for name in ("settle.c", "counters.c", "segment.c", "segment_adopt.c", "segment_open.c",
                                               "families.h", "metrics.c")}
        self.assertEqual(tables, named - excused)

    def test_cppcheck_checks_every_folder(self):
        looked_at = (ROOT / ".ci/lint").read_text().splitlines()[-1].split()
        self.assertEqual(sorted(LAYERS), sorted(looked_at))

    def test_a_role_is_found_under_any_of_its_names(self):
        for text in ("counts[ROLE_WRITER]", "config->writers", '"lower WRITERS"', "struct writer_slot *writers;"):
            with self.subTest(text=text):
                self.assertEqual({"WRITER"}, roles_named(text))
        for text in ("/* The writers\n * are told. */", "WRITERS_MAX", "ROLE_WRITERS", "rewriters"):
            with self.subTest(text=text):
                self.assertEqual(set(), roles_named(text))

    def test_fallbacks_are_pinned_by_commit(self):
        wraps = sorted((ROOT / "subprojects").glob("*.wrap"))
        self.assertEqual(["cjson", "ck", "h2o"], [wrap.stem for wrap in wraps])
        for wrap in wraps:
            section = configparser.ConfigParser()
            section.read(wrap)
            with self.subTest(wrap=wrap.name):
                self.assertRegex(section["wrap-git"]["revision"], "^[0-9a-f]{40}$")

    def test_packages_of_npm_are_pinned_by_their_digests(self):
        packages = json.loads((ROOT / "tests/bench/queues/package-lock.json").read_text())["packages"]
        wanted = json.loads((ROOT / "tests/bench/queues/package.json").read_text())
        asked = packages.pop("")
        for kind in ("dependencies", "optionalDependencies"):
            self.assertEqual(wanted[kind], asked[kind])
        self.assertLess({f"node_modules/{name}" for name in wanted["dependencies"]}, set(packages))
        for name, package in packages.items():
            with self.subTest(package=name):
                self.assertRegex(package["integrity"], "^sha512-")
                self.assertNotIn("resolved", package)

    def test_all_files_have_the_version_of_the_programs(self):
        version = re.search('HOOKS_VERSION "(.*)"', (ROOT / "base/version.h").read_text())[1]
        self.assertIn(f"agentic-hooks-backend ({version}) ", (ROOT / "deploy/debian/changelog").read_text().splitlines()[0])
        self.assertEqual(version, re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1])
        named = re.compile(r"(?:agentic-hooks-(?:backend|pgbouncer):|app\.kubernetes\.io/version: )v?(\d+\.\d+\.\d+)")
        texts = [*(ROOT / "docs").glob("*.md"), *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())]
        found = {str(path): set(named.findall(path.read_text())) for path in texts if named.search(path.read_text())}
        self.assertGreater(len(found), 4)
        self.assertEqual({}, {path: versions for path, versions in found.items() if versions != {version}})

    def test_the_programs_have_the_date_of_their_version(self):
        released = int(re.search(r"HOOKS_RELEASED INT64_C\((\d+)\)", (ROOT / "base/version.h").read_text())[1])
        date = re.search("^ -- .*>  (.*)$", (ROOT / "deploy/debian/changelog").read_text(), re.MULTILINE)[1]
        self.assertEqual(released, int(parsedate_to_datetime(date).timestamp()) // 86400 * 86400)


if __name__ == "__main__":
    unittest.main()
