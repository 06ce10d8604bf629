"""Draws pages for viewers on one worker: places of its own, in children beside the slices. Knows nothing of Prefect."""

import logging
import tempfile
import threading
from pathlib import Path

from octavo.client.drawing_protocol import AskedPage, DrawingEnd
from octavo.client.worker import WorkerClient
from octavo.documents import pages_of
from octavo.engines.contract import PageDrawing, Source
from octavo.engines.sandbox.failures import ChildLost
from octavo.errors import (
    DocumentError,
    InternalError,
    NoPageImages,
    OctavoError,
    PageNotDrawn,
    RequestError,
    ResultExpired,
    UnknownFiles,
    UnsupportedInput,
)
from octavo.extraction.extractor import Extractor
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore, ObjectTooLarge

logger = logging.getLogger(__name__)
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 1.0
MOST_LOST = 2
"""How often the child may be killed from outside before the drawing fails; whoever waits can ask again."""
MAX_DOCUMENT_BYTES = 256 * 1024**2


class PageRenderWorker:
    """Draws the pages that somebody waits for, `slots` at once, and writes their images. Thread-safe.

    Nobody is asked whether they still wait: a drawing takes seconds, and the next who looks finds it.
    """

    def __init__(self, client: WorkerClient, extractor: Extractor, objects: ObjectStore, *, slots: int) -> None:
        self._client = client
        self._extractor = extractor
        self._objects = objects
        self._leaving = threading.Event()
        self._threads = [
            # Daemons: a long poll cannot be called off, and the process must not wait for it at its end.
            threading.Thread(target=self._run, name=f"octavo-drawings-{number}", daemon=True)
            for number in range(slots)
        ]

    def start(self) -> None:
        """Begin to take pages."""
        for thread in self._threads:
            thread.start()

    def drain(self) -> None:
        """Take no more; what is in work goes on as long as the process lives."""
        self._leaving.set()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                page = self._client.claim_drawing(WAIT_SECONDS)
                if page is not None:
                    self._client.end_drawing(self._end(page))
            except OctavoError as error:
                logger.warning("the API gives no pages to draw: %s", error.message)
                self._leaving.wait(PAUSE_SECONDS)
            except Exception:  # the edge of the thread: a defect must not end the lane
                logger.exception("a drawing met a defect")
                self._leaving.wait(PAUSE_SECONDS)

    def _end(self, page: AskedPage) -> DrawingEnd:
        try:
            self._objects.write(page.key, self._drawn(page), "image/png")
        except UnsupportedInput as error:
            return _failed(page, NoPageImages(error.message))
        except DocumentError as error:
            return _failed(page, PageNotDrawn(error.message))
        except RequestError as error:
            return _failed(page, error)
        except Exception:  # the edge of the work: whoever waits must hear something
            logger.exception("the drawing of %s met a defect", page.key)
            return _failed(page, InternalError("Something went wrong on our side; ask again."))
        return DrawingEnd(key=page.key)

    def _drawn(self, page: AskedPage) -> bytes:
        drawing = self._drawing(page)
        with tempfile.TemporaryDirectory(prefix="octavo-drawing-") as folder:
            source = self._source(page, Path(folder) / "document")
            lost = 0
            while True:
                try:
                    return self._extractor.draw(source, drawing, seconds=page.seconds)
                except ChildLost:
                    lost += 1
                    if lost > MOST_LOST:
                        raise

    def _drawing(self, page: AskedPage) -> PageDrawing:
        """Return how the page is to be drawn, by what its result says of it.

        Raises ResultExpired, PageNotDrawn, NoPageImages.
        """
        key = keys.result_key(page.customer_id, page.result_id, "document.json")
        try:
            found = pages_of(self._objects.read(key, max_bytes=MAX_DOCUMENT_BYTES))
        except ObjectMissing:
            raise ResultExpired("The result is gone from storage; submit the file again.") from None
        known = next((one for one in found if one.page_no == page.page_no), None)
        if known is None or (known.status == "failed" and known.width * known.height == 0):
            raise PageNotDrawn("This page could not be read, so that nobody knows its size.")
        if known.width * known.height == 0:
            raise NoPageImages("Pages of this format have no size and no images, only those of PDF and image files.")
        height = max(1, round(page.width * known.height / known.width))
        return PageDrawing(page.page_no, page.width, height, known.rotation)

    def _source(self, page: AskedPage, path: Path) -> Source:
        try:
            self._objects.download(page.object_key, path, max_bytes=page.size_bytes)
        except (ObjectMissing, ObjectTooLarge):
            raise UnknownFiles("The file is not in storage any more, so that no page can be drawn.") from None
        return Source(path, filename=page.filename, content_type=page.content_type, size=page.size_bytes)


def _failed(page: AskedPage, error: OctavoError) -> DrawingEnd:
    return DrawingEnd(key=page.key, code=error.code, message=error.message)
