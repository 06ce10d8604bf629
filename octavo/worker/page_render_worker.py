"""Renders pages as images for viewers, in threads and children beside the slices. Knows nothing of Prefect."""

import logging
import tempfile
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from octavo.client.page_render_protocol import PageRenderResult, PageRenderTask
from octavo.client.worker import WorkerClient
from octavo.disk_room import NO_ROOM, is_disk_full, scratch_folder
from octavo.documents import pages_of
from octavo.engines.contract import PageToRender, Source
from octavo.engines.sandbox.failures import ChildLost
from octavo.errors import (
    DocumentError,
    InternalError,
    NoPageImages,
    OctavoError,
    PageNotDrawn,
    RequestError,
    ResultExpired,
    StorageUnavailable,
    UnknownFiles,
    UnsupportedInput,
)
from octavo.extraction.extractor import Extractor
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore, ObjectTooLarge
from octavo.results.renderings import MAX_DOCUMENT_BYTES
from octavo.worker.work_loop import WorkLoop

logger = logging.getLogger(__name__)
WAIT_SECONDS = 20.0
MAX_LOST_CHILDREN = 2
"""How often the child may be killed from outside before rendering fails; the viewer can ask again."""


class PageRenderWorker:
    """Renders the pages that somebody waits for, `slots` at once, and writes their images. Thread-safe.

    It does not ask whether anybody still waits: rendering takes seconds, and the next viewer finds the image.
    """

    def __init__(self, client: WorkerClient, extractor: Extractor, objects: ObjectStore, *, slots: int) -> None:
        self._client = client
        self._extractor = extractor
        self._objects = objects
        self._slots = slots
        self._loop = WorkLoop("page-renders", lambda: client.claim_page_render(WAIT_SECONDS), self._do)

    def start(self) -> None:
        """Begin to take pages."""
        self._loop.start(self._slots)

    def drain(self) -> None:
        """Take no more; what is in progress continues as long as the process lives."""
        self._loop.drain()

    def _do(self, task: PageRenderTask) -> None:
        self._client.end_page_render(self._result(task))

    def _result(self, task: PageRenderTask) -> PageRenderResult:
        try:
            self._objects.write(task.key, self._image(task), "image/png")
        except UnsupportedInput as error:
            return _failed(task, NoPageImages(error.message))
        except DocumentError as error:
            return _failed(task, PageNotDrawn(error.message))
        except RequestError as error:
            return _failed(task, error)
        except Exception as error:  # the edge of the work: whoever waits must hear something
            if isinstance(error, OSError) and is_disk_full(scratch_folder()):
                logger.warning("rendering %s failed for want of room on the disk: %s", task.key, error)
                return _failed(task, StorageUnavailable(NO_ROOM))
            logger.exception("rendering %s failed because of a bug", task.key)
            return _failed(task, InternalError("Something went wrong on our side; ask again."))
        return PageRenderResult(key=task.key)

    def _image(self, task: PageRenderTask) -> bytes:
        page = self._page_to_render(task)
        with tempfile.TemporaryDirectory(prefix="octavo-page-") as folder:
            source = self._source(task, Path(folder) / "document")
            after_lost_child = Retrying(
                retry=retry_if_exception_type(ChildLost), stop=stop_after_attempt(1 + MAX_LOST_CHILDREN), reraise=True
            )
            return after_lost_child(
                self._extractor.render_page, source, page, seconds=task.seconds, customer=task.customer_id
            )

    def _page_to_render(self, task: PageRenderTask) -> PageToRender:
        """Return how the page is to be drawn, by what its result says of it.

        Raises ResultExpired, PageNotDrawn, NoPageImages.
        """
        key = keys.result_key(task.customer_id, task.result_id, "document.json")
        try:
            found = pages_of(self._objects.read(key, max_bytes=MAX_DOCUMENT_BYTES))
        except ObjectMissing:
            raise ResultExpired("The result is gone from storage; submit the file again.") from None
        known = next((one for one in found if one.page_no == task.page_no), None)
        if known is None or (known.status == "failed" and known.width * known.height == 0):
            raise PageNotDrawn("This page could not be read, so its size is unknown.")
        if known.width * known.height == 0:
            raise NoPageImages("Pages of this format have no size and no images, only those of PDF and image files.")
        height = max(1, round(task.width * known.height / known.width))
        return PageToRender(task.page_no, task.width, height, known.rotation)

    def _source(self, task: PageRenderTask, path: Path) -> Source:
        try:
            self._objects.download(task.object_key, path, max_bytes=task.size_bytes)
        except (ObjectMissing, ObjectTooLarge):
            raise UnknownFiles("The file is no longer in storage, so its pages cannot be rendered.") from None
        return Source(path, filename=task.filename, content_type=task.content_type, size=task.size_bytes)


def _failed(task: PageRenderTask, error: OctavoError) -> PageRenderResult:
    return PageRenderResult(key=task.key, code=error.code, message=error.message)
