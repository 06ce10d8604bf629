"""One item from its bytes in storage to its result in storage: what a worker does between claim and outcome.

Everything the document itself can be blamed for becomes a value (`Failed`); storage that is down,
a child that somebody killed and the like are raised, for they say nothing of the document.
"""

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from octavo.batch_options import BatchOptions
from octavo.batches import ClaimedItem
from octavo.documents import InvalidDocument
from octavo.engines.contract import PageObserver, Source
from octavo.engines.office.kinds import declared_kind
from octavo.engines.sandbox.failures import ChildLost, SandboxUnavailable
from octavo.errors import DocumentError, ExtractionFailed, OcrProviderError, StorageUnavailable, UploadMissing
from octavo.extraction.course import Course
from octavo.extraction.extractor import Extraction, Extractor
from octavo.extraction.kept_pages import KeptPages
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.objects.contract import Downloaded, ObjectMissing, ObjectStore, ObjectTooLarge
from octavo.outcomes import Outcome, Succeeded, failure
from octavo.parse_options import ParseOptions
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import Rendering, RenderInput, rendering_of
from octavo.results.renderings import StoredRenderings
from octavo.results.stored_results import StoredResult, StoredResults

WRITERS = 16
PROBE_BYTES = 1024 * 1024
KEEP_SECONDS = 20.0
SCRATCH_ROOM_BYTES = 64 * 1024 * 1024
"""With less than this the disk for documents in progress counts as full; looked at only when something has failed."""


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """The options of a batch as one item needs them: how its document is read, and what is shown of it."""

    parse: ParseOptions
    rendering: Rendering

    @classmethod
    def of_batch(cls, options: Mapping[str, object]) -> "ItemOptions":
        """Read them from a batch's effective options; the worker's engine may have another version by now."""
        asked = BatchOptions.of_values(options)
        return cls(replace(asked.parse, engine_version=None), rendering_of(asked))

    def of_item(self, item: ClaimedItem) -> "ItemOptions":
        """Return them with what is known of one item: the same text is another document as .csv than as .txt."""
        declared = declared_kind(item.filename, item.content_type)
        return replace(self, parse=replace(self.parse, declared_type=declared))


class Input:
    """An item's bytes in a local file, or why there are none; a context manager that takes the file away."""

    def __init__(self, path: Path, *, sha256: str | None = None, error: DocumentError | None = None) -> None:
        self.path = path
        self.sha256 = sha256
        self.error = error
        """What is wrong with the bytes themselves."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)


class ItemWork:
    """Works on items, any number at once; `Extractor` sees to it how many are parsed at once."""

    def __init__(
        self,
        objects: ObjectStore,
        extractor: Extractor,
        *,
        folder: Path | None,
        keep_seconds: float = KEEP_SECONDS,
        reuse: bool = True,
    ) -> None:
        """Finished pages are kept every `keep_seconds` of a reading: what takes less than that writes none.

        With `reuse` a result that is in storage already is taken in place of reading the same again.
        """
        self._objects = objects
        self._stored = StoredResults(objects) if reuse else None
        self._renderings = StoredRenderings(objects)
        self._keep_seconds = keep_seconds
        self._extractor = extractor
        self._folder = Path(tempfile.gettempdir()) if folder is None else folder
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="octavo-write")

    def waits_for_child(self, options: ItemOptions) -> bool:
        """Whether an item may have to wait before its reading begins."""
        return self._extractor.waits_for_child(options.parse.engine)

    def fetch(self, item: ClaimedItem) -> Input:
        """Bring an item's bytes here; they may be fetched while another item is worked on.

        Raises StorageUnavailable.
        """
        path = self._folder / f"octavo-item-{secrets.token_hex(8)}"
        try:
            return Input(path, sha256=self._fetch(item, path).sha256)
        except (DocumentError, OSError) as error:
            path.unlink(missing_ok=True)
            self._refuse_full_disk(error)
            if not isinstance(error, DocumentError):
                raise
            return Input(path, error=error)

    def do(
        self,
        item: ClaimedItem,
        found: Input,
        options: ItemOptions,
        *,
        begin: Callable[[], None],
        on_counted: Callable[[int], None] | None = None,
        in_fresh_child: bool = False,
        course: Course | None = None,
    ) -> Outcome:
        """Return how the item ended; its result is in storage when it succeeded.

        `begin` is called once, when work on the document really begins. `on_counted` is told the number of pages
        before they are read, and again where it turns out to be another. What either raises ends the work. Both are
        called, too, where the result was there already and nothing is read.
        `in_fresh_child` has it read in a child of its own, that has read nothing before. With a `course` its pages are
        followed and kept: a reading that is broken off is gone on with by the next one, wherever that is.
        Raises OcrProviderError (worth another attempt), StorageUnavailable, ChildLost.
        """
        began, counted = _Once(begin), _Counted(on_counted, course)
        kept: KeptPages | None = None
        try:
            if found.sha256 is None:
                raise found.error or UploadMissing("The file's bytes are not there.")
            options = options.of_item(item)
            result_id = self._result_id(item, options, found.sha256)
            if course is not None:
                kept = KeptPages(self._objects, item.customer_id, result_id, may_be_some=course.is_again)
            stored = self._find(item, options, result_id)
            if stored is not None and stored.serves:
                began()
                counted(stored.page_count)
                if (reused := self._reused(item, options, found.sha256, result_id, stored)) is not None:
                    if kept is not None:
                        kept.drop()
                    return reused
            care = None if kept is None or course is None else course.care(kept, self._keep_seconds)
            extraction = self._extract(item, found.path, options, began, counted, care, in_fresh_child=in_fresh_child)
            counted(extraction.document.page_count)
        except (DocumentError, ChildLost, SandboxUnavailable, OSError) as error:
            self._refuse_full_disk(error)
            if isinstance(error, OcrProviderError) or not isinstance(error, DocumentError):
                raise
            began()
            # Pages that were kept stay: where the item is run again, only the others are read.
            return failure(error, sha256=found.sha256)
        if item.result_id is not None and course is not None:
            course.make_sure()
        outcome = self._keep(item, options, found.sha256, extraction, replaces=stored is not None)
        # Beside a result with failed pages the others stay: where the item is run again, only the failed ones are read.
        if kept is not None and (outcome.failed_pages == 0 or outcome.result_id != kept.result_id):
            kept.drop()
        return outcome

    def _find(self, item: ClaimedItem, options: ItemOptions, result_id: ResultId) -> StoredResult | None:
        """Return what is in storage of the item's result. Raises StorageUnavailable."""
        if self._stored is None or not self._extractor.is_repeatable(options.parse.engine):
            return None
        rendering_key = self._renderings.key(item.customer_id, result_id, options.rendering)
        return self._stored.find(item.customer_id, result_id, rendering_key)

    def _reused(
        self, item: ClaimedItem, options: ItemOptions, sha256: str, result_id: ResultId, stored: StoredResult
    ) -> Succeeded | None:
        """Return how the item ended with a result that is there; its rendering is made if it lacks it.

        None if a part of the result has gone since it was found. Raises StorageUnavailable.
        """
        began = time.monotonic()
        engine = " ".join(self._extractor.engine_version(options.parse.engine))
        if not stored.is_rendered:
            try:
                data = self._renderings.render(
                    item.customer_id, result_id, options.rendering, stored.document_json, engine=engine
                )
            except (ObjectMissing, InvalidDocument):
                return None
            self._renderings.write(item.customer_id, result_id, options.rendering, data)
        return Succeeded(
            page_count=stored.page_count,
            result_id=result_id,
            sha256=sha256,
            engine=engine,
            seconds=time.monotonic() - began,
            reused=True,
        )

    def _result_id(self, item: ClaimedItem, options: ItemOptions, sha256: str) -> ResultId:
        chosen = options.parse.chosen(*self._extractor.engine_version(options.parse.engine))
        return keys.result_id(item.customer_id, sha256, chosen)

    def is_storage_there(self) -> bool:
        """Whether storage takes bytes, and the disk for documents in progress has room."""
        try:
            # Storage that is full answers all questions and takes nothing.
            self._objects.write(keys.ROOM_PROBE, bytes(PROBE_BYTES), "application/octet-stream")
            self._objects.delete([keys.ROOM_PROBE])
        except StorageUnavailable:
            return False
        return not self._is_disk_full()

    def _refuse_full_disk(self, error: Exception) -> None:
        """Raise StorageUnavailable if the disk is full: then all fails, and nothing of it is the document's fault."""
        if self._is_disk_full():
            raise StorageUnavailable("The disk for documents in progress is full.") from error

    def _is_disk_full(self) -> bool:
        return shutil.disk_usage(self._folder).free < SCRATCH_ROOM_BYTES

    def _fetch(self, item: ClaimedItem, path: Path) -> Downloaded:
        try:
            found = self._objects.download(item.object_key, path, max_bytes=item.size_bytes)
        except ObjectMissing:
            raise UploadMissing("The file's bytes are no longer in storage; upload it again.") from None
        except ObjectTooLarge as error:
            raise ExtractionFailed(
                f"The stored file is larger than the {item.size_bytes} bytes that were declared; upload it again."
            ) from error
        if found.size != item.size_bytes:
            raise ExtractionFailed(
                f"The stored file has {found.size} bytes, {item.size_bytes} were declared; upload it again."
            )
        return found

    def _extract(
        self,
        item: ClaimedItem,
        path: Path,
        options: ItemOptions,
        begin: Callable[[], None],
        on_counted: Callable[[int], None],
        care: PageObserver | None,
        *,
        in_fresh_child: bool,
    ) -> Extraction:
        source = Source(path=path, filename=item.filename, content_type=item.content_type, size=item.size_bytes)
        return self._extractor.extract(
            source, options.parse, on_begin=begin, on_counted=on_counted, in_fresh_child=in_fresh_child, care=care
        )

    def _keep(
        self, item: ClaimedItem, options: ItemOptions, sha256: str, extraction: Extraction, *, replaces: bool
    ) -> Succeeded:
        chosen = options.parse.chosen(extraction.engine, extraction.engine_version)
        result_id = keys.result_id(item.customer_id, sha256, chosen)
        if item.result_id is not None and extraction.failed_pages >= item.failed_pages:
            # No better than what is there, which stays.
            return _succeeded(extraction, item.result_id, sha256)
        if item.result_id == result_id:
            extraction = extraction.with_images_from(self._next_image(item, result_id))
        # Images come first: what names them is whole as soon as it is there, and so is what was there before.
        self._write_images(item, result_id, extraction)
        # Two at a time: what the document waits for is storage, not this process.
        document = self._writers.submit(self._write_document, item, result_id, extraction)
        read = RenderInput(
            extraction.document,
            ImagesInMemory(extraction.images),
            f"{extraction.engine} {extraction.engine_version}",
            result_id,
        )
        self._renderings.write(item.customer_id, result_id, options.rendering, options.rendering.render(read))
        document.result()
        if replaces or item.result_id == result_id:
            self._renderings.renew_others(item.customer_id, result_id, options.rendering, read)
        return _succeeded(extraction, result_id, sha256)

    def _next_image(self, item: ClaimedItem, result_id: ResultId) -> int:
        """Return the first number above those of a result's images: another reading never changes them."""
        prefix = keys.result_images_prefix(item.customer_id, result_id)
        return 1 + max((int(info.key.removeprefix(prefix)) for info in self._objects.list(prefix)), default=-1)

    def _write_images(self, item: ClaimedItem, result_id: ResultId, extraction: Extraction) -> None:
        for figure in extraction.document.figures:
            key = keys.result_image_key(item.customer_id, result_id, figure.image_index)
            self._objects.write(key, extraction.images[figure.image_index], figure.mime)

    def _write_document(self, item: ClaimedItem, result_id: ResultId, extraction: Extraction) -> None:
        key = keys.result_key(item.customer_id, result_id, "document.json")
        self._objects.write(key, extraction.document.to_json().encode(), "application/json")


def _succeeded(extraction: Extraction, result_id: ResultId, sha256: str) -> Succeeded:
    return Succeeded(
        page_count=extraction.document.page_count,
        result_id=result_id,
        sha256=sha256,
        engine=f"{extraction.engine} {extraction.engine_version}",
        seconds=extraction.seconds,
        failed_pages=extraction.failed_pages,
    )


class _Once:
    """Calls what it was given the first time only."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._done = False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self._act()


class _Counted:
    """Passes on how many pages there are, each number once in a row."""

    def __init__(self, tell: Callable[[int], None] | None, course: Course | None) -> None:
        self._tell = tell
        self._course = course
        self._told: int | None = None

    def __call__(self, pages: int) -> None:
        if self._course is not None:
            self._course.pages_total = pages
        if self._tell is not None and pages != self._told:
            self._tell(pages)
            self._told = pages
