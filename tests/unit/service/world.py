"""The use cases around a ledger and objects in memory: no HTTP, no worker, no Prefect."""

from dataclasses import dataclass, field
from datetime import timedelta

from octavo.batch_options import ExtractPageOptions
from octavo.batches import Batch, Customer, Item, NewItem
from octavo.engines.registry import EngineRegistry
from octavo.identifiers import BatchId, FileId, ResultId, RunId, WorkerId
from octavo.ledger.contract import ClaimRequest, Ledger, Report, ReportKind
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Failed, Outcome, Succeeded
from octavo.service.batches import Batches
from octavo.service.results import Results
from octavo.service.staging import NewFile, Staging
from octavo.service.submission import BatchRequest, Submission
from tests.unit.api.service import MovableClock

RUN = RunId("11111111-1111-4111-8111-111111111111")
WORKER = WorkerId("worker/one")
DAY_SECONDS = 86_400


@dataclass
class Runs:
    """Remembers which batches a run was asked for."""

    started: list[BatchId] = field(default_factory=list)

    def start(self, batch_id: BatchId) -> None:
        self.started.append(batch_id)


@dataclass
class World:
    """One customer and what serves it."""

    ledger: Ledger
    clock: MovableClock
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    runs: Runs = field(default_factory=Runs)

    def __post_init__(self) -> None:
        self.customer = self.ledger.accounts.ensure_customer("acme")

    @property
    def staging(self) -> Staging:
        return Staging(
            self.ledger.files, self.objects, max_file_bytes=1000, retention_seconds=DAY_SECONDS, upload_seconds=60
        )

    @property
    def submission(self) -> Submission:
        engines = EngineRegistry.installed(test_engines=True)
        return Submission(self.ledger, self.objects, engines, self.runs, retention_seconds=DAY_SECONDS)

    @property
    def batches(self) -> Batches:
        return Batches(self.ledger, self.runs)

    @property
    def results(self) -> Results:
        ledger = self.ledger
        return Results(ledger.batches, ledger.files, ledger.lifetimes, self.objects, link_seconds=300)

    def limited(self, pages: int) -> Customer:
        """Return the customer, with so many pages in all."""
        self.customer = self.ledger.accounts.set_limits(self.customer.customer_id, {"page_quota": pages})
        return self.customer

    def uploaded(self, size_bytes: int = 5) -> FileId:
        """Return a file whose bytes are in storage, which nobody has looked at yet."""
        staged = self.staging.stage(self.customer, NewFile(size_bytes))
        self.objects.write(staged.file.object_key, b"x" * size_bytes, "application/pdf")
        return staged.file.file_id

    def submit(self, *file_ids: FileId, key: str | None = None, body: str = "one", engine: str | None = None) -> Batch:
        return self.submission.submit(
            self.customer,
            BatchRequest(
                items=NewItem.of_files(file_ids),
                engine=engine,
                shown=ExtractPageOptions(),
                metadata=None,
                idempotency_key=key,
                body=lambda: {"body": body},
            ),
        )

    def ended(self, outcome: Outcome) -> Item:
        """Return the one item of a new batch, which came to this."""
        batch = self.submit(self.uploaded())
        run = self.ledger.runs.add(batch.batch_id)
        self.ledger.runs.name(batch.batch_id, run.run_no, RUN)
        self.ledger.runs.open(RUN, WORKER)
        claim = self.ledger.work.claim(ClaimRequest(batch_id=batch.batch_id, run_id=RUN, worker_id=WORKER, slots=1))
        (item,) = claim.slices[0].items
        self.ledger.work.report(
            [Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome)]
        )
        self.ledger.runs.end(RUN)
        return self.ledger.batches.item(batch.batch_id, item.item_id)

    def later(self, seconds: float) -> None:
        self.clock.shift += timedelta(seconds=seconds)


def succeeded(result_id: str = "res_1") -> Succeeded:
    return Succeeded(page_count=1, result_id=ResultId(result_id), sha256="0" * 64, engine="sleep 1", seconds=0.1)


def failed() -> Failed:
    return Failed(code="extraction_failed", message="It is damaged.", retryable=False)
