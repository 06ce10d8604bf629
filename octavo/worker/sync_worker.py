"""Reads documents that a customer waits for, beside the slices. Knows nothing of Prefect.

It has threads and sandbox children of its own, so that such a document neither waits behind batches nor takes their
places.
"""

import logging
import tempfile
import threading
import time
from pathlib import Path

from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_chain,
    wait_fixed,
)

from octavo.client.sync_protocol import SyncFailure, SyncResult, SyncTask
from octavo.client.worker import WorkerClient
from octavo.disk_room import NO_ROOM, is_disk_full, scratch_folder
from octavo.engines.contract import Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.sandbox.failures import ChildLost, ReadingStopped, SandboxUnavailable
from octavo.errors import (
    DocumentError,
    FetchFailed,
    InternalError,
    OcrProviderError,
    OctavoError,
    StaleLease,
    StorageUnavailable,
    UrlNotAllowed,
)
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.extraction.stop import Stop
from octavo.outbound import Outbound
from octavo.outcomes import over_quota
from octavo.parse_options import ParseOptions
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import ExtractPage, RenderInput
from octavo.worker.work_loop import WorkLoop

logger = logging.getLogger(__name__)
WAIT_SECONDS = 20.0
WATCH_AFTER_SECONDS = 1.0
"""Most documents are done by then; only what takes longer is worth asking about."""
WATCH_PAUSE_SECONDS = 1.0
OCR_PAUSES_SECONDS = (2.0, 8.0)
MAX_LOST_CHILDREN = 2
"""How often the child may be killed from outside before the extraction fails; the customer can send it again."""


class SyncWorker:
    """Works on sync extractions, `slots` at once; nothing of them is stored. Thread-safe."""

    def __init__(
        self, client: WorkerClient, extractor: Extractor, outbound: Outbound, *, slots: int, max_bytes: int
    ) -> None:
        self._client = client
        self._extractor = extractor
        self._outbound = outbound
        self._slots = slots
        self._max_bytes = max_bytes
        self._loop = WorkLoop("sync", lambda: client.claim_sync(WAIT_SECONDS), self._do)

    def start(self) -> None:
        """Begin to take documents."""
        self._loop.start(self._slots)

    def drain(self) -> None:
        """Take no more; what is in progress continues as long as the process lives."""
        self._loop.drain()

    def _do(self, task: SyncTask) -> None:
        try:
            self._client.end_sync(task, self._watched(task))
        except (StaleLease, ReadingStopped):
            logger.info("nobody waits for sync extraction %s any more", task.call_id)

    def _watched(self, task: SyncTask) -> SyncResult | SyncFailure:
        """Read a document while another thread listens whether somebody still waits for it."""
        stop, over = Stop(), threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(task, stop, over), name=f"octavo-watch-{task.call_id}", daemon=True
        )
        watcher.start()
        try:
            return self._end(task, stop)
        finally:
            over.set()

    def _watch(self, task: SyncTask, stop: Stop, over: threading.Event) -> None:
        pause = WATCH_AFTER_SECONDS
        while not over.wait(pause):
            began = time.monotonic()
            try:
                if not self._client.watch_sync(task, WAIT_SECONDS):
                    stop.set()
                    return
            except OctavoError as error:
                logger.info(
                    "whether somebody waits for sync extraction %s is not known: %s", task.call_id, error.message
                )
            # An API that answers at once, as one does that is about to end, must not be asked without end.
            pause = max(0.0, began + WATCH_PAUSE_SECONDS - time.monotonic())

    def _end(self, task: SyncTask, stop: Stop) -> SyncResult | SyncFailure:
        try:
            with tempfile.TemporaryDirectory(prefix="octavo-sync-") as folder:
                return self._read(task, Path(folder) / "document", stop)
        except (StaleLease, ReadingStopped, SandboxUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the work: whoever waits must hear something
            code, message = self._failure(task, error)
            return SyncFailure(call_id=task.call_id, attempt=task.attempt, code=code, message=message)

    def _failure(self, task: SyncTask, error: Exception) -> tuple[str, str]:
        """Return the code and the message of what went wrong."""
        if isinstance(error, UrlNotAllowed | FetchFailed):
            return error.code, error.message
        # With a full disk everything fails, and the document is not to blame.
        if is_disk_full(scratch_folder()):
            logger.warning("sync extraction %s failed for want of room on the disk: %s", task.call_id, error)
            return StorageUnavailable.code, NO_ROOM
        if isinstance(error, DocumentError):
            return error.code, error.message
        logger.error("sync extraction %s failed because of a bug", task.call_id, exc_info=error)
        return InternalError.code, "Something went wrong on our side; send the document again."

    def _read(self, task: SyncTask, path: Path, stop: Stop) -> SyncResult:
        source = self._source(task, path)
        extraction = self._extract_patiently(task, source, stop)
        read = RenderInput(
            extraction.document,
            ImagesInMemory(extraction.images),
            f"{extraction.engine} {extraction.engine_version}",
        )
        shown = ExtractPage(extract_text=task.extract_text, extract_images=task.extract_images)
        return SyncResult(pages=extraction.document.page_count, content=shown.render(read))

    def _source(self, task: SyncTask, path: Path) -> Source:
        if task.url is None:
            self._client.fetch_sync_document(task, path)
            return Source(path, filename=task.filename, content_type=task.content_type)
        found = self._outbound.fetch(task.url, path, max_bytes=self._max_bytes)
        return Source(path, filename=found.filename, content_type=found.content_type, size=found.size_bytes)

    def _extract(self, task: SyncTask, source: Source, stop: Stop) -> Extraction:
        observer = _PageReservation(self._client, task)
        options = ParseOptions(engine=task.engine)
        return self._extractor.extract(source, options, observer, customer=task.customer_id, is_apart=True, stop=stop)

    def _extract_patiently(self, task: SyncTask, source: Source, stop: Stop) -> Extraction:
        """Try up to three times while the OCR provider is in trouble, and again when the child was killed."""
        draining = self._loop.draining
        after_ocr_trouble = Retrying(
            retry=retry_if_exception_type(OcrProviderError),
            stop=stop_after_attempt(1 + len(OCR_PAUSES_SECONDS)) | stop_when_event_set(draining),
            wait=wait_chain(*map(wait_fixed, OCR_PAUSES_SECONDS)),
            sleep=sleep_using_event(draining),
            reraise=True,
        )
        after_lost_child = Retrying(
            retry=retry_if_exception_type(ChildLost), stop=stop_after_attempt(1 + MAX_LOST_CHILDREN), reraise=True
        )
        try:
            return after_ocr_trouble(lambda: after_lost_child(self._extract, task, source, stop))
        except ChildLost as error:
            raise InternalError("The extraction was interrupted repeatedly; send the document again.") from error


class _PageReservation(ReadingObserver):
    """Sets a document's pages aside before they are read, where its customer has a quota."""

    def __init__(self, client: WorkerClient, task: SyncTask) -> None:
        self._client = client
        self._task = task

    def counted(self, pages: int) -> None:
        """Raise what an exceeded quota comes to."""
        if self._task.reserves_pages and not self._client.reserve_sync_pages(self._task, pages):
            raise over_quota()
