"""When a batch gets a further run ("part 2"), and when a run that no worker takes is withdrawn. Pure.

Prefect does not choose among workers, and a worker takes no second run of a batch it has open. So a run
for each worker that can help is made, and no more: a run that finds nothing to do costs both servers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from octavo.batches import BatchStatus, Run, RunStatus
from octavo.identifiers import WorkerId
from octavo.ledger.contract import OpenBatch


@dataclass(frozen=True, slots=True)
class WorkerCapacity:
    """A living worker and how many more slices it could hold."""

    worker_id: WorkerId
    free: int
    takes_runs: bool = True
    """Whether it accepts runs; a draining worker, or one started for a single flow run, does not."""


def wants_further_run(found: OpenBatch, *, cap: int, places: int, workers: Sequence[WorkerCapacity]) -> bool:
    """Whether one more run of a batch should be made now, beside those it has.

    `places` is how much of the customer's cap is not in use. What the workers that have the batch open can
    still hold will be theirs in a moment, so only what is beyond that is worth another worker's while.
    """
    known = {worker.worker_id: worker for worker in workers}
    active = [run.worker_id for run in found.runs if run.status is RunStatus.ACTIVE]
    if not found.runs or found.batch.status not in (BatchStatus.PENDING, BatchStatus.RUNNING):
        return False
    if any(worker_id not in known for worker_id in active):
        return False  # It has not registered yet, or has died: either is resolved within seconds.
    if len(found.runs) >= min(cap, len(workers)):
        return False
    idle = sorted((worker.free for worker in _takers(found, workers) if worker.free > 0), reverse=True)
    under_way = len(found.runs) - len(active)
    reach = sum(known[worker_id].free for worker_id in set(active) if worker_id is not None) + sum(idle[:under_way])
    return len(idle) > under_way and min(places, found.unleased) > reach


def superfluous_runs(found: OpenBatch, workers: Sequence[WorkerCapacity]) -> list[Run]:
    """Return the runs under way that no worker will take: all that are there have the batch open already.

    The last run of a batch stays, to be taken by whichever worker comes.
    """
    waiting = [run for run in found.runs if run.status is RunStatus.STARTING]
    is_open_somewhere = len(waiting) < len(found.runs)
    wanted = max(len(_takers(found, workers)), 0 if is_open_somewhere else 1)
    return sorted(waiting, key=lambda run: run.run_no)[wanted:]


def could_be_taken(found: OpenBatch, workers: Sequence[WorkerCapacity]) -> bool:
    """Whether there is a worker that would take a run of this batch at once."""
    return any(worker.free > 0 for worker in _takers(found, workers))


def _takers(found: OpenBatch, workers: Sequence[WorkerCapacity]) -> list[WorkerCapacity]:
    """Return the workers that would accept a run of this batch."""
    open_at = {run.worker_id for run in found.runs if run.status is RunStatus.ACTIVE}
    return [worker for worker in workers if worker.takes_runs and worker.worker_id not in open_at]
