"""The flow that finds what retention itself does not see: orphans in storage, old records.

A loop in the API expires what is due, within seconds and without a worker. Objects that nothing refers to (bytes
uploaded after their file was deleted, results of refused work) are found by listing everything.
"""

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks import worker


@flow(name="expire", validate_parameters=False, persist_result=False, log_prints=False)
def expire() -> State[None]:
    """Sweep storage, and delete batches and files from the ledger that were kept as records for long enough."""
    here = worker.current()
    tidied = here.sweeper.tidy(lambda: here.is_draining)
    told = (
        f"{tidied.objects} orphaned objects, {tidied.uploads} unfinished uploads, "
        f"{tidied.batches} batches and {tidied.files} files of the ledger"
    )
    if tidied.objection is not None:
        get_run_logger().warning("storage is not swept: %s", tidied.objection)
        return Completed(name="NotSwept", message=f"not swept: {tidied.objection}; removed {told}")
    get_run_logger().info("removed %s", told)
    return Completed(message=told)
