"""Lines of text with what order, paragraphs and roles are decided by. Knows no parser."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from statistics import fmean

from octavo.documents import Box


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line as it stands on a page: `size` is the font size in points, `confidence` 0..100 on OCR text."""

    text: str
    box: Box
    size: float
    bold: bool = False
    mono: bool = False
    upright: bool = True
    confidence: float | None = None

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
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

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
    return [Row(tuple(sorted(row, key=lambda line: line.box.x0))) for row in gathered]


def _beside(first: TextLine, line: TextLine) -> bool:
    shared = min(first.box.y1, line.box.y1) - max(first.box.y0, line.box.y0)
    return shared > 0.5 * min(first.box.height, line.box.height)
