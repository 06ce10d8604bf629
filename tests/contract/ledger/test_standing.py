"""Claims that wait in the ledger: in turn, never over a limit, served by the commit that makes room."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from octavo.batches import Batch, BatchStatus, Customer, ItemStatus
from octavo.errors import BatchNotFound, LedgerUnavailable, OctavoError, StaleLease
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, Ledger
from tests.contract.ledger.world import RUN, StandingClock, World, begin, finish, release

SOON = 45.0
OTHER = WorkerId("worker-2/b")


@dataclass
class Asked:
    """One standing claim and what it was told."""

    batch_id: BatchId
    told: list[Claim | OctavoError] = field(default_factory=list)

    @property
    def claim(self) -> Claim:
        (answer,) = self.told
        assert isinstance(answer, Claim)
        return answer

    @property
    def lanes(self) -> int:
        return sum(len(one.slices) for one in self.told if isinstance(one, Claim))


def ask(
    world: World,
    batch: Batch | BatchId,
    lanes: int = 8,
    *,
    run: str = "",
    worker: str = "worker-1/a",
    slots: int | None = None,
    slice_items: int = 1,
) -> Asked:
    batch_id = batch.batch_id if isinstance(batch, Batch) else batch
    asked = Asked(batch_id)
    request = ClaimRequest(
        batch_id=batch_id,
        run_id=RunId(run or f"run of {batch_id}"),
        worker_id=WorkerId(worker),
        slots=lanes,
        worker_slots=slots,
        slice_items=slice_items,
    )
    world.ledger.work.wait_for_claim(request, asked.told.append)
    return asked


def customer(world: World, name: str, cap: int) -> Customer:
    made = world.ledger.accounts.ensure_customer(name)
    return world.ledger.accounts.update_customer(made.customer_id, item_cap=cap)


def ordered(world: World, owner: Customer, count: int, *, priority: int = 60) -> Batch:
    file_ids = world.files(count, customer=owner)
    order = world.order(file_ids, customer=owner)
    return world.ledger.batches.create(replace(order, priority=priority))[0]


def test_a_claim_with_room_is_told_at_once(world: World) -> None:
    asked = ask(world, world.batch(20), 5)
    assert (len(asked.claim.slices), asked.claim.unleased, asked.claim.held) == (5, 15, 5)


def test_a_lane_is_handed_on_by_the_commit_that_frees_it(world: World) -> None:
    batch = ordered(world, customer(world, "a", 2), 10)
    holds = ask(world, batch).claim
    waits = ask(world, batch)
    assert not waits.told
    world.say(finish(holds.slices[0].items[0]))
    assert (waits.lanes, waits.claim.held) == (1, 2)


@pytest.mark.parametrize("how", ["release", "end", "revoke", "expire", "cap"])
def test_whatever_makes_room_serves_who_waits(world: World, clock: StandingClock, how: str) -> None:
    owner = customer(world, "a", 1)
    batch = ordered(world, owner, 10)
    world.run(batch, RunId("holder"))
    holds = ask(world, batch, run="holder").claim
    waits = ask(world, batch, worker="worker-2/b")
    assert not waits.told
    if how == "release":
        world.say(release(holds.slices[0].items[0]))
    elif how == "end":
        world.ledger.runs.end(RunId("holder"))
    elif how == "revoke":
        world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    elif how == "expire":
        clock.go(seconds=91)
        world.ledger.work.expire_leases()
    else:
        world.ledger.accounts.update_customer(owner.customer_id, item_cap=2)
    assert waits.lanes == 1
    position = 1 if how == "cap" else 0
    assert waits.claim.slices[0].items[0].position == position


def test_two_batches_of_a_customer_take_turns(world: World) -> None:
    owner = customer(world, "a", 2)
    first, second = ordered(world, owner, 20), ordered(world, owner, 20)
    held = [item for piece in ask(world, first).claim.slices for item in piece.items]
    served: list[BatchId] = []
    waiting = {batch.batch_id: ask(world, batch) for batch in (first, second)}
    for _ in range(10):
        world.say(finish(held.pop(0)))
        (batch_id,) = [batch_id for batch_id, asked in waiting.items() if asked.told]
        served.append(batch_id)
        held += [item for piece in waiting[batch_id].claim.slices for item in piece.items]
        waiting[batch_id] = ask(world, batch_id)
    assert served == [second.batch_id, first.batch_id] * 5


def test_customers_take_turns_however_many_batches_they_have(world: World) -> None:
    many, one = customer(world, "many", 8), customer(world, "one", 8)
    # All slots of the worker are taken, so that all who ask wait.
    full = ask(world, ordered(world, customer(world, "full", 8), 8), slots=8).claim
    crowd = [ask(world, ordered(world, many, 20), slots=8) for _ in range(7)]
    single = ask(world, ordered(world, one, 20), slots=8)
    world.say(*(finish(piece.items[0]) for piece in full.slices))
    assert single.lanes == 4
    assert [asked.lanes for asked in crowd] == [1, 1, 1, 1, 0, 0, 0]


def test_a_lower_priority_number_goes_first_inside_a_customer_and_counts_nothing_outside(world: World) -> None:
    ours, theirs = customer(world, "ours", 8), customer(world, "theirs", 8)
    full = ask(world, ordered(world, customer(world, "full", 4), 4), slots=4).claim
    late, urgent = ordered(world, ours, 9, priority=60), ordered(world, ours, 9, priority=40)
    asked = [ask(world, batch, slots=4) for batch in (late, urgent, ordered(world, theirs, 9, priority=90))]
    world.say(*(finish(piece.items[0]) for piece in full.slices))
    assert [one.lanes for one in asked] == [0, 2, 2]


def test_the_cap_holds_over_all_batches_and_runs_of_a_customer(world: World) -> None:
    owner = customer(world, "a", 8)
    asked = [ask(world, ordered(world, owner, 20), run=f"run {number}") for number in range(4)]
    assert sum(one.lanes for one in asked) == 8


def test_worker_slots_are_never_exceeded(world: World) -> None:
    asked = [ask(world, ordered(world, customer(world, name, 8), 20), slots=5) for name in "abc"]
    assert sum(one.lanes for one in asked) == 5


def test_a_run_with_nothing_left_is_told_so(world: World) -> None:
    batch = ordered(world, customer(world, "a", 8), 2)
    holds = ask(world, batch).claim
    waits = ask(world, batch)
    assert not waits.told, "its own lanes may still come back"
    world.say(*(finish(piece.items[0]) for piece in holds.slices))
    claim = waits.claim
    assert (claim.slices, claim.unleased, claim.held, claim.status) == ((), 0, 0, BatchStatus.COMPLETED)


def test_a_run_that_holds_nothing_hears_of_a_cancel_though_others_hold_the_cap(world: World) -> None:
    owner = customer(world, "a", 2)
    busy, waiting = ordered(world, owner, 10), ordered(world, owner, 10)
    ask(world, busy)
    asked = ask(world, waiting)
    world.ledger.batches.cancel(owner.customer_id, waiting.batch_id)
    assert (asked.claim.slices, asked.claim.status) == ((), BatchStatus.CANCELLED)


def test_who_steps_back_hears_how_things_stand_and_gets_nothing_more(world: World) -> None:
    batch = ordered(world, customer(world, "a", 2), 10)
    holds = ask(world, batch, run="holder").claim
    waits = ask(world, batch, run="waiter")
    world.ledger.work.cancel_wait(run_id=RunId("waiter"))
    claim = waits.claim
    assert (claim.slices, claim.unleased, claim.held, claim.at_cap) == ((), 8, 0, True)
    world.say(finish(holds.slices[0].items[0]))
    assert len(waits.told) == 1
    assert len(world.claim(batch).slices) == 1


def test_all_claims_of_a_worker_step_back_together(world: World) -> None:
    batch = ordered(world, customer(world, "a", 1), 10)
    ask(world, batch, run="holder")
    draining = [ask(world, batch, run=f"r{number}") for number in range(2)]
    other = ask(world, batch, run="other", worker=OTHER)
    world.ledger.work.cancel_wait(worker_id=WorkerId("worker-1/a"))
    assert [one.lanes for one in draining] == [0, 0]
    assert all(one.told for one in draining)
    assert not other.told


def test_a_second_claim_of_a_run_takes_the_place_of_the_first(world: World) -> None:
    # The answer to the first was lost, or its asker has gone: what it would get, nobody would hear of.
    batch = ordered(world, customer(world, "a", 1), 10)
    holds = ask(world, batch).claim
    first, second = ask(world, batch, run="again"), ask(world, batch, run="again")
    assert first.claim.slices == ()
    world.say(finish(holds.slices[0].items[0]))
    assert second.lanes == 1


def test_a_run_that_is_lost_or_ended_hears_so(world: World) -> None:
    batch = ordered(world, customer(world, "a", 1), 10)
    holds = ask(world, batch, run="holder", worker=OTHER).claim
    world.run(batch, RunId("dead"))
    waits = ask(world, batch, run="dead")
    world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    world.say(finish(holds.slices[0].items[0]))
    (answer,) = waits.told
    assert isinstance(answer, StaleLease)
    again = ask(world, batch, run="dead")
    assert isinstance(again.told[0], StaleLease)


def test_a_dead_workers_claim_gets_nothing_though_its_run_is_unknown(world: World) -> None:
    batch = ordered(world, customer(world, "a", 1), 10)
    holds = ask(world, batch, run="holder", worker=OTHER).claim
    waits = ask(world, batch, run="unknown")
    world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    world.say(finish(holds.slices[0].items[0]))
    assert waits.claim.slices == ()


def test_an_unknown_batch_is_told_and_harms_no_other(world: World) -> None:
    asked = [ask(world, BatchId("batch_none")), ask(world, world.batch(3))]
    assert isinstance(asked[0].told[0], BatchNotFound)
    assert asked[1].lanes == 3


def test_a_ledger_that_closes_tells_those_who_wait(ledger: Ledger, clock: StandingClock) -> None:
    world = World(ledger, clock)
    batch = ordered(world, customer(world, "a", 1), 10)
    ask(world, batch)
    waits = ask(world, batch)
    told = waits.told
    ledger.close()
    assert len(told) == 1
    assert isinstance(told[0], LedgerUnavailable)


def test_an_item_that_has_one_lease_left_to_lose_stands_alone(world: World) -> None:
    batch = world.batch(9)
    for _ in range(4):
        items = world.claim(batch, 1, slice_items=9).slices[0].items
        world.say(begin(items[0]))
        assert items[0].position == 0
        world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    sizes = [[item.position for item in piece.items] for piece in world.claim(batch, 3, slice_items=3).slices]
    assert sizes == [[0], [1, 2, 3], [4, 5, 6]]


def test_near_the_end_of_a_batch_no_lane_gets_what_others_could_do(world: World) -> None:
    batch = ordered(world, customer(world, "a", 4), 60)
    held = world.claim(batch, 4, slice_items=10).slices
    assert [len(piece.items) for piece in held] == [10, 10, 10, 10]
    world.say(*(finish(item) for item in held[0].items))
    (next_one,) = world.claim(batch, 4, slice_items=10).slices
    assert len(next_one.items) == 5, "twenty are left for four lanes"


@pytest.mark.timeout(600)
def test_claims_that_wait_in_many_threads_never_pass_the_cap_and_all_items_are_done_once(world: World) -> None:
    owner = customer(world, "a", 3)
    batches = [ordered(world, owner, 40) for _ in range(3)]
    begun: Counter[str] = Counter()
    most = 0
    lock = threading.Lock()
    in_work = 0

    def work(number: int) -> None:
        nonlocal in_work, most
        batch = batches[number % 3]
        while claim := _wait(world, batch, f"run {number}"):
            for item in [item for piece in claim.slices for item in piece.items]:
                with lock:
                    in_work += 1
                    most = max(most, in_work)
                world.say(begin(item))
                with lock:
                    begun[item.item_id] += 1
                    in_work -= 1
                world.say(finish(item))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result(timeout=300)
    assert most <= 3
    assert set(begun.values()) == {1}
    for batch in batches:
        assert {item.status for item in world.items(batch)} == {ItemStatus.SUCCEEDED}


def _wait(world: World, batch: Batch, run: str) -> Claim | None:
    asked = ask(world, batch, 1, run=run)
    _until(lambda: bool(asked.told))
    return asked.claim if asked.claim.slices else None


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


def test_the_ledgers_own_run_is_marked_active_by_a_standing_claim(world: World) -> None:
    batch = world.batch(2)
    number = world.ledger.runs.add(batch.batch_id).run_no
    world.ledger.runs.name(batch.batch_id, number, RUN)
    ask(world, batch, run=RUN)
    run = world.ledger.runs.get(RUN)
    assert run is not None
    assert (run.status.value, run.worker_id) == ("active", "worker-1/a")
