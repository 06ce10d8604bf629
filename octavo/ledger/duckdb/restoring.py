"""Putting an archive back into an empty DuckDB ledger: each part one commit."""

import json
from dataclasses import replace
from datetime import timedelta

from octavo.batches import Run
from octavo.ledger.archive import Accounts, ArchivedBatch, ArchivePosition, KeptUsage, StagedFiles
from octavo.ledger.duckdb.files import file_columns
from octavo.ledger.duckdb.snapshot import Snapshot, utc
from octavo.ledger.duckdb.storing import USAGE_COLUMNS, columns
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.webhook_rows import webhook_columns
from octavo.ledger.restoring import RestoredBatch, Restoring, restored_run
from octavo.ledger.rows import BatchRow

_ITEM_COLUMNS = [
    "item_id",
    "file_id",
    "position",
    "created_at",
    "updated_at",
    "status",
    "attempts",
    "lease_no",
    "lost_leases",
    "finished_lease_no",
    "page_count",
    "result_id",
    "error_code",
    "error_message",
    "error_retryable",
    "engine",
    "seconds",
    "started_at",
    "completed_at",
    "reused",
    "failed_pages",
]
_CUSTOMER_COLUMNS = [
    "customer_id",
    "name",
    "enabled",
    "item_cap",
    "created_at",
    "submissions_per_minute",
    "page_quota",
    "retention_seconds",
]
_BATCH_COLUMNS = [
    "batch_id",
    "customer_id",
    "total_items",
    "engine",
    "priority",
    "retention_seconds",
    "created_at",
    "expires_at",
    "pending",
    "unleased",
    "succeeded",
    "failed",
    "cancelled",
    "status",
    "cancel_requested_at",
    "started_at",
    "completed_at",
]


def restore_part(tx: Transaction, given: Restoring) -> None:
    """Put one part back."""
    part = given.part
    if isinstance(part, Accounts):
        _restore_accounts(tx, part)
    elif isinstance(part, StagedFiles):
        tx.rows("restore_files", **file_columns(part.files))
    elif isinstance(part, KeptUsage):
        tx.rows("restore_usage", **columns(part.rows, USAGE_COLUMNS))
    elif isinstance(part, ArchivedBatch):
        _restore_batch(tx, given.rows(part), part)
    elif part is not None:
        _restore_runs(tx, [restored_run(run) for run in part.runs])


def end_restore(tx: Transaction, given: Restoring) -> None:
    """Note the generation, and that all that is there now is archived."""
    tx.rows("set_generation", generation=given.generation)
    ((file_no, batch_no),) = tx.rows("last_numbers")
    # Items that the restore itself has cancelled come after this position.
    reached = given.moment - timedelta(microseconds=1)
    note_archive_position(tx, replace(archive_position(tx), file_no=file_no, batch_no=batch_no, updated_at=reached))


def _restore_accounts(tx: Transaction, accounts: Accounts) -> None:
    customers, keys = accounts.customers, accounts.keys
    tx.rows("restore_customers", **columns(customers, _CUSTOMER_COLUMNS))
    tx.rows(
        "restore_keys",
        key_ids=[one.key.key_id for one in keys],
        customer_ids=[one.key.customer_id for one in keys],
        prefixes=[one.key.prefix for one in keys],
        digests=[one.digest for one in keys],
        labels=[one.key.label for one in keys],
        created_ats=[one.key.created_at for one in keys],
        revoked_ats=[one.key.revoked_at for one in keys],
        uploads_only=[one.key.uploads_only for one in keys],
    )
    kept = [webhook_columns(one) for one in accounts.webhooks]
    if kept:
        tx.rows("restore_webhooks", **{name: [one[name] for one in kept] for name in kept[0]})
        tx.working.forget_webhooks()


def _restore_batch(tx: Transaction, rows: RestoredBatch, archived: ArchivedBatch) -> None:
    tx.rows("restore_files", **file_columns(rows.files))
    batch_no = _add_batch(tx, rows.batch)
    tx.rows("restore_items", batch_no=batch_no, batch_id=rows.batch.batch_id, **columns(rows.items, _ITEM_COLUMNS))
    if rows.usage:
        tx.rows("restore_usage", **columns(rows.usage, USAGE_COLUMNS))
    manifest = archived.manifest
    if manifest.idempotency_key is not None:
        tx.rows(
            "keep_idempotency_key",
            customer_id=manifest.customer_id,
            idempotency_key=manifest.idempotency_key,
            body_digest=manifest.body_digest,
            batch_id=manifest.batch_id,
            created_at=manifest.keyed_at or manifest.created_at,
        )


def _add_batch(tx: Transaction, batch: BatchRow) -> int:
    added = tx.rows(
        "restore_batch",
        options=json.dumps(dict(batch.options)),
        metadata=None if batch.metadata is None else json.dumps(dict(batch.metadata)),
        **{name: getattr(batch, name) for name in _BATCH_COLUMNS},
    )
    return int(added[0][0])


def _restore_runs(tx: Transaction, runs: list[Run]) -> None:
    for run in runs:
        if tx.rows("batch_no", batch_id=run.batch_id):
            tx.rows(
                "add_run",
                batch_id=run.batch_id,
                run_no=run.run_no,
                customer_id=run.customer_id,
                run_id=run.run_id,
                worker_id=run.worker_id,
                status=run.status,
                created_at=run.created_at,
                seen_at=run.seen_at,
            )


def archive_position(view: Snapshot) -> ArchivePosition:
    """Return how far the ledger was archived."""
    ((accounts, runs, file_no, batch_no, updated_at, deletion_no),) = view.rows("archive_position")
    return ArchivePosition(
        accounts=accounts,
        runs=runs,
        file_no=file_no,
        batch_no=batch_no,
        updated_at=utc(updated_at),
        deletion_no=deletion_no,
    )


def note_archive_position(tx: Transaction, reached: ArchivePosition) -> None:
    """Note how far the ledger was archived."""
    tx.rows(
        "set_archive_position",
        accounts=reached.accounts,
        runs=reached.runs,
        file_no=reached.file_no,
        batch_no=reached.batch_no,
        updated_at=reached.updated_at,
        deletion_no=reached.deletion_no,
    )
    tx.rows("forget_deletions", deletion_no=reached.deletion_no)
