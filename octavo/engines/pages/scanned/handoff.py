"""Pages that must be recognised: their images for the OCR program, its answer as a page."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

from PIL import Image

from octavo.documents import Box, Page
from octavo.engines.contract import Limits
from octavo.engines.mupdf import PdfPage, pymupdf
from octavo.engines.pages.assembly import in_order
from octavo.engines.pages.draft import PageDraft, TableDraft
from octavo.engines.pages.page_view import PageView, RegionDetector
from octavo.engines.pages.roles.labels import labelled
from octavo.engines.pages.scanned.searchable_page import SearchablePage, opened_searchable_page
from octavo.engines.pages.tables.page_tables import outside, page_tables
from octavo.engines.pages.text.lines import TextLine, clean, cover
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.engines.pages.thresholds.scanned import HandoffThresholds
from octavo.engines.scans.hocr import HocrLine, PixelBox
from octavo.engines.scans.recognise import Recognised, Scan

_POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """A page that waits for recognition: its upright size in points as known so far, and its image."""

    page: Page
    scan: Scan


def scan_of_page(
    page: PdfPage, known: Page, image_dpi: float, limits: Limits, folder: Path, thresholds: HandoffThresholds
) -> ScannedPage:
    """Render a page in gray, as fine as its images are, within 200..300 dpi and the pixel limit."""
    inches = page.rect.width * page.rect.height / _POINTS_PER_INCH**2
    allowed = (min(limits.max_page_pixels, thresholds.max_pixels) / max(inches, 1e-6)) ** 0.5
    dpi = max(1.0, min(max(thresholds.dpi, min(image_dpi, thresholds.max_dpi)), allowed))
    scale = dpi / _POINTS_PER_INCH
    pixels = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY, alpha=False)
    path = folder / f"page-{known.page_no:06d}.png"
    with Image.frombytes("L", (pixels.width, pixels.height), pixels.samples) as image:
        return ScannedPage(known, save_scan(image, path, dpi, thresholds))


def save_scan(image: Image.Image, path: Path, dpi: float, thresholds: HandoffThresholds) -> Scan:
    """Write an image for recognition, made larger if it is coarse, smaller if it has too many pixels."""
    gray = image.convert("L")
    wanted = thresholds.dpi / dpi if dpi < thresholds.coarse_dpi else 1.0
    allowed = (thresholds.max_pixels / (gray.width * gray.height)) ** 0.5
    scale = min(wanted, allowed)
    if scale != 1.0:
        size = max(1, round(gray.width * scale)), max(1, round(gray.height * scale))
        gray = gray.resize(size, Image.Resampling.LANCZOS)
        dpi *= scale
    gray.save(path, dpi=(dpi, dpi), compress_level=1)
    return Scan(path, gray.width, gray.height, dpi)


def page_of_scan(
    scanned: ScannedPage, recognised: Recognised, detector: RegionDetector, thresholds: PipelineThresholds
) -> PageDraft:
    """Return the page as recognised: turned upright, boxes in points, lines and tables in order."""
    page = replace(scanned.page, ocr=True)
    if recognised.error is not None:
        warning = f"page {page.page_no} could not be read: {recognised.error}"
        return PageDraft(replace(page, status="failed", error=recognised.error), warnings=(warning,))
    if recognised.rotation in (90, 270):
        page = replace(page, width=page.height, height=page.width)
    page = replace(page, rotation=(page.rotation + recognised.rotation) % 360)
    if not recognised.lines:
        return PageDraft(page)
    lines, tables = _lines_and_tables(scanned.scan, recognised, page, detector, thresholds)
    contents = in_order(lines, tables, thresholds)
    if recognised.tilt:
        contents = tuple(_shown(part, recognised, page) if isinstance(part, TableDraft) else part for part in contents)
    return PageDraft(page, contents)


def _lines_and_tables(
    scan: Scan, recognised: Recognised, page: Page, detector: RegionDetector, thresholds: PipelineThresholds
) -> tuple[list[TextLine], list[TableDraft]]:
    """Return the lines of a page, labelled, and its tables, as they stand on a sheet of the size of the paper.

    A picture that does not say its resolution has a page of a point for each pixel: no size to measure by.
    """
    scale = _POINTS_PER_INCH / scan.dpi
    paper = replace(page, width=recognised.width * scale, height=recognised.height * scale)
    on_paper = _lines(recognised, paper, thresholds.scanned.handoff)
    with opened_searchable_page(
        scan, recognised, paper, [line.size for line in on_paper], thresholds.scanned
    ) as searchable:
        view = PageView(searchable.page, searchable.frame, on_paper, searchable.rules, 1.0)
        regions = detector.detect(view)
        found = [
            _with_confidence(table, searchable)
            for table in page_tables(
                view, lambda: searchable.segments(thresholds.tables.segments), page.page_no, thresholds.tables, regions
            )
        ]
    lines = [
        replace(line, label=labels.label, region=labels.region)
        for line, labels in zip(
            _lines(recognised, page, thresholds.scanned.handoff),
            labelled(on_paper, regions, thresholds.roles.labels),
            strict=True,
        )
    ]
    x, y = page.width / paper.width, page.height / paper.height
    tables = [_moved(table, lambda box: Box(box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)) for table in found]
    return outside(lines, tables, thresholds.tables.ruled), tables


def _with_confidence(table: TableDraft, searchable: SearchablePage) -> TableDraft:
    """Return the table with the mean confidence of each cell's words, weighted by their length."""
    cells = []
    for cell in table.cells:
        words = [word for word in searchable.words if word.within(cell.bbox)] if cell.text else []
        weights = [len(word.text) for word in words]
        mean = round(fmean([word.confidence for word in words], weights), 1) if words else None
        cells.append(replace(cell, confidence=mean))
    return replace(table, cells=tuple(cells))


def _shown(table: TableDraft, recognised: Recognised, page: Page) -> TableDraft:
    """Return the table where it is seen, on a page that was straightened to be read."""
    x, y = page.width / recognised.width, page.height / recognised.height

    def shown(box: Box) -> Box:
        pixels = recognised.shown_box((box.x0 / x, box.y0 / y, box.x1 / x, box.y1 / y))
        return _box([pixels], x, y, page)

    return _moved(table, shown)


def _moved(table: TableDraft, move: Callable[[Box], Box]) -> TableDraft:
    cells = tuple(replace(cell, bbox=move(cell.bbox).rounded()) for cell in table.cells)
    return replace(table, box=move(table.box), cells=cells)


def _lines(recognised: Recognised, page: Page, thresholds: HandoffThresholds) -> list[TextLine]:
    scale_x, scale_y = page.width / recognised.width, page.height / recognised.height
    sizes = _sizes(recognised.lines, thresholds)
    return [
        TextLine(
            text=clean(line.text),
            box=_box([word.box for word in line.words], scale_x, scale_y, page),
            shown=_box([recognised.shown_box(word.box) for word in line.words], scale_x, scale_y, page),
            size=size * scale_y / thresholds.ascender_to_descender,
            upright=not line.turned,
            confidence=line.confidence,
        )
        for line, size in zip(recognised.lines, sizes, strict=True)
    ]


def _box(words: Iterable[PixelBox], scale_x: float, scale_y: float, page: Page) -> Box:
    boxes = (Box(x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y) for x0, y0, x1, y1 in words)
    return cover(boxes).within(page.width, page.height)


def _sizes(lines: Sequence[HocrLine], thresholds: HandoffThresholds) -> list[float]:
    """Return the lines' sizes, evened out: measured sizes vary from line to line of one font.

    A paragraph has one size, and sizes near the page's usual one are the usual one.
    """
    by_paragraph: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        by_paragraph[line.paragraph].append(line.size)
    usual = median(size for line in lines for size in [line.size] * len(line.text)) if lines else 0.0
    evened = {}
    for paragraph, sizes in by_paragraph.items():
        size = median(sizes)
        evened[paragraph] = usual if abs(size - usual) <= thresholds.same_size * usual else size
    return [evened[line.paragraph] for line in lines]
