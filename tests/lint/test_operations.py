"""What follows from the table of operations: nothing is changed by a GET, which browsers send for any page without asking."""

import re
import unittest

from tree import ROOT, files

ROW = re.compile(r'^OPERATION\((\w+), "(\w+)", "([^"]+)"', re.MULTILINE)
HANDLER = re.compile(r"\[OPERATION_(\w+)\] = (\w+),")
FUNCTION = re.compile(r"^(static )?[\w ]+\**\n(\w+)\([^{};]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
# By these a handler changes something: a transaction with its audit row, a statement of its own, or work for couriers.
CHANGES = re.compile(r"\b(change_run|change_audit|db_begin|db_commit|idempotent_\w+|at_once_\w+|test_waits_\w+|key_loader_\w+)\(")
# Takes every method, because senders of webhooks use what they like; who has its token may add to that inbox.
OF_EVERY_METHOD = {"INBOX_RECEIVE"}


def functions():
    """Of each name in control: (file, whether only that file can call it, body)."""
    found = {}
    for path in files(".c", directories=("control",)):
        for static, name, body in FUNCTION.findall((ROOT / path).read_text()):
            found.setdefault(name, []).append((path, bool(static), body))
    return found


def reached(name, bodies):
    """The bodies of all functions that a call may come to, which others call or hand on by their names."""
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
        """By which calls the handler of the operation changes something."""
        return {call for body in reached(self.handlers[symbol], self.bodies) for call in CHANGES.findall(body)}

    def test_every_operation_has_a_handler_here(self):
        self.assertGreater(len(self.rows), 40)
        self.assertEqual({symbol for symbol, *_ in self.rows}, set(self.handlers))
        self.assertEqual(set(), {handler for handler in self.handlers.values() if handler not in self.bodies})

    def test_no_get_changes_anything(self):
        self.assertEqual({}, {symbol: self.changes(symbol) for symbol, method, _ in self.rows if method == "GET" and self.changes(symbol)})

    def test_everything_else_does(self):
        """Else the check above would see nothing. A trial of a filter is kept nowhere."""
        self.assertEqual(["SUBSCRIPTION_TEST"], [symbol for symbol, method, _ in self.rows
                                                 if method in ("POST", "PATCH", "DELETE") and not self.changes(symbol)])

    def test_what_takes_every_method_is_known(self):
        self.assertEqual(OF_EVERY_METHOD, {symbol for symbol, method, _ in self.rows if method == "ANY"})
        self.assertEqual({"GET", "POST", "PATCH", "DELETE", "ANY"}, {method for _, method, _ in self.rows})


if __name__ == "__main__":
    unittest.main()
