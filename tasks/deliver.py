"""The task that sends one delivery of a webhook, by id."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import task_run
from prefect.states import Completed

from octavo.identifiers import DeliveryId
from tasks import worker


def delivery_name() -> str:
    """Name a task run by its event and receiver."""
    given = task_run.parameters
    return worker.webhook_sender().label((DeliveryId(str(given["delivery_id"])), int(given["lease_no"])))


# No retries here: the ledger decides when a delivery is sent again, possibly hours later.
@task(
    name="deliver",
    task_run_name=delivery_name,
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def deliver(delivery_id: str, lease_no: int) -> State[None]:
    """Make one POST; a receiver that refuses it is not a failure of the task."""
    report = worker.webhook_sender().deliver((DeliveryId(delivery_id), lease_no))
    if report.error is not None:
        return Completed(name="NotTaken", message=report.error)
    is_taken = report.attempt(0).has_succeeded
    return Completed(name="Completed" if is_taken else "NotTaken", message=f"HTTP {report.status_code}")
