"""Putting an archive back into an empty DuckDB ledger: each part one commit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from octavo.batches import Run, StagedFile
from octavo.ledger.archive import Accounts, ArchivedBatch, ArchivePosition, KeptUsage, StagedFiles
from octavo.ledger.duckdb.batch_rows import add_batch, keep_idempotency_key
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import API_KEYS, ARCHIVE_POSITION, CUSTOMERS, FILES, ITEMS, RUNS, USAGE, WEBHOOKS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.restoring import RestoredBatch, Restoring, restored_run
from octavo.ledger.rows import KeyRow, UsageRow


def restore_part(tx: Transaction, given: Restoring) -> None:
    """Put one part back."""
    part = given.part
    if isinstance(part, Accounts):
        _restore_accounts(tx, part)
    elif isinstance(part, StagedFiles):
        _restore_files(tx, part.files)
    elif isinstance(part, KeptUsage):
        _restore_usage(tx, part.rows)
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
    CUSTOMERS.insert_rows(tx, accounts.customers)
    API_KEYS.insert_rows(tx, [KeyRow.of(one.key, one.digest) for one in accounts.keys])
    WEBHOOKS.insert_rows(tx, accounts.webhooks)
    tx.working.forget_webhooks()


def _restore_files(tx: Transaction, files: Sequence[StagedFile]) -> None:
    """Put files back; one that is there takes what is known of it since."""
    FILES.insert_rows(
        tx,
        files,
        clause="""ON CONFLICT (file_id) DO UPDATE
        SET status = excluded.status, sha256 = coalesce(excluded.sha256, sha256)""",
    )


def _restore_usage(tx: Transaction, rows: Sequence[UsageRow]) -> None:
    """Put usage back, unless it is there."""
    USAGE.insert_rows(tx, rows, clause="ON CONFLICT DO NOTHING")


def _restore_batch(tx: Transaction, rows: RestoredBatch, archived: ArchivedBatch) -> None:
    _restore_files(tx, rows.files)
    add_batch(tx, rows.batch)
    for item in rows.items:
        item.batch_no = rows.batch.batch_no
    ITEMS.insert_rows(tx, rows.items)
    _restore_usage(tx, rows.usage)
    manifest = archived.manifest
    if manifest.idempotency_key is not None:
        keep_idempotency_key(
            tx,
            manifest.customer_id,
            manifest.idempotency_key,
            manifest.body_digest,
            manifest.batch_id,
            manifest.keyed_at or manifest.created_at,
        )


def _restore_runs(tx: Transaction, runs: Sequence[Run]) -> None:
    RUNS.insert_rows(tx, [run for run in runs if tx.rows("batch_no", batch_id=run.batch_id)])


def archive_position(view: Snapshot) -> ArchivePosition:
    """Return how far the ledger was archived."""
    (found,) = view.records(ARCHIVE_POSITION, "archive_position")
    return found


def note_archive_position(tx: Transaction, reached: ArchivePosition) -> None:
    """Note how far the ledger was archived."""
    ARCHIVE_POSITION.update(tx, [reached])
    tx.rows("forget_deletions", deletion_no=reached.deletion_no)
