"""Readers and writers at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from octavo.batches import BatchStatus, Item, ItemStatus
from octavo.errors import LedgerUnavailable
from octavo.identifiers import BatchId, ItemId, RunId
from octavo.ledger.contract import Ledger
from tests.contract.ledger.world import World, begin, cursor, failed, finish, release

WORKERS = 8


def work(world: World, batch_id: BatchId, number: int) -> None:
    """Work a batch off as one of several, with failures and items given back among it."""
    while True:
        claim = world.claim(batch_id, 1, run=RunId(f"run-{number}"), slice_items=3)
        if claim.status.is_terminal:
            return
        for item in [item for one in claim.slices for item in one.items]:
            world.say(begin(item))
            if item.position % 7 == 3 and item.lease_no == 1:
                world.say(release(item))
            else:
                world.say(finish(item, failed() if item.position % 5 == 0 else None))


def follow(ledger: Ledger, batch_id: BatchId, ended: threading.Event) -> dict[ItemId, list[Item]]:
    """Read a batch by cursor until it has ended and nothing follows; all that was seen of each item."""
    seen: dict[ItemId, list[Item]] = {}
    after = None
    while True:
        last_round = ended.is_set()
        page = ledger.batches.items(batch_id, after=after, limit=20)
        for item in page:
            seen.setdefault(item.item_id, []).append(item)
            after = cursor(item)
        if last_round and not page:
            return seen


def test_a_reader_with_a_cursor_misses_no_change_while_commits_go_on(world: World) -> None:
    batch = world.batch(80)
    ended = threading.Event()
    with ThreadPoolExecutor(WORKERS + 2) as pool:
        readers = [pool.submit(follow, world.ledger, batch.batch_id, ended) for _ in range(2)]
        workers = [pool.submit(work, world, batch.batch_id, number) for number in range(WORKERS)]
        try:
            for worker in workers:
                worker.result(timeout=240)
        finally:
            ended.set()
        final = {item.item_id: item for item in world.items(batch)}
        for reader in readers:
            seen = reader.result(timeout=240)
            assert {item_id: states[-1] for item_id, states in seen.items()} == final
            for states in seen.values():
                assert [one.updated_at for one in states] == sorted({one.updated_at for one in states})
    assert world.now(batch).status is BatchStatus.PARTIALLY_FAILED
    assert all(item.status in (ItemStatus.SUCCEEDED, ItemStatus.FAILED) for item in final.values())
    assert world.pages() == 2 * world.now(batch).counts.succeeded


def test_a_write_is_seen_by_every_read_that_begins_after_it(world: World) -> None:
    def write_and_read(number: int) -> bool:
        customer = world.ledger.accounts.ensure_customer(f"customer {number}")
        batch = world.batch(3, customer=customer)
        (item,) = world.take(batch)
        world.say(finish(item))
        return (
            world.item(item).status is ItemStatus.SUCCEEDED
            and world.now(batch).counts.succeeded == 1
            and world.ledger.billing.pages_used(customer.customer_id) == 2
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_read, range(24)))


def test_a_refused_command_does_not_touch_those_committed_with_it(world: World) -> None:
    staged = world.staged(24)
    world.ledger.files.add(staged[:1])
    gate = threading.Barrier(24)

    def add(number: int) -> bool:
        gate.wait()
        try:
            world.ledger.files.add([staged[number]] if number % 2 else [staged[number], staged[0]])
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(24) as pool:
        kept = list(pool.map(add, range(24)))
    assert kept == [bool(number % 2) for number in range(24)]
    found = world.ledger.files.find(world.customer.customer_id, [file.file_id for file in staged])
    assert set(found) == {staged[number].file_id for number in (0, *range(1, 24, 2))}


def test_a_closed_ledger_refuses_everything_and_may_be_closed_again(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerUnavailable):
        ledger.accounts.ensure_customer("late")
    with pytest.raises(LedgerUnavailable):
        ledger.accounts.customers()
