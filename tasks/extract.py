"""The task that a batch is mapped over: one claimed slice, by id."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.tasks import Task

from octavo.errors import OcrProviderError
from tasks import worker

RETRIES = 2
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
    succeeded, failed = worker.current().process(slice_id, is_last_attempt=is_last)
    if failed:
        return Completed(name="CompletedWithErrors", message=f"{succeeded} ok, {failed} failed")
    return Completed(message=f"{succeeded} ok")
