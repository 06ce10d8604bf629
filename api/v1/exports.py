"""`/v1/batches/{id}/results`: all results of a batch in one stream, as JSON lines or zip, at any time."""

import asyncio
import re
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import IO, Annotated, Literal, TypeVar
from zipfile import ZIP_DEFLATED

import pydantic_core
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from zipstream import ZipStream

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.problems import problems
from api.threads import in_thread
from api.v1.batch_bodies import item_bodies
from api.v1.results import result_key, seconds_left
from octavo.batches import Batch, Customer, Item, ItemStatus
from octavo.errors import BatchNotFound, CustomerDisabled, InvalidApiKey, ResultExpired, StorageUnavailable
from octavo.identifiers import BatchId, FileId
from octavo.objects.contract import ObjectMissing

router = APIRouter(prefix="/v1/batches", tags=["v1", "async-batch"])
READERS = 8
"""Results read from storage at once, over all exports of this process."""
READ_AHEAD = 4
"""Results of one export that are read, or wait for the client to take them."""
PAGE_ITEMS = 200
MAX_RESULT_BYTES = 1024**3
SPOOL_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
MOST_NAME_CHARACTERS = 100
_ODD = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
# A pool of its own: exports read much, and must not take the threads of other requests.
readers = ThreadPoolExecutor(READERS, thread_name_prefix="octavo-export")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """An item that has ended, and its result as JSON; None where there is none, or none any more."""

    item: Item
    filename: str | None
    result: bytes | None


@router.get(
    "/{batch_id}/results",
    operation_id="export_batch_results_v1",
    summary="Export Batch Results Endpoint",
    response_class=Response,
    responses={
        200: {
            "description": '`jsonl`: a line per item that has ended, by position, `{"item": BatchItemResource, '
            '"result": {...} or null}`. `zip`: a file per result, and `items.jsonl` with all items that have ended.',
            "content": {"application/x-ndjson": {}, "application/zip": {}},
        },
        **problems(InvalidApiKey, CustomerDisabled, BatchNotFound, StorageUnavailable),
    },
)
async def export_results(
    batch_id: str,
    customer: CustomerDep,
    service: ServiceDep,
    format: Annotated[Literal["jsonl", "zip"], Query()] = "jsonl",
) -> StreamingResponse:
    """Stream the results of a batch; an unfinished one gives those it has so far. Expired results are null."""
    batch = await in_thread(lambda: service.ledger.batches.get(customer.customer_id, BatchId(batch_id)))
    # Afterwards a failure could only break the stream off.
    await in_thread(service.objects.check)
    ended = _ended(service, customer, batch)
    body, media_type = {
        "jsonl": (_as_lines, "application/x-ndjson"),
        "zip": (_as_zip, "application/zip"),
    }[format]
    headers = {"Content-Disposition": f'attachment; filename="{batch.batch_id}.{format}"', "Cache-Control": "no-store"}
    return StreamingResponse(body(service, customer, ended), media_type=media_type, headers=headers)


async def _ended(service: Service, customer: Customer, batch: Batch) -> AsyncIterator[Ended]:
    """Yield the items that have ended, by position; their results are read a few ahead, no more."""
    ahead: deque[asyncio.Future[Ended]] = deque()
    try:
        async with aclosing(_terminal_items(service, customer, batch)) as items:
            async for item, filename in items:
                ahead.append(_soon(_reading(service, batch, item, filename)))
                if len(ahead) >= READ_AHEAD:
                    yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:
        for future in ahead:
            future.cancel()


async def _terminal_items(
    service: Service, customer: Customer, batch: Batch
) -> AsyncGenerator[tuple[Item, str | None]]:
    first = 0
    while True:
        page, names = await in_thread(partial(_page, service, customer, batch, first))
        for item in page:
            if item.status.is_terminal:
                yield item, names.get(item.file_id)
        if len(page) < PAGE_ITEMS:
            return
        first = page[-1].position + 1


def _page(
    service: Service, customer: Customer, batch: Batch, first: int
) -> tuple[list[Item], dict[FileId, str | None]]:
    """Return items by position, and the names of the files of those that have ended."""
    page = service.ledger.batches.items_in_order(batch.batch_id, first=first, limit=PAGE_ITEMS)
    file_ids = list({item.file_id for item in page if item.status.is_terminal})
    found = service.ledger.files.find(customer.customer_id, file_ids) if file_ids else {}
    return page, {file_id: file.filename for file_id, file in found.items()}


def _reading(service: Service, batch: Batch, item: Item, filename: str | None) -> Callable[[], Ended]:
    def read() -> Ended:
        return Ended(item, filename, _result(service, batch, item))

    return read


def _result(service: Service, batch: Batch, item: Item) -> bytes | None:
    if item.status is not ItemStatus.SUCCEEDED or item.result_id is None or seconds_left(batch, item) <= 0:
        return None
    try:
        return service.objects.read(result_key(service, batch, item.result_id), max_bytes=MAX_RESULT_BYTES)
    except (ObjectMissing, ResultExpired):
        return None


def _soon(work: Callable[[], T]) -> "asyncio.Future[T]":
    return asyncio.get_running_loop().run_in_executor(readers, work)


async def _as_lines(service: Service, customer: Customer, ended: AsyncIterator[Ended]) -> AsyncIterator[bytes]:
    async for one in ended:
        yield _line(service, customer, one.item, b'"result":' + (one.result or b"null").replace(b"\n", b" "))


def _line(service: Service, customer: Customer, item: Item, more: bytes) -> bytes:
    (body,) = item_bodies(service.estimates, customer, [item])
    return b'{"item":' + pydantic_core.to_json(body) + b"," + more + b"}\n"


async def _as_zip(service: Service, customer: Customer, ended: AsyncIterator[Ended]) -> AsyncIterator[bytes]:
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=6)
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as listing:
        async for one in ended:
            name = None if one.result is None else _name(one)
            listing.write(_line(service, customer, one.item, b'"file":' + pydantic_core.to_json(name)))
            if name is not None:
                archive.add(one.result, name)
                yield await _soon(lambda: b"".join(archive.all_files()))
        listing.seek(0)
        archive.add(_pieces(listing), "items.jsonl")
        stream = iter(archive.finalize())
        while (piece := await _soon(lambda: next(stream, None))) is not None:
            yield piece


def _pieces(listing: IO[bytes]) -> Iterator[bytes]:
    while piece := listing.read(PIECE_BYTES):
        yield piece


def _name(one: Ended) -> str:
    """Return a name that is different for each item, sorts by position and leads into no folder."""
    filename = _ODD.sub("_", one.filename or "document")[-MOST_NAME_CHARACTERS:]
    return f"{one.item.position:05}-{filename}.json"
