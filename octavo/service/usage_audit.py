"""Recounts the bill: against items and batches in the ledger, and against the results in storage."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from octavo.documents import Document, InvalidDocument
from octavo.errors import BatchNotFound, ItemNotFound
from octavo.identifiers import ItemId
from octavo.ledger.contract import BilledResult, DifferenceKind, Ledger, UsageDifference, UsageTotals
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore, ObjectTooLarge
from octavo.timestamps import now

RESULTS_AT_ONCE = 500
READERS = 8
MAX_RESULT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Audit:
    """What was recounted, and what differs."""

    totals: UsageTotals
    results: int
    """Results that were read."""
    differences: tuple[UsageDifference, ...]


def audit(ledger: Ledger, objects: ObjectStore, *, with_results: bool) -> Audit:
    """Recount everything; may take long with results, each of which is read. Raises StorageUnavailable."""
    totals = ledger.billing.totals()
    differences = ledger.billing.differences()
    results = 0
    if with_results:
        with ThreadPoolExecutor(READERS, thread_name_prefix="octavo-audit") as pool:
            for page in _pages(ledger):
                results += len(page)
                found = pool.map(lambda one: _difference(objects, one), page)
                differences += [one for one in found if one is not None and _is_still_kept(ledger, one)]
    return Audit(totals, results, tuple(sorted(differences, key=lambda one: (one.item_id, one.kind))))


def _pages(ledger: Ledger) -> Iterator[Sequence[BilledResult]]:
    after: ItemId | None = None
    while page := ledger.billing.billed_results(after, RESULTS_AT_ONCE):
        yield page
        after = page[-1].item_id


def _difference(objects: ObjectStore, billed: BilledResult) -> UsageDifference | None:
    key = keys.result_key(billed.customer_id, billed.result_id, "document.json")
    try:
        pages = Document.from_json(objects.read(key, max_bytes=MAX_RESULT_BYTES)).page_count
    except ObjectMissing:
        return _differing(billed, DifferenceKind.RESULT_MISSING, None)
    except (InvalidDocument, ObjectTooLarge) as error:
        return _differing(billed, DifferenceKind.RESULT_UNREADABLE, str(error)[:200])
    if pages == billed.pages:
        return None
    return _differing(billed, DifferenceKind.OTHER_RESULT_PAGES, str(pages))


def _differing(billed: BilledResult, kind: DifferenceKind, found: str | None) -> UsageDifference:
    return UsageDifference(
        kind=kind,
        item_id=billed.item_id,
        batch_id=billed.batch_id,
        customer_id=billed.customer_id,
        billed=str(billed.pages),
        found=found,
    )


def _is_still_kept(ledger: Ledger, found: UsageDifference) -> bool:
    """Whether a result is still to be there: it may have been deleted, or its time may have ended, while we looked."""
    if found.kind is not DifferenceKind.RESULT_MISSING:
        return True
    if found.batch_id is None or found.customer_id is None:
        return True
    try:
        batch = ledger.batches.get(found.customer_id, found.batch_id)
        item = ledger.batches.item(found.batch_id, found.item_id)
    except (BatchNotFound, ItemNotFound):
        return False
    return item.completed_at is None or item.completed_at + timedelta(seconds=batch.retention_seconds) > now()
