"""The flow of a batch: open it, claim, map `extract` over what was claimed, tell how it ended."""

from typing import Any, cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from octavo.batches import BatchStatus
from octavo.client.worker_protocol import OpenedRun, RunSummary
from octavo.identifiers import BatchId, RunId
from tasks import bench
from tasks.extract import extract

THREADS = 64
"""More than any number of lanes one run may have; lanes, not threads, are the limit."""


@flow(
    name="extract-batch",
    task_runner=cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=THREADS)),
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def extract_batch(batch_id: str) -> State[None]:
    """Extract one batch; several runs of this flow may share a batch."""
    here, run_id = bench.current(), RunId(str(flow_run.id))
    opened = here.open_run(run_id, BatchId(batch_id))
    # In a synchronous flow these calls of Prefect's answer at once, whatever their type says.
    progress = cast(UUID, create_progress_artifact(0.0, key=f"progress-{_key(batch_id)}", description=_title(opened)))
    working: list[PrefectFuture[State[None]]] = []
    shown = 0
    for slice_ids in here.claims(run_id):
        working = [future for future in working if not future.state.is_final()]
        working += extract.map(list(slice_ids))
        shown = _show_progress(progress, here.percent(run_id), shown)
    wait(working)
    is_cancelled = here.is_cancelled(run_id)
    summary = here.end_run(run_id)
    _show_end(progress, opened, summary)
    return _last_word(summary, is_cancelled=is_cancelled, is_draining=here.is_draining)


def _key(batch_id: str) -> str:
    return batch_id.replace("_", "-")


def _title(opened: OpenedRun) -> str:
    return f"{opened.customer_name}: {opened.total_items} files, batch {opened.batch_id}"


def _show_progress(artifact: UUID, percent: int, shown: int) -> int:
    """Write every five percent; each update costs a call to Prefect."""
    if percent >= shown + 5:
        update_progress_artifact(artifact, float(percent))
        return percent
    return shown


def _show_end(artifact: UUID, opened: OpenedRun, summary: RunSummary) -> None:
    total = max(1, opened.total_items)
    update_progress_artifact(artifact, round(100.0 * (total - summary.unfinished) / total, 1))
    if summary.failures:
        create_table_artifact(
            [dict(row) for row in summary.failures],
            key=f"failed-{_key(opened.batch_id)}",
            description=f"{summary.failed} failed of {_title(opened)}"
            + (" (the first 100)" if summary.failed > len(summary.failures) else ""),
        )


def _last_word(summary: RunSummary, *, is_cancelled: bool, is_draining: bool) -> State[None]:
    counts = f"{summary.succeeded} ok, {summary.failed} failed"
    if summary.cancelled:
        counts += f", {summary.cancelled} cancelled"
    if is_cancelled or summary.status in (BatchStatus.CANCELLING, BatchStatus.CANCELLED):
        return Cancelled(message=counts)
    if summary.unfinished:
        name = "Drained" if is_draining else "HandedOn"
        return Completed(name=name, message=f"{counts}, {summary.unfinished} go on elsewhere")
    if summary.failed:
        return Completed(name="CompletedWithErrors", message=counts)
    return Completed(message=counts)
