"""Who gets the free slots: claims that wait, served in turn inside the commit that made room. No storage, no clock.

Customers come in turn, inside a customer what has the lower priority number, among equals the batches in
turn, inside a batch items by position. Nothing polls: a ledger keeps the claims that wait and serves them at the
end of every commit that may have made room or work.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from octavo.batches import ClaimedItem, Run, Slice
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, CustomerId, RunId, WorkerId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import Claim, ClaimRequest, OnClaim
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow
from octavo.ledger.unit_of_work import UnitOfWork

Answer = Claim | OctavoError
MOST_REMEMBERED = 10_000
"""Customers and batches whose last turn is remembered; half of them are forgotten when there are more."""


@dataclass(eq=False, slots=True)
class WaitingClaim:
    """One claim before a ledger; `stays` is whether it waits when there is nothing for it."""

    request: ClaimRequest
    on_claim: OnClaim
    stays: bool
    is_over: bool = False
    """Whether it wants no slot any more and only hears how things stand."""


def end_waits(
    waiting: Iterable[WaitingClaim], *, run_id: RunId | None = None, worker_id: WorkerId | None = None
) -> None:
    """Let the standing claims of a run, or a worker, hear at the next serving how things stand, without a slot."""
    for one in waiting:
        if one.stays and (one.request.run_id == run_id or one.request.worker_id == worker_id):
            one.stays, one.is_over = False, True


class Turns:
    """When each customer and each batch was served last; in memory, for it is about now."""

    def __init__(self) -> None:
        self._turn = 0
        self._last: dict[str, int] = {}

    def rank(self, batch: BatchRow) -> tuple[int, int, int]:
        """Return the place of a batch among those that wait: the least comes first."""
        return self._last.get(batch.customer_id, 0), batch.priority, self._last.get(batch.batch_id, 0)

    def take(self, batch: BatchRow) -> None:
        """Note that the batch, and its customer, had their turn just now."""
        self._turn += 1
        self._last[batch.customer_id] = self._last[batch.batch_id] = self._turn
        if len(self._last) > MOST_REMEMBERED:
            for name in sorted(self._last, key=self._last.__getitem__)[: MOST_REMEMBERED // 2]:
                del self._last[name]


@dataclass(eq=False, slots=True)
class _Asker:
    """A claim while it is served."""

    waiting: WaitingClaim
    batch: BatchRow
    most_items: int
    """Items of one slice at most: near a batch's end fewer, so that no slot stands idle while another has many."""
    got: list[Slice] = field(default_factory=list)

    @property
    def request(self) -> ClaimRequest:
        return self.waiting.request


class ClaimRound:
    """One serving: the rows it may touch, and the result of each claim.

    `work` has the batches that are asked for; `free` takes items for one slice of at most so many, by position,
    as `rules.fitting` says; `claimed` turns a leased item into what its worker is told.
    """

    def __init__(
        self,
        work: UnitOfWork,
        *,
        caps: Mapping[CustomerId, int],
        runs: Mapping[RunId, Run],
        slices: Iterable[SliceRow],
        free: Callable[[BatchRow, int], Sequence[ItemRow]],
        claimed: Callable[[ItemRow, CustomerId], ClaimedItem],
        turns: Turns,
        now: datetime,
    ) -> None:
        self._work = work
        self._caps = caps
        self._runs = runs
        self._free = free
        self._claimed = claimed
        self._turns = turns
        self._now = now
        self._of_customer: Counter[CustomerId] = Counter()
        self._of_worker: Counter[WorkerId] = Counter()
        self._of_run: Counter[RunId] = Counter()
        self._of_batch: Counter[BatchId] = Counter()
        for row in slices:
            self._count(row)

    def _count(self, row: SliceRow) -> None:
        self._of_customer[row.customer_id] += 1
        self._of_worker[row.worker_id] += 1
        self._of_run[row.run_id] += 1
        self._of_batch[row.batch_id] += 1

    def serve(self, waiting: Sequence[WaitingClaim]) -> list[tuple[WaitingClaim, Answer]]:
        """Give slots, one at a time and in turn, until nobody gets any more; return the claims that are answered."""
        answers: list[tuple[WaitingClaim, Answer]] = []
        askers: list[_Asker] = []
        for one in waiting:
            found = self._asker(one)
            if isinstance(found, OctavoError):
                answers.append((one, found))
            else:
                askers.append(found)
        self._hand_out(askers)
        told = [(asker.waiting, self._claim(asker)) for asker in askers]
        return answers + [(one, claim) for one, claim in told if not one.stays or _says_something(claim)]

    def _asker(self, one: WaitingClaim) -> _Asker | OctavoError:
        request = one.request
        batch = self._work.batches.get(request.batch_id)
        if batch is None:
            return refusals.batch_not_found(request.batch_id)
        run = self._runs.get(request.run_id)
        if run is not None and rules.is_over(run):
            return refusals.run_is_over(request.run_id)
        places = min(self._caps[batch.customer_id], request.slots)
        places = max(1, places, self._of_batch[batch.batch_id])
        share = -(-batch.unleased // places)
        most = min(request.slice_items, max(share, request.slice_items // 4))
        return _Asker(one, batch, max(1, most))

    def _hand_out(self, askers: Sequence[_Asker]) -> None:
        active = [asker for asker in askers if not asker.waiting.is_over]
        while active:
            asker = min(active, key=lambda one: self._turns.rank(one.batch))
            sizes = self._room(asker).sizes(asker.batch, asker.most_items)
            if not sizes:
                active.remove(asker)
                continue
            if not all(self._lease(asker, size) for size in (sizes if len(active) == 1 else sizes[:1])):
                active.remove(asker)
            self._turns.take(asker.batch)

    def _room(self, asker: _Asker) -> rules.Capacity:
        return rules.capacity(
            replace(asker.request, slots=asker.request.slots - len(asker.got)),
            cap=self._caps[asker.batch.customer_id],
            of_customer=self._of_customer[asker.batch.customer_id],
            of_worker=self._of_worker[asker.request.worker_id],
        )

    def _lease(self, asker: _Asker, size: int) -> bool:
        items = self._free(asker.batch, size)
        if not items:
            return False
        expires_at = self._now + timedelta(seconds=asker.request.lease_seconds)
        row = rules.new_slice(asker.request, asker.batch, expires_at, len(items))
        self._work.lease(items, row)
        self._count(row)
        asker.got.append(
            Slice(
                slice_id=row.slice_id,
                items=tuple(self._claimed(item, asker.batch.customer_id) for item in items),
                lease_expires_at=expires_at,
            )
        )
        return True

    def _claim(self, asker: _Asker) -> Claim:
        return Claim(
            slices=tuple(asker.got),
            status=asker.batch.status,
            unleased=asker.batch.unleased,
            at_cap=self._room(asker).at_cap(asker.batch),
            held=self._of_run[asker.request.run_id],
        )


def _says_something(claim: Claim) -> bool:
    """Whether a claim is worth an answer: slices, or that nothing is left for its run."""
    return bool(claim.slices) or (claim.unleased == 0 and claim.held == 0)
