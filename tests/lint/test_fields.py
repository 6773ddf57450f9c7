"""The fields of event/fields.h agree with server/openapi/events.json and with the columns of both schemas."""

import json
import re
import unittest

from tree import ROOT

ROW = re.compile(r'\b(TEXT|VALUE|MADE)\( *(\w+), *"(\w+)", *(\d+), *(true|false), *"(\w+)", *(\w+)\)')


def rows():
    """(form, key, limit, required, column, type) of each row."""
    text = (ROOT / "event/fields.h").read_text()
    return [(form, key, int(limit), required == "true", column, type_)
            for form, _symbol, key, limit, required, column, type_ in ROW.findall(text)]


def properties(fields):
    """{key: (type, maxLength)} of the text fields that openapi.json must have."""
    return {key: ("string" if required else ["string", "null"], limit)
            for form, key, limit, required, _column, _type in fields if form == "TEXT"}


class Fields(unittest.TestCase):
    def setUp(self):
        self.event = json.loads((ROOT / "server/openapi/events.json").read_text())["components"]["schemas"]["Event"]

    def test_every_row_is_read(self):
        lines = re.findall(r"^\t(?:TEXT|VALUE|MADE)\(", (ROOT / "event/fields.h").read_text(), re.MULTILINE)
        self.assertEqual(len(rows()), len(lines))
        self.assertGreater(len(rows()), 9)

    def test_openapi_names_the_fields_that_clients_send(self):
        self.assertEqual({key for form, key, *_ in rows() if form != "MADE"}, set(self.event["properties"]))

    def test_openapi_has_types_and_limits_of_texts(self):
        told = {key: (self.event["properties"][key]["type"], self.event["properties"][key]["maxLength"])
                for key in properties(rows())}
        self.assertEqual(properties(rows()), told)

    def test_openapi_has_the_required_fields(self):
        self.assertEqual({key for _form, key, _limit, required, *_ in rows() if required}, set(self.event["required"]))

    def test_both_schemas_have_the_columns(self):
        for dialect in ("postgres", "sqlite"):
            schema = "\n".join(path.read_text() for path in sorted((ROOT / "schema" / dialect).glob("[0-9]*.sql")))
            table = re.search(r"^CREATE TABLE hook_events \(\n(.*?)^\)", schema, re.DOTALL | re.MULTILINE)[1]
            added = "\n".join(re.findall(r"^ALTER TABLE hook_events\b[^;]*", schema, re.MULTILINE))
            for _form, _key, _limit, required, column, type_ in rows():
                with self.subTest(dialect=dialect, column=column):
                    column_type = type_ if dialect == "postgres" else "TEXT"
                    declared = re.search(rf'^\s*"?{column}"? {column_type}\b(.*)$', table, re.MULTILINE) or re.search(
                        rf'ADD COLUMN (?:IF NOT EXISTS )?"?{column}"? {column_type}\b(.*)', added)
                    self.assertIsNotNone(declared, f"no migration adds {column} {column_type} to hook_events")
                    if required:
                        self.assertIn("NOT NULL", declared[1])


if __name__ == "__main__":
    unittest.main()
