"""The task that a batch is mapped over: one claimed slice, by id."""

from collections import Counter
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.states import Completed, Failed
from prefect.tasks import Task

from octavo.errors import OcrProviderError
from octavo.worker.leased_slice import SliceEnd
from tasks import worker

RETRIES = 2
MOST_REASONS = 5
"""Different reasons that a state tells; the table of the batch has more."""
RETRY_DELAY_SECONDS = [2.0, 8.0]


def is_ocr_trouble(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """Retry only failures of an OCR provider; documents' own failures are values."""
    try:
        state.result()
    except OcrProviderError:
        return True
    except BaseException:  # noqa: BLE001 - whatever else it was, it is not ours to retry
        return False
    return False


def slice_name() -> str:
    """Name a task run by customer and file."""
    return worker.current().label(str(task_run.parameters["slice_id"]))


@task(
    name="extract",
    task_run_name=slice_name,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAY_SECONDS,
    retry_jitter_factor=0.5,
    retry_condition_fn=is_ocr_trouble,
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def extract(slice_id: str) -> State[None]:
    """Process one slice; three attempts in all if OCR fails."""
    is_last = int(task_run.run_count or 1) > RETRIES
    return _state(worker.current().process(slice_id, is_last_attempt=is_last))


def _state(end: SliceEnd) -> State[None]:
    """Return how a slice ended, with the reasons of what failed: Prefect's Failed where nothing of it succeeded."""
    if not end.failures:
        return Completed(message=f"{end.succeeded} ok")
    reasons = Counter(f"{failure.code}: {failure.message}" for failure in end.failures).most_common()
    told = "; ".join(f"{text} ({number} times)" if number > 1 else text for text, number in reasons[:MOST_REASONS])
    if len(reasons) > MOST_REASONS:
        told += "; ..."
    if end.succeeded:
        return Completed(name="CompletedWithErrors", message=f"{end.succeeded} ok, {len(end.failures)} failed: {told}")
    return Failed(message=told)
