"""Batches as customers submit and read them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from octavo.batches import BatchStatus, Counts, FileStatus, ItemStatus
from octavo.errors import BatchNotFound, FilesNotUploaded, IdempotencyKeyReused, ItemNotFound
from octavo.identifiers import BatchId, ItemId
from octavo.ledger.contract import BatchCursor
from tests.contract.ledger.world import World, begin, cursor, failed, finish


def test_a_new_batch_is_pending_and_echoes_what_was_asked(world: World) -> None:
    order = world.order(world.files(3), retention_seconds=600)
    batch, created = world.ledger.batches.create(order)
    assert created
    assert batch.status is BatchStatus.PENDING
    assert (batch.counts, batch.total_items) == (Counts(pending=3), 3)
    assert (batch.options, batch.metadata, batch.priority) == (order.options, order.metadata, 60)
    assert batch.created_at == world.clock()
    assert batch.expires_at == world.clock() + timedelta(seconds=600)
    assert (batch.started_at, batch.completed_at, batch.cancel_requested_at) == (None, None, None)
    assert world.now(batch) == batch


def test_metadata_may_be_absent(world: World) -> None:
    order = replace(world.order(world.files()), metadata=None, engine="stub")
    batch, _ = world.ledger.batches.create(order)
    assert (world.now(batch).metadata, world.now(batch).engine) == (None, "stub")


def test_a_batch_has_one_item_per_position_even_of_the_same_file(world: World) -> None:
    first, second = world.files(2)
    batch, _ = world.ledger.batches.create(world.order([second, first, second]))
    items = world.items(batch)
    assert [item.file_id for item in items] == [second, first, second]
    assert [item.position for item in items] == [0, 1, 2]
    assert len({item.item_id for item in items}) == 3
    assert {(item.status, item.attempts) for item in items} == {(ItemStatus.PENDING, 0)}
    assert {item.updated_at for item in items} == {batch.created_at}


def test_each_item_of_the_same_file_is_billed(world: World) -> None:
    (file_id,) = world.files()
    batch, _ = world.ledger.batches.create(world.order([file_id, file_id]))
    world.work_off(batch)
    assert world.pages() == 4


def test_untouched_items_are_listed_by_position(world: World) -> None:
    batch = world.batch(50)
    assert [item.position for item in world.ledger.batches.items(batch.batch_id)] == list(range(50))


def test_a_batch_without_files_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="at least one"):
        world.ledger.batches.create(world.order([]))


def test_a_batch_id_is_used_once(world: World) -> None:
    order = world.order(world.files())
    world.ledger.batches.create(order)
    with pytest.raises(ValueError, match="already"):
        world.ledger.batches.create(order)
    assert len(world.ledger.batches.of_customer(world.customer.customer_id)) == 1


def test_batches_and_items_of_others_are_not_found(world: World) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    mine, theirs = world.batch(), world.batch(customer=other)
    for batch_id in (theirs.batch_id, BatchId("batch_nowhere")):
        with pytest.raises(BatchNotFound):
            world.ledger.batches.get(world.customer.customer_id, batch_id)
        with pytest.raises(BatchNotFound):
            world.ledger.batches.cancel(world.customer.customer_id, batch_id)
    for item_id in (world.items(theirs)[0].item_id, ItemId("item_nowhere")):
        with pytest.raises(ItemNotFound):
            world.ledger.batches.item(mine.batch_id, item_id)
    assert world.ledger.batches.items(BatchId("batch_nowhere")) == []
    assert world.now(theirs).counts.pending == 1


def test_batches_are_listed_newest_first_page_by_page(world: World) -> None:
    made = []
    for _ in range(5):
        made.append(world.batch())
        world.clock.go(seconds=1)
    world.batch(customer=world.ledger.accounts.ensure_customer("other"))
    customer_id = world.customer.customer_id
    assert world.ledger.batches.of_customer(customer_id) == made[::-1]
    assert world.ledger.batches.of_customer(customer_id, limit=2) == [made[4], made[3]]
    after = BatchCursor(made[3].created_at, made[3].batch_id)
    assert world.ledger.batches.of_customer(customer_id, after=after, limit=2) == [made[2], made[1]]
    world.batch()
    assert world.ledger.batches.of_customer(customer_id, after=after, limit=2) == [made[2], made[1]]


def test_batches_made_in_the_same_instant_are_all_listed(world: World) -> None:
    made = {world.batch().batch_id for _ in range(4)}
    seen = []
    after = None
    while page := world.ledger.batches.of_customer(world.customer.customer_id, after=after, limit=1):
        seen.append(page[0].batch_id)
        after = BatchCursor(page[0].created_at, page[0].batch_id)
    assert len(seen) == 4
    assert set(seen) == made


def test_batches_are_filtered_by_any_status(world: World) -> None:
    pending, running, done = world.batch(), world.batch(2), world.batch()
    world.work_off(done)
    (item,) = world.take(running)
    world.say(finish(item))
    for status, batch in (
        (BatchStatus.PENDING, pending),
        (BatchStatus.RUNNING, running),
        (BatchStatus.COMPLETED, done),
    ):
        found = world.ledger.batches.of_customer(world.customer.customer_id, status=status)
        assert [one.batch_id for one in found] == [batch.batch_id]
    assert world.ledger.batches.of_customer(world.customer.customer_id, status=BatchStatus.FAILED) == []


def test_a_page_of_items_goes_on_where_the_last_ended(world: World) -> None:
    batch = world.batch(5)
    page = world.ledger.batches.items(batch.batch_id, limit=2)
    rest = world.ledger.batches.items(batch.batch_id, after=cursor(page[-1]))
    assert [item.position for item in page + rest] == [0, 1, 2, 3, 4]
    assert world.ledger.batches.items(batch.batch_id, after=cursor(rest[-1])) == []


def test_an_item_that_changes_comes_after_every_cursor_given_before(world: World) -> None:
    batch = world.batch(3)
    last = cursor(world.ledger.batches.items(batch.batch_id)[-1])
    (item,) = world.take(batch)
    world.say(finish(item))
    (changed,) = world.ledger.batches.items(batch.batch_id, after=last)
    assert (changed.item_id, changed.status) == (item.item_id, ItemStatus.SUCCEEDED)
    assert changed.updated_at > last.updated_at


def test_updated_at_grows_with_every_commit_even_when_the_clock_stands_or_goes_back(world: World) -> None:
    batch = world.batch(4)
    seen = [batch.created_at]
    for item in world.take(batch, 4):
        world.clock.go(seconds=-10)
        world.say(finish(item))
        seen.append(world.item(item).updated_at)
    assert seen == sorted(set(seen))


# Idempotency keys -------------------------------------------------------------------------


def test_the_same_key_and_body_give_the_same_batch_as_it_is_now(world: World) -> None:
    order = world.order(world.files(2), key="k")
    batch, _ = world.ledger.batches.create(order)
    world.work_off(batch)
    again, created = world.ledger.batches.create(replace(order, batch_id=BatchId("batch_other")))
    assert not created
    assert again == world.now(batch)
    assert again.status is BatchStatus.COMPLETED
    assert world.ledger.batches.replay(world.customer.customer_id, "k", "body") == again


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    world.ledger.batches.create(world.order(world.files(), key="k"))
    with pytest.raises(IdempotencyKeyReused):
        world.ledger.batches.create(world.order(world.files(), key="k", digest="other"))
    with pytest.raises(IdempotencyKeyReused):
        world.ledger.batches.replay(world.customer.customer_id, "k", "other")


def test_a_key_is_kept_for_24_hours(world: World) -> None:
    customer_id = world.customer.customer_id
    batch, _ = world.ledger.batches.create(world.order(world.files(), key="k"))
    world.clock.go(hours=24, microseconds=-1)
    assert world.ledger.batches.replay(customer_id, "k", "body") == batch
    world.clock.go(microseconds=1)
    assert world.ledger.batches.replay(customer_id, "k", "other") is None
    newer, created = world.ledger.batches.create(world.order(world.files(), key="k", digest="other"))
    assert created
    assert world.ledger.batches.replay(customer_id, "k", "other") == newer


def test_a_key_is_the_customers_own(world: World) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    world.ledger.batches.create(world.order(world.files(), key="k"))
    assert world.ledger.batches.replay(other.customer_id, "k", "body") is None
    _, created = world.ledger.batches.create(
        world.order(world.files(customer=other), customer=other, key="k", digest="theirs")
    )
    assert created


def test_a_refused_batch_does_not_hold_its_key(world: World) -> None:
    files = world.files(status=FileStatus.PENDING)
    with pytest.raises(FilesNotUploaded):
        world.ledger.batches.create(world.order(files, key="k"))
    assert world.ledger.batches.replay(world.customer.customer_id, "k", "body") is None
    world.ledger.files.mark_ready(files)
    assert world.ledger.batches.create(world.order(files, key="k", digest="mended"))[1]


def test_32_threads_with_one_key_make_one_batch_and_all_get_it(world: World) -> None:
    files = world.files(10)
    gate = threading.Barrier(32)

    def submit(_: int) -> tuple[BatchId, bool]:
        order = world.order(files, key="k")
        gate.wait()
        batch, created = world.ledger.batches.create(order)
        return batch.batch_id, created

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(submit, range(32)))
    assert len({batch_id for batch_id, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    assert len(world.ledger.batches.of_customer(world.customer.customer_id)) == 1


# The end of a batch -----------------------------------------------------------------------


def end(world: World, *, succeed: int, fail: int, pending: int, cancel: bool = False) -> BatchStatus:
    batch = world.batch(succeed + fail + pending)
    items = world.take(batch, succeed + fail)
    world.say(*(finish(item) for item in items[:succeed]), *(finish(item, failed()) for item in items[succeed:]))
    if cancel:
        world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    return world.now(batch).status


@pytest.mark.parametrize(
    ("succeed", "fail", "pending", "cancel", "status"),
    [
        (2, 0, 0, False, BatchStatus.COMPLETED),
        (1, 1, 0, False, BatchStatus.PARTIALLY_FAILED),
        (0, 2, 0, False, BatchStatus.FAILED),
        (0, 0, 2, True, BatchStatus.CANCELLED),
        (0, 1, 1, True, BatchStatus.CANCELLED),
        (1, 0, 1, True, BatchStatus.COMPLETED),
        (1, 1, 1, True, BatchStatus.PARTIALLY_FAILED),
        (1, 0, 1, False, BatchStatus.RUNNING),
        (0, 1, 1, False, BatchStatus.RUNNING),
    ],
)
def test_the_items_decide_how_a_batch_ends(
    world: World, succeed: int, fail: int, pending: int, cancel: bool, status: BatchStatus
) -> None:
    assert end(world, succeed=succeed, fail=fail, pending=pending, cancel=cancel) is status


def test_the_last_terminal_item_ends_the_batch_and_starts_its_retention(world: World) -> None:
    batch = world.batch(2)
    first, second = world.take(batch, 2)
    world.clock.go(minutes=1)
    (verdict,) = world.say(finish(first))
    assert (verdict.batch_ended, world.now(batch).completed_at) == (False, None)
    assert world.now(batch).started_at == world.clock()
    assert world.now(batch).expires_at == batch.expires_at
    world.clock.go(minutes=1)
    (verdict,) = world.say(finish(second))
    assert (verdict.batch_ended, verdict.batch_id) == (True, batch.batch_id)
    ended = world.now(batch)
    assert ended.completed_at == world.clock()
    assert ended.expires_at == world.clock() + timedelta(seconds=batch.retention_seconds)


# Cancel -----------------------------------------------------------------------------------


def test_cancel_takes_what_is_pending_and_lets_running_items_end(world: World) -> None:
    batch = world.batch(4)
    running, leased = world.take(batch, 2)
    world.say(begin(running))
    cancelled = world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert cancelled.status is BatchStatus.CANCELLING
    assert cancelled.counts == Counts(running=1, cancelled=3)
    assert cancelled.cancel_requested_at is not None
    assert world.item(leased).completed_at == world.item(leased).updated_at
    assert not world.say(finish(leased))[0].accepted
    assert world.say(finish(running))[0].accepted
    assert world.now(batch).status is BatchStatus.COMPLETED


def test_cancel_of_a_finished_batch_changes_nothing(world: World) -> None:
    batch = world.batch()
    world.work_off(batch)
    before = world.now(batch)
    world.clock.go(hours=1)
    assert world.ledger.batches.cancel(batch.customer_id, batch.batch_id) == before


def test_a_second_cancel_changes_nothing(world: World) -> None:
    batch = world.batch(2)
    world.say(begin(world.take(batch)[0]))
    first = world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    world.clock.go(hours=1)
    assert world.ledger.batches.cancel(batch.customer_id, batch.batch_id) == first
