"""How similar two readings of a page are: its text in order, its tables, its headings. All from 0 to 1.

Texts are compared with rapidfuzz, trees with apted. A tree whose twin is the same text is not computed.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

from apted import APTED, Config
from rapidfuzz.distance import Indel, Levenshtein

_TABLE = re.compile(r"<table[^>]*>.*?</table>", re.S | re.I)
_TAGS = re.compile(r"<[^>]+>")
_ESCAPES = re.compile(r"\\([\\`*_\[\]#>+=\-~.()\d])")
_EMPHASIS = re.compile(r"(\*{1,3}|~~|__|(?<!\w)_)(\S(?:.*?\S)?)\1")
_MARKS = re.compile(r"^\s*(?:#{1,6}|[-*+>])\s+|!\[[^\]]*\]\([^)]*\)|[|`]", re.M)
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")


@dataclass
class Node:
    """A node of an ordered tree; `kind` must agree, `text` may differ by degrees."""

    kind: str
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def size(self) -> int:
        """Return the number of nodes from here downwards."""
        return 1 + sum(child.size() for child in self.children)


class _Costs(Config):  # type: ignore[misc]  # apted is shipped without types
    def __init__(self, *, with_text: bool) -> None:
        self._with_text = with_text

    def rename(self, node1: Node, node2: Node) -> float:
        """Return 0 for equal nodes, 1 for different kinds, between them for texts that differ."""
        if node1.kind != node2.kind:
            return 1.0
        if not self._with_text or node1.text == node2.text:
            return 0.0
        return float(Levenshtein.normalized_distance(node1.text, node2.text))


def text_similarity(found: str, truth: str) -> float:
    """Return NID: 1 - insert/delete distance of the normalised plain texts over the sum of their lengths."""
    return float(Indel.normalized_similarity(plain(found), plain(truth)))


def plain(markdown: str) -> str:
    """Return the words of Markdown or HTML alone, white space folded."""
    text = _MARKS.sub(" ", unescape(_TAGS.sub(" ", markdown)))
    return _folded(_ESCAPES.sub(r"\1", _EMPHASIS.sub(r"\2", text)))


def table_similarity(found: str, truth: str, *, with_text: bool = True) -> float | None:
    """Return TEDS over all tables of a page in one tree; None where the truth has no table."""
    return _tables_alike(_TABLE.findall(found), _TABLE.findall(truth), with_text=with_text)


def heading_similarity(found: str, truth: str) -> float | None:
    """Return MHS: the similarity of headings with the text below each; levels count as equal.

    None where the truth has no heading, 0 where only the truth has one.
    """
    theirs = _sections(truth)
    if not theirs.children:
        return None
    ours = _sections(found)
    return _alike(ours, theirs, with_text=True) if ours.children else 0.0


def _tables_alike(found: Sequence[str], truth: Sequence[str], *, with_text: bool) -> float | None:
    if not truth:
        return None
    ours, theirs = (Node("body", children=[_table(html) for html in tables]) for tables in (found, truth))
    return _alike(ours, theirs, with_text=with_text)


def _alike(ours: Node, theirs: Node, *, with_text: bool) -> float:
    if ours == theirs:
        return 1.0
    distance = APTED(ours, theirs, _Costs(with_text=with_text)).compute_edit_distance()
    return max(0.0, 1.0 - float(distance) / max(ours.size(), theirs.size()))


class _TableParser(HTMLParser):
    """Reads one table; sections are left out, header cells are cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.table = Node("table")
        self._words: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.table.children.append(Node("tr"))
        elif tag in ("td", "th"):
            self._end_cell()
            spans = dict(attrs)
            kind = f"td {spans.get('colspan') or 1} {spans.get('rowspan') or 1}"
            if not self.table.children:
                self.table.children.append(Node("tr"))
            self.table.children[-1].children.append(Node(kind))
            self._in_cell = True
        elif self._in_cell:
            self._words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self._words.append(data)

    def _end_cell(self) -> None:
        if self._in_cell:
            self.table.children[-1].children[-1].text = _folded("".join(self._words))
        self._words = []
        self._in_cell = False


def _table(html: str) -> Node:
    parser = _TableParser()
    parser.feed(html)
    parser.close()
    return parser.table


def _sections(markdown: str) -> Node:
    root = Node("document")
    for heading, lines in _parts(markdown):
        if heading is not None:
            content = plain("\n".join(lines))
            children = [Node("content", content)] if content else []
            root.children.append(Node("heading", plain(heading), children))
    return root


def _parts(markdown: str) -> Iterator[tuple[str | None, list[str]]]:
    heading: str | None = None
    lines: list[str] = []
    for line in markdown.splitlines():
        match = _HEADING.match(line)
        if match:
            yield heading, lines
            heading, lines = match.group(1), []
        else:
            lines.append(line)
    yield heading, lines


def _folded(text: str) -> str:
    return " ".join(text.split())


Measure = Callable[[str, str], float | None]
MEASURES: dict[str, Measure] = {"nid": text_similarity, "teds": table_similarity, "mhs": heading_similarity}
