"""What workers and the API say to each other: plain frozen records, JSON on the wire.

Claims, reports and verdicts are the ledger's own records; here is what is more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octavo.batches import BatchStatus
from octavo.identifiers import BatchId, CustomerId, RunId, WorkerId
from octavo.ledger.contract import ItemProgress, Report
from octavo.objects.contract import ObjectInfo

TOKEN_SCHEME = "Bearer"  # noqa: S105 - the name of a scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccess:
    """How a worker reaches object storage; resolved by the API, so that workers configure nothing."""

    endpoint_url: str
    public_url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A worker begins its life; earlier lives of the same name are over and lose their leases at once."""

    worker_id: WorkerId
    slots: int = 0
    """Slices it may hold at once; counts where a life begins, not where it drains, waits or ends."""
    protection: tuple[str, ...] = ()
    """Which walls are up around its extraction children; counts where a life begins, as above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a worker needs to work."""

    storage: StorageAccess
    notifications: int
    """How many there have been so far: the worker waits for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A flow run begins on a worker."""

    run_id: RunId
    batch_id: BatchId
    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """What a flow run needs to know of its batch."""

    batch_id: BatchId
    customer_id: CustomerId
    customer_name: str
    run_no: int
    item_cap: int
    total_items: int
    options: Mapping[str, object]
    status: BatchStatus
    tag_limits: bool = False
    """Whether work has to wait for its task run, which waits for a slot of Prefect's tag limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRun:
    """Names a flow run: to end it, to cancel its batch, to ask how it stands."""

    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedRun:
    """What became of the wish to run a batch's failed items again."""

    items: int
    """How many run again, in a new run of the batch."""
    refusal: str | None = None
    """Why none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """A worker's reports about items it holds."""

    worker_id: WorkerId
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Whether pages were set aside; if not, the quota does not suffice and the item is not to be read."""

    is_reserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A worker is alive, works on these slices and has these runs open."""

    worker_id: WorkerId
    slice_ids: tuple[str, ...]
    run_ids: tuple[RunId, ...]
    lease_seconds: float
    slots: int | None = None
    """Slices it may hold at once, 0 while it drains; said again and again, for an API that was restarted."""
    progress: tuple[ItemProgress, ...] = ()
    """How far items are that have been in progress for longer than a heartbeat, where that is new."""
    protection: tuple[str, ...] = ()
    """As in its hello; said again for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Slices a worker no longer holds; it stops work on them."""

    slice_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """How many times workers were notified: a higher count than seen before means that there are runs to fetch."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """Asks the ledger to remove what is old enough."""

    keep_runs_seconds: float
    """How long ended runs are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """Shows objects of storage, so that those that nobody names are deleted."""

    stored: tuple[ObjectInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """How many were deleted, and why none may be."""

    deleted: int
    objection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedRecords:
    """How many records were removed from the ledger."""

    batches: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How a batch stands, for the flow run's last word and its artifacts."""

    status: BatchStatus
    succeeded: int
    failed: int
    cancelled: int
    unfinished: int
    failures: tuple[Mapping[str, object], ...]
    """The first hundred failed items: position, filename, code, message."""
