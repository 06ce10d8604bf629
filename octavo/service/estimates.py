"""What a customer may expect: how long a batch still takes, and why an item waits. From memory, not from the ledger."""

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from octavo.batches import Batch, BatchStatus, Customer, Item, ItemStatus, RunStatus
from octavo.identifiers import BatchId, CustomerId, WorkerId
from octavo.ledger.contract import Ledger, OpenBatch

QUEUED = "queued"
CUSTOMER_CAP = "customer_cap"
WAITING_FOR_WORKER = "waiting_for_worker"
PAUSED = "paused"
LEAST_ITEMS = 3
"""Items to see finished before an estimate is worth giving."""
MOST_STEPS = 32
"""Steps of progress that are remembered of a batch; one a second at most."""
SLOTS_SECONDS = 1.0
"""How old the count of the slots in use may be."""


@dataclass(slots=True)
class _Progress:
    """How many items of a batch had finished, and when (monotonic seconds): first and last steps of a window."""

    steps: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST_STEPS))

    def note(self, moment: float, finished: int) -> None:
        if self.steps and finished < self.steps[-1][1]:
            self.steps.clear()  # What had failed runs again.
        if not self.steps or finished > self.steps[-1][1]:
            self.steps.append((moment, finished))


class LivingWorkers(Protocol):
    """Knows which workers are alive."""

    def alive(self) -> Sequence[WorkerId]:
        """Return the workers that have been heard of lately."""
        ...


class Pausable(Protocol):
    """Gives runs to workers, unless somebody has paused that."""

    @property
    def is_paused(self) -> bool:
        """Whether no new run begins until somebody resumes."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """What may be expected of a batch."""

    eta_seconds: int | None
    """How long it still takes; None while nobody can know."""
    reason: str | None
    """Why its pending items wait; None where none do."""


class Estimates:
    """Estimates for all open batches; the reconciler feeds it once a second. Safe from any thread."""

    def __init__(self, ledger: Ledger, workers: LivingWorkers, run_delivery: Pausable) -> None:
        self._ledger = ledger
        self._workers = workers
        self._run_delivery = run_delivery
        self._at_work: frozenset[BatchId] = frozenset()
        self._unserved_since: float | None = None
        self._progress: dict[BatchId, _Progress] = {}
        self._slots: Counter[CustomerId] = Counter()
        self._slots_counted = -math.inf

    def observe(self, batches: Sequence[OpenBatch], moment: float | None = None) -> None:
        """Note how far the open batches are; `batches` are all there are."""
        moment = time.monotonic() if moment is None else moment
        progress = {}
        for batch in [found.batch for found in batches]:
            if batch.counts.running or _finished(batch):
                progress[batch.batch_id] = self._progress.get(batch.batch_id) or _Progress()
                progress[batch.batch_id].note(moment, _finished(batch))
        self._progress = progress
        self._at_work = frozenset(
            found.batch.batch_id for found in batches if any(run.status is RunStatus.ACTIVE for run in found.runs)
        )
        if self._workers.alive() or not any(found.unleased for found in batches):
            self._unserved_since = None
        elif self._unserved_since is None:
            self._unserved_since = moment

    def unserved_seconds(self) -> float:
        """Return how long items have waited while no worker was alive; 0 where that is not so."""
        since = self._unserved_since
        return 0.0 if since is None else time.monotonic() - since

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

    def of_batch(self, customer: Customer, batch: Batch) -> Expectation:
        """Return what may be expected of a batch."""
        waits = batch.counts.pending > 0 and not batch.status.is_terminal
        return Expectation(self.eta_seconds(batch), self._reason(customer, batch.batch_id) if waits else None)

    def of_items(self, customer: Customer, items: Sequence[Item]) -> list[str | None]:
        """Return why each of these items waits; None for those that do not."""
        waiting = {item.batch_id for item in items if item.status is ItemStatus.PENDING}
        of_others = {batch_id: self._reason(customer, batch_id) for batch_id in waiting}
        return [item_reason(item, of_others.get(item.batch_id, "")) for item in items]

    def _reason(self, customer: Customer, batch_id: BatchId) -> str:
        """Return why items of a batch that nobody holds wait."""
        if not self._workers.alive():
            return WAITING_FOR_WORKER
        if self._run_delivery.is_paused and batch_id not in self._at_work:
            return PAUSED
        return CUSTOMER_CAP if self._slots_in_use(customer.customer_id) >= customer.item_cap else QUEUED

    def _slots_in_use(self, customer_id: CustomerId) -> int:
        moment = time.monotonic()
        if moment - self._slots_counted > SLOTS_SECONDS:
            slots: Counter[CustomerId] = Counter()
            for held in self._ledger.work.held_slots():
                slots[held.customer_id] += held.slots
            self._slots, self._slots_counted = slots, moment
        return self._slots[customer_id]


def item_reason(item: Item, of_others: str) -> str | None:
    """Return why an item waits: its worker has no process free yet, or for the same reason as its customer's others."""
    if item.status is not ItemStatus.PENDING:
        return None
    return WAITING_FOR_WORKER if item.is_leased else of_others


def _finished(batch: Batch) -> int:
    return batch.counts.succeeded + batch.counts.failed
