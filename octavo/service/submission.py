"""Submission: staged files become one batch, and its first run is asked for."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from octavo.batch_options import BatchOptions, ExtendOptions, ExtractPageOptions
from octavo.batches import BATCH_PRIORITY, Batch, Customer, NewBatch, NewItem
from octavo.engines.registry import EngineRegistry
from octavo.errors import InvalidIdempotencyKey, MetadataTooLarge
from octavo.identifiers import BatchId, new_batch_id
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore
from octavo.parse_options import ParseOptions
from octavo.service.admission import mark_uploaded, require_pages

MAX_KEY_CHARACTERS = 255
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 32
STORAGE_CHECK_SECONDS = 30.0
"""How long storage may take to say which files of a batch are there."""


class RunStarter(Protocol):
    """Has flow runs made."""

    def start(self, batch_id: BatchId) -> None:
        """Ask, from any thread, for a run of this batch; never fails and does not wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A batch as a dialect has read it from a request."""

    items: tuple[NewItem, ...]
    engine: str | None
    """An engine's name; None for the default one."""
    shown: ExtractPageOptions | ExtendOptions
    """What the dialect shows of the documents."""
    parse: ParseOptions = field(default_factory=ParseOptions)
    """How the documents are read; the engine is chosen here."""
    metadata: Mapping[str, Any] | None
    priority: int = BATCH_PRIORITY
    idempotency_key: str | None
    body: Callable[[], Mapping[str, Any]]
    """Gives the whole request as JSON values, with which its idempotency key must come again.

    Called once the metadata is known not to be nested too deep for it.
    """


@dataclass(frozen=True, slots=True)
class Submission:
    """Takes batches in."""

    ledger: Ledger
    objects: ObjectStore
    engines: EngineRegistry
    runs: RunStarter
    retention_seconds: int
    """How long results are kept whose customer has no period of its own."""

    def submit(self, customer: Customer, request: BatchRequest) -> Batch:
        """Return the batch that was made, or the one that the same idempotency key has made before.

        Raises InvalidIdempotencyKey, MetadataTooLarge, UnknownEngine, IdempotencyKeyReused, QuotaExceeded,
        UnknownFiles, FilesNotUploaded, StorageUnavailable.
        """
        new = self._new_batch(customer, request)
        if new.idempotency_key is not None:
            replayed = self.ledger.batches.replay(customer.customer_id, new.idempotency_key, new.body_digest)
            if replayed is not None:
                return replayed
        require_pages(self.ledger.billing, customer)
        if pending := self.ledger.files.pending(customer.customer_id, new.file_ids):
            mark_uploaded(self.ledger.files, self.objects, pending, STORAGE_CHECK_SECONDS)
        batch, is_new = self.ledger.batches.create(new)
        if is_new:
            self.runs.start(batch.batch_id)
        return batch

    def _new_batch(self, customer: Customer, request: BatchRequest) -> NewBatch:
        key = request.idempotency_key
        if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
            raise InvalidIdempotencyKey(f"An Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} characters.")
        _check_metadata(request.metadata)
        engine = self.engines.resolve(request.engine)
        return NewBatch(
            batch_id=new_batch_id(),
            customer_id=customer.customer_id,
            items=request.items,
            engine=request.engine,
            options=BatchOptions(parse=request.parse.chosen(engine.name, engine.version), shown=request.shown),
            metadata=request.metadata,
            priority=request.priority,
            retention_seconds=customer.retention_seconds or self.retention_seconds,
            idempotency_key=key,
            body_digest=_digest(request.body()),
        )


def _check_metadata(metadata: Mapping[str, Any] | None) -> None:
    level: list[Any] = [metadata]
    for _ in range(MAX_METADATA_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    is_deeper = any(isinstance(value, dict | list) for value in level)
    if is_deeper or len(_compact(metadata)) > MAX_METADATA_BYTES:
        raise MetadataTooLarge(
            f"Metadata may have {MAX_METADATA_BYTES} bytes as JSON and {MAX_METADATA_DEPTH} levels; keep the rest "
            "on your side under an id."
        )


def _compact(metadata: Mapping[str, Any] | None) -> bytes:
    """Return metadata as the shortest JSON a client can send it in."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
