"""Lines of text with what order, paragraphs and roles are decided by. Knows no parser."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from unicodedata import bidirectional

from octavo.documents import Box
from octavo.engines.pages.thresholds.text import RowThresholds

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
    # What is asked for again and again is worked out once.
    box: Box = field(init=False)
    text: str = field(init=False)
    size: float = field(init=False)

    def __post_init__(self) -> None:
        if len(self.lines) == 1:
            (line,) = self.lines
            box, text, size = line.box, line.text, line.size
        else:
            box = cover(line.box for line in self.lines)
            text = side_by_side([line.text for line in self.lines])
            size = max(self.lines, key=lambda line: len(line.text)).size
        object.__setattr__(self, "box", box)
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "size", size)

    @property
    def place(self) -> Box:
        return self.lines[0].place if len(self.lines) == 1 else cover(line.place for line in self.lines)

    @property
    def bold(self) -> bool:
        return self.lines[0].bold if len(self.lines) == 1 else all(line.bold for line in self.lines)

    @property
    def mono(self) -> bool:
        return all(line.mono for line in self.lines)

    @property
    def upright(self) -> bool:
        return self.lines[0].upright if len(self.lines) == 1 else all(line.upright for line in self.lines)

    @property
    def part(self) -> tuple[str, int] | None:
        """Return label and number of the part of the page in which most of the row lies."""
        longest = self.lines[0] if len(self.lines) == 1 else max(self.lines, key=lambda line: len(line.text))
        return None if longest.label is None or longest.region is None else (longest.label, longest.region)


def clean(text: str) -> str:
    """Return text that can be stored and shown anywhere: no control characters, no lone surrogates."""
    whole = " ".join(text.split())
    return whole if whole.isprintable() else _NOT_TEXT.sub("\ufffd", whole)


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
    corners = [(box.x0, box.y0, box.x1, box.y1) for box in boxes]
    if len(corners) == 1:
        return Box(*corners[0])
    lefts, tops, rights, bottoms = zip(*corners, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def usual_size(lines: Iterable[TextLine]) -> float:
    """Return the size in which the middle one of all characters is set; 0 where there is none."""
    weighted = sorted((line.size, len(line.text)) for line in lines)
    half = sum(weight for _, weight in weighted) / 2
    for size, weight in weighted:
        half -= weight
        if half <= 0:
            return size
    return 0.0


def mean_confidence(lines: Iterable[TextLine]) -> float | None:
    """Return the mean over recognised lines, weighted by length; None if nothing was recognised."""
    weighted = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
    if not weighted:
        return None
    return fmean([confidence for confidence, _ in weighted], [weight for _, weight in weighted])


def rows(lines: Iterable[TextLine], thresholds: RowThresholds) -> list[Row]:
    """Gather lines into rows, top to bottom. A line joins a row if their heights mostly overlap."""
    gathered: list[list[TextLine]] = []
    for line in sorted(lines, key=_from_above):
        if gathered and _beside(gathered[-1][0], line, thresholds):
            gathered[-1].append(line)
        else:
            gathered.append([line])
    made: list[Row] = []
    for band in gathered:
        if len(band) == 1:
            made.append(Row((band[0],)))
        else:
            made += _parted(sorted(band, key=lambda line: line.box.x0), thresholds)
    return made


def _from_above(line: TextLine) -> tuple[float, float]:
    box = line.box
    return box.y0 + box.y1, box.x0


def _parted(band: list[TextLine], thresholds: RowThresholds) -> Iterator[Row]:
    """Yield the rows of a band: where one part of the page ends and another begins, a row ends too."""
    row = band[:1]
    for left, line in pairwise(band):
        parts = {left.region, line.region} - {None}
        if len(parts) > 1 and line.box.x0 - left.box.x1 > thresholds.region_gap * line.size:
            yield Row(tuple(row))
            row = []
        row.append(line)
    yield Row(tuple(row))


def _beside(first: TextLine, line: TextLine, thresholds: RowThresholds) -> bool:
    if first.upright != line.upright:
        return False
    upper, lower = first.box, line.box
    if upper.y1 <= lower.y0:
        return False
    shared = min(upper.y1, lower.y1) - max(upper.y0, lower.y0)
    return shared > thresholds.same_row_overlap * min(upper.height, lower.height)
