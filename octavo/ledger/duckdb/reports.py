"""What changes items: reports of workers and the cancel of a batch.

All reports that wait for one commit are taken together: their rows are read and written in one
statement of each kind, however many they are.
"""

from collections.abc import Sequence

from octavo.batches import Batch
from octavo.identifiers import BatchId, CustomerId
from octavo.ledger import rules
from octavo.ledger.contract import Report, ReportKind, Verdict
from octavo.ledger.duckdb.batches import find_batch
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.working_rows import load_slices, load_work, store_work


def take_reports(tx: Transaction, calls: Sequence[Sequence[Report]]) -> list[list[Verdict]]:
    """Take the reports of all calls, in order, in one go."""
    item_ids = sorted({report.item_id for reports in calls for report in reports})
    only_begins = all(report.kind is ReportKind.BEGIN for reports in calls for report in reports)
    work = load_work(tx, tx.rows("items_by_id", item_ids=item_ids), with_slices=not only_begins)
    accepted = [[work.report(report) for report in reports] for reports in calls]
    store_work(tx, work)
    return [
        [work.verdict(report, accepted=yes) for report, yes in zip(reports, answers, strict=True)]
        for reports, answers in zip(calls, accepted, strict=True)
    ]


def cancel_batch(tx: Transaction, asked: tuple[CustomerId, BatchId]) -> Batch:
    """Cancel what is pending, in one statement however much that is. Raises BatchNotFound."""
    customer_id, batch_id = asked
    batch = find_batch(tx, batch_id, customer_id)
    if batch.status.is_terminal:
        return batch.record()
    held: dict[str, int] = {}
    if batch.pending > batch.unleased:
        held = dict(tx.rows("pending_by_slice", batch_no=batch.batch_no))
    work = rules.Work({}, {batch_id: batch}, load_slices(tx, sorted(held)), tx.stamp)
    if batch.pending:
        tx.rows("cancel_pending", batch_no=batch.batch_no, moment=tx.stamp())
    work.cancel_counts(batch, held)
    store_work(tx, work)
    return batch.record()
