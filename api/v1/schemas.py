"""Wire shapes of `/v1`, as the contract names them; every documented key is always present."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from octavo.batches import MAX_ITEMS_PER_BATCH, Batch, Customer, Item, ItemStatus, StagedFile
from octavo.service.estimates import Estimates
from octavo.timestamps import to_wire


class CreateFileRequest(BaseModel):
    """One file to stage."""

    filename: str | None = Field(None, max_length=512, description="A hint; the bytes decide what it is.")
    content_type: str | None = Field(None, max_length=128)
    size_bytes: int = Field(gt=0, strict=True, description="Exact length of the bytes that will be uploaded.")


class FileResource(BaseModel):
    """A staged file."""

    object: str = "file"
    id: str
    customer_id: str
    status: str = Field(description="`pending`, `ready` (bytes seen in storage) or `expired`.")
    filename: str | None = None
    content_type: str | None = None
    size_bytes: int
    sha256: str | None = Field(None, description="Filled in by the worker that reads the bytes.")
    created_at: str
    expires_at: str


class UploadDescriptor(BaseModel):
    """Where and how to upload: the raw bytes, no header needed."""

    method: str
    url: str
    expires_at: str


class CreateFileResponse(FileResource):
    """A staged file and where its bytes go."""

    upload: UploadDescriptor


class CreateFilesRequest(BaseModel):
    """Files to stage in one call."""

    files: Annotated[list[CreateFileRequest], Field(min_length=1, max_length=MAX_ITEMS_PER_BATCH)]


class CreateFilesResponse(BaseModel):
    """The staged files in the order they were given."""

    object: str = "list"
    data: list[CreateFileResponse]


class FilesSource(BaseModel):
    """The files of a batch."""

    type: Literal["files"] = "files"
    file_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS_PER_BATCH)]


class CreateBatchRequest(BaseModel):
    """A batch to run."""

    source: FilesSource
    engine: str | None = Field(None, max_length=64, description="An engine's name; null or `auto` for the default.")
    extract_text: bool = True
    extract_images: bool = True
    # Only in the schema: pydantic's own `deprecated` would warn whenever the service reads the field.
    ocr: Literal["auto", "never", "force"] = Field(
        "auto", description="Accepted, without effect.", json_schema_extra={"deprecated": True}
    )
    metadata: dict[str, Any] | None = None


class BatchCounts(BaseModel):
    """Items of a batch by status."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class BatchResource(BaseModel):
    """A batch."""

    object: str = "batch"
    id: str
    status: str
    counts: BatchCounts
    total_items: int
    engine: str | None
    options: dict[str, Any]
    metadata: dict[str, Any] | None = None
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    expires_at: str
    eta_seconds: int | None = Field(
        None, description="Remaining seconds at the pace of its last items; null while unknown."
    )
    reason: str | None = Field(
        None, description="Why pending items wait: `queued`, `customer_cap`, `waiting_for_worker` or `paused`."
    )


class ItemError(BaseModel):
    """Why an item failed."""

    code: str
    message: str
    retryable: bool


class BatchItemResource(BaseModel):
    """One item of a batch."""

    object: str = "batch_item"
    id: str
    batch_id: str
    file_id: str
    position: int
    status: str
    attempts: int
    updated_at: str
    page_count: int | None = None
    pages_done: int | None = Field(
        None, description="Finished pages of a running item; null while unknown, and for one that takes only seconds."
    )
    pages_total: int | None = Field(None, description="Pages of a running item; null if `pages_done` is.")
    reused: bool = Field(
        False, description="Whether the item uses the stored result of an earlier reading of the same bytes."
    )
    failed_pages: int | None = Field(
        None, description="Pages of a succeeded item that could not be read; `retry_failed` can read them again."
    )
    started_at: str | None = None
    completed_at: str | None = None
    result_url: str | None = None
    error: ItemError | None = None
    reason: str | None = Field(
        None, description="Why a pending item waits: `queued`, `customer_cap`, `waiting_for_worker` or `paused`."
    )


class BatchDetail(BatchResource):
    """A batch with one page of its items, oldest change first."""

    items: list[BatchItemResource]
    next_cursor: str | None = None


class BatchListResponse(BaseModel):
    """A page of batches, newest first."""

    object: str = "list"
    data: list[BatchResource]
    next_cursor: str | None = None


def file_fields(file: StagedFile) -> dict[str, Any]:
    """Return a file's wire fields."""
    return {
        "id": file.file_id,
        "customer_id": file.customer_id,
        "status": file.status.value,
        "filename": file.filename,
        "content_type": file.content_type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "created_at": to_wire(file.created_at),
        "expires_at": to_wire(file.expires_at),
    }


def batch_fields(batch: Batch) -> dict[str, Any]:
    """Return a batch's wire fields."""
    return {
        "id": batch.batch_id,
        "status": batch.status.value,
        "counts": {
            "pending": batch.counts.pending,
            "running": batch.counts.running,
            "succeeded": batch.counts.succeeded,
            "failed": batch.counts.failed,
            "cancelled": batch.counts.cancelled,
        },
        "total_items": batch.total_items,
        "engine": batch.engine,
        "options": batch.options.to_values(),
        "metadata": None if batch.metadata is None else dict(batch.metadata),
        "created_at": to_wire(batch.created_at),
        "started_at": to_wire(batch.started_at) if batch.started_at else None,
        "completed_at": to_wire(batch.completed_at) if batch.completed_at else None,
        "expires_at": to_wire(batch.expires_at),
    }


def item_fields(item: Item) -> dict[str, Any]:
    """Return an item's wire fields."""
    succeeded = item.status is ItemStatus.SUCCEEDED
    error = None
    if item.error_code is not None:
        error = {
            "code": item.error_code,
            "message": item.error_message or "",
            "retryable": bool(item.error_retryable),
        }
    return {
        "id": item.item_id,
        "batch_id": item.batch_id,
        "file_id": item.file_id,
        "position": item.position,
        "status": item.status.value,
        "attempts": item.attempts,
        "updated_at": to_wire(item.updated_at),
        "page_count": item.page_count if succeeded else None,
        "pages_done": item.pages_done,
        "pages_total": item.pages_total,
        "reused": item.reused,
        "failed_pages": item.failed_pages if succeeded else None,
        "started_at": to_wire(item.started_at) if item.started_at else None,
        "completed_at": to_wire(item.completed_at) if item.completed_at else None,
        "result_url": f"/v1/batches/{item.batch_id}/items/{item.item_id}/result" if succeeded else None,
        "error": error,
    }


def batch_body(estimates: Estimates, customer: Customer, batch: Batch) -> dict[str, Any]:
    """Return a batch with every documented key, its estimate and why its pending items wait."""
    expected = estimates.of_batch(customer, batch)
    return {
        "object": "batch",
        **batch_fields(batch),
        "eta_seconds": expected.eta_seconds,
        "reason": expected.reason,
    }


def item_bodies(estimates: Estimates, customer: Customer, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return items with every documented key, and why the pending ones wait."""
    reasons = estimates.of_items(customer, items)
    return [
        {"object": "batch_item", **item_fields(item), "reason": reason}
        for item, reason in zip(items, reasons, strict=True)
    ]
