"""A ledger with many items of ended batches, made like a rebuilt one, from an archive's parts."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from octavo.batches import MAX_ITEMS_PER_BATCH, FileStatus, ItemStatus, StagedFile
from octavo.identifiers import (
    BatchId,
    CustomerId,
    ItemId,
    ResultId,
    new_batch_id,
    new_file_id,
    new_item_id,
    random_part,
)
from octavo.ledger.archive import ArchivedBatch, ArchivedPart, ArchivePosition, EndedItem, Manifest, Outcomes
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.timestamps import now


@dataclass(frozen=True, slots=True)
class Stored:
    """What was put into a ledger: a customer's key and batches, oldest first."""

    key: str
    batch_ids: list[BatchId]


def fill(path: Path, items: int) -> Stored:
    """Make a ledger at `path` with that many ended items of one customer, in batches of 10,000."""
    # By a ledger of its own, so that customer and key are whatever this version makes of them.
    model = memory_ledger()
    customer = model.accounts.ensure_customer("stored")
    secret = "oct_" + secrets.token_urlsafe(32)
    model.accounts.add_key(customer.customer_id, prefix=secret[:12], digest=hashlib.sha256(secret.encode()).hexdigest())
    changes = model.archive.changes(ArchivePosition())
    assert changes is not None
    assert changes.accounts is not None
    batch_ids: list[BatchId] = []

    def parts() -> Iterator[ArchivedPart]:
        assert changes.accounts is not None
        yield changes.accounts
        moment = now() - timedelta(hours=1)
        for first in range(0, items, MAX_ITEMS_PER_BATCH):
            batch = _batch(customer.customer_id, min(MAX_ITEMS_PER_BATCH, items - first), moment)
            batch_ids.append(batch.manifest.batch_id)
            moment += timedelta(seconds=15)
            yield batch

    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = DuckdbLedger(path)
    ledger.archive.restore(parts(), generation=1)
    ledger.close()
    return Stored(secret, batch_ids)


def _batch(customer_id: CustomerId, count: int, moment: datetime) -> ArchivedBatch:
    batch_id, file_id = new_batch_id(), new_file_id()
    file = StagedFile(
        file_id=file_id,
        customer_id=customer_id,
        status=FileStatus.READY,
        filename="page.pdf",
        content_type="application/pdf",
        size_bytes=100_000,
        sha256=None,
        object_key=f"in/{customer_id}/2026-11-23/{file_id}",
        created_at=moment,
        expires_at=moment + timedelta(days=3),
    )
    item_ids = sorted(new_item_id() for _ in range(count))
    manifest = Manifest(
        batch_id=batch_id,
        customer_id=customer_id,
        engine=None,
        options={"extract_text": True, "extract_images": True, "ocr": "auto", "engine": "none", "engine_version": "1"},
        metadata=None,
        priority=60,
        retention_seconds=72 * 3600,
        created_at=moment,
        items=tuple((item_id, file_id) for item_id in item_ids),
        files=(file,),
    )
    ends = [_ended(item_id, moment + timedelta(milliseconds=number)) for number, item_id in enumerate(item_ids, 1)]
    outcomes = Outcomes(batch_id=batch_id, until=ends[-1].updated_at, is_terminal=True, items=tuple(ends))
    return ArchivedBatch(manifest=manifest, outcomes=outcomes)


def _ended(item_id: ItemId, moment: datetime) -> EndedItem:
    return EndedItem(
        item_id=item_id,
        status=ItemStatus.SUCCEEDED,
        updated_at=moment,
        completed_at=moment,
        attempts=1,
        lease_no=1,
        finished_lease_no=1,
        page_count=3,
        result_id=ResultId(f"res_{random_part()}"),
        engine="none 1",
        seconds=0.4,
        started_at=moment,
    )
