"""How many cells tables have, and how many places, rows times columns, by what they say of themselves.

A cell may claim to span, or a row to repeat, more than any memory holds, in a file of a few bytes.
"""

import re
from collections.abc import Mapping

from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.thresholds import OfficeThresholds
from octavo.errors import ExtractionFailed

_TOKEN = re.compile(
    rb"<(?:\w+:)?(?:(?P<table>tbl|table|worksheet)|(?P<row>tr|table-row)"
    rb"|(?P<empty>table-cell(?=(?:\s[^<>]*)?/>))|(?P<cell>tc|td|th|table-cell|c))(?=[\s/>])"
    rb"|(?P<name>colspan|rowspan|gridSpan|gridBefore|gridAfter|columns-spanned|rows-spanned|columns-repeated"
    rb"|rows-repeated)(?:\s+(?:\w+:)?val)?\s*=\s*[\"']?\s*(?P<count>\d{1,18})"
    rb"|<(?:\w+:)?mergeCell\s[^<>]{0,100}?\bref\s*=\s*[\"'](?P<area>[$A-Z\d:]{1,40})",
    re.IGNORECASE,
)
_REPEATS = frozenset({b"columns-repeated", b"rows-repeated"})
_SPANS = frozenset({b"colspan", b"rowspan", b"gridspan", b"gridbefore", b"gridafter"})
_BELIEVED: Mapping[OfficeKind, frozenset[bytes]] = {
    "docx": _SPANS,
    "pptx": _SPANS,
    "odt": _REPEATS | {b"columns-spanned", b"rows-spanned"},
    "odp": _REPEATS | {b"columns-spanned", b"rows-spanned"},
    "ods": _REPEATS,
}
"""Which claims the reader believes; others it cuts off at the end of the table."""
_CORNER = re.compile(rb"\$?([A-Z]{1,3})\$?(\d{1,7})")
_DELIMITERS = (b",", b";", b"\t", b"|")


class Places:
    """Counts what it is given. Raises `ExtractionFailed` as soon as it is too much."""

    def __init__(self, kind: OfficeKind, thresholds: OfficeThresholds) -> None:
        self._believed = _BELIEVED.get(kind, frozenset())
        self._thresholds = thresholds
        self._cells = self._places = 0
        self._rows = self._widest = self._merged = 0
        self._begin_row()

    def add(self, markup: bytes) -> None:
        """Count the tables of a piece of XML or HTML."""
        for token in _TOKEN.finditer(markup):
            match token.lastgroup:
                case "cell" | "empty":
                    self._add_cell(is_empty=token.lastgroup == "empty")
                case "row":
                    self._end_row()
                case "count" if (name := token["name"].lower()) in self._believed:
                    self._claim(name, int(token["count"]))
                case "area":
                    self._merged += _area(token["area"].upper())
                    self._check()
                case "table":
                    self.end_table()

    def add_lines(self, text: bytes) -> None:
        """Count a text of lines with cells, by whichever delimiter it has most of."""
        delimiter = max(_DELIMITERS, key=text.count)
        self._cells += text.count(delimiter) + text.count(b"\n") + 1
        self._check()
        self._rows = text.count(b"\n") + 1
        self._widest = max((line.count(delimiter) for line in text.split(b"\n")), default=0) + 1
        self._check()

    def end_table(self) -> None:
        """Count a table as complete, also in the middle of another."""
        self._end_row()
        self._places += self._rows * self._widest
        self._rows = self._widest = self._merged = 0
        self._check()

    def _begin_row(self) -> None:
        self._width, self._repeated, self._height, self._is_empty = 0, 1, 1, True

    def _end_row(self) -> None:
        if self._width:
            self._rows += 1 if self._is_empty else max(self._repeated, self._height)
            self._widest = max(self._widest, self._width)
            self._check()
        self._begin_row()

    def _add_cell(self, *, is_empty: bool) -> None:
        self._cells += 1
        self._width += 1
        self._empty_cell = is_empty
        self._is_empty = self._is_empty and is_empty
        self._check()

    def _claim(self, name: bytes, count: int) -> None:
        if name == b"rows-repeated":
            self._repeated = count
        elif name in (b"rowspan", b"rows-spanned"):
            self._height = max(self._height, count)
        elif self._width == 0 or not self._empty_cell:
            self._width += max(0, count - 1)

    def _check(self) -> None:
        most = self._thresholds.max_places
        if max(self._cells, self._places + self._rows * self._widest, self._merged) > most:
            raise ExtractionFailed(f"the tables of the document have more than {most} cells, or span as many places")


def _area(reference: bytes) -> int:
    corners = _CORNER.findall(reference)
    if len(corners) != len(("top left", "bottom right")):
        return 1
    (left, top), (right, bottom) = ((_column(letters), int(number)) for letters, number in corners)
    return (abs(right - left) + 1) * (abs(bottom - top) + 1)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
