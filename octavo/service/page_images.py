"""Page images: a page of an item's document as a picture, rendered by a worker when somebody looks at it."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio.to_thread

from octavo.batches import FileStatus
from octavo.client.page_render_protocol import PageRenderTask
from octavo.errors import ItemNotFound, UnknownFiles
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.objects import keys
from octavo.service.results import LOOK_SECONDS, ReadyItem, Results, StoredObject

WIDTHS = (200, 400, 800, 1200, 1600, 2400)
"""Widths in pixels; only a few, so that storage does not fill with variants."""


class PageRenderer(Protocol):
    """Has pages rendered while somebody waits."""

    async def render(self, task: PageRenderTask, file_id: FileId) -> str:
        """Return the key of a page's image once it is in storage.

        Raises RateLimited, DrawingTimeout, and what the render failed with.
        """
        ...


@dataclass(frozen=True, slots=True)
class PageImages:
    """Finds page images, and has those rendered that are not there."""

    results: Results
    renderer: PageRenderer
    render_seconds: float
    """How long rendering a page may take."""

    async def find(
        self, customer_id: CustomerId, batch_id: BatchId, item_id: ItemId, number: int, width: int
    ) -> StoredObject:
        """Return the image of a page, counted from 1, as wide as asked for or the next step wider.

        Raises as `Results.get` does, ItemNotFound for a page that the document does not have, UnknownFiles where the
        file is gone, and what the renderer raises.
        """
        ready = await anyio.to_thread.run_sync(self.results.get, customer_id, batch_id, item_id)
        step = next(step for step in WIDTHS if step >= width)
        key = _key(ready, number, step)
        if not await anyio.to_thread.run_sync(self._is_there, key):
            task = await anyio.to_thread.run_sync(partial(self._task, ready, key, number, step))
            await self.renderer.render(task, ready.item.file_id)
        return StoredObject(key, "image/png", ready.seconds_left)

    def _is_there(self, key: str) -> bool:
        return bool(self.results.objects.sizes([key], time_limit_seconds=LOOK_SECONDS))

    def _task(self, ready: ReadyItem, key: str, number: int, step: int) -> PageRenderTask:
        file_id = ready.item.file_id
        file = self.results.files.find(ready.batch.customer_id, [file_id]).get(file_id)
        if file is None or file.status is not FileStatus.READY:
            raise UnknownFiles(
                "The file was deleted or has expired, so no further pages of it can be rendered.", file_ids=[file_id]
            )
        return PageRenderTask(
            key=key,
            customer_id=ready.batch.customer_id,
            result_id=ready.result_id,
            page_no=number,
            width=step,
            seconds=self.render_seconds,
            object_key=file.object_key,
            size_bytes=file.size_bytes,
            filename=file.filename,
            content_type=file.content_type,
        )


def _key(ready: ReadyItem, number: int, step: int) -> str:
    if not 1 <= number <= (ready.item.page_count or 0):
        raise ItemNotFound(f"The document has no page {number}; its pages are 1 to {ready.item.page_count}.")
    return keys.drawn_page_key(ready.batch.customer_id, ready.result_id, number, step)
