"""When a batch gets a further run, and which run nobody will take."""

from dataclasses import replace

import pytest

from api.orchestrator.further_runs import WorkerCapacity, superfluous_runs, wants_further_run
from octavo.batch_options import BatchOptions
from octavo.batches import Batch, BatchStatus, Counts, Run, RunStatus
from octavo.identifiers import BatchId, CustomerId, RunId, WorkerId
from octavo.ledger.contract import OpenBatch
from octavo.timestamps import now

A, B, C = WorkerId("a/1"), WorkerId("b/1"), WorkerId("c/1")


def a_run(number: int, worker_id: WorkerId | None) -> Run:
    """Return a run that this worker has open, or that is on its way to one."""
    return Run(
        batch_id=BatchId("batch_1"),
        customer_id=CustomerId("cust_1"),
        run_no=number,
        run_id=RunId(f"run-{number}"),
        worker_id=worker_id,
        status=RunStatus.STARTING if worker_id is None else RunStatus.ACTIVE,
        created_at=now(),
        seen_at=now(),
    )


def a_batch(*workers: WorkerId | None, unleased: int = 100, status: BatchStatus = BatchStatus.RUNNING) -> OpenBatch:
    """Return a batch with a run for each of these workers; None stands for one on its way."""
    batch = Batch(
        batch_id=BatchId("batch_1"),
        customer_id=CustomerId("cust_1"),
        status=status,
        counts=Counts(pending=200),
        total_items=200,
        engine=None,
        options=BatchOptions(),
        metadata=None,
        priority=60,
        retention_seconds=60,
        cancel_requested_at=None,
        created_at=now(),
        started_at=None,
        completed_at=None,
        expires_at=now(),
    )
    runs = tuple(a_run(number, worker_id) for number, worker_id in enumerate(workers, start=1))
    return OpenBatch(batch=batch, unleased=unleased, runs=runs)


def wants(found: OpenBatch, *workers: WorkerCapacity, cap: int = 16, places: int = 8) -> bool:
    return wants_further_run(found, cap=cap, places=places, workers=workers)


def test_a_full_worker_and_an_idle_one_make_a_further_run() -> None:
    assert wants(a_batch(A), WorkerCapacity(A, 0), WorkerCapacity(B, 8))


def test_a_worker_that_can_still_hold_all_there_is_room_for_keeps_the_batch_to_itself() -> None:
    assert not wants(a_batch(A), WorkerCapacity(A, 8), WorkerCapacity(B, 8), places=8)
    assert not wants(a_batch(A, unleased=2), WorkerCapacity(A, 2), WorkerCapacity(B, 8))
    assert wants(a_batch(A), WorkerCapacity(A, 7), WorkerCapacity(B, 8), places=8)


def test_before_the_first_run_is_begun_the_second_is_made_if_one_worker_cannot_hold_all() -> None:
    assert wants(a_batch(None), WorkerCapacity(A, 8), WorkerCapacity(B, 8), places=16)
    assert not wants(a_batch(None), WorkerCapacity(A, 16), WorkerCapacity(B, 8), places=16)
    assert not wants(a_batch(None, None), WorkerCapacity(A, 8), WorkerCapacity(B, 8), places=16)


@pytest.mark.parametrize(
    ("found", "places"),
    [
        (a_batch(A, unleased=0), 8),
        (a_batch(A), 0),
        (a_batch(), 8),
        (a_batch(A, status=BatchStatus.CANCELLING), 8),
    ],
    ids=["nothing waits", "the cap is reached", "no run yet: another's business", "cancelling"],
)
def test_no_further_run_without_need(found: OpenBatch, places: int) -> None:
    assert not wants(found, WorkerCapacity(A, 0), WorkerCapacity(B, 8), places=places)


def test_a_worker_has_one_run_of_a_batch_however_idle_it_is() -> None:
    assert not wants(a_batch(A, B), WorkerCapacity(A, 0), WorkerCapacity(B, 0), places=16)
    assert not wants(a_batch(A, None), WorkerCapacity(A, 0), WorkerCapacity(B, 8), places=16)


def test_runs_are_never_more_than_workers_or_than_the_cap() -> None:
    rooms = [WorkerCapacity(A, 0), WorkerCapacity(B, 0), WorkerCapacity(C, 8)]
    assert wants(a_batch(A, B), *rooms, cap=3)
    assert not wants(a_batch(A, B), *rooms, cap=2)
    assert not wants(a_batch(A, B, None), *rooms)


def test_a_worker_that_takes_no_runs_gets_none() -> None:
    assert not wants(a_batch(A), WorkerCapacity(A, 0), WorkerCapacity(B, 8, takes_runs=False))
    assert not wants(a_batch(A), WorkerCapacity(A, 0), WorkerCapacity(B, 0))


def test_nothing_is_decided_while_a_worker_of_the_batch_is_unknown() -> None:
    # The API was restarted: in a moment it will have heard of this worker, or know that it is dead.
    assert not wants(a_batch(A), WorkerCapacity(B, 8), WorkerCapacity(C, 8))


def test_a_run_under_way_is_superfluous_when_every_worker_has_the_batch_open() -> None:
    found = a_batch(A, None)
    assert superfluous_runs(found, [WorkerCapacity(A, 0)]) == [found.runs[1]]
    assert superfluous_runs(found, [WorkerCapacity(A, 0), WorkerCapacity(B, 0)]) == []
    assert superfluous_runs(found, [WorkerCapacity(A, 0), WorkerCapacity(B, 8, takes_runs=False)]) == [found.runs[1]]


def test_the_only_run_of_a_batch_waits_for_whichever_worker_comes() -> None:
    assert superfluous_runs(a_batch(None), []) == []
    two = a_batch(None, None)
    assert superfluous_runs(two, []) == [two.runs[1]]
    lost = replace(two, runs=two.runs[1:])
    assert superfluous_runs(lost, []) == []
