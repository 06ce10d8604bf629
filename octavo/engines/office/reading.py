"""Office documents, web pages, mail and text, top to bottom. Runs in a sandboxed child.

Docling's Rust reader does the formats; here its tree becomes our document. What it gives is one whole: there is no
progress between pages.
"""

from dataclasses import replace

from docling_core.types.doc.document import ContentLayer, DoclingDocument
from docling_core.types.doc.labels import GroupLabel

from octavo.documents import NO_BOX, Block, Document, InvalidDocument, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.office.assembly import EMU_PER_POINT, Assembler, Placed, slide_number
from octavo.engines.office.containers import check_container
from octavo.engines.office.converted import converted
from octavo.engines.office.counting import check_counts
from octavo.engines.office.encoding import as_utf8
from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.mail import mail_as_html
from octavo.engines.office.missing_paragraphs import with_missing_paragraphs
from octavo.engines.office.paging import CHARACTERS_PER_PAGE, flowing, on_pages
from octavo.engines.office.pictures import Pictures
from octavo.engines.office.plain_text import passages
from octavo.engines.office.source_text import SourceText
from octavo.engines.office.thresholds import OfficeThresholds
from octavo.errors import ExtractionFailed, PageLimitExceeded

ZIPPED: frozenset[OfficeKind] = frozenset({"docx", "pptx", "xlsx", "odt", "odp", "ods", "epub"})
TEXTS: frozenset[OfficeKind] = frozenset({"html", "markdown", "csv", "text"})


def read_office(
    kind: OfficeKind,
    source: Source,
    limits: Limits,
    progress: Progress,
    thresholds: OfficeThresholds,
) -> Reading:
    """Read a document of this kind. Raises the `DocumentError` that it fails with."""
    data = source.path.read_bytes()
    progress.working(1)
    if kind in ZIPPED:
        check_container(data, limits.max_unpacked_bytes, thresholds)
    if kind == "eml":
        kind, data = "html", mail_as_html(data, limits, thresholds)
    elif kind in TEXTS:
        data = as_utf8(data)
    check_counts(kind, data, limits, thresholds)
    if kind == "text":
        return _finished(_plain(data.decode(), limits, thresholds), (), limits, progress)
    found = converted(data, kind)
    pictures = Pictures(limits, thresholds.min_picture_pixels)
    try:
        source_text = SourceText.of(kind, data, thresholds)
        contents = list(Assembler(found, kind, source_text, pictures, thresholds).contents())
        contents = with_missing_paragraphs(contents, source_text.paragraphs, kind, thresholds)
        document = _paged(found, contents, pictures.warnings)
    except InvalidDocument as error:
        raise ExtractionFailed(f"the document makes no sense: {error}") from error
    return _finished(document, tuple(pictures.images), limits, progress)


def _finished(document: Document, images: tuple[bytes, ...], limits: Limits, progress: Progress) -> Reading:
    if document.page_count > limits.max_pages:
        raise PageLimitExceeded(f"the document has {document.page_count} pages, more than {limits.max_pages}")
    progress.counted(document.page_count)
    return Reading(document, images)


def _plain(text: str, limits: Limits, thresholds: OfficeThresholds) -> Document:
    contents: list[Placed] = []
    room = limits.max_pages * CHARACTERS_PER_PAGE
    for one in passages(text, thresholds.full_line_characters):
        contents.append(Placed(Block(1, 0, one.role, one.text, NO_BOX), None))
        room -= len(one.text)
        if room < 0:  # its pages are too many by now, however many more there are
            break
    return flowing(contents, [])


def _paged(found: DoclingDocument, contents: list[Placed], warnings: list[str]) -> Document:
    if not found.pages:
        slides = max((slide_number(group) or 0 for group in found.groups), default=0)
        pages = [Page(number, 0.0, 0.0) for number in range(1, slides + 1)]
        return on_pages(pages, contents, warnings) if pages else flowing(contents, warnings)
    hidden = _hidden_pages(found)
    shown = [number for number in sorted(found.pages) if number not in hidden] or [1]
    numbers = {number: rank for rank, number in enumerate(shown, 1)}
    contents = [replace(one, page_no=numbers.get(one.page_no or 0)) for one in contents]
    is_sized = all(page.size.width > EMU_PER_POINT for page in found.pages.values())
    # Slides have a size in EMU; sheets one in rows and columns, which says nothing of points.
    sizes = [
        (page.size.width / EMU_PER_POINT, page.size.height / EMU_PER_POINT) if is_sized else (0.0, 0.0)
        for page in (found.pages[number] for number in shown)
    ]
    return on_pages([Page(number, *size) for number, size in enumerate(sizes, 1)], contents, warnings)


def _hidden_pages(found: DoclingDocument) -> set[int]:
    """Return the numbers of sheets that nobody sees: they are no pages."""
    sheets = [group for group in found.groups if group.label == GroupLabel.SHEET]
    return {number for number, sheet in enumerate(sheets, 1) if sheet.content_layer != ContentLayer.BODY}
