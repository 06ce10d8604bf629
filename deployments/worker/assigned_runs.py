"""Which batch each flow run of this worker belongs to: it takes one run of a batch at a time.

Prefect does not choose among workers. Further runs of a batch are created for other workers, and a worker that
took two would be no faster and leave the others idle.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse

from octavo.identifiers import RunId


class AssignedRuns:
    """The flow runs that this worker has, or is about to have. Used on the event loop alone."""

    def __init__(self, is_stale: Callable[[RunId], bool]) -> None:
        self._is_stale = is_stale
        self._batches: dict[UUID, str] = {}

    def choose(self, offered: Sequence[WorkerFlowRunResponse]) -> list[WorkerFlowRunResponse]:
        """Return those of the offered runs that this worker may take, and note them as taken.

        No await stands between the look and the note, so that two polls at once take no two runs.
        """
        chosen = []
        for entry in offered:
            batch_id = _batch_of(entry.flow_run)
            if not batch_id or self._is_free(batch_id, entry.flow_run.id):
                self._batches[entry.flow_run.id] = batch_id
                chosen.append(entry)
        return chosen

    def _is_free(self, batch_id: str, flow_run_id: UUID) -> bool:
        # A run that the API has given up may have long to finish what it began; its successor does not wait for that.
        return not any(
            of_batch == batch_id and other != flow_run_id and not self._is_stale(RunId(str(other)))
            for other, of_batch in self._batches.items()
        )

    def drop(self, flow_run_id: UUID) -> None:
        """Say that a run is not this worker's, or no longer."""
        self._batches.pop(flow_run_id, None)


def _batch_of(flow_run: FlowRun) -> str:
    """Return the batch that a flow run is about; empty where it is about something else."""
    return str((flow_run.parameters or {}).get("batch_id", ""))
