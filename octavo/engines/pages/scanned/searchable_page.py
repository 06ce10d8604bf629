"""A scan as a PDF page like any other: its image, the lines drawn in it, and its words as invisible text.

What looks for tables and parts of pages in PDF pages thus looks at scans too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from PIL import Image

from octavo.documents import Box, Page
from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf
from octavo.engines.pages.tables.segments import Segment, segments
from octavo.engines.pages.text.lines import clean
from octavo.engines.pages.thresholds.scanned import ScannedThresholds, SearchablePageThresholds
from octavo.engines.pages.thresholds.tables import SegmentThresholds
from octavo.engines.scans.hocr import HocrLine, PixelBox, Word
from octavo.engines.scans.recognise import Recognised, Scan
from octavo.engines.scans.ruling import ruling

_POINTS_PER_INCH = 72
_HANGS = re.compile(r"[gjpqy,;()\[\]{}|]")
_SPECIAL = re.compile(rb"([\\()])")


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word as it is set on the page: its box has the height of its line, `base` is the line's foot."""

    text: str
    box: Box
    base: float
    size: float
    line: int
    confidence: float

    def within(self, box: Box) -> bool:
        """Tell whether the middle of the word lies in a box."""
        x, y = (self.box.x0 + self.box.x1) / 2, (self.box.y0 + self.box.y1) / 2
        return box.x0 <= x < box.x1 and box.y0 <= y < box.y1


@dataclass(frozen=True, slots=True)
class SearchablePage:
    """The page, how many lines are drawn on it, and its words."""

    page: PdfPage
    frame: Box
    rules: int
    words: tuple[PlacedWord, ...]

    def segments(self, thresholds: SegmentThresholds) -> list[Segment]:
        """Return the words as the pieces of lines that could be cells of a table."""
        return segments(((word.box, word.text, (0, word.line)) for word in self.words), thresholds)


@contextmanager
def opened_searchable_page(
    scan: Scan, recognised: Recognised, page: Page, sizes: Sequence[float], thresholds: ScannedThresholds
) -> Iterator[SearchablePage]:
    """Make a searchable page of one that was recognised; `sizes` are the font sizes of its lines, in points."""
    scale = page.width / recognised.width, page.height / recognised.height
    with Image.open(scan.path) as image, pymupdf.open() as document:
        upright = _upright(image.convert("L"), recognised)
        found = ruling(upright, scan.dpi, thresholds.ruling)
        drawn = [box for box in (*found.across, *found.down) if not _is_written(box, recognised.lines, thresholds.page)]
        made = document.new_page(width=page.width, height=page.height)
        _show(made, upright, thresholds.page)
        _draw(made, [_scaled(box, scale) for box in drawn], thresholds.page)
        words = tuple(
            _set(recognised.lines, sizes, scale, [_scaled(box, scale) for box in found.down], thresholds.page)
        )
        _write(document, made, words)
        yield SearchablePage(made, Box(0.0, 0.0, page.width, page.height), len(drawn), words)


def _upright(image: Image.Image, recognised: Recognised) -> Image.Image:
    if recognised.rotation:
        image = image.rotate(-recognised.rotation, expand=True)
    if recognised.tilt:
        image = image.rotate(recognised.tilt, resample=Image.Resampling.BICUBIC, fillcolor="white")
    return image


def _set(
    lines: Sequence[HocrLine],
    sizes: Sequence[float],
    scale: tuple[float, float],
    down: Sequence[Box],
    thresholds: SearchablePageThresholds,
) -> Iterator[PlacedWord]:
    for number, (line, size) in enumerate(zip(lines, sizes, strict=True)):
        if line.turned or size <= 0:
            continue
        base = median(_foot(word, scale[1], size, thresholds) for word in line.words)
        for word in line.words:
            x0, x1 = word.box[0] * scale[0], word.box[2] * scale[0]
            box = Box(
                x0,
                base - thresholds.ascender * size,
                max(x1, x0 + thresholds.min_word_width),
                base + thresholds.descender * size,
            )
            if text := _without_rules(clean(word.text), box, down, thresholds):
                yield PlacedWord(text, box, base, size, number, word.confidence)


def _without_rules(text: str, box: Box, down: Sequence[Box], thresholds: SearchablePageThresholds) -> str:
    """Return the word without the strokes at its ends that are lines of a table."""
    if "|" not in text:
        return text
    beside = [(rule.x0 + rule.x1) / 2 for rule in down if rule.y0 < (box.y0 + box.y1) / 2 < rule.y1]
    if any(abs(x - box.x0) < thresholds.at_rule for x in beside):
        text = text.lstrip("|")
    if any(abs(x - box.x1) < thresholds.at_rule for x in beside):
        text = text.rstrip("|")
    return text


def _foot(word: Word, scale: float, size: float, thresholds: SearchablePageThresholds) -> float:
    return word.box[3] * scale - (thresholds.hanging * size if _HANGS.search(word.text) else 0.0)


def _is_written(rule: PixelBox, lines: Iterable[HocrLine], thresholds: SearchablePageThresholds) -> bool:
    """Tell whether what was taken for a line is part of a word: most of it runs through the middle of one."""
    across = rule[2] - rule[0] > rule[3] - rule[1]
    first, last, middle = (0, 2, (rule[1] + rule[3]) / 2) if across else (1, 3, (rule[0] + rule[2]) / 2)
    low, high = (1, 3) if across else (0, 2)
    covered = 0.0
    for word in (word for line in lines for word in line.words):
        box = word.box
        margin = thresholds.edge * (box[high] - box[low])
        if box[low] + margin < middle < box[high] - margin:
            covered += max(0.0, min(rule[last], box[last]) - max(rule[first], box[first]))
    return covered > thresholds.written_share * (rule[last] - rule[first])


def _scaled(box: PixelBox, scale: tuple[float, float]) -> Box:
    return Box(box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1])


def _show(page: PdfPage, image: Image.Image, thresholds: SearchablePageThresholds) -> None:
    # A page may be very large: it is shown no finer than its image is.
    share = min(
        thresholds.shown_dpi / _POINTS_PER_INCH,
        max(image.width / page.rect.width, image.height / page.rect.height),
        (thresholds.max_shown_pixels / (page.rect.width * page.rect.height)) ** 0.5,
    )
    size = max(1, round(page.rect.width * share)), max(1, round(page.rect.height * share))
    small = image.resize(size, Image.Resampling.BOX)
    page.insert_image(page.rect, pixmap=pymupdf.Pixmap(pymupdf.csGRAY, *size, small.tobytes(), False))


def _draw(page: PdfPage, lines: Iterable[Box], thresholds: SearchablePageThresholds) -> None:
    shape = page.new_shape()
    for box in lines:
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        across = box.width >= box.height
        shape.draw_line((box.x0, y) if across else (x, box.y0), (box.x1, y) if across else (x, box.y1))
        # Each a path of its own: lines of one path are taken for parts of one table.
        shape.finish(width=thresholds.line_width, closePath=False)
    if shape.totalcont:
        shape.commit()


def _write(document: PdfDocument, page: PdfPage, words: Iterable[PlacedWord]) -> None:
    page.insert_font(fontname="helv")
    height = page.rect.height
    shown = b"".join(_shown(word, height) for word in words)
    page.wrap_contents()
    (contents,) = page.get_contents()[-1:] or [0]
    stream = document.xref_stream(contents) + b"\nBT 3 Tr\n" + shown + b"ET\n"
    document.update_stream(contents, stream)


def _shown(word: PlacedWord, height: float) -> bytes:
    text = word.text.encode("cp1252", "replace")
    width = pymupdf.get_text_length(text.decode("cp1252", "replace"), "helv", word.size)
    stretch = 100 * word.box.width / width if width > 0 else 100.0
    place = f"{word.size:.2f} Tf {stretch:.2f} Tz 1 0 0 1 {word.box.x0:.2f} {height - word.base:.2f} Tm"
    return b"/helv " + place.encode() + b" (" + _SPECIAL.sub(rb"\\\1", text) + b") Tj\n"
