"""Items that succeeded without some of their pages are read again, and never lose what they have."""

from dataclasses import replace
from datetime import timedelta

import pytest

from octavo.batches import MAX_LOST_LEASES, Batch, BatchStatus, ClaimedItem, ItemStatus
from octavo.errors import UnknownFiles
from octavo.identifiers import ResultId
from octavo.ledger.contract import Reservation, Retried, Retry
from octavo.outcomes import Outcome, Succeeded
from tests.contract.ledger.world import WORKER, World, begin, failed, finish, success

RESULT = ResultId("result-4")
"""Of a success with four pages."""


def holed(failed_pages: int = 2) -> Succeeded:
    return replace(success(4), failed_pages=failed_pages)


def retry(world: World, batch: Batch, codes: frozenset[str] | None = None) -> Retried:
    return world.ledger.batches.retry_failed(
        Retry(customer_id=batch.customer_id, batch_id=batch.batch_id, codes=codes, failed_pages=True)
    )


def ended(world: World) -> tuple[Batch, ClaimedItem]:
    """A batch of one item that succeeded without two of its four pages."""
    batch = world.batch()
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, holed()))
    world.clock.go(seconds=5)
    return batch, item


def assert_it_has_its_old_result(world: World, batch: Batch) -> None:
    (item,) = world.items(batch)
    assert (item.status, item.result_id, item.page_count, item.failed_pages) == (ItemStatus.SUCCEEDED, RESULT, 4, 2)
    assert item.error_code is None
    assert item.completed_at == item.updated_at >= world.clock()
    after = world.now(batch)
    assert (after.status, after.counts.succeeded, after.counts.total) == (BatchStatus.COMPLETED, 1, 1)
    assert world.pages() == 4, "and is billed once"
    assert world.ledger.billing.differences() == []


def test_an_item_tells_how_many_of_its_pages_failed(world: World) -> None:
    batch, _ = ended(world)
    (item,) = world.items(batch)
    assert (item.page_count, item.failed_pages) == (4, 2)
    assert world.items(world.batch())[0].failed_pages == 0


def test_an_item_with_failed_pages_runs_again_only_when_that_is_asked(world: World) -> None:
    batch, _ = ended(world)
    without = Retry(customer_id=batch.customer_id, batch_id=batch.batch_id)
    assert world.ledger.batches.retry_failed(without).items == 0
    found = retry(world, batch)
    assert (found.items, found.had_ended, found.batch.status) == (1, True, BatchStatus.RUNNING)
    (item,) = world.items(batch)
    assert (item.status, item.completed_at, item.result_id) == (ItemStatus.PENDING, None, RESULT)
    (claimed,) = world.take(batch)
    assert (claimed.result_id, claimed.failed_pages, claimed.attempts) == (RESULT, 2, 1)


def test_codes_say_which_failed_items_run_with_them(world: World) -> None:
    batch = world.batch(4)
    outcomes: list[Outcome] = [failed("internal_error"), failed("extraction_failed"), holed(), success()]
    for item, outcome in zip(world.take(batch, 4), outcomes, strict=True):
        world.say(begin(item), finish(item, outcome))
    assert retry(world, batch, frozenset()).items == 1
    assert [item.status.value for item in world.items(batch)] == ["failed", "failed", "pending", "succeeded"]
    assert retry(world, batch, frozenset({"internal_error"})).items == 1
    assert retry(world, batch).items == 1
    assert [item.status.value for item in world.items(batch)] == ["pending", "pending", "pending", "succeeded"]


def test_the_new_result_counts_and_is_not_billed_again(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    (item,) = world.take(batch)
    assert [one.accepted for one in world.say(begin(item), finish(item, holed(0)))] == [True, True]
    (after,) = world.items(batch)
    assert (after.status, after.failed_pages, after.attempts) == (ItemStatus.SUCCEEDED, 0, 2)
    assert after.result_id == RESULT
    assert after.completed_at == after.updated_at >= world.clock()
    assert (world.pages(), world.ledger.billing.differences()) == (4, [])
    assert retry(world, batch).items == 0


@pytest.mark.parametrize("outcome", [failed(), holed(2), replace(holed(3), result_id=ResultId("other"))])
def test_a_further_reading_that_is_no_better_leaves_the_old_result(world: World, outcome: Outcome) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, outcome))
    assert_it_has_its_old_result(world, batch)


def test_an_item_whose_workers_were_lost_has_its_old_result(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    for _ in range(MAX_LOST_LEASES):
        (item,) = world.take(batch)
        world.say(begin(item))
        world.ledger.work.revoke(worker_id=WORKER)
    assert_it_has_its_old_result(world, batch)


def test_a_cancel_gives_pending_items_their_old_results(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert_it_has_its_old_result(world, batch)


def test_a_cancel_gives_a_running_item_its_old_result_when_its_worker_is_lost(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    (item,) = world.take(batch)
    world.say(begin(item))
    assert world.ledger.batches.cancel(batch.customer_id, batch.batch_id).status is BatchStatus.CANCELLING
    world.ledger.work.revoke(worker_id=WORKER)
    assert_it_has_its_old_result(world, batch)


def test_a_late_word_under_the_first_lease_is_refused(world: World) -> None:
    batch, item = ended(world)
    retry(world, batch)
    assert [one.accepted for one in world.say(finish(item, holed(0)))] == [False]
    assert world.items(batch)[0].status is ItemStatus.PENDING


def test_a_customer_with_no_page_left_has_failed_pages_read_again(world: World) -> None:
    batch, _ = ended(world)
    world.ledger.accounts.set_limits(world.customer.customer_id, {"page_quota": 4})
    retry(world, batch)
    (item,) = world.take(batch)
    assert not item.reserves_pages
    assert world.ledger.billing.reserve(Reservation(item_id=item.item_id, lease_no=item.lease_no, pages=4))
    world.say(finish(item, holed(1)))
    assert world.items(batch)[0].failed_pages == 1
    assert world.ledger.billing.page_account(world.customer.customer_id).used == 4


def test_a_result_lives_while_its_item_is_read_again(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.clock.go(hours=100)
    world.ledger.lifetimes.expire(100)
    assert world.ledger.lifetimes.pending_deletions(100) == []
    assert world.ledger.lifetimes.live_results([RESULT]) == {RESULT}
    kept_until = world.ledger.lifetimes.result_expires_at(batch.customer_id, RESULT)
    assert kept_until == world.clock() + timedelta(seconds=batch.retention_seconds)
    world.say(finish(item, failed()))
    assert_it_has_its_old_result(world, batch)
    world.clock.go(seconds=batch.retention_seconds)
    world.ledger.lifetimes.expire(100)
    assert RESULT in {one.result_id for one in world.ledger.lifetimes.pending_deletions(100)}, (
        "its time starts anew with its end"
    )
    assert world.ledger.lifetimes.live_results([RESULT]) == set()


def test_a_result_of_another_version_goes_with_the_batch(world: World) -> None:
    batch, _ = ended(world)
    retry(world, batch)
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, replace(holed(0), result_id=ResultId("other"))))
    assert world.items(batch)[0].result_id == "other"
    numbers = world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert {one.result_id for one in world.ledger.lifetimes.pending_deletions(100, numbers)} == {RESULT, "other"}


def test_an_item_whose_result_or_file_is_gone_does_not_run_again(world: World) -> None:
    batch, _ = ended(world)
    world.clock.go(seconds=batch.retention_seconds)
    assert retry(world, batch).items == 0
    file_ids = world.files(hours=0.5)
    other = world.ledger.batches.create(world.order(file_ids))[0]
    (item,) = world.take(other)
    world.say(begin(item), finish(item, holed()))
    world.clock.go(hours=0.75)
    with pytest.raises(UnknownFiles):
        retry(world, other)
    assert world.items(other)[0].status is ItemStatus.SUCCEEDED
