"""A ledger with a clock that stands still, and short words for what happens to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from octavo.batch_options import BatchOptions
from octavo.batches import (
    Batch,
    ClaimedItem,
    Counts,
    Customer,
    FileStatus,
    Item,
    ItemStatus,
    NewBatch,
    NewItem,
    StagedFile,
)
from octavo.identifiers import BatchId, FileId, ItemId, ResultId, RunId, WorkerId, new_batch_id, new_file_id
from octavo.ledger.contract import Claim, ClaimRequest, ItemCursor, Ledger, Report, ReportKind, ReportResult
from octavo.outcomes import Failed, Outcome, Succeeded

RUN = RunId("run-1")
WORKER = WorkerId("worker-1/a")


class StandingClock:
    """Tells the moment it was set to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 5, 6, 7, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def go(self, **by: float) -> None:
        self.moment += timedelta(**by)


class WallClock(StandingClock):
    """Tells the time it is, for worlds whose ledger goes by it, too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


def success(pages: int = 2, sha256: str = "5ha") -> Succeeded:
    return Succeeded(
        page_count=pages, result_id=ResultId(f"result-{pages}"), sha256=sha256, engine="stub 1", seconds=0.5
    )


def failed(code: str = "extraction_failed", *, sha256: str | None = None) -> Failed:
    return Failed(code=code, message="It is damaged.", retryable=False, sha256=sha256)


def begin(item: ClaimedItem, *, again: bool = False) -> Report:
    return Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no, again=again)


def finish(item: ClaimedItem, outcome: Outcome | None = None) -> Report:
    return Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome or success())


def release(item: ClaimedItem) -> Report:
    return Report(kind=ReportKind.RELEASE, item_id=item.item_id, lease_no=item.lease_no)


class World:
    def __init__(self, ledger: Ledger, clock: StandingClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.customer = ledger.accounts.ensure_customer("Ada's archive")

    def staged(
        self,
        count: int = 1,
        *,
        customer: Customer | None = None,
        status: FileStatus = FileStatus.READY,
        hours: float = 72,
    ) -> list[StagedFile]:
        """Files that are not in the ledger yet."""
        owner = customer or self.customer
        return [
            StagedFile(
                file_id=new_file_id(),
                customer_id=owner.customer_id,
                status=status,
                filename=f"page {number}.pdf",
                content_type="application/pdf",
                size_bytes=1000 + number,
                sha256=None,
                object_key=f"files/{number}",
                created_at=self.clock(),
                expires_at=self.clock() + timedelta(hours=hours),
            )
            for number in range(count)
        ]

    def files(
        self,
        count: int = 1,
        *,
        customer: Customer | None = None,
        status: FileStatus = FileStatus.READY,
        hours: float = 72,
    ) -> list[FileId]:
        staged = self.staged(count, customer=customer, status=status, hours=hours)
        self.ledger.files.add(staged)
        return [file.file_id for file in staged]

    def order(
        self,
        file_ids: Sequence[FileId],
        *,
        customer: Customer | None = None,
        key: str | None = None,
        digest: str = "body",
        retention_seconds: int = 3600,
    ) -> NewBatch:
        return NewBatch(
            batch_id=new_batch_id(),
            customer_id=(customer or self.customer).customer_id,
            items=NewItem.of_files(file_ids),
            engine=None,
            options=BatchOptions.of_values({"extract_text": True, "engine": "stub 1"}),
            metadata={"box": 7, "tags": ["a", None]},
            retention_seconds=retention_seconds,
            idempotency_key=key,
            body_digest=digest,
        )

    def batch(self, count: int = 1, *, customer: Customer | None = None) -> Batch:
        """A batch of so many fresh files."""
        file_ids = self.files(count, customer=customer)
        return self.ledger.batches.create(self.order(file_ids, customer=customer))[0]

    def now(self, batch: Batch) -> Batch:
        return self.ledger.batches.get(batch.customer_id, batch.batch_id)

    def items(self, batch: Batch) -> list[Item]:
        """All items of a batch, by position."""
        return sorted(self.ledger.batches.items(batch.batch_id, limit=100_000), key=lambda item: item.position)

    def item(self, claimed: ClaimedItem) -> Item:
        return self.ledger.batches.item(claimed.batch_id, claimed.item_id)

    def claim(
        self,
        batch: Batch | BatchId,
        lanes: int = 8,
        *,
        slice_items: int = 1,
        run: RunId = RUN,
        worker: WorkerId = WORKER,
        lease_seconds: float = 90.0,
        slots: int | None = None,
    ) -> Claim:
        batch_id = batch.batch_id if isinstance(batch, Batch) else batch
        return self.ledger.work.claim(
            ClaimRequest(
                batch_id=batch_id,
                run_id=run,
                worker_id=worker,
                slots=lanes,
                slice_items=slice_items,
                lease_seconds=lease_seconds,
                worker_slots=slots,
            )
        )

    def take(
        self,
        batch: Batch,
        count: int = 1,
        *,
        run: RunId = RUN,
        worker: WorkerId = WORKER,
        lease_seconds: float = 90.0,
    ) -> list[ClaimedItem]:
        """So many items, each in a slice of its own."""
        claim = self.claim(batch, count, run=run, worker=worker, lease_seconds=lease_seconds)
        items = [item for one in claim.slices for item in one.items]
        assert len(items) == count
        return items

    def say(self, *reports: Report) -> list[ReportResult]:
        return self.ledger.work.report(reports)

    def run(self, batch: Batch, run: RunId = RUN, worker: WorkerId = WORKER) -> int:
        """An active run of a batch; its number."""
        number = self.ledger.runs.add(batch.batch_id).run_no
        self.ledger.runs.name(batch.batch_id, number, run)
        self.ledger.runs.open(run, worker)
        return number

    def work_off(self, batch: Batch) -> None:
        """Let every item succeed that can be claimed."""
        while slices := self.claim(batch).slices:
            for item in [item for one in slices for item in one.items]:
                self.say(begin(item), finish(item))

    def pages(self) -> int:
        return self.ledger.billing.pages_used(self.customer.customer_id)


def cursor(item: Item) -> ItemCursor:
    return ItemCursor(item.updated_at, item.item_id)


def recount(items: Sequence[Item]) -> Counts:
    def of(status: ItemStatus) -> int:
        return sum(item.status is status for item in items)

    return Counts(
        pending=of(ItemStatus.PENDING),
        running=of(ItemStatus.RUNNING),
        succeeded=of(ItemStatus.SUCCEEDED),
        failed=of(ItemStatus.FAILED),
        cancelled=of(ItemStatus.CANCELLED),
    )


def ids(items: Sequence[Item | ClaimedItem]) -> list[ItemId]:
    return [item.item_id for item in items]
