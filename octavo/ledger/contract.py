"""What every ledger does; `duckdb` is the real one, `memory` the fake that ships beside it.

All methods block and may be called from any thread. A write has been committed when its
method returns; what it wrote is seen by every read that begins afterwards. Every commit
that touches items gives them one `updated_at` later than that of any commit before it, so
that a reader who remembers the last `(updated_at, item_id)` misses nothing. `updated_at`
moves when something changes that the item shows; taking, renewing and giving back a lease does not.

Any method raises LedgerUnavailable once the ledger is closed or its storage fails. An id or a key
digest that is there already is a ValueError: the caller made it, and made it random.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from octavo.batches import (
    ApiKey,
    Batch,
    BatchStatus,
    Customer,
    Item,
    NewBatch,
    Run,
    RunStatus,
    Slice,
    StagedFile,
)
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, RunId, WorkerId
from octavo.ledger.accounts import AccountLedger
from octavo.ledger.archive import ArchivedPart, ArchivePosition, Changes, LedgerIdentity, Manifest, Outcomes
from octavo.ledger.lifetimes import Lifetimes
from octavo.ledger.progress import ProgressLedger
from octavo.ledger.reading import ReadingLedger
from octavo.ledger.webhooks import WebhookLedger
from octavo.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose key a request carries."""

    customer: Customer
    key: ApiKey


@dataclass(frozen=True, slots=True)
class ItemCursor:
    """A place in a batch's items, ordered by `(updated_at, item_id)`."""

    updated_at: datetime
    item_id: ItemId


@dataclass(frozen=True, slots=True)
class BatchCursor:
    """A place in a customer's batches, newest first, ordered by `(created_at, batch_id)`."""

    created_at: datetime
    batch_id: BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A flow run asks for work: up to `lanes` slices of up to `slice_items` items each.

    Zero lanes say no more than that the run lives.
    """

    batch_id: BatchId
    run_id: RunId
    worker_id: WorkerId
    lanes: int
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


Tell = Callable[[Claim | OctavoError], None]
"""Takes what a standing claim came to, once, on a thread of the ledger's: it must not block."""


class ReportKind(StrEnum):
    """What a worker says of an item it holds."""

    BEGIN = "begin"
    FINISH = "finish"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A worker's word about one item; counts only while `lease_no` is the item's current lease.

    `BEGIN` makes the item running and adds an attempt (said again, with `again=True`, it adds
    one more each time: the next OCR attempt). `started_at` keeps the first start. `FINISH` needs an
    `outcome` and stands for the `BEGIN` too if there was none. `RELEASE` gives an item that
    was not begun, or whose work was given up in good order, back without counting it as lost; in a
    batch whose cancel was asked the item is cancelled instead.
    """

    kind: ReportKind
    item_id: ItemId
    lease_no: int
    outcome: Outcome | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows were removed because nothing asks for them any more."""

    runs: int
    idempotency_keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that is not terminal, as the reconciler sees it."""

    batch: Batch
    unleased: int
    runs: tuple[Run, ...]
    """Its runs that are starting or active."""


@dataclass(frozen=True, slots=True)
class HeldLanes:
    """How many slices one worker holds of one customer; never none."""

    customer_id: CustomerId
    worker_id: WorkerId
    lanes: int


class Ledger(Lifetimes, WebhookLedger, AccountLedger, ReadingLedger, ProgressLedger, Protocol):
    """The one owner of Octavo's state."""

    # Customers and keys

    def ensure_customer(self, name: str) -> Customer:
        """Return the customer of that name, made if it is new."""
        ...

    def customer(self, customer_id: CustomerId) -> Customer:
        """Return one customer. Raises CustomerNotFound."""
        ...

    def customers(self) -> list[Customer]:
        """Return all customers, oldest first."""
        ...

    def update_customer(
        self, customer_id: CustomerId, *, enabled: bool | None = None, item_cap: int | None = None
    ) -> Customer:
        """Change what is given, keep the rest. Raises CustomerNotFound, ValueError for a cap below 1."""
        ...

    def add_key(
        self, customer_id: CustomerId, *, prefix: str, digest: str, label: str = "", uploads_only: bool = False
    ) -> ApiKey:
        """Keep a key by the SHA-256 digest of its secret. Raises CustomerNotFound."""
        ...

    def keys(self, customer_id: CustomerId) -> list[ApiKey]:
        """Return a customer's keys, oldest first. Raises CustomerNotFound."""
        ...

    def revoke_key(self, key_id: str) -> ApiKey | None:
        """Revoke a key, again without harm; None when there is none."""
        ...

    def principal(self, digest: str) -> Principal | None:
        """Return who holds the key with this digest; None for unknown and revoked ones."""
        ...

    # Files

    def add_files(self, files: Sequence[StagedFile]) -> None:
        """Keep newly staged files, all or none. Raises ValueError if one is there already."""
        ...

    def files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        """Return those of the files that are this customer's (expired ones with that status).

        A file expires at `expires_at`, but not while an unfinished item names it.
        """
        ...

    def mark_ready(self, file_ids: Sequence[FileId]) -> None:
        """Say that these files' bytes were seen in storage; files that are not pending stay as they are."""
        ...

    # Batches

    def replay(self, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
        """Return the batch made with this key in the last 24 hours. Raises IdempotencyKeyReused."""
        ...

    def create_batch(self, new: NewBatch) -> tuple[Batch, bool]:
        """Keep a batch with its items in one transaction; False when its idempotency key had one.

        The same key and body at the same moment from many threads give one batch. A file may
        stand in `file_ids` more than once: one item per position, from 0.

        Raises: IdempotencyKeyReused, UnknownFiles (`file_ids`: all that are not this customer's or
        expired, in the order given, each once), FilesNotUploaded (likewise, those still pending; only
        when none is unknown), ValueError without any file.
        """
        ...

    def batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        """Return one of the customer's batches. Raises BatchNotFound."""
        ...

    def batches(
        self,
        customer_id: CustomerId,
        *,
        status: BatchStatus | None = None,
        after: BatchCursor | None = None,
        limit: int = 50,
    ) -> list[Batch]:
        """Return a customer's batches, newest first."""
        ...

    def items(self, batch_id: BatchId, *, after: ItemCursor | None = None, limit: int = 100) -> list[Item]:
        """Return a batch's items in `(updated_at, item_id)` order, those after the cursor.

        Item ids ascend with the position, so untouched items come in its order. None for an unknown batch.
        """
        ...

    def item(self, batch_id: BatchId, item_id: ItemId) -> Item:
        """Return one item. Raises ItemNotFound."""
        ...

    def cancel_batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        """Cancel what is pending, leased or not; running items go on. A finished batch stays as it is.

        Raises: BatchNotFound.
        """
        ...

    # Work

    def claim(self, request: ClaimRequest) -> Claim:
        """Lease pending items to a flow run, now or not at all, never over the customer's cap.

        The cap counts open slices of the customer over all its batches and workers; `worker_slots`
        counts those of the asking worker over all its runs. Slices of one claim have about equal size, and near
        the end of a batch they get smaller, so that no lane stands idle; an item whose next lost lease would be its
        last has a slice of its own. A claim for a batch that is cancelling or terminal gives no slice. Marks the
        run active and seen; a run the ledger does not know (it was not named yet) is served all the same.

        Claims that are served by the same commit come in turn: customers, inside a customer by priority
        (lower first), equal priority its batches in turn, then position.

        Raises: BatchNotFound, StaleLease when the run is lost or ended (it should end), ValueError for
        negative lanes, empty slices or leases without time.
        """
        ...

    def stand(self, request: ClaimRequest, tell: Tell) -> None:
        """Do the same, waiting for something to lease: a lane is handed on by the very commit that frees it.

        `tell` is called once: with slices; with none when nothing is left for this run (no item of its batch is free
        and it holds none); with none when `step_back` ends the wait, or another standing claim of the same run
        takes its place; with what `claim` raises, also later. Raises ValueError as `claim` does.
        """
        ...

    def step_back(self, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        """End the waiting of a run's, or a worker's, standing claims: they are told how things stand."""
        ...

    def report(self, reports: Sequence[Report]) -> list[Verdict]:
        """Take a worker's words, each on its own, all in one transaction; verdicts in the same order.

        Success writes the usage row (pages, once per item) and the file's sha256 with it (so does a
        failure that knows the sha256). The last word about a slice closes its lane. The last terminal
        item ends the batch: `completed_at` is set and `expires_at` starts anew from there.

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

        Their runs stay as they are: a run that lives goes on claiming, a dead one has a dead worker.
        """
        ...

    def workers(self) -> list[WorkerId]:
        """Return the workers that hold leases or have runs that are starting or active."""
        ...

    def held_lanes(self) -> list[HeldLanes]:
        """Return how many open slices each worker holds of each customer, in the order of both."""
        ...

    # Runs

    def add_run(self, batch_id: BatchId) -> Run:
        """Keep a new run of a batch, starting, `run_no` one more than the last. Raises BatchNotFound."""
        ...

    def name_run(self, batch_id: BatchId, run_no: int, run_id: RunId) -> None:
        """Say which flow run it became. Raises BatchNotFound for a run that was never added."""
        ...

    def open_run(self, run_id: RunId, worker_id: WorkerId) -> Run | None:
        """Say that a worker has begun this run; None when the ledger knows no such run.

        An ended run that is begun again is active again; a lost one is returned as lost.
        """
        ...

    def end_run(self, run_id: RunId, status: RunStatus = RunStatus.ENDED) -> Run | None:
        """Say that a run has ended; leases it still has are released uncounted, also of an unknown run.

        A lost run that ends by itself is ended, and an ended one stays so. Raises ValueError for a
        status other than ended and lost.
        """
        ...

    def see_runs(self, run_ids: Sequence[RunId]) -> None:
        """Say that these runs were heard of just now."""
        ...

    def run(self, run_id: RunId) -> Run | None:
        """Return one run."""
        ...

    def lost_runs(self) -> list[Run]:
        """Return runs that are lost and not yet told to the orchestrator, oldest first."""
        ...

    def forget_lost_run(self, batch_id: BatchId, run_no: int) -> None:
        """Say that the orchestrator was told; the run becomes ended."""
        ...

    def starting_runs(self) -> list[Run]:
        """Return the runs that no worker has begun yet, of ended batches too, oldest first."""
        ...

    def open_batches(self) -> list[OpenBatch]:
        """Return all batches that are not terminal, oldest first."""
        ...

    # Pruning

    def prune(self, runs_seen_before: datetime) -> Pruned:
        """Remove what has had its time; again without harm.

        Ended runs last seen before that moment, of batches that are gone, or terminal and past `expires_at`: until then
        a batch may go on, and the number of its last run is needed. Idempotency keys older than 24 hours.
        """
        ...

    # Usage

    def pages_used(self, customer_id: CustomerId) -> int:
        """Return the sum of pages over the customer's usage rows."""
        ...

    def close(self) -> None:
        """End the writer and release the file; the ledger cannot be used afterwards."""
        ...

    # The archive

    def identity(self) -> LedgerIdentity:
        """Return which ledger this is; its name was made at random with it."""
        ...

    def archived(self) -> ArchivePosition:
        """Return how far this ledger was archived."""
        ...

    def changes(self, after: ArchivePosition) -> Changes | None:
        """Return what is new after a position, the first part of it when it is much; None when nothing is.

        Nothing comes before what it refers to: customers, files, batches, outcomes. An outcome is told
        once, a customer or run whenever any of them has changed. What was deleted is told until that was archived.
        once, a customer or run whenever any of them has changed. After a retry a batch is told of as a whole.
        """
        ...

    def outcomes(self, batch_id: BatchId) -> Outcomes:
        """Return all items of a batch that have ended, as a whole. Raises BatchNotFound."""
        ...

    def manifest(self, batch_id: BatchId) -> Manifest:
        """Return a batch as it was admitted. Raises BatchNotFound."""
        ...

    def note_archived(self, position: ArchivePosition) -> None:
        """Say that everything up to this position was archived."""
        ...

    def restore(self, parts: Iterable[ArchivedPart], *, generation: int) -> None:
        """Put what an archive holds into this ledger, which must be empty; all of it counts as archived.

        Parts come in this order: accounts, usage, files, batches, runs; runs of unknown batches are left out.
        Items without an outcome are pending, under lease numbers that no earlier generation
        has given, and shown as changed just now. Raises ValueError for a ledger with customers.
        """
        ...
