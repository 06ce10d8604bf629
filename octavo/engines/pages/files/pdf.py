"""PDF files: opened, counted, read page by page; scanned pages are put aside for recognition."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from octavo.documents import Box, Page
from octavo.engines.contract import Limits
from octavo.engines.image_budget import ImageBudget
from octavo.engines.mupdf import PDF_ERRORS, PdfDocument, PdfPage, PdfTextPage, pymupdf
from octavo.engines.pages.assembly import in_order
from octavo.engines.pages.draft import PageDraft, TableDraft
from octavo.engines.pages.figures.page_figures import (
    Placement,
    cover_share,
    drawn_figures,
    figures,
    placements,
)
from octavo.engines.pages.files.content import measure
from octavo.engines.pages.page_view import PageView, RegionDetector
from octavo.engines.pages.roles.labels import LabelledRegion, labelled
from octavo.engines.pages.scanned.handoff import ScannedPage, scan_of_page
from octavo.engines.pages.tables.page_tables import outside, page_tables
from octavo.engines.pages.tables.segments import page_segments
from octavo.engines.pages.text.text_layer import is_usable, sideways, text_lines, text_page
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.errors import ExtractionFailed

_POINTS_PER_INCH = 72
_MAX_REASON = 200


@dataclass
class PdfReader:
    """Reads the pages of one open PDF."""

    document: PdfDocument
    limits: Limits
    folder: Path
    detector: RegionDetector
    thresholds: PipelineThresholds
    budget: ImageBudget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = ImageBudget(self.limits)

    def read(self, page_no: int) -> PageDraft | ScannedPage:
        """Read a page; one that raises is a failed page."""
        try:
            page = self.document.load_page(page_no - 1)
            return self._read(page, page_no)
        except PDF_ERRORS as error:
            return failed_page(page_no, error)

    def _read(self, page: PdfPage, page_no: int) -> PageDraft | ScannedPage:
        rotation = int(page.rotation) % 360
        page = upright(self.document, page)
        text = text_page(page)
        lines = text_lines(page, self.thresholds.text.layer, text)
        if turn := sideways(page, lines, self.thresholds.text.layer):
            page.set_rotation(turn)
            page = upright(self.document, page)
            rotation = (rotation + turn) % 360
            text = text_page(page)
            lines = text_lines(page, self.thresholds.text.layer, text)
        frame = page_frame(page)
        known = Page(page_no, frame.width, frame.height, rotation=rotation)
        content = measure(self.document, page, self.limits, self.thresholds.files.content)
        images = placements(page, frame, self.thresholds.figures) if content.images else []
        view = PageView(page, frame, lines, content.paths, cover_share(images, frame))
        if not is_usable(lines, view.image_cover, content.paths, self.thresholds.text.layer):
            return scan_of_page(
                page, known, _image_dpi(images), self.limits, self.folder, self.thresholds.scanned.handoff
            )
        warnings: list[str] = []
        regions = () if content.huge else self.detector.detect(view)
        lines = labelled(lines, regions, self.thresholds.roles.labels)
        tables = [] if content.huge else self._tables(view, text, page_no, regions)
        if content.huge:
            warnings.append(f"page {page_no}: {content.huge}, so tables were not looked for")
        pictures, said = figures(self.document, view, images, self.budget, self.thresholds.figures)
        pictures += drawn_figures(view, regions, pictures, self.budget, self.thresholds.figures)
        warnings += [f"page {page_no}: {warning}" for warning in said]
        contents = in_order(outside(lines, tables, self.thresholds.tables.ruled), [*tables, *pictures], self.thresholds)
        return PageDraft(known, contents, tuple(warnings))

    def _tables(
        self, view: PageView, text: PdfTextPage, page_no: int, regions: Sequence[LabelledRegion]
    ) -> list[TableDraft]:
        thresholds = self.thresholds.tables
        return page_tables(
            view, lambda: page_segments(view.page, text, thresholds.segments), page_no, thresholds, regions
        )


def page_frame(page: PdfPage) -> Box:
    """Return the box of the whole page, from 0, 0 to its width and height."""
    shown = page.rect
    return Box(0.0, 0.0, float(shown.width), float(shown.height))


def upright(document: PdfDocument, page: PdfPage) -> PdfPage:
    """Return the page with its rotation taken out; without its annotations where a damaged one is in the way."""
    _let_crop_be_all(page)
    try:
        page.remove_rotation()
        return page
    except PDF_ERRORS:
        document.xref_set_key(page.xref, "Annots", "null")
        page = document.reload_page(page)
        page.remove_rotation()
        return page


def _let_crop_be_all(page: PdfPage) -> None:
    """Make a turned page's crop box its media box: what takes the rotation out turns the one and forgets the other."""
    if not page.rotation:
        return
    media, crop = page.mediabox, page.cropbox
    if crop == media:
        return
    # Of the crop box y counts down from the upper edge of the media box, in `set_mediabox` up as in the file.
    shown = pymupdf.Rect(crop.x0, media.y1 - crop.y1, crop.x1, media.y1 - crop.y0) & media
    if not shown.is_empty:
        page.set_mediabox(shown)


class UnreadablePdf(Exception):
    """PyMuPDF cannot make anything of a file; another reader may."""


@contextmanager
def opened_pdf(path: Path) -> Iterator[PdfDocument]:
    """Open a PDF. Raises `UnreadablePdf` for a damaged one, `ExtractionFailed` for a locked one."""
    try:
        document = pymupdf.open(path, filetype="pdf")
    except PDF_ERRORS as error:
        raise UnreadablePdf("the PDF is damaged beyond repair") from error
    with document:
        if document.needs_pass:
            raise ExtractionFailed("the PDF needs a password")
        yield document


def page_count(document: PdfDocument) -> int:
    """Return the number of pages. Raises `UnreadablePdf` if they cannot be counted."""
    try:
        count = int(document.page_count)
    except PDF_ERRORS as error:
        raise UnreadablePdf("the PDF is damaged: its pages cannot be counted") from error
    if count < 1:
        raise UnreadablePdf("the PDF is damaged: it has no pages")
    return count


def failed_page(page_no: int, error: Exception) -> PageDraft:
    """Return a page that could not be read, with a warning that says why."""
    reason = " ".join(str(error).split())[:_MAX_REASON] or type(error).__name__
    page = Page(page_no, 0.0, 0.0, status="failed", error=reason)
    return PageDraft(page, warnings=(f"page {page_no} could not be read: {reason}",))


def _image_dpi(images: list[Placement]) -> float:
    """Return the resolution of the largest image on a page, 0 if there is none."""
    largest = max(images, key=lambda image: image.box.area, default=None)
    if largest is None or largest.box.width <= 0:
        return 0.0
    return _POINTS_PER_INCH * largest.width / largest.box.width
