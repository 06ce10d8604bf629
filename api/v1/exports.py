"""`/v1/batches/{id}/results`: all results of a batch in one stream, as JSON lines or zip, at any time."""

import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import IO, Annotated, Literal
from zipfile import ZIP_DEFLATED

import pydantic_core
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from zipstream import ZipStream

from api.http.auth import CustomerDep
from api.http.problems import problems
from api.http.use_cases import EstimatesDep, ExportsDep
from api.v1.results import shown_of
from api.v1.schemas import item_bodies
from octavo.batches import Customer, Item
from octavo.errors import BatchNotFound, CustomerDisabled, InvalidApiKey, StorageUnavailable
from octavo.identifiers import BatchId
from octavo.service.estimates import Estimates
from octavo.service.exports import EndedItem, in_reader

router = APIRouter(prefix="/v1/batches", tags=["v1", "async-batch"])
SPOOL_BYTES = 1024 * 1024
PIECE_BYTES = 256 * 1024
MOST_NAME_CHARACTERS = 100
_ODD = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
Line = Callable[[Item, bytes], bytes]
"""Writes an item as a line of JSON, with one more key."""


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
    exports: ExportsDep,
    estimates: EstimatesDep,
    format: Annotated[Literal["jsonl", "zip"], Query()] = "jsonl",
) -> StreamingResponse:
    """Stream the results of a batch; an unfinished one gives those it has so far. Expired results are null."""
    batch = await exports.open(customer, BatchId(batch_id))
    body, media_type = {
        "jsonl": (_as_lines, "application/x-ndjson"),
        "zip": (_as_zip, "application/zip"),
    }[format]
    stream = body(exports.ended_items(batch, shown_of(batch)), partial(_line, estimates, customer))
    headers = {"Content-Disposition": f'attachment; filename="{batch.batch_id}.{format}"', "Cache-Control": "no-store"}
    return StreamingResponse(stream, media_type=media_type, headers=headers)


def _line(estimates: Estimates, customer: Customer, item: Item, more: bytes) -> bytes:
    (body,) = item_bodies(estimates, customer, [item])
    return b'{"item":' + pydantic_core.to_json(body) + b"," + more + b"}\n"


async def _as_lines(ended: AsyncIterator[EndedItem], line: Line) -> AsyncIterator[bytes]:
    async for one in ended:
        yield line(one.item, b'"result":' + (one.result or b"null").replace(b"\n", b" "))


async def _as_zip(ended: AsyncIterator[EndedItem], line: Line) -> AsyncIterator[bytes]:
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=6)
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as listing:
        async for one in ended:
            name = None if one.result is None else _name(one)
            listing.write(line(one.item, b'"file":' + pydantic_core.to_json(name)))
            if name is not None:
                archive.add(one.result, name)
                yield await in_reader(lambda: b"".join(archive.all_files()))
        listing.seek(0)
        archive.add(_pieces(listing), "items.jsonl")
        stream = iter(archive.finalize())
        while (piece := await in_reader(lambda: next(stream, None))) is not None:
            yield piece


def _pieces(listing: IO[bytes]) -> Iterator[bytes]:
    while piece := listing.read(PIECE_BYTES):
        yield piece


def _name(one: EndedItem) -> str:
    """Return a name that is different for each item, sorts by position and leads into no folder."""
    filename = _ODD.sub("_", one.filename or "document")[-MOST_NAME_CHARACTERS:]
    return f"{one.item.position:05}-{filename}.json"
