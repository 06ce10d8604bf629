"""The reading of one item under a lease: what the ledger is told about it, and what ends it early."""

import threading
from collections.abc import Callable

from octavo.batches import ClaimedItem
from octavo.client.outbox import Outbox
from octavo.errors import StaleLease
from octavo.extraction.reading_progress import ReadingProgress
from octavo.ledger.contract import Report, ReportKind, Reservation
from octavo.outcomes import over_quota
from octavo.worker.leased_slice import LeasedSlice


class Draining(Exception):
    """Ends work on a worker that takes nothing new: what was about to begin, what the next worker can continue with."""


class LeasedReading(ReadingProgress):
    """Reports the item's beginning, sets its pages aside, and ends a reading that nobody wants any more."""

    def __init__(
        self,
        leased: LeasedSlice,
        item: ClaimedItem,
        *,
        outbox: Outbox,
        reserve: Callable[[Reservation], bool],
        draining: threading.Event,
    ) -> None:
        super().__init__(is_again=item.attempts > 0 or item.item_id in leased.attempts)
        self._leased = leased
        self._item = item
        self._outbox = outbox
        self._reserve = reserve
        self._draining = draining

    def on_begin(self) -> None:
        """Report that work begins, without waiting for the answer: a late outcome is refused anyway."""
        leased, item = self._leased, self._item
        times = leased.attempts.get(item.item_id, 0)
        if self._draining.is_set() and times == 0:
            # It has waited for a child until now; the next worker begins it.
            raise Draining
        is_again = times > 0
        report = Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no, again=is_again)
        answer = self._outbox.put(report, is_urgent=is_again or not leased.run.pace.is_short)
        if leased.is_lost or (is_again and not answer.result()):
            raise StaleLease(f"item {item.item_id} is no longer ours")
        leased.attempts[item.item_id] = times + 1

    def on_counted(self, pages: int) -> None:
        """Set the pages aside where the customer has a quota. Raises QuotaExceeded's outcome when it is exceeded."""
        item = self._item
        if not item.reserves_pages:
            return
        if not self._reserve(Reservation(item_id=item.item_id, lease_no=item.lease_no, pages=pages)):
            raise over_quota()

    def check(self) -> None:
        """End a reading that nobody wants any more, or that the next worker continues with and loses nothing."""
        if self._leased.is_lost:
            raise StaleLease("the lease was lost during the reading")
        if self._draining.is_set() and self.is_just_kept:
            raise Draining
