"""Work on items: claimed under leases, reported on, given back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from octavo.batches import BatchStatus, Slice
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, CustomerId, ItemId, ResultId, RunId, WorkerId
from octavo.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A flow run asks for work: up to `slots` slices of up to `slice_items` items each.

    Zero slots say no more than that the run lives.
    """

    batch_id: BatchId
    run_id: RunId
    worker_id: WorkerId
    slots: int
    slice_items: int = 1
    lease_seconds: float = 90.0
    worker_slots: int | None = None
    """Slices this worker may hold at once, over all its runs; None: no limit of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim gave, and why it gave no more."""

    slices: tuple[Slice, ...]
    status: BatchStatus
    unleased: int
    """Pending items of the batch that nobody holds, after this claim."""
    at_cap: bool
    """Whether the customer's cap, and not the lack of items or worker slots, was the limit."""
    held: int
    """Open slices of the asking run, after this claim."""


OnClaim = Callable[[Claim | OctavoError], None]


class ReportKind(StrEnum):
    """What a worker says of an item it holds."""

    BEGIN = "begin"
    FINISH = "finish"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A worker's report about one item; counts only while `lease_no` is the item's current lease.

    `BEGIN` makes the item running and adds an attempt (said again, with `again=True`, it adds
    one more each time: the next OCR attempt). `started_at` keeps the first start. `FINISH` needs an
    `outcome` and stands for the `BEGIN` too if there was none. `RELEASE` gives an item that
    was not begun, or whose work was given up in an orderly way, back without counting it as lost; in a
    batch whose cancel was asked the item is cancelled instead.
    """

    kind: ReportKind
    item_id: ItemId
    lease_no: int
    outcome: Outcome | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class ReportResult:
    """Whether a report was taken; a refused one (`stale_lease`) has left no trace.

    A `FINISH` or `BEGIN` that was taken before and is said again under the same `lease_no`
    (the answer was lost) is `accepted` again and changes nothing; the first outcome stands.
    """

    item_id: ItemId
    accepted: bool
    batch_id: BatchId | None
    """None for an item nobody knows."""
    batch_ended: bool
    """Whether the batch is terminal once the report's commit is done, whichever report ended it."""


@dataclass(frozen=True, slots=True)
class HeldSlots:
    """How many slices one worker holds of one customer; never none."""

    customer_id: CustomerId
    worker_id: WorkerId
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgress:
    """So many of an item's pages are finished; counts only while `lease_no` is the item's current lease."""

    item_id: ItemId
    lease_no: int
    pages_done: int
    pages_total: int
    kept_in: ResultId | None = None
    """Under which result to be finished pages lie in storage, if any do."""


class WorkLedger(Protocol):
    """What workers do: claim items, report on them, renew leases."""

    def claim(self, request: ClaimRequest) -> Claim:
        """Lease pending items to a flow run, now or not at all, never over the customer's cap.

        The cap counts open slices of the customer over all its batches and workers; `worker_slots`
        counts those of the asking worker over all its runs. Slices of one claim have about equal size, and near
        the end of a batch they get smaller, so that no slot stands idle; an item whose next lost lease would be its
        last has a slice of its own. A claim for a batch that is cancelling or terminal gives no slice. Marks the
        run active and seen; a run the ledger does not know (it was not named yet) is served all the same.

        Claims that are served by the same commit come in turn: customers, inside a customer by priority
        (lower first), equal priority its batches in turn, then position.

        Raises: BatchNotFound, StaleLease when the run is lost or ended (it should end), ValueError for
        negative slots, empty slices or leases without time.
        """
        ...

    def wait_for_claim(self, request: ClaimRequest, on_claim: OnClaim) -> None:
        """Claim, waiting for something to lease: a slot is handed on by the very commit that frees it.

        `on_claim` is called once: with slices; with none when nothing is left for this run (no item of its batch is
        free and it holds none); with none when `cancel_wait` ends the wait, or another standing claim of the same run
        takes its place; with what `claim` raises, also later. Raises ValueError as `claim` does.
        """
        ...

    def cancel_wait(self, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        """End the waiting of a run's, or a worker's, standing claims: they are told how things stand."""
        ...

    def report(self, reports: Sequence[Report]) -> list[ReportResult]:
        """Take a worker's reports, each on its own, all in one transaction; results in the same order.

        Success writes the usage row (pages, once per item) and the file's sha256 with it (so does a
        failure that knows the sha256). The last report about a slice frees its slot. The last terminal
        item ends the batch: `completed_at` is set and `expires_at` starts again from there.

        Raises: ValueError for a FINISH without an outcome; then none of the reports was taken.
        """
        ...

    def renew(self, worker_id: WorkerId, slice_ids: Sequence[str], lease_seconds: float) -> list[str]:
        """Let these slices' leases end `lease_seconds` from now; return those no longer this worker's.

        A slice that was closed is one of them; one that has run out but was not taken back is not.
        """
        ...

    def revoke(self, *, worker_id: WorkerId | None = None, run_id: RunId | None = None) -> list[BatchId]:
        """Take all leases of a dead worker, or run, away at once; its open runs become lost.

        Running items go back to pending and count one lost lease more; at `MAX_LOST_LEASES` the item
        fails with `internal_error`. Items not begun go back uncounted. In a batch whose cancel was asked
        both are cancelled. Returns the batches touched, by leases or by runs, in order.

        Raises: ValueError unless exactly one of the two is given.
        """
        ...

    def expire_leases(self) -> list[BatchId]:
        """Do the same to leases that have run out; returns the batches touched, in order.

        Their runs stay as they are: a run that lives keeps claiming, a dead one has a dead worker.
        """
        ...

    def workers(self) -> list[WorkerId]:
        """Return the workers that hold leases or have runs that are starting or active."""
        ...

    def held_slots(self) -> list[HeldSlots]:
        """Return how many open slices each worker holds of each customer, in the order of both."""
        ...

    def note_progress(self, told: Sequence[ItemProgress]) -> None:
        """Let running items show how far they are; what comes late, or changes nothing, leaves no trace.

        Counts of an item start again with its next start. Where its pages are kept is remembered, and deleted with
        the item or, if it ends without a result, when its retention has passed.
        """
        ...
