"""The flow that looks for what retention itself does not see: orphans in storage, records that are old.

What is due is expired by a loop of the API, within seconds and without a worker. What nobody names (bytes that came
by an upload URL after their file was deleted, results of work that was refused) is found by looking at all there is.
"""

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks import worker


@flow(name="expire", validate_parameters=False, persist_result=False, log_prints=False)
def expire() -> State[None]:
    """Sweep storage, have the ledger forget batches and files that were records for long enough."""
    here = worker.current()
    tidied = here.sweeper.tidy(lambda: here.is_draining)
    told = (
        f"{tidied.objects} objects nobody names, {tidied.uploads} unfinished uploads, "
        f"{tidied.batches} batches and {tidied.files} files of the ledger"
    )
    if tidied.objection is not None:
        get_run_logger().warning("storage is not swept: %s", tidied.objection)
        return Completed(name="NotSwept", message=f"not swept: {tidied.objection}; removed {told}")
    get_run_logger().info("removed %s", told)
    return Completed(message=told)
