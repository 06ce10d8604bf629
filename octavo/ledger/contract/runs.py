"""Flow runs: the ledger's record of what the orchestrator was asked to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from octavo.batches import Batch, Run, RunStatus
from octavo.identifiers import BatchId, RunId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that is not terminal, as the reconciler sees it."""

    batch: Batch
    unleased: int
    runs: tuple[Run, ...]
    """Its runs that are starting or active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows were removed because nothing asks for them any more."""

    runs: int
    idempotency_keys: int


class RunLedger(Protocol):
    """The flow runs of batches, for dispatch and the reconciler."""

    def add(self, batch_id: BatchId) -> Run:
        """Keep a new run of a batch, starting, `run_no` one more than the last. Raises BatchNotFound."""
        ...

    def name(self, batch_id: BatchId, run_no: int, run_id: RunId) -> None:
        """Say which flow run it became. Raises BatchNotFound for a run that was never added."""
        ...

    def open(self, run_id: RunId, worker_id: WorkerId) -> Run | None:
        """Say that a worker has begun this run; None when the ledger knows no such run.

        An ended run that is begun again is active again; a lost one is returned as lost.
        """
        ...

    def end(self, run_id: RunId, status: RunStatus = RunStatus.ENDED) -> Run | None:
        """Say that a run has ended; leases it still has are released uncounted, also of an unknown run.

        A lost run that ends by itself is ended, and an ended one stays so. Raises ValueError for a
        status other than ended and lost.
        """
        ...

    def note_seen(self, run_ids: Sequence[RunId]) -> None:
        """Say that these runs were heard of just now."""
        ...

    def get(self, run_id: RunId) -> Run | None:
        """Return one run."""
        ...

    def lost(self) -> list[Run]:
        """Return runs that are lost and not yet told to the orchestrator, oldest first."""
        ...

    def forget_lost(self, batch_id: BatchId, run_no: int) -> None:
        """Say that the orchestrator was told; the run becomes ended."""
        ...

    def starting(self) -> list[Run]:
        """Return the runs that no worker has begun yet, of ended batches too, oldest first."""
        ...

    def open_batches(self) -> list[OpenBatch]:
        """Return all batches that are not terminal, oldest first."""
        ...

    def prune(self, runs_seen_before: datetime) -> Pruned:
        """Remove what is old enough; safe to repeat.

        Ended runs last seen before that moment, of batches that are gone, or terminal and past `expires_at`: until then
        a batch may continue, and the number of its last run is needed. Idempotency keys older than 24 hours.
        """
        ...
