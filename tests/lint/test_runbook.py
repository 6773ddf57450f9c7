"""
docs/operations.md explains everything that can alarm an operator: log lines, exit codes, alerts, answers of probes.
"""

import re
import unittest

from tree import LAYERS, ROOT, files
from test_markdown import anchors

RUNBOOK = (ROOT / "docs/operations.md").read_text()
MESSAGE = re.compile(r'\blog_(?:error|warning)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
REFUSAL = re.compile(r'\b(?:reply_busy\(exchange->req|outlet_refuse\(outlets, exchange),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
API_503 = re.compile(r'\b(?:answer_error\(\S+ 503,|control_refuse\(\s*exchange,|answer_busy\(\S+) "(\w+)"')
EXIT = re.compile(r"\b_?exit\((\w+)\)")
CALL = re.compile(r"\blog_(?:error|warning)\(")
DAEMON = [layer for layer in LAYERS if layer != "cli"]
ALERTS = ("HooksDown", "HooksStorageErrors", "HooksStoreUnavailable", "HooksSpoolGrowing", "HooksSpoolOld", "HooksRingNearlyFull",
          "HooksRefusingRequests", "HooksDeadLetters", "HooksDamagedEvents", "HooksDefaultPartitionRows",
          "HooksPartitionsRunningOut", "HooksProcessRestarts", "HooksSyncFailures", "HooksRingFileGone", "HooksCertificateExpires",
          "HooksCommitsSlow",
          "HooksDeliveriesLate", "HooksJobsDie", "HooksDeliveriesPaused", "HooksBreakersOpen",
          "HooksEndpointsDisabled", "HooksPublishersWithoutStore", "HooksDeliveriesFailing", "HooksDeadLettersKept",
          "HooksQueueNearlyFull", "HooksNodeSilent", "HooksHeartbeatOld", "HooksNodeAdopted", "HooksControlDown",
          "HooksWebhookMonthsMissing", "HooksCouriersFull")


def messages(text, pattern=MESSAGE):
    return ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)) for literal in pattern.findall(text)]


def section(title):
    """The text from that heading to the next one of its level."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL).group(1)


def rows(text):
    """The first cells of the tables in the text."""
    return re.findall(r"^\| (.*?) \|", text, re.MULTILINE)


class Runbook(unittest.TestCase):
    def test_every_warning_and_error_of_hooksd_is_explained(self):
        explained = " ".join(rows(section("Log lines")))
        count = 0
        for path in files(".c", directories=DAEMON):
            text = (ROOT / path).read_text()
            found = messages(text)
            self.assertEqual(len(CALL.findall(text)), len(found), f"{path}: a message that is no literal cannot be explained")
            count += len(found)
            for message in found:
                with self.subTest(path=str(path), message=message):
                    self.assertIn(f"`{message}`", explained)
        self.assertGreater(count, 40)

    def test_every_explained_line_is_in_the_program(self):
        written = {message for path in files(".c", directories=DAEMON) for message in messages((ROOT / path).read_text())}
        tables = re.findall(r"^\| line \|.*?\n\n", section("Log lines"), re.MULTILINE | re.DOTALL)
        self.assertGreater(len(tables), 5)
        explained = {line for table in tables for row in rows(table) for line in re.findall(r"`([^`]+)`", row)}
        self.assertEqual(set(), explained - written)

    def test_every_exit_code_is_explained(self):
        header = (ROOT / "base/exit_codes.h").read_text() + (ROOT / "cli/commands.h").read_text()
        codes = {int(code) for code in re.findall(r"^\s*(?:EXIT|COMMAND)_\w+ = (\d+)", header, re.MULTILINE)}
        self.assertEqual({0, 1, 2, 3, 64}, codes)
        explained = {int(row.split(",")[0]) for row in rows(section("Exit codes")) if row[0].isdigit()}
        self.assertLessEqual(codes, explained)

    def test_every_check_of_the_doctor_is_explained(self):
        checks = re.findall(r'^CHECK\(\w+, "([^"]+)"\)', (ROOT / "cli/doctor_list.def").read_text(), re.MULTILINE)
        used = {name for path in files(".c", directories=["cli"]) for name in re.findall(r"\bCHECK_(\w+)", (ROOT / path).read_text())}
        symbols = set(re.findall(r"^CHECK\((\w+),", (ROOT / "cli/doctor_list.def").read_text(), re.MULTILINE))
        self.assertEqual(set(), symbols - used, "checks that nobody makes")
        explained = [row.strip("`") for row in rows(section("Checks of the doctor")) if row.startswith("`")]
        self.assertEqual(checks, explained)

    def test_every_exit_code_of_a_process_is_named_when_it_dies(self):
        names = {"EXIT_DRAINED": 0, "EXIT_FAILED": 1}
        used = {code for path in files(".c", directories=DAEMON) for code in EXIT.findall((ROOT / path).read_text())}
        self.assertLessEqual(used - {"0"}, set(names), "main() alone has the others")
        for code in names.values():
            self.assertIn(f"`cause=exit exit_code={code}`", rows(section("Deaths")))

    def test_every_503_of_the_management_api_is_explained(self):
        codes = {code for path in files(".c", directories=["server", "control"]) for code in API_503.findall((ROOT / path).read_text())}
        self.assertEqual({"control_unavailable", "overloaded", "store_unavailable"}, codes)
        [table] = re.findall(r"^\| 503 of the management API.*?\n\n", RUNBOOK, re.MULTILINE | re.DOTALL)
        self.assertLessEqual({f"`{code}`" for code in codes}, set(rows(table)))

    def test_every_alerts_link_leads_to_its_heading(self):
        rules = sorted((ROOT / "deploy/prometheus").glob("**/*.y*ml")) if (ROOT / "deploy/prometheus").is_dir() else []
        named = {name for path in rules for name in re.findall(r"^\s*(?:- )?alert: *(\w+)", path.read_text(), re.MULTILINE)}
        headings = set(re.findall(r"^### (Hooks\w+)$", section("Alerts"), re.MULTILINE))
        self.assertEqual(set(ALERTS), headings)
        self.assertLessEqual(named, headings)
        self.assertLessEqual({name.lower() for name in headings}, anchors(RUNBOOK))
        self.assertIn(f": {len(headings)} alerts,", (ROOT / "docs/running.md").read_text())
        for path in rules:
            for anchor in re.findall(r"operations\.md#([\w-]+)", path.read_text()):
                self.assertIn(anchor, anchors(RUNBOOK), str(path))

    def test_every_alert_says_what_is_lost(self):
        for name in ALERTS:
            with self.subTest(alert=name):
                text = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL).group(1)
                self.assertIn("**Lost:**", text)

    def test_every_answer_of_the_probes_is_explained(self):
        status = (ROOT / "server/status.c").read_text()
        texts = re.findall(r'return "(the store [^"]+)"', status) + re.findall(r'reply_error\(exchange->req, 503, "([^"]+)"', status)
        self.assertGreater(len(texts), 3)
        self.assertEqual([], [text for text in texts if f"`{text}`" not in section("What it answers")])

    def test_every_refusal_with_503_is_explained(self):
        texts = []
        for path in ("server/events.c", "server/outlet.c", "server/publish.c"):
            texts += messages((ROOT / path).read_text(), REFUSAL)
        explained = {cell.strip("`") for cell in rows(section("What it answers")) if re.search("try again|send them again", cell)}
        self.assertEqual(explained, set(texts))


if __name__ == "__main__":
    unittest.main()
