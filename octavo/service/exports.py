"""Exports: all items of a batch that have ended, in order, each with its result, read a few ahead of who takes them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import anyio.to_thread

from octavo.batches import Batch, Customer, Item, ItemStatus
from octavo.errors import ResultExpired
from octavo.identifiers import BatchId, FileId
from octavo.ledger.contract import BatchLedger, FileLedger
from octavo.objects.contract import ObjectMissing
from octavo.render.registry import Rendering
from octavo.service.results import ReadyItem, Results, seconds_left

READERS = 8
"""Results read from storage at once, over all exports of this process."""
READ_AHEAD = 4
"""Results of one export that are read, or wait for the client to take them."""
PAGE_ITEMS = 200
MAX_RESULT_BYTES = 1024**3
# A pool of its own: exports read much, and must not take the threads of other requests.
readers = ThreadPoolExecutor(READERS, thread_name_prefix="octavo-export")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EndedItem:
    """An item that has ended, and its result; None where there is none, or none any more."""

    item: Item
    filename: str | None
    result: bytes | None


@dataclass(frozen=True, slots=True)
class Exports:
    """Reads all results of a batch."""

    batches: BatchLedger
    files: FileLedger
    results: Results

    async def open(self, customer: Customer, batch_id: BatchId) -> Batch:
        """Return the batch to export. Raises BatchNotFound, StorageUnavailable."""
        batch = await anyio.to_thread.run_sync(self.batches.get, customer.customer_id, batch_id)
        # Later, a failure could only break the stream off.
        await anyio.to_thread.run_sync(self.results.objects.check)
        return batch

    async def ended_items(self, batch: Batch, shown: Rendering) -> AsyncIterator[EndedItem]:
        """Yield the items that have ended, by position; their results are read a few ahead, no more."""
        ahead: deque[asyncio.Future[EndedItem]] = deque()
        try:
            async with aclosing(self._terminal_items(batch)) as items:
                async for item, filename in items:
                    ahead.append(in_reader(self._reading(batch, item, filename, shown)))
                    if len(ahead) >= READ_AHEAD:
                        yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for future in ahead:
                future.cancel()

    async def _terminal_items(self, batch: Batch) -> AsyncGenerator[tuple[Item, str | None]]:
        first = 0
        while True:
            page, names = await anyio.to_thread.run_sync(self._page, batch, first)
            for item in page:
                if item.status.is_terminal:
                    yield item, names.get(item.file_id)
            if len(page) < PAGE_ITEMS:
                return
            first = page[-1].position + 1

    def _page(self, batch: Batch, first: int) -> tuple[list[Item], dict[FileId, str | None]]:
        """Return items by position, and the names of the files of those that have ended."""
        page = self.batches.items_in_order(batch.batch_id, first=first, limit=PAGE_ITEMS)
        file_ids = list({item.file_id for item in page if item.status.is_terminal})
        found = self.files.find(batch.customer_id, file_ids) if file_ids else {}
        return page, {file_id: file.filename for file_id, file in found.items()}

    def _reading(self, batch: Batch, item: Item, filename: str | None, shown: Rendering) -> Callable[[], EndedItem]:
        def read() -> EndedItem:
            return EndedItem(item, filename, self._result(batch, item, shown))

        return read

    def _result(self, batch: Batch, item: Item, shown: Rendering) -> bytes | None:
        left = seconds_left(batch, item)
        if item.status is not ItemStatus.SUCCEEDED or item.result_id is None or left <= 0:
            return None
        try:
            key = self.results.key(ReadyItem(batch, item, item.result_id, left), shown)
            return self.results.objects.read(key, max_bytes=MAX_RESULT_BYTES)
        except (ObjectMissing, ResultExpired):
            return None


def in_reader(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Run work of an export in a thread of the exports' own."""
    return asyncio.get_running_loop().run_in_executor(readers, work)
