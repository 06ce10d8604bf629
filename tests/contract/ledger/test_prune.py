"""What a ledger removes when it is asked to, and what it keeps."""

import pytest

from octavo.batches import Batch
from octavo.errors import IdempotencyKeyReused
from octavo.identifiers import RunId
from octavo.ledger.contract import Pruned
from tests.contract.ledger.world import RUN, WORKER, World, finish

NOTHING = Pruned(runs=0, idempotency_keys=0)


def finished(world: World) -> Batch:
    """Return a batch whose one run worked it off; it expires in an hour."""
    batch = world.batch()
    world.run(batch)
    (item,) = world.take(batch, 1)
    world.say(finish(item))
    world.ledger.runs.end(RUN)
    return batch


def prune(world: World) -> Pruned:
    return world.ledger.runs.prune(world.clock())


def test_an_ended_run_of_an_expired_batch_goes(world: World) -> None:
    batch = finished(world)
    world.clock.go(hours=2)
    assert prune(world) == Pruned(runs=1, idempotency_keys=0)
    assert world.ledger.runs.get(RUN) is None
    assert world.now(batch).counts.succeeded == 1, "the batch itself stays"
    assert prune(world) == NOTHING


def test_a_run_seen_lately_stays(world: World) -> None:
    finished(world)
    seen = world.clock()
    world.clock.go(hours=2)
    assert world.ledger.runs.prune(seen) == NOTHING
    assert world.ledger.runs.get(RUN) is not None


def test_a_run_of_a_batch_that_may_go_on_stays(world: World) -> None:
    batch = finished(world)
    world.clock.go(minutes=59)
    assert prune(world) == NOTHING
    assert world.ledger.runs.add(batch.batch_id).run_no == 2, "its number is not given again"


def test_a_run_of_an_unfinished_batch_stays_however_old(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    world.ledger.runs.end(RUN)
    world.clock.go(days=100)
    assert prune(world) == NOTHING
    assert world.ledger.runs.get(RUN) is not None


def test_a_lost_run_stays_until_the_orchestrator_was_told(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    (item,) = world.take(batch, 1)
    world.ledger.work.revoke(run_id=RUN)
    other = RunId("run-2")
    world.ledger.runs.name(batch.batch_id, world.ledger.runs.add(batch.batch_id).run_no, other)
    world.ledger.runs.open(other, WORKER)
    (item,) = world.take(batch, 1, run=other)
    world.say(finish(item))
    world.ledger.runs.end(other)
    world.clock.go(hours=2)
    assert prune(world).runs == 1
    (lost,) = world.ledger.runs.lost()
    assert lost.run_id == RUN
    world.ledger.runs.forget_lost(batch.batch_id, lost.run_no)
    assert prune(world).runs == 1


def test_an_idempotency_key_goes_after_its_day(world: World) -> None:
    order = world.order(world.files(), key="monday")
    batch, _ = world.ledger.batches.create(order)
    world.clock.go(hours=23.9)
    assert prune(world) == NOTHING
    assert world.ledger.batches.replay(world.customer.customer_id, "monday", "body") == world.now(batch)
    with pytest.raises(IdempotencyKeyReused):
        world.ledger.batches.replay(world.customer.customer_id, "monday", "other")
    world.clock.go(hours=0.1)
    assert prune(world) == Pruned(runs=0, idempotency_keys=1)
    assert world.ledger.batches.replay(world.customer.customer_id, "monday", "body") is None
