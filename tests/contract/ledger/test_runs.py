"""Flow runs, and what the reconciler sees."""

import pytest

from octavo.batches import RunStatus
from octavo.errors import BatchNotFound
from octavo.identifiers import BatchId, RunId, WorkerId
from tests.contract.ledger.world import RUN, WORKER, World, begin, finish


def test_runs_of_a_batch_are_numbered_from_one(world: World) -> None:
    batch, other = world.batch(), world.batch()
    runs = [world.ledger.runs.add(batch.batch_id) for _ in range(3)]
    assert [run.run_no for run in runs] == [1, 2, 3]
    assert world.ledger.runs.add(other.batch_id).run_no == 1
    first = runs[0]
    assert (first.run_id, first.worker_id, first.status) == (None, None, RunStatus.STARTING)
    assert (first.customer_id, first.created_at, first.seen_at) == (
        batch.customer_id,
        world.clock(),
        world.clock(),
    )


def test_a_run_needs_a_batch(world: World) -> None:
    with pytest.raises(BatchNotFound):
        world.ledger.runs.add(BatchId("batch_nowhere"))
    with pytest.raises(BatchNotFound):
        world.ledger.runs.name(world.batch().batch_id, 1, RUN)


def test_a_run_is_known_by_its_flow_run_once_named(world: World) -> None:
    batch = world.batch()
    run = world.ledger.runs.add(batch.batch_id)
    assert world.ledger.runs.get(RUN) is None
    assert world.ledger.runs.open(RUN, WORKER) is None
    world.ledger.runs.name(batch.batch_id, run.run_no, RUN)
    named = world.ledger.runs.get(RUN)
    assert named is not None
    assert (named.run_no, named.status) == (1, RunStatus.STARTING)


def test_a_worker_that_begins_a_run_makes_it_active(world: World) -> None:
    batch = world.batch()
    world.ledger.runs.name(batch.batch_id, world.ledger.runs.add(batch.batch_id).run_no, RUN)
    world.clock.go(seconds=3)
    run = world.ledger.runs.open(RUN, WORKER)
    assert run is not None
    assert (run.status, run.worker_id, run.seen_at) == (RunStatus.ACTIVE, WORKER, world.clock())
    assert world.ledger.runs.get(RUN) == run
    assert world.ledger.work.workers() == [WORKER]


def test_ending_a_run_releases_what_it_holds_uncounted(world: World) -> None:
    batch = world.batch(3)
    world.run(batch)
    begun, _ = world.take(batch, 2)
    world.take(batch, run=RunId("run-2"))
    world.say(begin(begun))
    run = world.ledger.runs.end(RUN)
    assert run is not None
    assert run.status is RunStatus.ENDED
    assert not world.say(finish(begun))[0].accepted
    again = world.take(batch, 2, run=RunId("run-2"))
    assert [(item.lost_leases, item.attempts) for item in again] == [(0, 1), (0, 0)]


def test_ending_an_unknown_run_releases_its_leases_too(world: World) -> None:
    batch = world.batch()
    world.take(batch)
    assert world.ledger.runs.end(RUN) is None
    assert len(world.claim(batch).slices) == 1


def test_a_run_may_end_as_lost_and_by_itself_later(world: World) -> None:
    batch = world.batch()
    number = world.run(batch)
    world.ledger.runs.end(RUN, RunStatus.LOST)
    assert [run.run_no for run in world.ledger.runs.lost()] == [number]
    world.ledger.runs.end(RUN)
    assert world.ledger.runs.lost() == []
    ended = world.ledger.runs.end(RUN, RunStatus.LOST)
    assert ended is not None
    assert ended.status is RunStatus.ENDED


@pytest.mark.parametrize("status", [RunStatus.STARTING, RunStatus.ACTIVE])
def test_a_run_does_not_end_as_something_open(world: World, status: RunStatus) -> None:
    with pytest.raises(ValueError, match="does not end"):
        world.ledger.runs.end(RUN, status)


def test_an_ended_run_may_be_begun_again_a_lost_one_not(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    world.ledger.runs.end(RUN)
    reopened = world.ledger.runs.open(RUN, WORKER)
    assert reopened is not None
    assert reopened.status is RunStatus.ACTIVE
    world.ledger.work.revoke(run_id=RUN)
    lost = world.ledger.runs.open(RUN, WORKER)
    assert lost is not None
    assert lost.status is RunStatus.LOST


def test_lost_runs_come_oldest_first_and_only_they_are_forgotten(world: World) -> None:
    batch = world.batch()
    for number in (1, 2, 3):
        world.run(batch, RunId(f"run-{number}"))
        world.clock.go(seconds=1)
    world.ledger.runs.forget_lost(batch.batch_id, 3)
    world.ledger.runs.forget_lost(batch.batch_id, 99)
    world.ledger.work.revoke(worker_id=WORKER)
    assert [run.run_no for run in world.ledger.runs.lost()] == [1, 2, 3]


def test_runs_that_were_heard_of_are_seen(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    world.run(batch, RunId("run-2"))
    world.clock.go(seconds=30)
    world.ledger.runs.note_seen([RUN, RunId("run-nowhere")])
    world.ledger.runs.note_seen([])
    seen, silent = world.ledger.runs.get(RUN), world.ledger.runs.get(RunId("run-2"))
    assert seen is not None
    assert silent is not None
    assert (seen.seen_at - silent.seen_at).total_seconds() == 30


def test_workers_are_those_with_leases_or_open_runs(world: World) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch, worker=WorkerId("holds/1"), run=RunId("unknown"))
    world.run(batch, RunId("run-1"), WorkerId("runs/1"))
    world.run(batch, RunId("run-2"), WorkerId("ended/1"))
    world.ledger.runs.end(RunId("run-2"))
    world.ledger.runs.add(batch.batch_id)
    assert world.ledger.work.workers() == ["holds/1", "runs/1"]
    world.say(finish(item))
    assert world.ledger.work.workers() == ["runs/1"]


def test_open_batches_are_those_that_have_not_ended_with_their_open_runs(world: World) -> None:
    batches = []
    for _ in range(4):
        batches.append(world.batch(3))
        world.clock.go(seconds=1)
    first, done, cancelling, last = batches
    world.work_off(done)
    (item,) = world.take(cancelling)
    world.say(begin(item))
    world.ledger.batches.cancel(cancelling.customer_id, cancelling.batch_id)
    world.take(last, 2)
    world.run(first, RunId("ended"))
    world.ledger.runs.end(RunId("ended"))
    world.run(first, RunId("active"))
    world.ledger.runs.add(first.batch_id)
    seen = world.ledger.runs.open_batches()
    assert [one.batch for one in seen] == [world.now(one) for one in (first, cancelling, last)]
    assert [one.unleased for one in seen] == [3, 0, 1]
    assert [[run.run_no for run in one.runs] for one in seen] == [[2, 3], [], []]


def test_runs_that_no_worker_has_begun_are_found_after_the_end_of_their_batch_too(world: World) -> None:
    done, waiting = world.batch(), world.batch()
    world.run(done, RunId("active"))
    world.clock.go(seconds=1)
    left = world.ledger.runs.add(done.batch_id)
    world.clock.go(seconds=1)
    world.ledger.runs.name(done.batch_id, left.run_no, RunId("left"))
    world.ledger.runs.add(waiting.batch_id)
    world.work_off(done)
    starting = world.ledger.runs.starting()
    assert [(run.batch_id, run.run_no, run.run_id) for run in starting] == [
        (done.batch_id, 2, "left"),
        (waiting.batch_id, 1, None),
    ]
    world.ledger.runs.end(RunId("left"))
    assert [run.batch_id for run in world.ledger.runs.starting()] == [waiting.batch_id]
