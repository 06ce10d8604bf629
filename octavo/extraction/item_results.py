"""The result of an item in storage: found and used again, or written."""

import time
from concurrent.futures import ThreadPoolExecutor

from octavo.batches import ClaimedItem
from octavo.documents import InvalidDocument
from octavo.extraction.extraction import Extraction
from octavo.extraction.item_options import ItemOptions
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore
from octavo.outcomes import Succeeded
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import RenderInput
from octavo.results.renderings import StoredRenderings
from octavo.results.stored_results import StoredResult, StoredResults

WRITERS = 16


class ItemResults:
    """Results of items in one storage. Thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._stored = StoredResults(objects)
        self._renderings = StoredRenderings(objects)
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="octavo-write")

    def find(self, item: ClaimedItem, options: ItemOptions, result_id: ResultId) -> StoredResult | None:
        """Return what is in storage of the item's result. Raises StorageUnavailable."""
        rendering_key = self._renderings.key(item.customer_id, result_id, options.rendering)
        return self._stored.find(item.customer_id, result_id, rendering_key)

    def reuse(
        self,
        item: ClaimedItem,
        options: ItemOptions,
        result_id: ResultId,
        stored: StoredResult,
        *,
        sha256: str,
        engine: str,
    ) -> Succeeded | None:
        """Return how the item ended with a result that is there; its rendering is made if it lacks it.

        None if a part of the result has gone since it was found. Raises StorageUnavailable.
        """
        began = time.monotonic()
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

    def write(
        self, item: ClaimedItem, options: ItemOptions, sha256: str, extraction: Extraction, *, replaces: bool
    ) -> Succeeded:
        """Store what was read, unless a better result is there; `replaces` says that there was some result before.

        Raises StorageUnavailable.
        """
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
