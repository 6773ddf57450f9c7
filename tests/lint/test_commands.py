"""Every command of hooksctl in the documents exists, with its words and flags."""

import re
import unittest

from tree import ROOT, files
from test_claims import options
from test_markdown import FENCE

TABLES = re.sub(r"[ \t]*\\\n\s*", " ", (ROOT / "cli/api_verbs.c").read_text())
MACRO = re.compile(r"^#define (\w+)(?:\(\w+\))? (.*)$", re.MULTILINE)
TABLE = re.compile(r"^(?:static )?const struct api_(?:verb|option) (\w+)\[\] = \{(.*?)\};$", re.MULTILINE | re.DOTALL)
GROUP = re.compile(r'^ {4}\{"(\w+)", (?:"(\w+)"|NULL), ".*?",\s+(\w+_verbs),\s+\w+, \w+(, true)?\}', re.MULTILINE)
COMMAND = re.compile(r"\bhooksctl ((?:[\w./-]+=?(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s`'\"|&;)>]*)|'[^'\n]*'|\"[^\"\n]*\"|[ \t]|\$\S+)+)")
EVERYWHERE = {"json", "help", "version"}


def expanded(text):
    """The text with the macros of the tables expanded."""
    for name, body in MACRO.findall(TABLES):
        text = re.sub(rf'\b{name}\b(?:\((".*?")\))?', lambda match, body=body: re.sub(r"\bname,", f"{match[1]},", body), text)
    return text


def groups():
    """{first word of a command of the API: (verbs, flags, whether the verb may be omitted)}."""
    tables = {name: expanded(body) for name, body in TABLE.findall(TABLES)}
    found = {}
    for name, second, verbs, bare in GROUP.findall(TABLES):
        words = {word for row in re.findall(r'\{\s*"([\w-]+)", (?:"([\w-]+)"|NULL)', tables[verbs]) for word in row if word}
        flags = {flag for table in re.findall(r"\b\w+_options\b", tables[verbs]) for flag in re.findall(r'\{\s*"([\w-]+)", API_', tables[table])}
        for word in filter(None, (name, second)):
            found[word] = words, flags, bool(bare)
    return found


def code(document):
    """The lines in code blocks and in backquotes."""
    fenced = [match[0] for match in FENCE.finditer(document)]
    rest = FENCE.sub("", document)
    return "\n".join(fenced + re.findall(r"^ {4}.*", rest, re.MULTILINE) + re.findall(r"`([^`\n]+)`", rest))


class Commands(unittest.TestCase):
    def setUp(self):
        self.groups = groups()
        self.source = "".join((ROOT / path).read_text() for path in files(".c", ".h", directories=["cli"]))
        self.others = set(re.findall(r'^ {4}\{"(\w+)", command_', self.source, re.MULTILINE)) | {"completion"}
        self.options = {name.lower().replace("_", "-") for name in options()} | EVERYWHERE

    def wrong(self, command):
        """The mistake in the words after hooksctl, or None."""
        words = [word for word in re.sub(r"'[^']*'|\"[^\"]*\"", "X", command).split("#")[0].split()]
        flags = {word[2:].partition("=")[0] for word in words if re.match(r"--\w", word)} - self.options
        first, second = (words + ["", ""])[:2]
        if first in self.groups:
            verbs, known, bare = self.groups[first]
            if second not in verbs and not bare and re.fullmatch("[a-z][a-z-]+", second):
                return f"{first} has no {second}"
            return f"{first} has no --{min(flags - known)}" if flags - known else None
        if first not in self.others:
            return f"there is no {first}"
        flags = {flag for flag in flags if f'"{flag}' not in self.source and f"--{flag}" not in self.source}
        return f"{first} has no --{min(flags)}" if flags else None

    def test_every_command_exists(self):
        count = 0
        for path in ("README.md", *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md"))):
            for command in COMMAND.findall(code((ROOT / path).read_text())):
                if re.match(r"[a-z]+( |$)", command):
                    count += 1
                    with self.subTest(document=str(path), command=command):
                        self.assertIsNone(self.wrong(command))
        self.assertGreater(count, 150)

    def test_wrong_commands_are_found(self):
        for command in ("endpoints make", "endpoints ls --tenant=a", "endpoint ls", "spool list --no-such", "dlq requeue --dryrun", "tell"):
            with self.subTest(command=command):
                self.assertIsNotNone(self.wrong(command))
        for command in ("replay ID --limit=5", "test ID --topic='a'", "keys revoke ID", "tail --topic 'a.#'", "status --port=8080"):
            with self.subTest(command=command):
                self.assertIsNone(self.wrong(command))

    def test_every_command_is_in_the_list_of_tools(self):
        told = (ROOT / "docs/running.md").read_text()
        named = set(re.findall(r"`(?:hooksctl )?(\w+)(?: [^`]*)?`", told))
        primary = {name for name, *_ in GROUP.findall(TABLES)}
        self.assertEqual(set(), (primary | self.others) - named)


if __name__ == "__main__":
    unittest.main()
