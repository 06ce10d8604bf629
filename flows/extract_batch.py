"""The flow of a batch: open it, claim, map `extract` over what was claimed, report how it ended."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import flow, get_run_logger, tags
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectHTTPStatusError
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from octavo.batches import BatchStatus
from octavo.client.worker_protocol import OpenedRun, RunSummary
from octavo.identifiers import BatchId, RunId
from octavo.worker import SliceWorker
from tasks import worker
from tasks.extract import extract

STEP_PERCENT = 5.0
LAST_WRITING_SECONDS = 15.0
THREADS = 64
"""More than the slots any run may have; slots, not threads, are the limit."""
MOST_TASK_RUNS = 48
"""Task runs at once: if Prefect is slower than the work, the work waits instead of filling memory."""


@flow(
    name="extract-batch",
    task_runner=cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=THREADS)),
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def extract_batch(batch_id: str) -> State[None]:
    """Extract one batch; several runs of this flow may share a batch.

    A flow run that is retried in the Prefect UI has the batch's failed items run again, in a new run.

    Args:
        batch_id: The batch to extract, as the API returned it: `batch_...`.
    """
    here, run_id = worker.current(), RunId(str(flow_run.id))
    if int(flow_run.run_count or 0) > 1:
        return _retried(here, run_id)
    opened = here.open_run(run_id, BatchId(batch_id))
    task_runs, progress = TaskRuns(here), Progress(opened)
    with tags(f"customer:{opened.customer_id}", f"name:{opened.customer_name}"):
        # The work on these slices has begun; their task runs attach to it. Under tag limits it waits for them.
        for slice_ids in here.claims(run_id) if opened.tag_limits else here.started_claims(run_id):
            task_runs.add(slice_ids, extract.map(list(slice_ids)))
            task_runs.wait_for_room()
            progress.show(here.percent(run_id))
    task_runs.wait_for_all()
    is_cancelled = here.is_cancelled(run_id)
    summary = here.end_run(run_id)
    progress.end(summary)
    _show_failures(opened, summary)
    return _final_state(summary, is_cancelled=is_cancelled, is_draining=here.is_draining)


class TaskRuns:
    """The unfinished task runs of one flow run.

    Prefect's engine in this process reports their ends: a future's `state` would be read from the server each time.
    """

    def __init__(self, here: SliceWorker) -> None:
        self._here = here
        self._going_on: dict[str, PrefectFuture[State[None]]] = {}
        self._ended: SimpleQueue[str] = SimpleQueue()

    def add(self, slice_ids: Sequence[str], futures: Iterable[PrefectFuture[State[None]]]) -> None:
        """Follow the task runs of these slices."""
        for slice_id, future in zip(slice_ids, futures, strict=True):
            self._going_on[slice_id] = future
            future.add_done_callback(partial(self._note_end, slice_id))
        self._remove_ended()

    def _note_end(self, slice_id: str, _: PrefectFuture[State[None]]) -> None:
        self._ended.put(slice_id)

    def wait_for_room(self) -> None:
        """Return when there are few enough to add another."""
        while len(self._going_on) > MOST_TASK_RUNS:
            self._remove(self._ended.get())

    def wait_for_all(self) -> None:
        """Return when all have ended."""
        while self._going_on:
            self._remove(self._ended.get())

    def _remove_ended(self) -> None:
        while not self._ended.empty():
            self._remove(self._ended.get())

    def _remove(self, slice_id: str) -> None:
        """A slice whose task run ended before it reached the worker goes back."""
        self._here.give_up(slice_id)
        del self._going_on[slice_id]


def _key(batch_id: str) -> str:
    return batch_id.replace("_", "-")


def _title(opened: OpenedRun) -> str:
    return f"{opened.customer_name}: {opened.total_items} files, batch {opened.batch_id}"


class Progress:
    """The batch's progress artifact, written alongside the work: a slow or absent Prefect delays no item."""

    def __init__(self, opened: OpenedRun) -> None:
        self._opened = opened
        self._artifact: UUID | None = None
        self._shown = 0.0
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def show(self, percent: float) -> None:
        """Write every five percent, unless the last write is still in progress."""
        is_due = self._artifact is None or percent >= self._shown + STEP_PERCENT
        if is_due and (self._writing is None or self._writing.done()):
            self._writing = self._writer.submit(copy_context().run, self._write, percent)

    def end(self, summary: RunSummary) -> None:
        """Write the state of the batch at the end of this run, within a limited time."""
        total = max(1, self._opened.total_items)
        percent = round(100.0 * (total - summary.unfinished) / total, 1)
        last = self._writer.submit(copy_context().run, self._write, percent)
        self._writer.shutdown(wait=False)
        try:
            last.result(timeout=LAST_WRITING_SECONDS)
        except (httpx.HTTPError, PrefectHTTPStatusError, TimeoutError) as error:
            get_run_logger().warning("the progress artifact lags behind: %s", error)

    def _write(self, percent: float) -> None:
        # In a synchronous context these calls return directly, whatever their type says.
        if self._artifact is None:
            key = f"progress-{_key(self._opened.batch_id)}"
            made = create_progress_artifact(percent, key=key, description=_title(self._opened))
            self._artifact = cast(UUID, made)
        else:
            update_progress_artifact(self._artifact, percent)
        self._shown = percent


def _show_failures(opened: OpenedRun, summary: RunSummary) -> None:
    if summary.failures:
        create_table_artifact(
            [dict(row) for row in summary.failures],
            key=f"failed-{_key(opened.batch_id)}",
            description=f"{summary.failed} failed of {_title(opened)}"
            + (" (the first 100)" if summary.failed > len(summary.failures) else ""),
        )


def _final_state(summary: RunSummary, *, is_cancelled: bool, is_draining: bool) -> State[None]:
    counts = f"{summary.succeeded} ok, {summary.failed} failed"
    if summary.cancelled:
        counts += f", {summary.cancelled} cancelled"
    if is_cancelled or summary.cancelled or summary.status is BatchStatus.CANCELLING:
        return Cancelled(message=counts)
    if summary.unfinished:
        name = "Drained" if is_draining else "HandedOn"
        return Completed(name=name, message=f"{counts}, {summary.unfinished} continue elsewhere")
    if not summary.failed:
        return Completed(message=counts)
    told = f"{counts}: {_reasons(summary)}"
    # As the batch itself is: `failed` without a single good item, else `partially_failed`.
    return Completed(name="CompletedWithErrors", message=told) if summary.succeeded else Failed(message=told)


def _reasons(summary: RunSummary) -> str:
    """Return how often each code occurs among the failures that are known, the most frequent first."""
    codes = Counter(str(row["code"]) for row in summary.failures)
    more = ", ..." if summary.failed > len(summary.failures) else ""
    return ", ".join(f"{code} {number}" for code, number in codes.most_common()) + more


def _retried(here: SliceWorker, run_id: RunId) -> State[None]:
    retried = here.retry_batch(run_id)
    if retried.items:
        items = "1 failed item runs" if retried.items == 1 else f"{retried.items} failed items run"
        return Completed(name="Retried", message=f"{items} again, in a new run of this batch")
    return Completed(name="NothingRetried", message=retried.refusal or "no item of this batch has failed")
