"""A move of the webhooks' store copies every table and column of the schema, or gives a reason for leaving it out."""

import re
import sqlite3
import unittest

from tree import ROOT

SCHEMA = sorted((ROOT / "schema/webhooks/sqlite").glob("[0-9]*.sql"))
SOURCE = (ROOT / "store/webhooks/move_tables.c").read_text()
COLUMNS = re.compile(r"^static const struct move_column (\w+)\[\] = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
NUMBERS = {"INT2", "INT4", "INT8", "BOOL", "TIME", "NODE"}


def schema():
    """{table: ({column: type}, key)}."""
    database = sqlite3.connect(":memory:")
    for path in SCHEMA:
        database.executescript(path.read_text())
    found = {}
    for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        columns = database.execute(f"PRAGMA table_info({name})").fetchall()
        key = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
        found[name] = {column[1]: column[2] for column in columns}, key
    return found


class Move(unittest.TestCase):
    def setUp(self):
        self.schema = schema()
        self.moved = {name: re.findall(r'\b([A-Z0-9]+)\("(\w+)"\)', body) for name, body in COLUMNS.findall(SOURCE)}
        self.keys = {name: int(count) for name, count in re.findall(r"\{TABLE\((\w+), (\d)\)", SOURCE)}
        self.left = re.findall(r'^    \{"([\w.]+)",', SOURCE, re.MULTILINE)

    def test_every_table_is_moved_or_left_out(self):
        left = {name for name in self.left if "." not in name}
        self.assertEqual(set(self.schema), set(self.moved) | left)
        self.assertEqual(set(), set(self.moved) & left)
        self.assertEqual(set(self.moved), set(self.keys))

    def test_every_column_is_moved_or_left_out(self):
        for name, columns in self.moved.items():
            names = [column for _, column in columns]
            left = {what.split(".")[1] for what in self.left if what.startswith(name + ".")}
            with self.subTest(table=name):
                self.assertEqual(sorted(self.schema[name][0]), sorted([*names, *left]))

    def test_types_are_those_of_the_schema(self):
        for name, columns in self.moved.items():
            for kind, column in columns:
                with self.subTest(table=name, column=column):
                    self.assertEqual("INTEGER" if kind in NUMBERS else "TEXT", self.schema[name][0][column])

    def test_rows_are_read_by_the_key(self):
        """Times do not count: they are in keys only because of months."""
        for name, count in self.keys.items():
            key = [column for column in self.schema[name][1] if not column.endswith("_at")]
            with self.subTest(table=name):
                self.assertEqual(key, [column for _, column in self.moved[name][:count]])


if __name__ == "__main__":
    unittest.main()
