"""Rows of DuckDB as the records and working copies they stand for."""

import json

from octavo.batches import BatchStatus, ItemStatus, Run, RunStatus
from octavo.ledger.duckdb.snapshot import Row, aware, utc
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow, UsageRow


def batch_row(row: Row) -> BatchRow:
    """Return a batch from the columns every batch statement selects."""
    return BatchRow(
        batch_id=row[0],
        customer_id=row[1],
        total_items=row[2],
        engine=row[3],
        options=json.loads(row[4]),
        metadata=None if row[5] is None else json.loads(row[5]),
        priority=row[6],
        retention_seconds=row[7],
        created_at=utc(row[8]),
        expires_at=utc(row[9]),
        pending=row[10],
        unleased=row[11],
        running=row[12],
        succeeded=row[13],
        failed=row[14],
        cancelled=row[15],
        status=BatchStatus(row[16]),
        cancel_requested_at=aware(row[17]),
        started_at=aware(row[18]),
        completed_at=aware(row[19]),
        batch_no=row[20],
    )


def item_row(row: Row) -> ItemRow:
    """Return an item from the columns every item statement selects."""
    return ItemRow(
        item_id=row[0],
        batch_id=row[1],
        file_id=row[2],
        position=row[3],
        created_at=utc(row[4]),
        updated_at=utc(row[5]),
        status=ItemStatus(row[6]),
        attempts=row[7],
        lease_no=row[8],
        lost_leases=row[9],
        slice_id=row[10],
        finished_lease_no=row[11],
        page_count=row[12],
        result_id=row[13],
        error_code=row[14],
        error_message=row[15],
        error_retryable=row[16],
        engine=row[17],
        seconds=row[18],
        started_at=aware(row[19]),
        completed_at=aware(row[20]),
        pages_done=row[21],
        pages_total=row[22],
        kept_in=row[23],
        reused=bool(row[24]),
        failed_pages=row[25],
    )


def slice_row(row: Row) -> SliceRow:
    """Return a slice from the columns every slice statement selects."""
    return SliceRow(
        slice_id=row[0],
        batch_id=row[1],
        customer_id=row[2],
        run_id=row[3],
        worker_id=row[4],
        expires_at=utc(row[5]),
        open_items=row[6],
    )


def run_record(row: Row) -> Run:
    """Return a run from the columns every run statement selects."""
    return Run(
        batch_id=row[0],
        customer_id=row[1],
        run_no=row[2],
        run_id=row[3],
        worker_id=row[4],
        status=RunStatus(row[5]),
        created_at=utc(row[6]),
        seen_at=utc(row[7]),
    )


def usage_row(row: Row) -> UsageRow:
    """Return what an item was billed, from all columns of `usage`."""
    return UsageRow(item_id=row[0], batch_id=row[1], customer_id=row[2], pages=row[3], created_at=utc(row[4]))
