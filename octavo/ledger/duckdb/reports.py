"""What changes items: reports of workers and the cancel of a batch.

All reports that wait for one commit are taken together: their rows are read and written in one
statement of each kind, however many they are.
"""

from collections.abc import Sequence

from octavo.batches import Batch
from octavo.identifiers import BatchId, CustomerId
from octavo.ledger import refusals
from octavo.ledger.contract import Report, Verdict
from octavo.ledger.duckdb.transaction import Transaction


def take_reports(tx: Transaction, calls: Sequence[Sequence[Report]]) -> list[list[Verdict]]:
    """Take the reports of all calls, in order, in one go."""
    tx.load_items({report.item_id for reports in calls for report in reports})
    accepted = [[tx.work.report(report) for report in reports] for reports in calls]
    return [
        [tx.work.verdict(report, accepted=yes) for report, yes in zip(reports, answers, strict=True)]
        for reports, answers in zip(calls, accepted, strict=True)
    ]


def cancel_batch(tx: Transaction, asked: tuple[CustomerId, BatchId]) -> Batch:
    """Cancel what is pending, in one statement however much that is. Raises BatchNotFound."""
    customer_id, batch_id = asked
    tx.flush()
    batch = tx.working.load_batches(tx, [batch_id]).get(batch_id)
    if batch is None or batch.customer_id != customer_id:
        raise refusals.batch_not_found(batch_id)
    if batch.status.is_terminal:
        return batch.record()
    held: dict[str, int] = {}
    if batch.pending > batch.unleased:
        held = dict(tx.rows("pending_by_slice", batch_no=batch.batch_no))
    ((with_result,),) = tx.rows("pending_with_result", batch_no=batch.batch_no)
    if batch.pending:
        tx.rows("cancel_pending", batch_no=batch.batch_no, moment=tx.stamp())
    tx.work.cancel_counts(batch, held, with_result)
    tx.forget_pending(batch_id)
    tx.has_news = True
    tx.touched.add(batch_id)
    return batch.record()
