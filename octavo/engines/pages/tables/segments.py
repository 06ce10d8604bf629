"""Words become segments: the pieces of a line that could be cells of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage, PdfTextPage
from octavo.engines.pages.text.lines import clean, cover, runs_leftwards
from octavo.engines.pages.thresholds.tables import SegmentThresholds

Word = tuple[Box, str]


@dataclass(frozen=True, slots=True)
class Segment:
    """Words that stand together on one line."""

    text: str
    box: Box
    words: tuple[Word, ...] = ()

    @property
    def middle(self) -> float:
        return (self.box.y0 + self.box.y1) / 2


def page_segments(page: PdfPage, text: PdfTextPage, thresholds: SegmentThresholds) -> list[Segment]:
    """Return the segments of a page in the order of the text layer."""
    return segments(page_words(page, text), thresholds)


def page_words(page: PdfPage, text: PdfTextPage) -> list[tuple[Box, str, tuple[int, int]]]:
    """Return a page's words in the order of the text layer, each with the line it belongs to."""
    return [
        (Box(x0, y0, x1, y1), text, (block, line))
        for x0, y0, x1, y1, text, block, line, _ in page.get_text("words", textpage=text)
        if x1 > x0 and y1 > y0
    ]


def segments(words: Iterable[tuple[Box, str, tuple[int, int]]], thresholds: SegmentThresholds) -> list[Segment]:
    """Join the words of each line, except where the gap between two is wider than a space would be."""
    joined: list[Segment] = []
    for _, members in groupby(words, key=lambda word: word[2]):
        line = sorted(((box, text) for box, text, _ in members), key=lambda word: word[0].x0)
        joined += _split(line, thresholds)
    return joined


def _split(line: Sequence[Word], thresholds: SegmentThresholds) -> list[Segment]:
    parts: list[list[Word]] = []
    for box, text in line:
        if parts and box.x0 - parts[-1][-1][0].x1 <= thresholds.cell_gap * box.height:
            parts[-1].append((box, text))
        else:
            parts.append([(box, text)])
    return [segment_of(part) for part in parts]


def split_at_wide_spaces(segment: Segment, thresholds: SegmentThresholds) -> list[Segment]:
    """Split a segment wherever a gap is wider than a plain space; narrow columns stand that close."""
    parts: list[list[Word]] = []
    for box, text in segment.words:
        if parts and box.x0 - parts[-1][-1][0].x1 <= thresholds.wide_space * box.height:
            parts[-1].append((box, text))
        else:
            parts.append([(box, text)])
    return [segment_of(part) for part in parts]


def segment_of(words: Sequence[Word]) -> Segment:
    """Return words of one line as one segment."""
    texts = [text for _, text in words]
    ordered = reversed(texts) if runs_leftwards("".join(texts)) else texts
    return Segment(clean(" ".join(ordered)), cover(box for box, _ in words), tuple(words))
