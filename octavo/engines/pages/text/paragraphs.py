"""Rows of one column become paragraphs: where one ends is told by gaps, sizes, bullets and indents."""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from octavo.documents import Box, Line
from octavo.engines.pages.text.lines import Row, cover, mean_confidence
from octavo.engines.pages.thresholds.text import ParagraphThresholds

# The last group is what Tesseract makes of bullets.
BULLET = re.compile(
    r"^\s*(?:[\u2022\u2023\u25aa\u25cf\u25cb\u25e6\u25a0\u2043\u2219\uf0b7\u2013\u2014*\u00b7-]\s+\S"
    r"|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]\s+\S"
    r"|(?:[\u00a2\u00b0\u00ab\u00bb]|\u00a9(?!\s*\d))\s+\S)"
)
_LAST_WORD, _FIRST_WORD = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)-$"), re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
# A model parts plain text where no paragraph ends; what it takes for one heading is one.
_MAY_BE_SPLIT = frozenset({"text", "picture"})
_WHOLE = frozenset({"section-header", "title"})


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Rows that belong together, not yet given a role."""

    rows: tuple[Row, ...]
    # What is asked for again and again is worked out once.
    box: Box = field(init=False)
    text: str = field(init=False)
    size: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", cover(row.box for row in self.rows))
        object.__setattr__(self, "text", joined([row.text for row in self.rows]))
        object.__setattr__(self, "size", self._longest.size)

    @property
    def _longest(self) -> Row:
        return max(self.rows, key=lambda row: len(row.text))

    @property
    def place(self) -> Box:
        """Return where the paragraph is seen; `box` is where it was put in order."""
        return cover(row.place for row in self.rows)

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
    def label(self) -> str | None:
        """Return what a layout model takes the paragraph for."""
        part = self._longest.part
        return None if part is None else part[0]

    def lines(self) -> tuple[Line, ...]:
        """Return the rows as the lines of a block."""
        return tuple(Line(row.text, row.place.rounded()) for row in self.rows)


def joined(texts: Sequence[str], known: Container[str] = ()) -> str:
    """Join lines with spaces; a word broken by a hyphen at a line's end is made whole.

    The hyphen stays where the document has the word with it elsewhere (`known`), and never without.
    """
    whole = texts[0] if texts else ""
    for text in texts[1:]:
        if not (whole[-1:] == "-" and whole[-2:-1].isalpha() and text[:1].islower()):
            whole = f"{whole} {text}"
        elif _is_compound(whole, text, known):
            whole += text
        else:
            whole = whole[:-1] + text
    return whole


def _is_compound(above: str, below: str, known: Container[str]) -> bool:
    first, second = _LAST_WORD.search(above), _FIRST_WORD.match(below)
    if not first or not second:
        return False
    parts = first[1].lower(), second[0].lower()
    return "-".join(parts) in known and "".join(parts) not in known


def paragraphs(rows: Sequence[Row], thresholds: ParagraphThresholds) -> list[Paragraph]:
    """Split the rows of one column, top to bottom, into paragraphs."""
    if not rows:
        return []
    pitch = _pitch(rows, thresholds)
    runs = _split(rows, lambda run, row: _is_apart(run[-1], row, pitch, thresholds))
    return [Paragraph(tuple(group)) for run in runs for group in _split_run(run, thresholds)]


def _split(rows: Sequence[Row], begins: Callable[[list[Row], Row], bool]) -> list[list[Row]]:
    gathered: list[list[Row]] = [[rows[0]]]
    for row in rows[1:]:
        if begins(gathered[-1], row):
            gathered.append([row])
        else:
            gathered[-1].append(row)
    return gathered


def _split_run(run: list[Row], thresholds: ParagraphThresholds) -> list[list[Row]]:
    """Split rows that stand close together: at bullets, indents, and lines that were ended on purpose."""
    left = min(row.box.x0 for row in run)
    right = max(row.box.x1 for row in run)
    return _split(run, lambda group, row: _begins(group, row, left, right, thresholds))


def _pitch(rows: Sequence[Row], thresholds: ParagraphThresholds) -> float:
    """Return the usual distance from one row's foot to the next in units of the row's size."""
    steps = [
        (below.box.y1 - above.box.y1) / above.size
        for above, below in pairwise(rows)
        if above.size > 0 and abs(above.size - below.size) <= thresholds.size_change * above.size
    ]
    near = [step for step in steps if thresholds.min_pitch < step < thresholds.max_pitch]
    return median(near) if near else thresholds.default_pitch


def _is_apart(above: Row, row: Row, pitch: float, thresholds: ParagraphThresholds) -> bool:
    parts = above.part, row.part
    if parts[0] != parts[1]:
        kinds = {part[0] for part in parts if part}
        if len(kinds) > 1 or not kinds <= _MAY_BE_SPLIT:
            return True
    elif parts[0] and parts[0][0] in _WHOLE:
        return False
    if not above.upright or not row.upright:
        return above.upright != row.upright or above.box.overlap(row.box) == 0
    if abs(above.size - row.size) > thresholds.size_change * above.size or above.bold != row.bold:
        return True
    return row.box.y1 - above.box.y1 > thresholds.loose_pitch * pitch * above.size or row.box.y0 < above.box.y0


def _begins(group: list[Row], row: Row, left: float, right: float, thresholds: ParagraphThresholds) -> bool:
    above = group[-1]
    if above.part and above.part == row.part and above.part[0] in _WHOLE:
        return False
    if not row.upright:
        return False
    if BULLET.match(row.text) or is_tabular(row, thresholds) or is_tabular(above, thresholds):
        return True
    if _was_ended(above, row, left, right, thresholds):
        return True
    indented = row.box.x0 > above.box.x0 + thresholds.indent * row.size and not BULLET.match(group[0].text)
    outdented = len(group) > 1 and row.box.x0 < group[1].box.x0 - thresholds.indent * row.size
    return (indented and above.box.x0 <= left + thresholds.indent * row.size and len(group) > 1) or outdented


def _was_ended(above: Row, row: Row, left: float, right: float, thresholds: ParagraphThresholds) -> bool:
    """Tell whether the row above ends although the next word had room: nobody breaks a paragraph there."""
    if _is_centred(above, row, thresholds):
        return False
    word = row.text.split(maxsplit=1)[0]
    needed = (len(word) + thresholds.spare_characters) / max(1, len(row.text)) * row.box.width
    return above.box.x1 + needed < right - thresholds.ragged_share * (right - left)


def _is_centred(above: Row, row: Row, thresholds: ParagraphThresholds) -> bool:
    middles = (above.box.x0 + above.box.x1) / 2 - (row.box.x0 + row.box.x1) / 2
    return (
        abs(middles) < thresholds.centred_offset * row.size
        and abs(above.box.x0 - row.box.x0) > thresholds.centred_inset * row.size
    )


def is_tabular(row: Row, thresholds: ParagraphThresholds) -> bool:
    """Tell whether a row's lines stand as far apart as the cells of a table."""
    if len(row.lines) == 1:
        return False
    return any(right.box.x0 - left.box.x1 > thresholds.tab_gap * row.size for left, right in pairwise(row.lines))
