"""The exact words of paragraphs, as the file has them.

The converter gives a paragraph with formatting as pieces without the spaces between them: whether `again` and `.` are
one word it does not say. Here the paragraphs of the file are read once more, as plain text, and found again by their
letters alone.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.thresholds import OfficeThresholds

_PARTS: Mapping[OfficeKind, re.Pattern[str]] = {
    "docx": re.compile(r"word/(document|footnotes|endnotes|header\d*|footer\d*)\d*\.xml"),
    "pptx": re.compile(r"ppt/(slides|notesSlides)/\w+\.xml"),
    "odt": re.compile(r"content\.xml"),
    "odp": re.compile(r"content\.xml"),
    "epub": re.compile(r".*\.x?html?"),
}
_PARAGRAPHS = frozenset({"p", "h"})
_SPACES = frozenset({"tab", "br", "cr", "s", "line-break"})
_SKIPPED = frozenset({"delText", "instrText", "annotation", "note", "txbxContent"})
"""What is no text, and what holds paragraphs of its own."""
_NOTES = re.compile(r"/(footnotes|endnotes)\d*\.xml$")
# fmt: off
_BLOCKS = frozenset((
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "dt", "dd", "div", "section", "article", "pre",
    "blockquote", "figcaption", "caption", "summary", "address", "ul", "ol", "dl", "table", "tr",
))
# fmt: on
_VOID = frozenset(
    ["br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"]
)
_UNSEEN = frozenset({"script", "style", "template"})
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a", "'") | dict.fromkeys("\u201c\u201d\u201e", '"'))
_NO_SPACE_BEFORE = re.compile(r"^[.,;:!?)\]}\u2019\u201d%]")
_NO_SPACE_AFTER = re.compile(r"[(\[{\u2018\u201c]$")
_STARS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])")
"""Docling's RTF reader writes bold and italic words in stars, into the text itself."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as the file has it; `page_no` is its slide's, from 1, where it is on one."""

    text: str
    is_note: bool = False
    page_no: int | None = None


class SourceText:
    """Finds paragraphs by their letters."""

    def __init__(
        self, paragraphs: Iterable[Paragraph], thresholds: OfficeThresholds, *, has_stars: bool = False
    ) -> None:
        self._has_stars = has_stars
        self._thresholds = thresholds
        self._exact: dict[str, str] = {}
        self.paragraphs = list(paragraphs)
        """All of them, in the order of the file; none where the format is not looked into."""
        for paragraph in self.paragraphs:
            self._exact.setdefault(letters(paragraph.text), " ".join(paragraph.text.split()))

    @classmethod
    def of(cls, kind: OfficeKind, data: bytes, thresholds: OfficeThresholds) -> "SourceText":
        """Return the source text of a file; empty for one that cannot be read this way."""
        if kind == "html":
            return cls(map(Paragraph, _of_html(data.decode("utf-8", "replace"))), thresholds)
        pattern = _PARTS.get(kind)
        return cls(_of_container(kind, data, pattern) if pattern else (), thresholds, has_stars=kind == "rtf")

    def join(self, pieces: Iterable[str]) -> str:
        """Return the paragraph that these pieces make."""
        found = [piece.strip() for piece in pieces if piece.strip()]
        if self._has_stars:
            found = [_STARS.sub(r"\2", piece) for piece in found]
        exact = self._exact.get(letters("".join(found)))
        return exact if exact is not None else _joined(found)

    def made_whole(self, lines: list[str]) -> list[str]:
        """Return the lines of a cell; those that are one paragraph of the file together are made one.

        The converter gives the pieces of a cell's paragraph without saying where it ends.
        """
        whole: list[str] = []
        while lines:
            most = min(len(lines), self._thresholds.max_cell_pieces)
            count = next((n for n in range(most, 1, -1) if self._is_one(lines[:n])), 1)
            whole.append(self.join(lines[:count]) if count > 1 else lines[0])
            lines = lines[count:]
        return whole

    def _is_one(self, lines: Iterable[str]) -> bool:
        return letters("".join(lines)) in self._exact


def letters(text: str) -> str:
    """Return a text without its spaces, quotes made plain: the converter does so in web pages."""
    return "".join(text.split()).translate(_QUOTES)


def _joined(pieces: list[str]) -> str:
    text = ""
    for piece in pieces:
        is_close = not text or _NO_SPACE_BEFORE.match(piece) or _NO_SPACE_AFTER.search(text)
        text += piece if is_close else f" {piece}"
    return text


def _of_container(kind: OfficeKind, data: bytes, pattern: re.Pattern[str]) -> Iterator[Paragraph]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            if pattern.fullmatch(entry.filename):
                part = archive.read(entry)
                if kind == "epub":
                    yield from map(Paragraph, _of_html(part.decode("utf-8", "replace")))
                else:
                    yield from _of_xml(part, is_note=_NOTES.search(entry.filename) is not None)


def _of_xml(part: bytes, *, is_note: bool) -> Iterator[Paragraph]:
    """Yield the paragraphs of a part as they end: one within another comes before it."""
    notes = pages = 0
    try:
        for event, element in ET.iterparse(io.BytesIO(part), ("start", "end")):  # noqa: S314 - parts with entities were refused; the child has limits
            name = _local(element)
            if event == "start":
                notes += name == "note"
                pages += name == "page"
            elif name == "note":
                notes -= 1
            elif name in _PARAGRAPHS:
                yield Paragraph("".join(_texts(element)), is_note or notes > 0, pages or None)
    except ET.ParseError:
        return


def _texts(element: ET.Element) -> Iterator[str]:
    name = _local(element)
    if name in _SKIPPED:
        return
    if name in _SPACES:
        yield " "
    # Of WordprocessingML and DrawingML `t` alone holds text; OpenDocument's text stands between its elements.
    yield element.text or ""
    for child in element:
        yield from _texts(child)
        yield child.tail or ""


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _of_html(text: str) -> list[str]:
    parser = _Blocks()
    parser.feed(text)
    parser.close()
    return parser.found


class _Blocks(HTMLParser):
    """Gathers the text between the edges of blocks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        if tag in _BLOCKS:
            self._cut()
        elif tag in _VOID:
            self._pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        if tag in _BLOCKS:
            self._cut()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._pieces.append(data)

    def close(self) -> None:
        super().close()
        self._cut()

    def _cut(self) -> None:
        if text := "".join(self._pieces):
            self.found.append(text)
        self._pieces = []
