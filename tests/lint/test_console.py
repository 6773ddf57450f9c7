"""Rules for the console's files: content of events never becomes HTML, and nothing is loaded from other servers."""

import re
import unittest

from tree import ROOT

CONSOLE = ROOT / "server/console"
# Calls that turn text into HTML or a script.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|parseFromString|setHTML|srcdoc|\beval\b|new Function"
    r"|javascript:|document\.cookie|\.style\b|cssText")
LONGEST = 400  # lines
WIDEST = 120  # columns


def texts(*suffixes):
    return {path.name: path.read_text() for path in sorted(CONSOLE.iterdir()) if path.suffix in suffixes}


class Console(unittest.TestCase):
    def test_no_text_becomes_html_or_a_script(self):
        scripts = texts(".js")
        self.assertGreater(len(scripts), 20)
        self.assertEqual({}, {name: found for name, text in scripts.items() if (found := FORBIDDEN.findall(text))})

    def test_forbidden_calls_are_found(self):
        for line in ("a.innerHTML = b", "setTimeout(eval, 1)", 'a.href = "javascript:x"', "a.style.color = b"):
            with self.subTest(line=line):
                self.assertTrue(FORBIDDEN.search(line))

    def test_pages_have_no_inline_script_or_style(self):
        for name, text in texts(".html").items():
            with self.subTest(page=name):
                self.assertIsNone(re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|<script[^>]*>[^<]", text))

    def test_nothing_is_loaded_from_other_servers(self):
        for name, text in texts(".html", ".css", ".js").items():
            with self.subTest(file=name):
                urls = re.findall(r"https?://[\w./-]+|url\(|@import", text)
                self.assertEqual([], [url for url in urls if "example" not in url and url != "http://www.w3.org/2000/svg"])

    def test_files_are_short_and_open_with_their_purpose(self):
        for name, text in texts(".js", ".css").items():
            with self.subTest(file=name):
                self.assertTrue(text.startswith(("// ", "/* ")))
                self.assertLessEqual(len(text.splitlines()), LONGEST)
                wide = [number for number, line in enumerate(text.splitlines(), 1) if len(line.expandtabs(8)) > WIDEST]
                self.assertEqual([], wide)

    def test_every_file_is_embedded(self):
        embedded = set(re.findall(r"'console/([\w.]+)'", (ROOT / "server/meson.build").read_text()))
        self.assertEqual({path.name for path in CONSOLE.iterdir()}, embedded)


if __name__ == "__main__":
    unittest.main()
