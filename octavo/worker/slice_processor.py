"""Processes one slice, item by item: fetches ahead, reads, reports, and gives back what it may not finish."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from tenacity import RetryError, Retrying, retry_if_result, sleep_using_event, stop_when_event_set

from octavo.backoff import exponential
from octavo.batches import MAX_LOST_LEASES, ClaimedItem
from octavo.client.outbox import Outbox
from octavo.engines.sandbox.failures import ChildLost, SandboxUnavailable
from octavo.errors import InternalError, OcrProviderError, ServiceUnreachable, StaleLease, StorageUnavailable
from octavo.extraction.inputs import Input
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.ledger.contract import Report, ReportKind, Reservation
from octavo.outcomes import Failed, Outcome, Succeeded, failure, lost_too_often
from octavo.worker.leased_reading import Draining, LeasedReading
from octavo.worker.leased_slice import LeasedSlice, SliceEnd

logger = logging.getLogger(__name__)
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
MAX_OUTAGES = 20
"""Outages of storage during one item; each was waited out, so this many mean a fault that waiting does not mend."""


class SliceProcessor:
    """Takes a claimed slice to its outcomes; one for all threads of a worker. Thread-safe."""

    def __init__(
        self,
        work: ItemWork,
        outbox: Outbox,
        begin_outbox: Outbox,
        draining: threading.Event,
        *,
        reserve: Callable[[Reservation], bool],
        threads: int,
    ) -> None:
        self._work = work
        self._reserve = reserve
        self._outbox = outbox
        self._begin_outbox = begin_outbox
        self._draining = draining
        self._fetchers = ThreadPoolExecutor(threads, thread_name_prefix="octavo-fetch")

    def close(self) -> None:
        """Fetch nothing more."""
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def process(self, leased: LeasedSlice, *, is_last_attempt: bool) -> SliceEnd:
        """Return how the items ended. Raises OcrProviderError when one should be tried again."""
        reported = [
            self._process_item(leased, item, fetched, is_last_attempt=is_last_attempt)
            for item, fetched in self._fetched(leased)
        ]
        self._outbox.flush()
        outcomes = [outcome for outcome, answer in reported if answer is not None and answer.result()]
        if late := sum(answer is not None for _, answer in reported) - len(outcomes):
            # Also in peace: an item that was cancelled while the ledger was being told of its beginning.
            logger.info("%d outcomes of slice %s came too late and were refused", late, leased.slice.slice_id)
        failures = tuple(outcome for outcome in outcomes if isinstance(outcome, Failed))
        return SliceEnd(len(outcomes) - len(failures), failures)

    def give_back(self, leased: LeasedSlice, item: ClaimedItem) -> None:
        """Give an item back that was not finished; it does not count as lost."""
        leased.finished.add(item.item_id)
        report = Report(kind=ReportKind.RELEASE, item_id=item.item_id, lease_no=item.lease_no)
        self._outbox.put(report).result()

    def _fetched(self, leased: LeasedSlice) -> Iterator[tuple[ClaimedItem, "Future[Input] | None"]]:
        """Yield what is left of a slice, each item with its bytes on their way: the next is fetched during the work."""
        left = [item for item in leased.slice.items if item.item_id not in leased.finished]
        ahead: Future[Input] | None = None
        try:
            for place, item in enumerate(left):
                if leased.is_lost:
                    return
                fetched, ahead = ahead, None
                if place + 1 < len(left) and not self._draining.is_set():
                    ahead = self._fetchers.submit(self._work.fetch, left[place + 1])
                try:
                    yield item, fetched
                finally:
                    _discard_later(fetched)
        finally:
            _discard_later(ahead)

    def _process_item(
        self, leased: LeasedSlice, item: ClaimedItem, fetched: "Future[Input] | None", *, is_last_attempt: bool
    ) -> tuple[Outcome | None, "Future[bool] | None"]:
        """Return the item's outcome and the ledger's answer, which may be on its way; nothing for one given up."""
        if self._draining.is_set() and item.item_id not in leased.attempts:
            self.give_back(leased, item)
            return None, None
        began = time.monotonic()
        outcome = self._outcome(leased, item, fetched, is_last_attempt=is_last_attempt)
        leased.finished.add(item.item_id)
        if outcome is None:
            return None, None
        pace = leased.run.pace
        # The reading alone: what waits for storage and ledger would shrink slices just when they are busy.
        pace.add(outcome.seconds if isinstance(outcome, Succeeded) else time.monotonic() - began)
        report = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome)
        return outcome, self._outbox.put(report, is_urgent=not pace.is_short)

    def _outcome(
        self, leased: LeasedSlice, item: ClaimedItem, fetched: "Future[Input] | None", *, is_last_attempt: bool
    ) -> Outcome | None:
        """Work until there is an outcome, over trouble that is not the document's; None when it is given up."""
        lost, outages = item.lost_leases, 0
        while not leased.is_lost:
            try:
                return self._try(leased, item, fetched, lost, is_last_attempt=is_last_attempt)
            except ChildLost as error:
                lost += 1
                logger.warning("item %s is tried again: %s", item.item_id, error.message)
            except StorageUnavailable as error:
                outages += 1
                logger.warning("item %s waits for storage: %s", item.item_id, error.message)
            fetched = None
            if lost >= MAX_LOST_LEASES:
                return lost_too_often(lost)
            if outages >= MAX_OUTAGES:
                return failure(InternalError("Storage failed repeatedly while the file was processed."))
            if not self._wait_for_storage():
                self.give_back(leased, item)
                return None
        return None

    def _wait_for_storage(self) -> bool:
        """Wait until storage answers; False when this worker drains meanwhile."""
        if self._draining.wait(FIRST_PAUSE_SECONDS):
            return False
        until_it_answers = Retrying(
            retry=retry_if_result(lambda is_there: not is_there),
            wait=exponential(2 * FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS),
            sleep=sleep_using_event(self._draining),
            stop=stop_when_event_set(self._draining),
        )
        try:
            return until_it_answers(self._work.is_storage_there) and not self._draining.is_set()
        except RetryError:
            return False

    def _try(
        self,
        leased: LeasedSlice,
        item: ClaimedItem,
        fetched: "Future[Input] | None",
        lost: int,
        *,
        is_last_attempt: bool,
    ) -> Outcome | None:
        options = ItemOptions.of_batch(leased.run.opened.options)
        # Of short items beginnings and ends go together, seldom: each request would cost as much as an item.
        begin_outbox = self._outbox if leased.run.pace.is_short else self._begin_outbox
        reading = leased.readings[item.item_id] = LeasedReading(
            leased, item, outbox=begin_outbox, reserve=self._reserve, draining=self._draining
        )
        try:
            if item.item_id not in leased.attempts and not self._work.waits_for_child(options):
                # Nothing but its bytes is waited for: the ledger hears of it while they come.
                reading.begin()
            with self._work.fetch(item) if fetched is None else fetched.result() as found:
                return self._work.do(item, found, options, reading, in_fresh_child=lost >= MAX_LOST_LEASES - 1)
        except OcrProviderError as error:
            if not is_last_attempt:
                begin_outbox.settle()  # whoever looks at the item before the next attempt sees that it was begun
                raise
            return failure(error)
        except Draining:
            self.give_back(leased, item)
            return None
        except StaleLease:
            logger.info("item %s is no longer this worker's: cancelled, deleted, or its lease ran out", item.item_id)
            return None
        except (StorageUnavailable, ChildLost, ServiceUnreachable, SandboxUnavailable):
            raise
        except Exception:  # the edge of the worker: a bug of our own must not be taken for a bad document
            logger.exception("item %s failed because of a bug", item.item_id)
            return failure(InternalError("Something went wrong on our side; submit the file again."))
        finally:
            leased.readings.pop(item.item_id, None)


def _discard_later(fetched: "Future[Input] | None") -> None:
    """Take away what was fetched, used or not, as soon as it is there."""
    if fetched is not None:
        fetched.add_done_callback(_discard)


def _discard(fetched: "Future[Input]") -> None:
    if not fetched.cancelled() and fetched.exception() is None:
        fetched.result().close()
