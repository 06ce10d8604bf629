"""PDFium's view of a PDF that PyMuPDF cannot read: text and boxes, no tables and no images.

LiteParse brings PDFium, which shares no parser with MuPDF and forgives other damage.
"""

from collections.abc import Sequence
from pathlib import Path

import liteparse

from octavo.documents import Box, Page
from octavo.engines.contract import Limits
from octavo.engines.pages.assembly import in_order
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.text.lines import TextLine, clean
from octavo.engines.pages.text.text_layer import is_usable
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.engines.pages.thresholds.text import TextLayerThresholds

WARNING = "the PDF is damaged; only its text could be read, by a second reader"


def second_reading(path: Path, limits: Limits, thresholds: PipelineThresholds) -> list[PageDraft] | None:
    """Return the pages of a PDF as PDFium reads them; None if it cannot, or finds no text on any page.

    One page more than allowed may come back, so that the caller can tell that there are too many.
    """
    reader = liteparse.LiteParse(
        ocr_enabled=False, quiet=True, num_workers=1, max_pages=limits.max_pages + 1, continue_on_page_error=True
    )
    try:
        # As bytes: by a name it would try programs for other formats.
        pages = reader.parse(path.read_bytes()).pages
    except (liteparse.ParseError, RuntimeError, ValueError, OSError):
        return None
    drafts = [_draft(page, number, thresholds) for number, page in enumerate(pages, start=1)]
    return drafts if any(draft.contents for draft in drafts) else None


def _draft(page: liteparse.ParsedPage, page_no: int, thresholds: PipelineThresholds) -> PageDraft:
    known = Page(page_no, float(page.width), float(page.height))
    lines = [line for item in page.text_items if (line := _line(item, thresholds.text.layer)) is not None]
    return PageDraft(known, in_order(lines, (), thresholds) if _is_text(lines, thresholds.text.layer) else ())


def _is_text(lines: Sequence[TextLine], thresholds: TextLayerThresholds) -> bool:
    return bool(lines) and is_usable(lines, 0.0, 0, thresholds)


def _line(item: liteparse.TextItem, thresholds: TextLayerThresholds) -> TextLine | None:
    text = clean(item.text)
    if not text:
        return None
    box = Box(item.x, item.y, item.x + max(0.0, item.width), item.y + max(0.0, item.height))
    bold = "bold" in (item.font_name or "").lower() or (item.font_weight or 0) >= thresholds.bold_weight
    return TextLine(text=text, box=box, size=float(item.font_size or item.height), bold=bold)
