"""The `fast` engine's steps, top to bottom. Runs in a sandboxed child."""

from collections.abc import Callable, Iterable
from pathlib import Path

from octavo.engines.contract import ExtractOptions, Limits, Progress, Reading, Source
from octavo.engines.detect import detect
from octavo.engines.mupdf import let_go
from octavo.engines.office.reading import read_office
from octavo.engines.pages.assembly import assemble
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.files.images import PictureReader, frame_count, opened_picture
from octavo.engines.pages.files.pdf import PdfReader, UnreadablePdf, opened_pdf, page_count
from octavo.engines.pages.files.second_reader import WARNING, second_reading
from octavo.engines.pages.finished_pages import FinishedPages
from octavo.engines.pages.page_view import Look
from octavo.engines.pages.scanned.handoff import ScannedPage, page_of_scan
from octavo.engines.scans.recognise import recognise
from octavo.errors import ExtractionFailed, PageLimitExceeded

_LANGUAGES = ("eng",)
_PAGES_PER_CALL = 8
_PAGES_HELD = 40

ReadPage = Callable[[int], PageDraft | ScannedPage]


def read(
    source: Source,
    options: ExtractOptions,
    limits: Limits,
    progress: Progress,
    folder: Path,
    look: Look | None = None,
) -> Reading:
    """Read a document; `look` tells of each page of a PDF, and of each scan, what its parts are.

    Raises the `DocumentError` that the document came to.
    """
    kind = detect(source)
    if kind == "pdf":
        try:
            return _read_pdf(source, limits, progress, folder, look)
        except UnreadablePdf as error:
            return _read_again(source, limits, progress, str(error))
    if kind != "image":
        return read_office(kind, source, limits, progress)
    with opened_picture(source.path, limits) as image:
        count = _counted(frame_count(image), limits, progress)
        pictures = PictureReader(image, limits, folder)
        finished = FinishedPages(progress, count)
        return _read_all(pictures.read, finished, limits, progress, folder, look, ())


def _read_pdf(source: Source, limits: Limits, progress: Progress, folder: Path, look: Look | None) -> Reading:
    with opened_pdf(source.path) as document:
        count = _counted(page_count(document), limits, progress)
        reader = PdfReader(document, limits, folder, look)
        finished = FinishedPages(progress, count)
        for figure in finished.figures():
            reader.budget.take(len(figure.data))
        warnings = ["the PDF was damaged and has been repaired"] if document.is_repaired else []
        return _read_all(reader.read, finished, limits, progress, folder, look, warnings)


def _read_again(source: Source, limits: Limits, progress: Progress, why: str) -> Reading:
    progress.working(1)
    pages = second_reading(source.path, limits)
    if pages is None:
        raise ExtractionFailed(why)
    _counted(len(pages), limits, progress)
    return assemble(pages, [WARNING])


def _counted(count: int, limits: Limits, progress: Progress) -> int:
    if count > limits.max_pages:
        raise PageLimitExceeded(f"the document has {count} pages, more than {limits.max_pages}")
    progress.counted(count)
    return count


def _read_all(
    read_page: ReadPage,
    finished: FinishedPages,
    limits: Limits,
    progress: Progress,
    folder: Path,
    look: Look | None,
    warnings: Iterable[str],
) -> Reading:
    waiting: list[ScannedPage] = []
    for page_no in finished.missing():
        progress.working(1)
        read = read_page(page_no)
        if isinstance(read, PageDraft):
            finished.add([read])
        else:
            waiting.append(read)
        if len(waiting) == _PAGES_PER_CALL:
            finished.add(_recognised(waiting, limits, progress, folder, look))
            waiting = []
        if page_no % _PAGES_HELD == 0:
            let_go()
    finished.add(_recognised(waiting, limits, progress, folder, look))
    pages = finished.pages()
    if all(draft.page.status == "failed" for draft in pages):
        raise ExtractionFailed(f"no page of the document could be read: {pages[0].page.error}")
    if any(draft.page.status == "failed" for draft in pages):
        finished.keep_rest()
    return assemble(pages, warnings)


def _recognised(
    waiting: list[ScannedPage], limits: Limits, progress: Progress, folder: Path, look: Look | None
) -> list[PageDraft]:
    if not waiting:
        return []
    found = recognise(
        [scanned.scan for scanned in waiting],
        languages=_LANGUAGES,
        page_seconds=limits.page_seconds,
        folder=folder,
        working=progress.working,
    )
    drafts: list[PageDraft] = []
    for scanned, recognised in zip(waiting, found, strict=True):
        progress.working(1)
        drafts.append(page_of_scan(scanned, recognised, look))
        scanned.scan.path.unlink(missing_ok=True)
    return drafts
