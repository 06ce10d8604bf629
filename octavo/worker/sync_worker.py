"""The sync lane of one worker: places of its own for documents that somebody waits for. Knows nothing of Prefect.

It works beside the slices, in children of its own, so that a call neither waits behind batches nor takes their places.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from octavo.client.call_protocol import CallEnd, ClaimedCall
from octavo.client.worker import WorkerClient
from octavo.engines.contract import Source
from octavo.engines.sandbox.failures import ChildLost, ReadingStopped, SandboxUnavailable
from octavo.errors import (
    DocumentError,
    FetchFailed,
    InternalError,
    OcrProviderError,
    OctavoError,
    StaleLease,
    UrlNotAllowed,
)
from octavo.extraction.extractor import Extraction, Extractor
from octavo.extraction.stop import Stop
from octavo.outbound import Outbound
from octavo.outcomes import over_quota
from octavo.parse_options import ParseOptions
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import ExtractPage, RenderInput

logger = logging.getLogger(__name__)
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 1.0
WATCH_AFTER_SECONDS = 1.0
"""Most calls are over by then; only what takes longer is worth asking about."""
OCR_PAUSES_SECONDS = (2.0, 8.0)
MOST_LOST = 2
"""How often the child may be killed from outside before the call fails; whoever waits can send it again."""


class SyncWorker:
    """Works on sync calls, `slots` at once; nothing of them is stored. Thread-safe."""

    def __init__(
        self, client: WorkerClient, extractor: Extractor, outbound: Outbound, *, slots: int, max_bytes: int
    ) -> None:
        self._client = client
        self._extractor = extractor
        self._outbound = outbound
        self._max_bytes = max_bytes
        self._leaving = threading.Event()
        self._threads = [
            # Daemons: a long poll cannot be called off, and the process must not wait for it at its end.
            threading.Thread(target=self._run, name=f"octavo-calls-{number}", daemon=True)
            for number in range(slots)
        ]

    def start(self) -> None:
        """Begin to take calls."""
        for thread in self._threads:
            thread.start()

    def drain(self) -> None:
        """Take no more; what is in work goes on as long as the process lives."""
        self._leaving.set()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                call = self._client.claim_call(WAIT_SECONDS)
                if call is not None:
                    self._client.end_call(self._watched(call))
            except (StaleLease, ReadingStopped):
                logger.info("nobody waits for this call any more")
            except OctavoError as error:
                logger.warning("the API gives no sync calls: %s", error.message)
                self._leaving.wait(PAUSE_SECONDS)
            except Exception:  # the edge of the thread: a defect must not end the lane
                logger.exception("a sync call met a defect")
                self._leaving.wait(PAUSE_SECONDS)

    def _watched(self, call: ClaimedCall) -> CallEnd:
        """Read a document while another thread listens whether somebody still waits for it."""
        stop, over = Stop(), threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(call, stop, over), name=f"octavo-watch-{call.call_id}", daemon=True
        )
        watcher.start()
        try:
            return self._end(call, stop)
        finally:
            over.set()

    def _watch(self, call: ClaimedCall, stop: Stop, over: threading.Event) -> None:
        pause = WATCH_AFTER_SECONDS
        while not over.wait(pause):
            began = time.monotonic()
            try:
                if not self._client.watch_call(call, WAIT_SECONDS):
                    stop.set()
                    return
            except OctavoError as error:
                logger.info("whether somebody waits for call %s is not known: %s", call.call_id, error.message)
            # An API that answers at once, as one does that is about to end, must not be asked without end.
            pause = max(0.0, began + PAUSE_SECONDS - time.monotonic())

    def _end(self, call: ClaimedCall, stop: Stop) -> CallEnd:
        try:
            with tempfile.TemporaryDirectory(prefix="octavo-call-") as folder:
                return self._read(call, Path(folder) / "document", stop)
        except (DocumentError, UrlNotAllowed, FetchFailed) as error:
            return CallEnd(call_id=call.call_id, attempt=call.attempt, code=error.code, message=error.message)
        except (StaleLease, ReadingStopped, SandboxUnavailable):
            raise
        except Exception:  # the edge of the work: whoever waits must hear something
            logger.exception("call %s met a defect", call.call_id)
            message = "Something went wrong on our side; send the document again."
            return CallEnd(call_id=call.call_id, attempt=call.attempt, code=InternalError.code, message=message)

    def _read(self, call: ClaimedCall, path: Path, stop: Stop) -> CallEnd:
        source = self._source(call, path)
        extraction = self._patiently(lambda: self._extract(call, source, stop))
        read = RenderInput(
            extraction.document,
            ImagesInMemory(extraction.images),
            f"{extraction.engine} {extraction.engine_version}",
        )
        shown = ExtractPage(extract_text=call.extract_text, extract_images=call.extract_images)
        return CallEnd(
            call_id=call.call_id,
            attempt=call.attempt,
            pages=extraction.document.page_count,
            result=shown.render(read).decode(),
        )

    def _source(self, call: ClaimedCall, path: Path) -> Source:
        if call.url is None:
            self._client.fetch_call(call, path)
            return Source(path, filename=call.filename, content_type=call.content_type)
        found = self._outbound.fetch(call.url, path, max_bytes=self._max_bytes)
        return Source(path, filename=found.filename, content_type=found.content_type, size=found.size_bytes)

    def _extract(self, call: ClaimedCall, source: Source, stop: Stop) -> Extraction:
        def reserve(pages: int) -> None:
            if call.reserves_pages and not self._client.reserve_call(call, pages):
                raise over_quota()

        return self._extractor.extract(
            source, ParseOptions(engine=call.engine), on_counted=reserve, is_apart=True, stop=stop
        )

    def _patiently(self, work: Callable[[], Extraction]) -> Extraction:
        """Work up to three times while recognition is in trouble, and again where somebody killed the child."""
        pauses, lost = list(OCR_PAUSES_SECONDS), 0
        while True:
            try:
                return work()
            except OcrProviderError:
                if not pauses or self._leaving.wait(pauses.pop(0)):
                    raise
            except ChildLost as error:
                lost += 1
                if lost > MOST_LOST:
                    raise InternalError(
                        "The reading was broken off again and again; send the document again."
                    ) from error
