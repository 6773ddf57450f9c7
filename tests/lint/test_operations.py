"""No GET of the table of operations changes anything, because browsers send GETs for any page without asking."""

import re
import unittest

from tree import ROOT, files

ROW = re.compile(r'^OPERATION\((\w+), "(\w+)", "([^"]+)"', re.MULTILINE)
HANDLER = re.compile(r"\[OPERATION_(\w+)\] = (\w+),")
FUNCTION = re.compile(r"^(static )?[\w ]+\**\n(\w+)\([^{};]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
# Calls by which a handler changes something: a transaction with an audit row, a statement, or work for couriers.
CHANGES = re.compile(r"\b(change_run|change_audit|db_begin|db_commit|idempotent_\w+|propagation_\w+|test_waits_\w+|key_loader_\w+)\(")
# The inbox accepts every method, because senders of webhooks differ. Its token permits adding messages.
OF_EVERY_METHOD = {"INBOX_RECEIVE"}


def functions():
    """{name of a function in control: [(file, whether it is static, body)]}."""
    found = {}
    for path in files(".c", directories=("control",)):
        for static, name, body in FUNCTION.findall((ROOT / path).read_text()):
            found.setdefault(name, []).append((path, bool(static), body))
    return found


def reached(name, bodies):
    """The bodies of all functions that a call may reach, directly or as a callback."""
    seen, todo = {}, [(name, None)]
    while todo:
        name, caller = todo.pop()
        for path, static, body in bodies.get(name, ()):
            if (name, path) not in seen and (path == caller or not static):
                seen[name, path] = body
                todo += [(called, path) for called in re.findall(r"\b(\w+)\b", body)]
    return seen.values()


class Operations(unittest.TestCase):
    def setUp(self):
        self.rows = ROW.findall((ROOT / "api/operation_list.def").read_text())
        self.handlers = dict(HANDLER.findall((ROOT / "control/dispatch.c").read_text()))
        self.bodies = functions()

    def changes(self, symbol):
        """The calls by which the operation's handler changes something."""
        return {call for body in reached(self.handlers[symbol], self.bodies) for call in CHANGES.findall(body)}

    def test_every_operation_has_a_handler_here(self):
        self.assertGreater(len(self.rows), 40)
        self.assertEqual({symbol for symbol, *_ in self.rows}, set(self.handlers))
        self.assertEqual(set(), {handler for handler in self.handlers.values() if handler not in self.bodies})

    def test_no_get_changes_anything(self):
        self.assertEqual({}, {symbol: self.changes(symbol) for symbol, method, _ in self.rows if method == "GET" and self.changes(symbol)})

    def test_all_other_methods_change_something(self):
        """Proves that the check above can fail. A trial of a filter changes nothing."""
        self.assertEqual(["SUBSCRIPTION_TEST"], [symbol for symbol, method, _ in self.rows
                                                 if method in ("POST", "PATCH", "DELETE") and not self.changes(symbol)])

    def test_only_the_inbox_accepts_every_method(self):
        self.assertEqual(OF_EVERY_METHOD, {symbol for symbol, method, _ in self.rows if method == "ANY"})
        self.assertEqual({"GET", "POST", "PATCH", "DELETE", "ANY"}, {method for _, method, _ in self.rows})


if __name__ == "__main__":
    unittest.main()
