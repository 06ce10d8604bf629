"""Claims: who gets which items, and how many at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from octavo.batches import BatchStatus, RunStatus
from octavo.errors import BatchNotFound, StaleLease
from octavo.identifiers import BatchId, RunId, WorkerId
from tests.contract.ledger.world import RUN, WORKER, World, begin, failed, finish, ids, release

OTHER_RUN = RunId("run-2")
OTHER_WORKER = WorkerId("worker-2/b")


def test_a_claim_leases_items_by_position_with_all_a_worker_needs(world: World) -> None:
    staged = world.staged(3)
    world.ledger.files.add(staged)
    batch, _ = world.ledger.batches.create(world.order([file.file_id for file in staged]))
    claim = world.claim(batch, 2)
    assert [len(one.items) for one in claim.slices] == [1, 1]
    for place, one in enumerate(claim.slices):
        (item,) = one.items
        file = staged[place]
        assert (item.position, item.batch_id, item.customer_id) == (place, batch.batch_id, batch.customer_id)
        assert (item.file_id, item.object_key, item.size_bytes) == (
            file.file_id,
            file.object_key,
            file.size_bytes,
        )
        assert (item.filename, item.content_type) == (file.filename, file.content_type)
        assert (item.lease_no, item.attempts, item.lost_leases) == (1, 0, 0)
        assert (one.lease_expires_at - world.clock()).total_seconds() == 90
    assert (claim.status, claim.unleased, claim.at_cap, claim.held) == (BatchStatus.PENDING, 1, False, 2)


def test_a_lease_is_seen_by_nobody_outside(world: World) -> None:
    batch = world.batch(3)
    before = world.items(batch)
    (item,) = world.take(batch)
    seen = [replace(one, is_leased=False) for one in world.items(batch)]  # why it waits is no part of the item
    assert (world.now(batch), seen) == (batch, before)
    world.say(release(item))
    assert (world.now(batch), world.items(batch)) == (batch, before)


@pytest.mark.parametrize(
    ("items", "lanes", "slice_items", "sizes"),
    [
        (10, 4, 5, [3, 3, 2, 2]),
        (100, 2, 20, [20, 20]),
        (3, 8, 5, [1, 1, 1]),
        (5, 1, 3, [3]),
        (1, 1, 1, [1]),
        (4, 0, 1, []),
    ],
)
def test_slices_are_as_many_as_can_have_an_item_and_of_about_equal_size(
    world: World, items: int, lanes: int, slice_items: int, sizes: list[int]
) -> None:
    batch = world.batch(items)
    claim = world.claim(batch, lanes, slice_items=slice_items)
    assert [len(one.items) for one in claim.slices] == sizes
    given = [item.position for one in claim.slices for item in one.items]
    assert given == list(range(sum(sizes)))
    assert claim.unleased == items - sum(sizes)


def test_no_item_is_leased_twice(world: World) -> None:
    batch = world.batch(6)
    assert ids(world.take(batch, 3)) + ids(world.take(batch, 3)) == ids(world.items(batch))
    claim = world.claim(batch)
    assert (claim.slices, claim.unleased, claim.at_cap) == ((), 0, False)


def test_the_cap_counts_slices_over_all_batches_and_workers(world: World) -> None:
    first, second = world.batch(10), world.batch(10)
    world.take(first, 5)
    claim = world.claim(second, run=OTHER_RUN, worker=OTHER_WORKER)
    assert (len(claim.slices), claim.at_cap, claim.held) == (3, True, 3)
    assert world.claim(first, run=OTHER_RUN, worker=OTHER_WORKER).slices == ()


def test_a_slice_of_many_items_is_one_place_under_the_cap(world: World) -> None:
    batch = world.batch(100)
    assert len(world.claim(batch, 20, slice_items=5).slices) == 8
    assert world.claim(batch, 1).at_cap


def test_another_customers_slices_do_not_count(world: World) -> None:
    world.take(world.batch(8), 8)
    other = world.ledger.accounts.ensure_customer("other")
    assert len(world.claim(world.batch(8, customer=other)).slices) == 8


def test_the_cap_is_the_customers_own_and_may_change_at_any_time(world: World) -> None:
    batch = world.batch(10)
    world.ledger.accounts.update_customer(world.customer.customer_id, item_cap=2)
    first, _ = world.take(batch, 2)
    assert world.claim(batch).at_cap
    world.ledger.accounts.update_customer(world.customer.customer_id, item_cap=1)
    world.say(finish(first))
    assert world.claim(batch).slices == ()
    world.ledger.accounts.update_customer(world.customer.customer_id, item_cap=4)
    assert len(world.claim(batch).slices) == 3


def test_a_slice_keeps_its_place_until_the_last_word_about_it(world: World) -> None:
    batch = world.batch(4)
    world.ledger.accounts.update_customer(world.customer.customer_id, item_cap=1)
    (one,) = world.claim(batch, slice_items=3).slices
    first, second, third = one.items
    world.say(finish(first))
    world.say(finish(second, failed()))
    assert world.claim(batch).at_cap
    world.say(release(third))
    assert len(world.claim(batch).slices) == 1


def test_the_cap_was_not_the_limit_when_items_or_lanes_were(world: World) -> None:
    batch = world.batch(8)
    assert not world.claim(batch, 2).at_cap
    assert not world.claim(batch, 20).at_cap


def test_worker_slots_count_over_all_runs_of_the_worker(world: World) -> None:
    first, second = world.batch(10), world.batch(10)
    world.take(first, 2)
    claim = world.claim(second, run=OTHER_RUN, slots=5)
    assert (len(claim.slices), claim.at_cap, claim.held) == (3, False, 3)
    assert len(world.claim(second, run=OTHER_RUN, worker=OTHER_WORKER, slots=5).slices) == 3


def test_held_counts_the_open_slices_of_the_asking_run(world: World) -> None:
    batch = world.batch(10)
    (item,) = world.take(batch)
    assert world.claim(batch, 2, run=OTHER_RUN).held == 2
    assert world.claim(batch, 0).held == 1
    world.say(finish(item))
    assert world.claim(batch, 0).held == 0


def test_a_cancelling_or_finished_batch_gives_nothing(world: World) -> None:
    batch = world.batch(3)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    claim = world.claim(batch)
    assert (claim.slices, claim.status, claim.unleased) == ((), BatchStatus.CANCELLING, 0)
    world.say(finish(item))
    assert world.claim(batch).status is BatchStatus.COMPLETED


def test_a_claim_for_an_unknown_batch_is_refused(world: World) -> None:
    with pytest.raises(BatchNotFound):
        world.claim(BatchId("batch_nowhere"))


@pytest.mark.parametrize("wrong", [{"lanes": -1}, {"slice_items": 0}, {"lease_seconds": 0.0}])
def test_a_claim_that_makes_no_sense_is_refused(world: World, wrong: dict[str, int]) -> None:
    batch = world.batch()
    with pytest.raises(ValueError, match="not a claim"):
        world.claim(batch, **{"lanes": 1, **wrong})  # type: ignore[arg-type]  # that is the point


def test_a_claim_marks_its_run_active_and_seen(world: World) -> None:
    batch = world.batch()
    run = world.ledger.runs.add(batch.batch_id)
    world.ledger.runs.name(batch.batch_id, run.run_no, RUN)
    world.clock.go(seconds=5)
    world.claim(batch, 0)
    marked = world.ledger.runs.get(RUN)
    assert marked is not None
    assert (marked.status, marked.worker_id, marked.seen_at) == (RunStatus.ACTIVE, WORKER, world.clock())
    assert marked.created_at == run.created_at


@pytest.mark.parametrize("status", [RunStatus.ENDED, RunStatus.LOST])
def test_a_run_that_is_over_gets_no_more_items(world: World, status: RunStatus) -> None:
    batch = world.batch()
    world.run(batch)
    world.ledger.runs.end(RUN, status)
    with pytest.raises(StaleLease):
        world.claim(batch)
    assert len(world.claim(batch, run=OTHER_RUN).slices) == 1


def test_claims_from_many_threads_never_pass_the_cap_nor_lease_twice(world: World) -> None:
    batches = [world.batch(20) for _ in range(3)]
    gate = threading.Barrier(16)

    def claim(number: int) -> list[str]:
        gate.wait()
        claim = world.claim(batches[number % 3], 2, run=RunId(f"run-{number}"), slice_items=2)
        return [item.item_id for one in claim.slices for item in one.items]

    with ThreadPoolExecutor(16) as pool:
        given = [item_id for items in pool.map(claim, range(16)) for item_id in items]
    assert len(given) == len(set(given)) == 16
    assert all(world.claim(batch).at_cap for batch in batches)
