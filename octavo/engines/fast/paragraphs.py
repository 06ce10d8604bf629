"""Rows of one column become paragraphs: where one ends is told by gaps, sizes, bullets and indents."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from octavo.documents import Box, Line
from octavo.engines.fast.lines import Row, cover, mean_confidence

BULLET = re.compile(
    r"^\s*(?:[\u2022\u2023\u25aa\u25cf\u25cb\u25e6\u25a0\u2043\u2219\uf0b7\u2013\u2014*\u00b7-]\s+\S"
    r"|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]\s+\S)"
)
_LETTER_HYPHEN = re.compile(r"[^\W\d_]-$")
_SENTENCE_END = (".", "!", "?", ":", ";")
_LOOSE, _SIZE_CHANGE, _INDENT, _SHORT = 1.3, 0.08, 0.9, 3.0
_TAB = 2.0


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Rows that belong together, not yet given a role."""

    rows: tuple[Row, ...]

    @property
    def box(self) -> Box:
        return cover(row.box for row in self.rows)

    @property
    def size(self) -> float:
        return max(self.rows, key=lambda row: len(row.text)).size

    @property
    def bold(self) -> bool:
        return all(row.bold for row in self.rows)

    @property
    def mono(self) -> bool:
        return all(row.mono for row in self.rows)

    @property
    def upright(self) -> bool:
        return all(row.upright for row in self.rows)

    @property
    def confidence(self) -> float | None:
        confidence = mean_confidence(line for row in self.rows for line in row.lines)
        return None if confidence is None else round(confidence, 1)

    @property
    def text(self) -> str:
        return joined([row.text for row in self.rows])

    def lines(self) -> tuple[Line, ...]:
        return tuple(Line(row.text, row.box.rounded()) for row in self.rows)


def joined(texts: Sequence[str]) -> str:
    """Join lines with spaces; a word broken by a hyphen at a line's end is made whole."""
    whole = texts[0] if texts else ""
    for text in texts[1:]:
        if _LETTER_HYPHEN.search(whole) and text[:1].islower():
            whole = whole[:-1] + text
        else:
            whole = f"{whole} {text}"
    return whole


def paragraphs(rows: Sequence[Row]) -> list[Paragraph]:
    """Split the rows of one column, top to bottom, into paragraphs."""
    if not rows:
        return []
    pitch = _pitch(rows)
    left = min(row.box.x0 for row in rows)
    right = max(row.box.x1 for row in rows)
    gathered: list[list[Row]] = [[rows[0]]]
    for row in rows[1:]:
        if _begins(gathered[-1], row, pitch, left, right):
            gathered.append([row])
        else:
            gathered[-1].append(row)
    return [Paragraph(tuple(group)) for group in gathered]


def _pitch(rows: Sequence[Row]) -> float:
    """Return the usual distance from one row's top to the next in units of the row's size."""
    steps = [
        (below.box.y1 - above.box.y1) / above.size
        for above, below in pairwise(rows)
        if above.size > 0 and abs(above.size - below.size) <= _SIZE_CHANGE * above.size
    ]
    near = [step for step in steps if 0.5 < step < 2.5]
    return median(near) if near else 1.2


def _begins(group: list[Row], row: Row, pitch: float, left: float, right: float) -> bool:
    above = group[-1]
    if not above.upright or not row.upright:
        return above.upright != row.upright or above.box.overlap(row.box) == 0
    if abs(above.size - row.size) > _SIZE_CHANGE * above.size or above.bold != row.bold:
        return True
    if row.box.y1 - above.box.y1 > _LOOSE * pitch * above.size or row.box.y0 < above.box.y0:
        return True
    if BULLET.match(row.text) or _is_tabular(row) or _is_tabular(above):
        return True
    ended = above.box.x1 < right - _SHORT * above.size and above.text.endswith(_SENTENCE_END)
    indented = row.box.x0 > above.box.x0 + _INDENT * row.size and not BULLET.match(group[0].text)
    outdented = len(group) > 1 and row.box.x0 < group[1].box.x0 - _INDENT * row.size
    return ended or (indented and above.box.x0 <= left + _INDENT * row.size and len(group) > 1) or outdented


def _is_tabular(row: Row) -> bool:
    return any(right.box.x0 - left.box.x1 > _TAB * row.size for left, right in pairwise(row.lines))
