"""Lines of text with what order, paragraphs and roles are decided by. Knows no parser."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from statistics import fmean
from unicodedata import bidirectional

from octavo.documents import Box

_SPACES = re.compile(r"\s+")
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line as it stands on a page: `size` is the font size in points, `confidence` 0..100 on OCR text.

    `label` is what a layout model takes it for, `region` the number of the part of the page it lies in.
    """

    text: str
    box: Box
    size: float
    bold: bool = False
    mono: bool = False
    upright: bool = True
    confidence: float | None = None
    shown: Box | None = None
    label: str | None = None
    region: int | None = None

    @property
    def place(self) -> Box:
        """Return where the line is seen, which differs from `box` on a page that was straightened."""
        return self.shown or self.box

    @property
    def middle(self) -> float:
        return (self.box.y0 + self.box.y1) / 2


@dataclass(frozen=True, slots=True)
class Row:
    """Lines that stand side by side at one height, left to right."""

    lines: tuple[TextLine, ...]

    @property
    def box(self) -> Box:
        return cover(line.box for line in self.lines)

    @property
    def place(self) -> Box:
        return cover(line.place for line in self.lines)

    @property
    def text(self) -> str:
        return side_by_side([line.text for line in self.lines])

    @property
    def size(self) -> float:
        return max(self.lines, key=lambda line: len(line.text)).size

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)

    @property
    def mono(self) -> bool:
        return all(line.mono for line in self.lines)

    @property
    def upright(self) -> bool:
        return all(line.upright for line in self.lines)

    @property
    def part(self) -> tuple[str, int] | None:
        """Return label and number of the part of the page in which most of the row lies."""
        longest = max(self.lines, key=lambda line: len(line.text))
        return None if longest.label is None or longest.region is None else (longest.label, longest.region)


def clean(text: str) -> str:
    """Return text that can be stored and shown anywhere: no control characters, no lone surrogates."""
    return _SPACES.sub(" ", _NOT_TEXT.sub("\ufffd", text)).strip()


def side_by_side(texts: Sequence[str]) -> str:
    """Join the texts of one line, given from left to right, in the direction in which they are read."""
    return " ".join(reversed(texts) if runs_leftwards("".join(texts)) else texts)


def runs_leftwards(text: str) -> bool:
    """Tell whether most letters of a text belong to a script that is written from right to left."""
    if text.isascii():
        return False
    directions = [bidirectional(character) for character in text]
    return sum(map(directions.count, ("R", "AL"))) > directions.count("L")


def cover(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that covers all of at least one box."""
    return reduce(Box.union, boxes)


def mean_confidence(lines: Iterable[TextLine]) -> float | None:
    """Return the mean over recognised lines, weighted by length; None if nothing was recognised."""
    weighted = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
    if not weighted:
        return None
    return fmean([confidence for confidence, _ in weighted], [weight for _, weight in weighted])


def rows(lines: Iterable[TextLine]) -> list[Row]:
    """Gather lines into rows, top to bottom. A line joins a row if their heights mostly overlap."""
    gathered: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: (line.middle, line.box.x0)):
        if gathered and _beside(gathered[-1][0], line):
            gathered[-1].append(line)
        else:
            gathered.append([line])
    return [row for band in gathered for row in _parted(sorted(band, key=lambda line: line.box.x0))]


def _parted(band: list[TextLine]) -> Iterator[Row]:
    """Yield the rows of a band: where one part of the page ends and another begins, a row ends too."""
    row = band[:1]
    for left, line in pairwise(band):
        parts = {left.region, line.region} - {None}
        if len(parts) > 1 and line.box.x0 - left.box.x1 > line.size:
            yield Row(tuple(row))
            row = []
        row.append(line)
    yield Row(tuple(row))


def _beside(first: TextLine, line: TextLine) -> bool:
    if first.upright != line.upright:
        return False
    shared = min(first.box.y1, line.box.y1) - max(first.box.y0, line.box.y0)
    return shared > 0.5 * min(first.box.height, line.box.height)
