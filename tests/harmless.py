"""Whether what tinydeploy writes about a model is free of what the model's names say.

Each function raises AssertionError. `hostile_names.hostile_text` gives the names; MARK is in all of them.
"""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

from hostile_names import MARK

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal would obey, but for the end of a line."""

_C_PARTS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_MD_TABLE_CELLS = re.compile(r"(?<!\\)\|")
_MD_TAGS = {"details", "/details", "summary", "/summary", "sub", "/sub"}
_EVENTS = re.compile(r"on[a-z]+")


def assert_text(text: str) -> None:
    """For a terminal."""
    found = CONTROL.search(text)
    assert not found, f"a control character in {text[max(0, found.start() - 30) :][:60]!r}"


def assert_json(text: str) -> None:
    """JSON as every parser takes it: no NaN, no control characters."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads(text, parse_constant=refuse)
    assert "\\ud8" not in text.lower(), "half a character"


class _Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert MARK not in tag, "a name has become a tag"
        for name, value in attrs:
            assert MARK not in name, "a name has become an attribute"
            assert not _EVENTS.fullmatch(name), f"a handler {name} on {tag}"
            assert name not in {"href", "src"} or MARK not in (value or ""), "a name has become an address"
        self.open.append(tag)
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        assert MARK not in data or not {"script", "style"}.intersection(self.open), "a name is in a script or a style"

    def handle_comment(self, data: str) -> None:
        assert MARK not in data, "a name is in a comment"


def assert_html(text: str) -> None:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.scripts <= 1, "more than one script"
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)


def assert_svg(text: str) -> None:
    for element in ET.fromstring(text).iter():
        assert MARK not in element.tag, "a name has become an element"
        for name in element.attrib:
            assert MARK not in name, "a name has become an attribute"
            assert not _EVENTS.fullmatch(name), f"a handler {name}"
        assert not element.tag.endswith("script"), "a script in a picture"
        assert not element.tag.endswith("style") or MARK not in (element.text or ""), "a name is in a style"


def assert_markdown(text: str) -> None:
    for tag in re.findall(r"<([^ >]+)", text):
        assert tag in _MD_TAGS, f"a tag <{tag}>"
    for harm in ("](", "![", "`", "@you", "http://", "www."):
        assert harm not in text, f"{harm} in a comment on a pull request"
    assert_text(text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    for table in tables:
        widths = {len(_MD_TABLE_CELLS.findall(line)) for line in table.splitlines()}
        assert len(widths) == 1, f"rows of {sorted(widths)} cells in one table"
    assert rows or not tables


def assert_c(text: str) -> None:
    """Names are in comments and strings only, and cannot end them."""
    assert text.isascii(), "C that is not ASCII"
    assert_text(text.replace("\t", " "))
    for mark in ("??/", "?" + "?="):
        assert mark not in text, "a trigraph"
    code = _C_PARTS.sub(" ", text)
    assert MARK not in code, "a name is in the code"
    for part in _C_PARTS.findall(text):
        assert MARK not in part or "\\" not in part, "an escape sequence beside a name"


def assert_plain(text: str) -> None:
    """For the project's other files, which programs read: no name is in them but in its printable form."""
    assert_text(text.replace("\t", " "))
    for harm in (f"<{MARK}", f"touch {MARK})", "{{", "{%"):
        assert harm not in text, f"{harm} in a file of the project"


_BY_SUFFIX = {
    ".json": assert_json,
    ".html": assert_html,
    ".svg": assert_svg,
    ".md": assert_markdown,
    ".c": assert_c,
    ".cc": assert_c,
    ".cpp": assert_c,
    ".h": assert_c,
}


def assert_file(path: Path) -> None:
    """A file of any of these sorts, by its ending. A README has the Markdown that its template writes."""
    text = path.read_text(encoding="utf-8")
    check = assert_plain if path.name == "README.md" else _BY_SUFFIX.get(path.suffix, assert_plain)
    check(text)
