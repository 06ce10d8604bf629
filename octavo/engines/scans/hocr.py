"""hOCR, the XHTML in which Tesseract says what it read, as lines of words in pixels."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from xml.etree import ElementTree as ET

from octavo.engines.scans.thresholds import HocrThresholds

_BOX = re.compile(r"bbox (-?\d+) (-?\d+) (-?\d+) (-?\d+)")
_CONFIDENCE = re.compile(r"x_wconf (\d+)")
_BASELINE = re.compile(r"baseline (-?[\d.]+) ")
_ANGLE = re.compile(r"textangle (\d+)")
_SIZE = re.compile(r"x_size ([\d.]+)")
_LINES = {"ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat"}

PixelBox = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word: `confidence` 0..100, box in pixels from the top left."""

    text: str
    box: PixelBox
    confidence: float


@dataclass(frozen=True, slots=True)
class HocrLine:
    """A recognised line: `size` in pixels from ascender to descender, `slope` of its baseline.

    `turned` lines run up or down the page, or stand on their heads: Tesseract reads those too.
    """

    words: tuple[Word, ...]
    size: float
    slope: float
    turned: bool
    paragraph: int

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        return fmean([word.confidence for word in self.words], [len(word.text) for word in self.words])


def read_hocr(text: str, thresholds: HocrThresholds) -> list[HocrLine]:
    """Return the lines of one page, in the order in which they were written. Empty text has none."""
    if not text.strip():
        return []
    root = ET.fromstring(text)  # noqa: S314  # written by Tesseract, which escapes what it read
    paragraphs = [element for element in root.iter() if element.get("class") == "ocr_par"]
    return [
        line
        for number, paragraph in enumerate(paragraphs)
        for element in paragraph.iter()
        if element.get("class") in _LINES and (line := _line(element, number, thresholds)) is not None
    ]


def skew_degrees(lines: Sequence[HocrLine], thresholds: HocrThresholds) -> float:
    """Return the median angle of the baselines, positive if they fall to the right; 0 if unknown."""
    slopes = [line.slope for line in lines if not line.turned and len(line.words) >= thresholds.min_slope_words]
    return math.degrees(math.atan(median(slopes))) if slopes else 0.0


def _line(element: ET.Element, paragraph: int, thresholds: HocrThresholds) -> HocrLine | None:
    words = tuple(_words(element))
    if not words:
        return None
    title = element.get("title", "")
    baseline, size, angle = _BASELINE.search(title), _SIZE.search(title), _ANGLE.search(title)
    return HocrLine(
        words=words,
        size=float(size.group(1)) if size else max(word.box[3] - word.box[1] for word in words),
        slope=float(baseline.group(1)) if baseline else 0.0,
        turned=bool(angle and float(angle.group(1))) or _is_upended(words, thresholds),
        paragraph=paragraph,
    )


def _is_upended(words: tuple[Word, ...], thresholds: HocrThresholds) -> bool:
    # Tesseract names the angle of one direction only; of the other, the shape of the line tells.
    width = max(word.box[2] for word in words) - min(word.box[0] for word in words)
    height = max(word.box[3] for word in words) - min(word.box[1] for word in words)
    return (
        height > thresholds.upended * width and sum(len(word.text) for word in words) >= thresholds.upended_characters
    )


def _words(line: ET.Element) -> Iterator[Word]:
    for element in line.iter():
        if element.get("class") != "ocrx_word":
            continue
        title = element.get("title", "")
        box, confidence = _BOX.search(title), _CONFIDENCE.search(title)
        text = "".join(element.itertext()).strip()
        if text and box:
            x0, y0, x1, y1 = map(float, box.groups())
            yield Word(text, (x0, y0, max(x0, x1), max(y0, y1)), float(confidence.group(1)) if confidence else 0.0)
