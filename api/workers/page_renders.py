"""Page images that somebody wants to see, each rendered by a worker when it is first asked for.

A page render is named by the key of its image: whoever asks for one that is under way waits with the others. One whose
viewers have all gone is rendered to its end all the same, for it takes seconds and the next viewer finds it.
"""

from dataclasses import dataclass

from api.threads import in_thread
from api.workers.broker import Broker
from api.workers.registry import WorkerRegistry
from octavo.client.page_render_protocol import PageRenderResult, PageRenderTask
from octavo.errors import (
    DrawingTimeout,
    InternalError,
    NoPageImages,
    OctavoError,
    PageNotDrawn,
    RateLimited,
    ResultExpired,
    StorageUnavailable,
    UnknownFiles,
)
from octavo.expiry.expiring import Expiry
from octavo.identifiers import FileId, WorkerId
from octavo.ledger.contract import Ledger
from octavo.objects import keys

RETRY_AFTER_SECONDS = 2
LEASE_FACTOR = 2.0
"""A page goes to another worker after so many times the seconds rendering may take: its file is fetched besides."""
ERRORS: dict[str, type[OctavoError]] = {
    error.code: error for error in (NoPageImages, PageNotDrawn, ResultExpired, UnknownFiles, StorageUnavailable)
}


@dataclass(frozen=True, slots=True)
class _Page:
    task: PageRenderTask
    file_id: FileId


class PageRenders:
    """The page renders of this process."""

    def __init__(
        self,
        ledger: Ledger,
        workers: WorkerRegistry,
        expiry: Expiry,
        *,
        seconds: float,
        limit: int = 100,
        limit_per_customer: int = 16,
    ) -> None:
        """`seconds` is the longest time a viewer waits and rendering takes; limits include those in progress."""
        self.seconds = seconds
        self.limit = limit
        self.limit_per_customer = limit_per_customer
        self.broker: Broker[_Page, None] = Broker(workers, outlives_askers=True)
        self._ledger = ledger
        self._expiry = expiry

    def close(self) -> None:
        """Answer every worker that waits: this process ends."""
        self.broker.close()

    async def render(self, task: PageRenderTask, file_id: FileId) -> str:
        """Return the key of a page's image once it is in storage, rendered once for all who ask at the same time.

        Raises RateLimited, DrawingTimeout, and what the render failed with: NoPageImages, PageNotDrawn, UnknownFiles,
        ResultExpired, StorageUnavailable, InternalError.
        """
        job = self.broker.find(task.key)
        if job is None:
            self._require_capacity(task)
            job = self.broker.add(task.key, task.customer_id, _Page(task, file_id))
        try:
            await self.broker.wait(job, self.seconds)
        except TimeoutError:
            raise DrawingTimeout(f"The page was not rendered within {self.seconds:g} s; ask again shortly.") from None
        return task.key

    def _require_capacity(self, task: PageRenderTask) -> None:
        own = len(self.broker.of_customer(task.customer_id))
        if own >= self.limit_per_customer or len(self.broker.jobs) >= self.limit:
            raise RateLimited(
                "As many page images as allowed are waiting or being rendered; ask again shortly.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )

    async def claim(self, worker_id: WorkerId, wait_seconds: float) -> PageRenderTask | None:
        """Give a worker the next page to render, waiting for one; customers take turns."""
        job = await self.broker.claim(worker_id, wait_seconds, lease_seconds=LEASE_FACTOR * self.seconds)
        return None if job is None else job.task.task

    async def end(self, result: PageRenderResult) -> bool:
        """Take a worker's result; False when nobody knows of the page any more. Raises StorageUnavailable.

        Whichever worker renders a page writes the same image, so that the first result counts, of any attempt.
        """
        is_there = result.code is not None or await in_thread(lambda: self._is_kept(result.key))
        job = self.broker.find(result.key)
        if job is None:
            return False
        self.broker.remove(job)
        if not is_there:
            job.fail(ResultExpired("The result has been deleted meanwhile."))
        elif result.code is None:
            job.succeed(None)
        else:
            job.fail(_error(job.task, result))
        return True

    def _is_kept(self, key: str) -> bool:
        """Tell whether an image's result is there; one rendered while its result was deleted must go with it."""
        customer_id, result_id = keys.result_of(key)
        if result_id in self._ledger.lifetimes.live_results([result_id]):
            return True
        self._expiry.take_results({result_id: customer_id})
        return False


def _error(page: _Page, result: PageRenderResult) -> OctavoError:
    if result.code == UnknownFiles.code:
        return UnknownFiles(result.message, file_ids=[page.file_id])
    return ERRORS.get(result.code or "", InternalError)(result.message)
