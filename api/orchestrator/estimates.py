"""What a customer may expect: how long a batch still takes, and why an item waits. From memory, not from the ledger."""

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.workers.registry import WorkerRegistry
from octavo.batches import Batch, BatchStatus, Customer, Item, ItemStatus
from octavo.identifiers import BatchId, CustomerId
from octavo.ledger.contract import Ledger, OpenBatch

QUEUED = "queued"
CUSTOMER_CAP = "customer_cap"
WAITING_FOR_WORKER = "waiting_for_worker"
LEAST_ITEMS = 3
"""Items to see finished before an estimate is worth giving."""
MOST_STEPS = 32
"""Steps of progress that are remembered of a batch; one a second at most."""
LANES_SECONDS = 1.0
"""How old the count of a customer's open lanes may be."""


@dataclass(slots=True)
class _Progress:
    """How many items of a batch had finished, and when (monotonic seconds): first and last steps of a window."""

    steps: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST_STEPS))

    def note(self, moment: float, finished: int) -> None:
        if self.steps and finished < self.steps[-1][1]:
            self.steps.clear()  # What had failed runs again.
        if not self.steps or finished > self.steps[-1][1]:
            self.steps.append((moment, finished))


class Outlook:
    """Fed by the reconciler, which sees every open batch once a second; safe from any thread."""

    def __init__(self) -> None:
        self._progress: dict[BatchId, _Progress] = {}
        self._lanes: Counter[CustomerId] = Counter()
        self._lanes_counted = -math.inf

    def observe(self, batches: Sequence[OpenBatch], moment: float | None = None) -> None:
        """Note how far the open batches are; `batches` are all there are."""
        moment = time.monotonic() if moment is None else moment
        progress = {}
        for batch in [found.batch for found in batches]:
            if batch.counts.running or _finished(batch):
                progress[batch.batch_id] = self._progress.get(batch.batch_id) or _Progress()
                progress[batch.batch_id].note(moment, _finished(batch))
        self._progress = progress

    def eta_seconds(self, batch: Batch, moment: float | None = None) -> int | None:
        """Return how long the batch still takes at the pace of its last items; None while nobody can know."""
        progress = self._progress.get(batch.batch_id)
        if progress is None or batch.status is not BatchStatus.RUNNING:
            return None
        began, before = progress.steps[0]
        took = (time.monotonic() if moment is None else moment) - began
        finished = _finished(batch) - before
        if finished < LEAST_ITEMS or took <= 0:
            return None
        return math.ceil(batch.counts.unfinished * took / finished)

    def reason(self, ledger: Ledger, workers: WorkerRegistry, customer: Customer) -> str:
        """Return why items of a customer that nobody holds wait."""
        if not workers.alive():
            return WAITING_FOR_WORKER
        return CUSTOMER_CAP if self._open_lanes(ledger, customer.customer_id) >= customer.item_cap else QUEUED

    def _open_lanes(self, ledger: Ledger, customer_id: CustomerId) -> int:
        moment = time.monotonic()
        if moment - self._lanes_counted > LANES_SECONDS:
            lanes: Counter[CustomerId] = Counter()
            for held in ledger.work.held_slots():
                lanes[held.customer_id] += held.slots
            self._lanes, self._lanes_counted = lanes, moment
        return self._lanes[customer_id]


def item_reason(item: Item, of_others: str) -> str | None:
    """Return why an item waits: it is some worker's and that has no child free yet, or as others of its customer do."""
    if item.status is not ItemStatus.PENDING:
        return None
    return WAITING_FOR_WORKER if item.is_leased else of_others


def _finished(batch: Batch) -> int:
    return batch.counts.succeeded + batch.counts.failed
