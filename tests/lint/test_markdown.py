"""Every relative link in the documents leads to an existing file, and every anchor to a heading in it."""

import re
import subprocess
import unittest
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from tree import ROOT

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+).+?\1", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


def documents():
    """Paths relative to ROOT under version control. In a tree without it: all paths that were not built or fetched."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(PurePath(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file())
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path for path in found if not path.parts[0].startswith(("build", "subprojects", ".")))


def anchors(text):
    """The anchors that GitHub makes from headings. A repeated one gets a number."""
    seen, found = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = seen.get(anchor, 0)
        seen[anchor] = number + 1
        found.add(f"{anchor}-{number}" if number else anchor)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def broken(root, path):
    """The broken links of that document, as sentences."""
    text = (root / path).read_text()
    for match in LINK.finditer(SPAN.sub("", FENCE.sub("", text))):
        link = match.group(1) or match.group(2)
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = root / path.parent / name if name else root / path
        if not target.exists():
            yield f"{path}: {link}: there is no such file"
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target.read_text())):
            yield f"{path}: {link}: there is no such heading"


class Links(unittest.TestCase):
    def test_every_link_has_a_target(self):
        found = documents()
        self.assertIn(PurePath("README.md"), found)
        self.assertEqual([], [wrong for path in found for wrong in broken(ROOT, path)])

    def test_broken_links_are_found(self):
        with TemporaryDirectory() as directory:
            root = Path(directory)
            (root / "docs").mkdir()
            (root / "docs/b.md").write_text("# One `two`: three\n## Again\n## Again\n```sh\n# no heading\n```\n")
            for link, right in (
                ("docs/b.md", True), ("docs", True), ("docs/b.md#one-two-three", True), ("docs/b.md#again-1", True), ("#here", True),
                ("https://example.org/x", True), ("c.md", False), ("docs/b.md#four", False), ("docs/b.md#again-2", False),
                ("docs/b.md#no-heading", False), ("#there", False), ("b.md#again", False),
            ):
                for form in (f"[`text`]({link})", f"![an image]({link} \"title\")", f"[text]: {link}"):
                    with self.subTest(form=form):
                        (root / "a.md").write_text(f"# Here\n\n{form}\n")
                        self.assertEqual(right, not list(broken(root, PurePath("a.md"))))

    def test_code_has_no_links(self):
        with TemporaryDirectory() as directory:
            root = Path(directory)
            (root / "a.md").write_text("`[a](b)`\n\n```\n[a](b)\n```\n")
            self.assertEqual([], list(broken(root, PurePath("a.md"))))


if __name__ == "__main__":
    unittest.main()
