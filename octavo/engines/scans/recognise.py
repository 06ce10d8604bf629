"""Runs OCRmyPDF over page images: many pages in one call, plainly first, with more effort where it pays.

A page that reads badly is tried again with orientation detection and local thresholds. Where lines slope,
words are moved onto straight lines, so that they can be put in order; where they slope much, the image is
straightened by the measured angle and read again.
"""

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import ParseError

import ocrmypdf.api
from ocrmypdf.exceptions import ExitCodeException, MissingDependencyError
from PIL import Image

from octavo.engines.mupdf import pymupdf
from octavo.engines.scans.hocr import HocrLine, PixelBox, read_hocr, skew_degrees
from octavo.engines.scans.thresholds import HocrThresholds, RecognitionThresholds
from octavo.errors import OcrProviderError

_POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Scan:
    """A page image: a file that Pillow reads, 8 bit gray, at most the allowed number of pixels."""

    path: Path
    width: int
    height: int
    dpi: float


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was read in a scan. `rotation` is how far, clockwise, it was turned to stand upright.

    Boxes are in pixels of the upright image, whose size is `width` by `height`. If the image was straightened
    first, boxes are those in the straight image, and `tilt` is the angle to turn them back by (`shown_box`).
    `error` says why nothing could be read.
    """

    lines: tuple[HocrLine, ...]
    width: int
    height: int
    rotation: int = 0
    tilt: float = 0.0
    error: str | None = None

    def shown_box(self, box: PixelBox) -> PixelBox:
        """Return the upright box of the same size around where a word stands in the page as it came."""
        return self._moved(box, self.tilt)

    def straight(self, tilt: float) -> "Recognised":
        """Return the page with its words moved to where they would stand if it were turned by -`tilt`."""
        lines = tuple(
            replace(line, words=tuple(replace(w, box=self._moved(w.box, -tilt)) for w in line.words))
            for line in self.lines
        )
        return replace(self, lines=lines, tilt=tilt)

    def _moved(self, box: PixelBox, degrees: float) -> PixelBox:
        radians = math.radians(degrees)
        x = (box[0] + box[2]) / 2 - self.width / 2
        y = (box[1] + box[3]) / 2 - self.height / 2
        moved_x = x * math.cos(radians) - y * math.sin(radians) + self.width / 2
        moved_y = x * math.sin(radians) + y * math.cos(radians) + self.height / 2
        half_width, half_height = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        return moved_x - half_width, moved_y - half_height, moved_x + half_width, moved_y + half_height

    @property
    def score(self) -> float:
        return sum(line.confidence * len(line.text) for line in self.lines)

    @property
    def characters(self) -> int:
        return sum(len(line.text) for line in self.lines)

    @property
    def lies_on_its_side(self) -> bool:
        """Whether most of the text runs up or down the page."""
        return 2 * sum(len(line.text) for line in self.lines if line.turned) > self.characters

    @property
    def confidence(self) -> float:
        return self.score / self.characters if self.characters else 0.0


@dataclass(frozen=True, slots=True)
class _Effort:
    rotate: bool = False
    thresholding: str = "auto"


_PLAIN = _Effort()
_POOR_PAGE = _Effort(rotate=True, thresholding="sauvola")


def recognise(
    scans: Sequence[Scan],
    *,
    languages: Sequence[str],
    page_seconds: float,
    folder: Path,
    working: Callable[[int], None],
    thresholds: RecognitionThresholds,
) -> list[Recognised]:
    """Return what stands on each scan, in order. Calls `working` with a number of pages before each step.

    Raises `OcrProviderError` if the OCR program is missing.
    """
    run = _Run(tuple(languages), page_seconds, folder, working, thresholds)
    found = run(scans, _PLAIN)
    poor = [index for index, page in enumerate(found) if _is_poor(page, thresholds)]
    for index, better in zip(poor, run([scans[i] for i in poor], _POOR_PAGE), strict=True):
        if _is_better(better, found[index], thresholds):
            found[index] = better
    straight = [_straightened(run, scan, page, thresholds) for scan, page in zip(scans, found, strict=True)]
    return [replace(page, lines=tuple(_without_junk(page.lines, thresholds))) for page in straight]


def _is_poor(page: Recognised, thresholds: RecognitionThresholds) -> bool:
    if page.error is not None:
        # What took too long once takes longer with more effort.
        return False
    is_short = page.characters < thresholds.poor_characters
    return is_short or page.confidence < thresholds.poor_confidence or page.lies_on_its_side


def _is_better(page: Recognised, before: Recognised, thresholds: RecognitionThresholds) -> bool:
    if before.lies_on_its_side and not page.lies_on_its_side:
        return page.score > thresholds.not_much_worse * before.score
    return page.score > before.score


def _without_junk(lines: Sequence[HocrLine], thresholds: RecognitionThresholds) -> list[HocrLine]:
    return [line for line in lines if line.confidence >= thresholds.junk_confidence]


def _straightened(run: "_Run", scan: Scan, page: Recognised, thresholds: RecognitionThresholds) -> Recognised:
    """Return the page with straight lines, read again if they slope so much that it was read badly."""
    angle = skew_degrees(page.lines, thresholds.hocr)
    if not thresholds.skewed_degrees < abs(angle) < thresholds.max_skewed_degrees:
        return page
    if abs(angle) < thresholds.badly_skewed_degrees or page.rotation:
        return page.straight(angle)
    straight = scan.path.with_suffix(".straight.png")
    with Image.open(scan.path) as image:
        turned = image.rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor="white")
        turned.save(straight, dpi=(scan.dpi, scan.dpi), compress_level=1)
    (better,) = run([replace(scan, path=straight)], _PLAIN)
    return page.straight(angle) if better.score < page.score else replace(better, tilt=angle)


class _Run:
    """One call of OCRmyPDF for several scans; falls back to one call each when the call fails."""

    def __init__(
        self,
        languages: tuple[str, ...],
        page_seconds: float,
        folder: Path,
        working: Callable[[int], None],
        thresholds: RecognitionThresholds,
    ) -> None:
        self._languages = languages
        self._page_seconds = page_seconds
        self._folder = folder
        self._working = working
        self._thresholds = thresholds

    def __call__(self, scans: Sequence[Scan], effort: _Effort) -> list[Recognised]:
        if not scans:
            return []
        self._working(len(scans))
        try:
            return self._call(scans, effort)
        except MissingDependencyError as error:
            raise OcrProviderError(f"text recognition is not installed completely: {error}") from error
        except (ExitCodeException, ParseError, OSError, ValueError) as error:
            if len(scans) == 1:
                return [_unread(scans[0], f"text recognition failed: {error}")]
        return [page for scan in scans for page in self([scan], effort)]

    def _call(self, scans: Sequence[Scan], effort: _Effort) -> list[Recognised]:
        output = Path(tempfile.mkdtemp(dir=self._folder))
        pdf = output.with_suffix(".pdf")
        _save_as_pdf(scans, pdf)
        seconds = self._thresholds.time_share * self._page_seconds
        # The hOCR half of OCRmyPDF's pipeline: what comes after would build a PDF that nobody asked for.
        ocrmypdf.api._pdf_to_hocr(
            pdf,
            output,
            language=list(self._languages),
            jobs=1,
            use_threads=True,
            progress_bar=False,
            mode="skip",
            rasterizer="pypdfium",
            rotate_pages=effort.rotate or None,
            rotate_pages_threshold=self._thresholds.min_rotation_confidence,
            tesseract_thresholding=effort.thresholding,
            # Less than the owner waits for a page: one that takes too long must not take the others along.
            tesseract_timeout=seconds,
            tesseract_non_ocr_timeout=min(self._thresholds.max_orientation_seconds, seconds),
        )
        return [_collect(output, number, scan, self._thresholds.hocr) for number, scan in enumerate(scans, start=1)]


def _save_as_pdf(scans: Sequence[Scan], path: Path) -> None:
    with pymupdf.open() as document:
        for scan in scans:
            scale = _POINTS_PER_INCH / scan.dpi
            page = document.new_page(width=scan.width * scale, height=scan.height * scale)
            page.insert_image(page.rect, filename=str(scan.path))
        document.save(path)


def _collect(output: Path, number: int, scan: Scan, thresholds: HocrThresholds) -> Recognised:
    hocr = output / f"{number:06d}_ocr_hocr.hocr"
    if not hocr.exists():
        return _unread(scan, "text recognition did not answer")
    text = hocr.read_text(encoding="utf-8", errors="replace")
    if not text:
        return _unread(scan, "text recognition took too long")
    report = json.loads((output / f"{number:06d}_hocr.json").read_text())
    # OCRmyPDF says how far the text is turned counter-clockwise, we how far clockwise it was turned back.
    rotation = -int(report["orientation_correction"]) % 360
    with Image.open(output / f"{number:06d}_ocr.png") as image:
        width, height = image.size
    upright = (scan.height, scan.width) if rotation in (90, 270) else (scan.width, scan.height)
    lines = tuple(_scaled(line, upright[0] / width, upright[1] / height) for line in read_hocr(text, thresholds))
    return Recognised(lines, *upright, rotation=rotation)


def _scaled(line: HocrLine, x: float, y: float) -> HocrLine:
    words = tuple(
        replace(word, box=(word.box[0] * x, word.box[1] * y, word.box[2] * x, word.box[3] * y)) for word in line.words
    )
    return replace(line, words=words, size=line.size * y)


def _unread(scan: Scan, why: str) -> Recognised:
    return Recognised((), scan.width, scan.height, error=why)
