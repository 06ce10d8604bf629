"""A watcher of a batch is notified by each commit that changes it, and by no other."""

import threading

from octavo.ledger.contract import Ledger, Retry
from tests.contract.ledger.world import World, begin, failed, finish, ids


def test_every_change_of_an_item_is_told_and_nothing_else(world: World) -> None:
    batch, other = world.batch(2), world.batch()
    told: list[str] = []
    unwatch = world.ledger.batches.watch(batch.batch_id, lambda: told.append("changed"))
    (first,) = world.take(batch)
    (foreign,) = world.take(other)
    world.say(begin(foreign), finish(foreign))
    assert told == [], "a lease is nothing that anybody sees"
    world.say(begin(first))
    assert len(told) == 1
    world.say(finish(first, failed()))
    assert len(told) == 2
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert len(told) == 3
    world.ledger.batches.retry_failed(Retry(customer_id=batch.customer_id, batch_id=batch.batch_id))
    assert len(told) == 4
    unwatch()
    unwatch()
    world.work_off(batch)
    assert len(told) == 4


def test_what_is_told_can_be_read_when_it_is_told(world: World) -> None:
    batch = world.batch()
    (item,) = world.take(batch)
    seen: list[str] = []
    done = threading.Event()

    def look() -> None:
        # In a thread of its own, as whoever is told must not block.
        seen.append(world.items(batch)[0].status.value)
        done.set()

    world.ledger.batches.watch(batch.batch_id, lambda: threading.Thread(target=look).start())
    world.say(begin(item))
    assert done.wait(60)
    assert seen == ["running"]


def test_many_may_watch_one_batch(world: World, ledger: Ledger) -> None:
    batch = world.batch()
    told: list[int] = []
    ends = [ledger.batches.watch(batch.batch_id, lambda number=number: told.append(number)) for number in range(3)]  # type: ignore[misc]
    ends[1]()
    world.say(begin(world.take(batch)[0]))
    assert told == [0, 2]


def test_items_are_listed_by_position_whatever_changed_last(world: World) -> None:
    batch = world.batch(5)
    for item in reversed(world.take(batch, 3)):
        world.say(begin(item), finish(item))
    by_position = ids(world.items(batch))
    assert ids(world.ledger.batches.items_in_order(batch.batch_id)) == by_position
    assert ids(world.ledger.batches.items_in_order(batch.batch_id, first=1, limit=2)) == by_position[1:3]
    assert world.ledger.batches.items_in_order(batch.batch_id, first=5) == []
    assert world.ledger.batches.items_in_order(type(batch.batch_id)("batch_x")) == []
