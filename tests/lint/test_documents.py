"""The documents name existing files, formats, headings and documents."""

import re
import unittest

from tree import LAYERS, ROOT, files
from test_markdown import HEADING

CHANGES = ("a new option", "a new route", "a new event field", "a new metric", "a new role", "a new sink", "the retry rule",
           "the lane's layout")
CITED = re.compile(r'\bdocs/([\w/-]+\.md)(?:, (?:")([A-Z][^"]+)")?')
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def text_of(name):
    return (ROOT / name).read_text()


def table(text, heading):
    """The cells of each row of the first table after that heading, without the table's head."""
    rows = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows.splitlines() if line.startswith("|")]
    return cells[2:]


def named(cell):
    """The paths and the words of code in backquotes of a cell."""
    words = [word for word in re.findall(r"`([^`]+)`", cell) if not word.startswith("build/")]
    return [word for word in words if "/" in word or "." in word], [word for word in words if word.isupper()]


class Hacking(unittest.TestCase):
    def test_each_change_names_existing_files(self):
        rows = table(text_of("HACKING.md"), "What a change touches")
        self.assertEqual(list(CHANGES), [change for change, _ in rows])
        for change, cell in rows:
            paths, symbols = named(cell)
            self.assertGreater(len(paths), 2, change)
            for path in paths:
                with self.subTest(change=change, path=path):
                    self.assertTrue((ROOT / path).exists())
            code = "".join(text_of(path) for path in paths if (ROOT / path).is_file())
            for symbol in symbols:
                with self.subTest(change=change, symbol=symbol):
                    self.assertIn(symbol, code, "it is in none of the files that the row names")

    def test_the_tour_has_every_folder(self):
        rows = [(cells[0].strip("`"), named(cells[2])[0]) for cells in table(text_of("HACKING.md"), "Tour, in reading order")]
        self.assertEqual({f"{layer}/" for layer in LAYERS} | {"schema/"}, {folder for folder, _ in rows})
        self.assertEqual([], [folder + name for folder, names in rows for name in names if not (ROOT / folder / name).exists()])

    def test_every_file_of_source_md_exists(self):
        count = 0
        for section in re.split("^## ", text_of("docs/source.md"), flags=re.MULTILINE)[1:]:
            folder, text = section.split("\n", 1)
            there = {path.name for path in (ROOT / folder).rglob("*")}
            for name in re.findall(r"`([\w./]+\.(?:c|h|def|js|py|sql))`", text):
                count += 1
                with self.subTest(folder=folder, name=name):
                    self.assertTrue((ROOT / name).exists() if "/" in name else name in there)
        self.assertGreater(count, 300)

    def test_the_front_pages_are_short(self):
        for name in ("README.md", "HACKING.md"):
            self.assertLessEqual(len(text_of(name).splitlines()), 130, name)


class Documents(unittest.TestCase):
    def test_the_readme_links_to_every_document(self):
        readme = text_of("README.md")
        self.assertEqual([], [path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name})" not in readme])

    def test_every_decision_is_in_the_list(self):
        listed = text_of("docs/adr/README.md")
        self.assertEqual([], [path.name for path in (ROOT / "docs/adr").glob("0*.md") if f"({path.name})" not in listed])

    def test_documents_cited_in_the_code_exist(self):
        cited = 0
        for path in files(".c", ".h", ".def", directories=LAYERS):
            for comment in COMMENT.findall((ROOT / path).read_text()):
                for name, heading in CITED.findall(re.sub(r"\n\s*\*\s", " ", comment)):
                    cited += 1
                    with self.subTest(path=str(path), document=name):
                        self.assertTrue((ROOT / "docs" / name).is_file())
                        if heading:
                            self.assertIn(heading, HEADING.findall(text_of(f"docs/{name}")))
        self.assertGreater(cited, 10)


class Releasing(unittest.TestCase):
    def setUp(self):
        self.formats = {row[0].split(" (")[0]: row[1] for row in table(text_of("RELEASING.md"), "File formats")}

    def test_documented_versions_of_formats_agree_with_the_code(self):
        defined = dict(re.findall(r'#define (\w+) "?(\w+)"?', text_of("shm/segment_layout.h") + text_of("event/record.h")
                                  + text_of("writer/spool_file.h")))
        self.assertEqual(f"`{defined['SEGMENT_MAGIC']}`", self.formats["ring"])
        self.assertEqual(f"`{defined['SPOOL_MAGIC']}`", self.formats["spool file"])
        self.assertEqual(defined["RECORD_VERSION"], self.formats["record"])

    def test_documented_schema_versions_are_those_of_the_last_migrations(self):
        for name, directory in (("PostgreSQL schema", "postgres"), ("SQLite database", "sqlite"),
                                ("schema of webhooks", "webhooks/postgres"), ("embedded store", "webhooks/sqlite")):
            with self.subTest(schema=name):
                last = max(int(path.name[:3]) for path in (ROOT / "schema" / directory).glob("[0-9]*.sql"))
                self.assertEqual(str(last), self.formats[name])


if __name__ == "__main__":
    unittest.main()
