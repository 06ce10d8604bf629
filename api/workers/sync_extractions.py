"""Sync extractions: a customer waits while a worker reads a document.

Such a document is no batch: it has no row and no object, and is gone with the request that waits for it, or with this
process. The ledger hears of it once, when it is billed: just before the answer, so that nobody pays for what never
came.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from api.threads import in_thread
from api.workers.broker import Broker, Job
from api.workers.registry import WorkerRegistry
from octavo.client.sync_protocol import SyncFailure, SyncPages, SyncTask
from octavo.errors import (
    DOCUMENT_ERRORS,
    ExtractionTimeout,
    FetchFailed,
    InternalError,
    OctavoError,
    QuotaExceeded,
    RateLimited,
    StaleLease,
    StorageUnavailable,
    UrlNotAllowed,
)
from octavo.identifiers import CallId, CustomerId, WorkerId, new_call_id
from octavo.ledger.contract import Ledger
from octavo.service.sync_extraction import SyncRequest

RETRY_AFTER_SECONDS = 5
ERRORS: dict[str, type[OctavoError]] = {
    **DOCUMENT_ERRORS,
    UrlNotAllowed.code: UrlNotAllowed,
    FetchFailed.code: FetchFailed,
    StorageUnavailable.code: StorageUnavailable,
}


@dataclass(eq=False, slots=True)
class _Reading:
    """What a job is about, how many pages are set aside for it, and its result once that is there."""

    call_id: CallId
    request: SyncRequest
    pages: int = 0
    result: IO[bytes] | None = None

    def discard(self) -> None:
        """Close a result that nobody waits for any more."""
        if self.result is not None:
            self.result.close()


SyncJob = Job[_Reading, IO[bytes]]


class SyncExtractions:
    """The sync extractions of this process."""

    def __init__(
        self, ledger: Ledger, workers: WorkerRegistry, *, seconds: float, limit: int = 100, limit_per_customer: int = 8
    ) -> None:
        """`seconds` is the longest time for one, including the wait; limits include those in progress."""
        self.seconds = seconds
        self.limit = limit
        self.limit_per_customer = limit_per_customer
        self.broker: Broker[_Reading, IO[bytes]] = Broker(workers, outlives_askers=False)
        self._ledger = ledger

    def close(self) -> None:
        """Answer every worker that waits: this process ends."""
        self.broker.close()

    def require_capacity(self, customer_id: CustomerId) -> None:
        """Raise RateLimited while a customer, or all together, have as many documents in progress as they may."""
        own = len(self.broker.of_customer(customer_id))
        if own >= self.limit_per_customer:
            what = f"You have as many documents waiting or in progress as allowed ({own})"
        elif len(self.broker.jobs) >= self.limit:
            what = "As many documents as allowed are waiting or in progress"
        else:
            return
        raise RateLimited(
            f"{what}; try again shortly, or submit them as a batch.", retry_after_seconds=RETRY_AFTER_SECONDS
        )

    async def extract(self, request: SyncRequest) -> IO[bytes]:
        """Return the result, JSON in an open file, once a worker has read the document and it was billed.

        Raises RateLimited, ExtractionTimeout, QuotaExceeded, UrlNotAllowed, FetchFailed, StorageUnavailable,
        DocumentError.
        """
        self.require_capacity(request.customer_id)
        call_id = new_call_id()
        job = self.broker.add(call_id, request.customer_id, _Reading(call_id, request))
        is_taken = False
        try:
            result = await self.broker.wait(job, self.seconds)
            is_taken = True
            return result
        except TimeoutError:
            raise ExtractionTimeout(
                f"The document was not read within {self.seconds:.0f} s; submit it as a batch, which has no such limit."
            ) from None
        finally:
            if not is_taken:
                job.task.discard()

    async def claim(self, worker_id: WorkerId, wait_seconds: float) -> SyncTask | None:
        """Give a worker the next document, waiting for one; customers take turns."""
        job = await self.broker.claim(worker_id, wait_seconds)
        if job is None:
            return None
        job.task.pages = 0
        request = job.task.request
        return SyncTask(
            call_id=job.task.call_id,
            customer_id=job.customer_id,
            attempt=job.attempt,
            engine=request.engine,
            extract_text=request.extract_text,
            extract_images=request.extract_images,
            url=request.url,
            filename=request.filename,
            content_type=request.content_type,
            reserves_pages=request.has_quota,
        )

    async def watch(self, call_id: CallId, attempt: int, wait_seconds: float) -> bool:
        """Return whether somebody still waits for a document after so many seconds; False as soon as nobody does."""
        return await self.broker.watch(call_id, attempt, wait_seconds)

    def document(self, call_id: CallId, attempt: int) -> Path:
        """Return where the bytes of a document are that a worker has claimed. Raises StaleLease."""
        path = self.broker.leased(call_id, attempt).task.request.path
        if path is None:
            raise StaleLease("this document came without bytes")
        return path

    async def reserve(self, asked: SyncPages) -> bool:
        """Set a document's pages aside; False when that would exceed its customer's quota. Raises StaleLease."""
        job = self.broker.leased(asked.call_id, asked.attempt)
        account = await in_thread(lambda: self._ledger.billing.page_account(job.customer_id))
        if account.limit is None:
            return True
        others = sum(one.task.pages for one in self.broker.of_customer(job.customer_id) if one is not job)
        if account.used + account.reserved + others + asked.pages > account.limit:
            return False
        job.task.pages = asked.pages
        return True

    def require_lease(self, call_id: CallId, attempt: int) -> None:
        """Return when a worker may end a document. Raises StaleLease when nobody waits for it any more."""
        self.broker.leased(call_id, attempt)

    def fail(self, failure: SyncFailure) -> None:
        """Take a worker's word that a document has no result. Raises StaleLease."""
        self.broker.leased(failure.call_id, failure.attempt).fail(_error(failure))

    async def succeed(self, call_id: CallId, attempt: int, pages: int, result: IO[bytes]) -> bool:
        """Take a worker's result, and bill it; the file is closed here unless somebody gets it. Raises StaleLease."""
        is_owed = False
        try:
            job = self.broker.leased(call_id, attempt)
            with job.ending():
                is_paid = await in_thread(
                    lambda: self._ledger.billing.bill_call(job.customer_id, job.task.call_id, pages)
                )
            if not is_paid:
                job.fail(_over_quota(""))
            elif self.broker.find(job.job_id) is job:
                job.task.result, is_owed = result, True
                job.succeed(result)
            return True
        finally:
            if not is_owed:
                result.close()


def _error(failure: SyncFailure) -> OctavoError:
    if failure.code == "payment_required":
        return _over_quota(failure.message)
    return ERRORS.get(failure.code, InternalError)(failure.message)


def _over_quota(message: str) -> QuotaExceeded:
    return QuotaExceeded(message or "The page quota is not enough for this document; have it raised.")
