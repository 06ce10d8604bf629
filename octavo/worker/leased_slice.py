"""The slices this worker has leased, and how far the work on each has come."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from octavo.batches import Slice
from octavo.client.worker_protocol import OpenedRun
from octavo.extraction.reading_progress import ReadingProgress
from octavo.identifiers import CustomerId, ItemId, RunId
from octavo.outcomes import Failed
from octavo.pacing import Pace


@dataclass(frozen=True, slots=True)
class SliceEnd:
    """How the items of a slice ended, as far as the ledger took it."""

    succeeded: int
    failures: tuple[Failed, ...] = ()

    @property
    def counts(self) -> tuple[int, int]:
        """How many items succeeded and failed."""
        return self.succeeded, len(self.failures)


@dataclass
class BatchRun:
    """One flow run that this worker has open."""

    run_id: RunId
    opened: OpenedRun
    pace: Pace = field(default_factory=Pace)
    percent_done: int = 0
    """How much of the batch was done at the last claim."""
    is_cancelled: bool = False
    is_stale: bool = False
    """Whether the API has given the run up: it claims no more, though what it has begun continues."""


@dataclass
class LeasedSlice:
    """One slice, from its claim until somebody has asked how it ended."""

    slice: Slice
    run: BatchRun
    attempts: dict[ItemId, int] = field(default_factory=dict)
    finished: set[ItemId] = field(default_factory=set)
    readings: dict[ItemId, ReadingProgress] = field(default_factory=dict)
    """How far the reading of the item in progress has come."""
    is_lost: bool = False
    """Whether the lease is no longer ours."""
    is_done: bool = False
    """Whether nothing of it is left to do: its slot is free, its lease is not renewed."""
    is_abandoned: bool = False
    """Whether nobody will ask how it ended."""
    work: "Future[SliceEnd] | None" = None
    """The work on it, where a thread has begun it before it was asked for."""

    @property
    def label(self) -> str:
        """A name a person understands: customer and file name."""
        first, *rest = self.slice.items
        name = first.filename or first.file_id
        return f"{self.run.opened.customer_name}: {name}" + (f" and {len(rest)} more" if rest else "")


class LeasedSlices:
    """All slices of one worker, by id. Thread-safe."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._slices: dict[str, LeasedSlice] = {}
        self._lock = threading.Lock()

    def add(self, slices: Iterable[LeasedSlice]) -> None:
        """Take in slices that were claimed."""
        with self._lock:
            self._slices |= {one.slice.slice_id: one for one in slices}
        self._on_change()

    def get(self, slice_id: str) -> LeasedSlice | None:
        """Return a slice; None when it is not this worker's any more."""
        with self._lock:
            return self._slices.get(slice_id)

    def in_work(self) -> list[LeasedSlice]:
        """Return the slices that still take a slot, and whose leases are renewed."""
        with self._lock:
            return [one for one in self._slices.values() if not one.is_done]

    def slots_by_customer(self) -> Mapping[CustomerId, int]:
        """Return how many slots of each customer are taken here."""
        return Counter(one.run.opened.customer_id for one in self.in_work())

    def mark_done(self, leased: LeasedSlice) -> None:
        """Note that nothing of a slice is left to do."""
        leased.is_done = True
        self._on_change()

    def mark_lost(self, slice_ids: Iterable[str]) -> None:
        """Note which leases are no longer ours."""
        with self._lock:
            for slice_id in slice_ids:
                if slice_id in self._slices:
                    self._slices[slice_id].is_lost = True

    def remove(self, slice_id: str) -> None:
        """Forget a slice."""
        with self._lock:
            self._slices.pop(slice_id, None)
        self._on_change()

    def remove_run(self, run_id: RunId) -> None:
        """Forget whatever is left of a run; work on it ends as soon as it notices."""
        with self._lock:
            for slice_id, leased in list(self._slices.items()):
                if leased.run.run_id == run_id:
                    leased.is_lost = True
                    del self._slices[slice_id]
        self._on_change()
