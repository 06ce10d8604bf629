"""Leases that are renewed, expire, or are revoked."""

import pytest

from octavo.batches import MAX_LOST_LEASES, BatchStatus, Counts, ItemStatus, RunStatus
from octavo.identifiers import RunId, WorkerId
from octavo.ledger.contract import HeldSlots, Report, ReportKind
from tests.contract.ledger.world import RUN, WORKER, World, begin, finish, success

OTHER = WorkerId("worker-2/b")


def test_a_lease_that_has_run_out_goes_back(world: World) -> None:
    batch = world.batch(2)
    begun, untouched = world.take(batch, 2, lease_seconds=90)
    world.say(begin(begun))
    world.clock.go(seconds=89)
    assert world.ledger.work.expire_leases() == []
    world.clock.go(seconds=1)
    assert world.ledger.work.expire_leases() == [batch.batch_id]
    assert world.ledger.work.expire_leases() == []
    assert [(item.lost_leases, item.attempts) for item in world.take(batch, 2)] == [(1, 1), (0, 0)]
    assert not any(verdict.accepted for verdict in world.say(finish(begun), begin(untouched)))


def test_a_run_whose_lease_ran_out_goes_on_claiming(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    world.take(batch, lease_seconds=1)
    world.clock.go(seconds=1)
    world.ledger.work.expire_leases()
    run = world.ledger.runs.get(RUN)
    assert run is not None
    assert run.status is RunStatus.ACTIVE
    assert len(world.claim(batch).slices) == 1


def test_renewing_prolongs_a_lease_and_nothing_else(world: World) -> None:
    batch = world.batch()
    claim = world.claim(batch, lease_seconds=10)
    (slice_id,) = [one.slice_id for one in claim.slices]
    world.say(begin(claim.slices[0].items[0]))
    before = world.items(batch), world.now(batch)
    world.clock.go(seconds=9)
    assert world.ledger.work.renew(WORKER, [slice_id], 10) == []
    assert (world.items(batch), world.now(batch)) == before
    world.clock.go(seconds=9)
    assert world.ledger.work.expire_leases() == []
    world.clock.go(seconds=1)
    assert world.ledger.work.expire_leases() == [batch.batch_id]


def test_renewing_names_the_slices_that_are_gone(world: World) -> None:
    batch = world.batch(4)
    mine, done, revoked = (one.slice_id for one in world.claim(batch, 3).slices)
    (theirs,) = (one.slice_id for one in world.claim(batch, 1, worker=OTHER).slices)
    assert world.ledger.work.renew(WORKER, [mine, theirs, "slice_nowhere"], 10) == [theirs, "slice_nowhere"]
    world.ledger.work.revoke(worker_id=WORKER)
    assert world.ledger.work.renew(WORKER, [mine, done, revoked], 10) == [mine, done, revoked]
    assert world.ledger.work.renew(OTHER, [theirs], 10) == []
    assert world.ledger.work.renew(OTHER, [], 10) == []


def test_a_slice_that_ran_out_but_was_not_taken_back_can_be_renewed(world: World) -> None:
    batch = world.batch()
    (slice_id,) = [one.slice_id for one in world.claim(batch, lease_seconds=1).slices]
    world.clock.go(seconds=5)
    assert world.ledger.work.renew(WORKER, [slice_id], 1) == []
    assert world.ledger.work.expire_leases() == []


def test_a_finished_slice_is_no_longer_the_workers(world: World) -> None:
    (one,) = world.claim(world.batch()).slices
    world.say(finish(one.items[0]))
    assert world.ledger.work.renew(WORKER, [one.slice_id], 10) == [one.slice_id]


def test_a_dead_workers_items_go_back_at_once_and_only_begun_ones_count_as_lost(world: World) -> None:
    batch, other = world.batch(3), world.batch(1)
    (one,) = world.claim(batch, 1, slice_items=2).slices
    begun, untouched = one.items
    world.say(begin(begun))
    (kept,) = world.take(batch, worker=OTHER, run=RunId("run-2"))
    world.take(other)
    assert world.ledger.work.revoke(worker_id=WORKER) == sorted([batch.batch_id, other.batch_id])
    assert world.now(batch).counts == Counts(pending=3)
    assert world.now(batch).status is BatchStatus.RUNNING
    assert world.say(begin(kept))[0].accepted
    again = world.take(batch, 2)
    assert [item.item_id for item in again] == [begun.item_id, untouched.item_id]
    assert [(item.lost_leases, item.lease_no) for item in again] == [(1, 2), (0, 2)]


def test_revoking_a_worker_loses_its_open_runs(world: World) -> None:
    batch, idle = world.batch(), world.batch()
    number = world.run(batch)
    world.run(idle, RunId("idle"))
    world.run(idle, RunId("over"))
    world.run(idle, RunId("elsewhere"), OTHER)
    world.ledger.runs.end(RunId("over"))
    assert world.ledger.work.revoke(worker_id=WORKER) == sorted([batch.batch_id, idle.batch_id])
    lost = world.ledger.runs.lost()
    assert {run.run_id for run in lost} == {RUN, "idle"}
    assert {run.status for run in lost} == {RunStatus.LOST}
    assert world.ledger.work.workers() == [OTHER]
    world.ledger.runs.forget_lost(batch.batch_id, number)
    assert [run.run_id for run in world.ledger.runs.lost()] == ["idle"]
    told = world.ledger.runs.get(RUN)
    assert told is not None
    assert told.status is RunStatus.ENDED


def test_revoking_a_run_leaves_the_workers_other_runs_alone(world: World) -> None:
    batch = world.batch(2)
    world.run(batch)
    world.run(batch, RunId("run-2"))
    (mine,) = world.take(batch)
    (theirs,) = world.take(batch, run=RunId("run-2"))
    assert world.ledger.work.revoke(run_id=RUN) == [batch.batch_id]
    assert [verdict.accepted for verdict in world.say(begin(mine), begin(theirs))] == [False, True]
    assert [run.run_id for run in world.ledger.runs.lost()] == [RUN]
    assert world.ledger.work.revoke(run_id=RunId("run-nowhere")) == []


def test_revoke_takes_a_worker_or_a_run(world: World) -> None:
    with pytest.raises(ValueError, match="one of them"):
        world.ledger.work.revoke()
    with pytest.raises(ValueError, match="one of them"):
        world.ledger.work.revoke(worker_id=WORKER, run_id=RUN)


def test_a_worker_lost_five_times_fails_the_item_with_internal_error(world: World) -> None:
    batch = world.batch()
    (waiting,) = world.items(batch)
    for times in range(MAX_LOST_LEASES):
        (item,) = world.take(batch)
        assert item.lost_leases == times
        world.say(begin(item))
        if times % 2:
            world.ledger.work.revoke(worker_id=WORKER)
        else:
            world.clock.go(seconds=90)
            world.ledger.work.expire_leases()
    dead = world.ledger.batches.item(batch.batch_id, waiting.item_id)
    assert (dead.status, dead.error_code, dead.error_retryable) == (
        ItemStatus.FAILED,
        "internal_error",
        True,
    )
    assert (dead.attempts, dead.completed_at is None) == (5, False)
    assert world.now(batch).status is BatchStatus.FAILED
    late = Report(kind=ReportKind.FINISH, item_id=dead.item_id, lease_no=MAX_LOST_LEASES, outcome=success())
    assert not world.say(late)[0].accepted
    assert world.pages() == 0


def test_an_item_never_begun_may_be_given_back_any_number_of_times(world: World) -> None:
    batch = world.batch()
    for _ in range(MAX_LOST_LEASES + 2):
        world.take(batch)
        world.ledger.work.revoke(worker_id=WORKER)
    assert world.take(batch)[0].lost_leases == 0


def test_what_is_lost_after_a_cancel_is_cancelled(world: World) -> None:
    batch = world.batch(2)
    first, second = world.take(batch, 2)
    world.say(begin(first), begin(second))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    world.say(finish(first, success()))
    assert world.ledger.work.revoke(worker_id=WORKER) == [batch.batch_id]
    assert world.item(second).status is ItemStatus.CANCELLED
    assert world.now(batch).status is BatchStatus.COMPLETED


def test_cancel_closes_the_lanes_of_slices_it_empties(world: World) -> None:
    batch, next_batch = world.batch(20), world.batch(8)
    slices = world.claim(batch, slice_items=2).slices
    world.say(begin(slices[0].items[0]))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert world.ledger.work.renew(WORKER, [one.slice_id for one in slices], 10) == [one.slice_id for one in slices[1:]]
    assert len(world.claim(next_batch).slices) == 7


def test_held_lanes_are_counted_by_customer_and_worker(world: World) -> None:
    mine, others = world.batch(4), world.batch(2, customer=world.ledger.accounts.ensure_customer("globex"))
    assert world.ledger.work.held_slots() == []
    world.take(mine, 2, worker=WorkerId("a/1"))
    world.take(mine, 1, worker=WorkerId("b/1"), run=RunId("run-2"))
    (item,) = world.take(others, 1, worker=WorkerId("a/1"), run=RunId("run-3"))
    expected = [
        HeldSlots(mine.customer_id, WorkerId("a/1"), 2),
        HeldSlots(mine.customer_id, WorkerId("b/1"), 1),
        HeldSlots(others.customer_id, WorkerId("a/1"), 1),
    ]
    assert world.ledger.work.held_slots() == sorted(expected, key=lambda held: (held.customer_id, held.worker_id))
    world.say(finish(item))
    assert others.customer_id not in {held.customer_id for held in world.ledger.work.held_slots()}
