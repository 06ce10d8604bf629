"""The reading of a document, top to bottom: what kind it is, its pages one by one, recognition of the scanned ones.

Runs in a sandboxed child.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.detect import detect
from octavo.engines.mupdf import release_caches
from octavo.engines.office.reading import read_office
from octavo.engines.pages.assembly import assemble
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.files.images import ImageReader, frame_count, opened_image
from octavo.engines.pages.files.pdf import PdfReader, UnreadablePdf, opened_pdf, page_count
from octavo.engines.pages.files.second_reader import WARNING, second_reading
from octavo.engines.pages.finished_pages import FinishedPages
from octavo.engines.pages.page_view import RegionDetector
from octavo.engines.pages.scanned.handoff import ScannedPage, page_of_scan
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.engines.scans.recognise import recognise
from octavo.errors import ExtractionFailed, PageLimitExceeded

ReadPage = Callable[[int], PageDraft | ScannedPage]


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """Reads one document; `detector` tells of each page of a PDF, and of each scan, what its parts are."""

    limits: Limits
    progress: Progress
    folder: Path
    languages: tuple[str, ...]
    detector: RegionDetector
    thresholds: PipelineThresholds

    def read(self, source: Source) -> Reading:
        """Read the document. Raises the `DocumentError` that it fails with."""
        kind = detect(source)
        if kind == "pdf":
            try:
                return self._read_pdf(source)
            except UnreadablePdf as error:
                return self._read_with_second_reader(source, str(error))
        if kind == "image":
            return self._read_image(source)
        return read_office(kind, source, self.limits, self.progress, self.thresholds.office)

    def _read_pdf(self, source: Source) -> Reading:
        with opened_pdf(source.path) as document:
            count = self._counted(page_count(document))
            reader = PdfReader(document, self.limits, self.folder, self.detector, self.thresholds)
            finished = FinishedPages(self.progress, count)
            for figure in finished.figures():
                reader.budget.take(len(figure.data))
            warnings = ["the PDF was damaged and has been repaired"] if document.is_repaired else []
            return self.read_pages(reader.read, finished, warnings)

    def _read_image(self, source: Source) -> Reading:
        with opened_image(source.path, self.limits) as image:
            count = self._counted(frame_count(image, self.limits))
            reader = ImageReader(image, self.limits, self.folder, self.thresholds)
            return self.read_pages(reader.read, FinishedPages(self.progress, count), ())

    def _read_with_second_reader(self, source: Source, why: str) -> Reading:
        self.progress.working(1)
        pages = second_reading(source.path, self.limits, self.thresholds)
        if pages is None:
            raise ExtractionFailed(why)
        self._counted(len(pages))
        return assemble(pages, [WARNING], self.thresholds)

    def _counted(self, count: int) -> int:
        if count > self.limits.max_pages:
            raise PageLimitExceeded(f"the document has {count} pages, more than {self.limits.max_pages}")
        self.progress.counted(count)
        return count

    def read_pages(self, read_page: ReadPage, finished: FinishedPages, warnings: Iterable[str]) -> Reading:
        """Read the pages that are not finished yet, and return the document of all of them."""
        loop = self.thresholds.files.loop
        waiting: list[ScannedPage] = []
        for page_no in finished.missing():
            self.progress.working(1)
            read = read_page(page_no)
            if isinstance(read, PageDraft):
                finished.add([read])
            else:
                waiting.append(read)
            if len(waiting) == loop.pages_per_recognition:
                finished.add(self._recognised(waiting))
                waiting = []
            if page_no % loop.pages_between_releases == 0:
                release_caches()
        finished.add(self._recognised(waiting))
        return self._document(finished, warnings)

    def _document(self, finished: FinishedPages, warnings: Iterable[str]) -> Reading:
        pages = finished.pages()
        if all(draft.page.status == "failed" for draft in pages):
            raise ExtractionFailed(f"no page of the document could be read: {pages[0].page.error}")
        if any(draft.page.status == "failed" for draft in pages):
            finished.keep_rest()
        return assemble(pages, warnings, self.thresholds)

    def _recognised(self, waiting: list[ScannedPage]) -> list[PageDraft]:
        if not waiting:
            return []
        found = recognise(
            [scanned.scan for scanned in waiting],
            languages=self.languages,
            page_seconds=self.limits.page_seconds,
            folder=self.folder,
            working=self.progress.working,
            thresholds=self.thresholds.scanned.recognition,
        )
        drafts: list[PageDraft] = []
        for scanned, recognised in zip(waiting, found, strict=True):
            self.progress.working(1)
            drafts.append(page_of_scan(scanned, recognised, self.detector, self.thresholds))
            scanned.scan.path.unlink(missing_ok=True)
        return drafts
