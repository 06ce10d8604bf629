"""Renderings of stored results: where each lies, and how one that is not there is made of the stored document.

The worker writes the rendering that an item's batch asked for together with the document. Any other is made when it is
asked for. A rendering that answers with a link is stored, so that there is something to link to; one that is answered
itself (Markdown, HTML) is made each time, because a second copy would have to be kept in step with the document.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from octavo.documents import Document
from octavo.errors import StorageUnavailable
from octavo.identifiers import CustomerId, ResultId
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore
from octavo.render.registry import NAMES, Rendering, RenderInput, rendering

MAX_DOCUMENT_BYTES = 256 * 1024**2
"""Of a document that something is made of on demand; no reading makes a larger one by default."""
LARGE_DOCUMENT_BYTES = 1024**2
"""Documents from here on are taken one at a time: their objects take ten times the bytes of the JSON (measured)."""
WAIT_SECONDS = 10.0
LOOK_SECONDS = 10.0
_MOST_TRIES = 3
_large = threading.Lock()


class StoredImages:
    """The images of a stored result; their sizes are listed once, their bytes read when they are needed."""

    def __init__(self, objects: ObjectStore, customer_id: CustomerId, result_id: ResultId) -> None:
        self._objects = objects
        self._prefix = keys.result_images_prefix(customer_id, result_id)
        self._sizes: dict[str, int] | None = None

    def size(self, index: int) -> int:
        if self._sizes is None:
            self._sizes = {info.key: info.size for info in self._objects.list(self._prefix)}
        return self._sizes[f"{self._prefix}{index}"]

    def read(self, index: int) -> bytes:
        try:
            return self._objects.read(f"{self._prefix}{index}", max_bytes=self.size(index))
        except ObjectMissing:
            raise KeyError(index) from None


class StoredRenderings:
    """The renderings of the results in one storage. Thread-safe; every call blocks."""

    def __init__(self, objects: ObjectStore, *, max_document_bytes: int = MAX_DOCUMENT_BYTES) -> None:
        self._objects = objects
        self._max_document_bytes = max_document_bytes

    def key(self, customer_id: CustomerId, result_id: ResultId, shown: Rendering) -> str:
        """Return the key of a rendering, whether it is there or not."""
        return keys.rendering_key(customer_id, result_id, shown.name, shown.options())

    def write(self, customer_id: CustomerId, result_id: ResultId, shown: Rendering, data: bytes) -> None:
        """Store a rendering. Raises StorageUnavailable."""
        self._objects.write(self.key(customer_id, result_id, shown), data, shown.media_type)

    def provide(self, customer_id: CustomerId, result_id: ResultId, shown: Rendering, *, engine: str) -> str:
        """Return the key of a rendering that is there; it is made and stored if it was not.

        Raises ObjectMissing without the document, ObjectTooLarge, StorageUnavailable.
        """
        key = self.key(customer_id, result_id, shown)
        if not self._objects.sizes([key], time_limit_seconds=LOOK_SECONDS):
            self._make_and_store(customer_id, result_id, shown, engine)
        return key

    def make(self, customer_id: CustomerId, result_id: ResultId, shown: Rendering, *, engine: str) -> bytes:
        """Return a rendering made of the stored document. Raises as `provide` does."""
        data = self._document_json(customer_id, result_id)
        return self.render(customer_id, result_id, shown, data, engine=engine)

    def render(
        self, customer_id: CustomerId, result_id: ResultId, shown: Rendering, document_json: bytes, *, engine: str
    ) -> bytes:
        """Return a rendering made of a document that was just read from storage, as JSON.

        Raises ObjectMissing where an image is gone, StorageUnavailable.
        """
        images = StoredImages(self._objects, customer_id, result_id)
        with _turn(document_json):
            document = Document.from_json(document_json)
            try:
                return shown.render(RenderInput(document, images, engine, result_id))
            except KeyError as error:
                raise ObjectMissing(f"image {error} of {result_id} is not there") from error

    def renew_others(self, customer_id: CustomerId, result_id: ResultId, written: Rendering, read: RenderInput) -> None:
        """Bring the other renderings of a result in step with its document, which another reading has replaced.

        Those with default options are looked for by nobody before they are linked to: they are written again. All
        others are deleted, and made again when they are asked for. Raises StorageUnavailable.
        """
        found = keys.rendering_keys(info.key for info in self._objects.list(keys.result_prefix(customer_id, result_id)))
        others = set(found) - {self.key(customer_id, result_id, written)}
        for usual in (rendering(name, {}) for name in NAMES):
            if (key := self.key(customer_id, result_id, usual)) in others:
                self.write(customer_id, result_id, usual, usual.render(read))
                others.discard(key)
        self._objects.delete(sorted(others))

    def _make_and_store(self, customer_id: CustomerId, result_id: ResultId, shown: Rendering, engine: str) -> None:
        document_key = keys.result_key(customer_id, result_id, "document.json")
        for _ in range(_MOST_TRIES):
            data = self._document_json(customer_id, result_id)
            rendered = self.render(customer_id, result_id, shown, data, engine=engine)
            self.write(customer_id, result_id, shown, rendered)
            # Meanwhile the result may have been deleted, or replaced by a reading with fewer failed pages.
            if self._objects.sizes([document_key], time_limit_seconds=LOOK_SECONDS) == {document_key: len(data)}:
                return
            self._objects.delete([self.key(customer_id, result_id, shown)])
        raise StorageUnavailable("The result is being rewritten; try again.")

    def _document_json(self, customer_id: CustomerId, result_id: ResultId) -> bytes:
        key = keys.result_key(customer_id, result_id, "document.json")
        return self._objects.read(key, max_bytes=self._max_document_bytes)


@contextmanager
def _turn(document_json: bytes) -> Iterator[None]:
    """Wait until no other large document of this process is being rendered. Raises StorageUnavailable."""
    if len(document_json) < LARGE_DOCUMENT_BYTES:
        yield
        return
    if not _large.acquire(timeout=WAIT_SECONDS):
        raise StorageUnavailable("Other large results are being rendered; ask again in a moment.")
    try:
        yield
    finally:
        _large.release()
