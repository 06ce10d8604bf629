"""What failed runs again: the same items, in the same batch, counted and reported as if they had not ended."""

from datetime import timedelta

import pytest

from octavo.batches import Batch, BatchStatus, ClaimedItem, FileStatus, ItemStatus
from octavo.errors import BatchCancelling, BatchNotFound, UnknownFiles
from octavo.identifiers import BatchId, ItemId, RunId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, ItemCursor, Ledger, Retried, Retry
from tests.contract.ledger.world import RUN, World, begin, failed, finish, ids, success


def retry(world: World, batch: Batch, *codes: str) -> Retried:
    order = Retry(customer_id=batch.customer_id, batch_id=batch.batch_id, codes=frozenset(codes) if codes else None)
    return world.ledger.batches.retry_failed(order)


def ended(world: World, *codes: str | None) -> tuple[Batch, list[ClaimedItem]]:
    """A batch with an item for each code, which failed with it, or succeeded without one."""
    batch = world.batch(len(codes))
    items = world.take(batch, len(codes))
    for item, code in zip(items, codes, strict=True):
        world.say(begin(item), finish(item, failed(code) if code else success()))
    return batch, items


def test_failed_items_are_pending_again_under_their_ids(world: World) -> None:
    batch, items = ended(world, "extraction_failed", None, "internal_error")
    before = world.items(batch)
    world.clock.go(seconds=5)
    found = retry(world, batch)
    assert (found.items, found.expired, found.had_ended) == (2, 0, True)
    after = world.items(batch)
    assert ids(after) == ids(before)
    assert [item.status.value for item in after] == ["pending", "succeeded", "pending"]
    assert after[1] == before[1]
    for old, new in ((before[0], after[0]), (before[2], after[2])):
        assert (new.error_code, new.error_message, new.error_retryable, new.completed_at) == (None, None, None, None)
        assert (new.attempts, new.started_at) == (old.attempts, old.started_at)
        assert new.updated_at == found.since > old.updated_at
    assert [item.item_id for item in world.take(batch, 2)] == [items[0].item_id, items[2].item_id]


def test_the_batch_has_its_end_before_it_once_more(world: World) -> None:
    batch, _ = ended(world, "extraction_failed", None)
    first_end = world.now(batch)
    world.clock.go(hours=2)
    reopened = retry(world, batch).batch
    assert reopened == world.now(batch)
    assert (reopened.status, reopened.completed_at) == (BatchStatus.RUNNING, None)
    assert reopened.started_at == first_end.started_at
    assert reopened.expires_at == world.clock() + timedelta(seconds=batch.retention_seconds)
    world.clock.go(seconds=30)
    world.work_off(batch)
    again = world.now(batch)
    assert again.status is BatchStatus.COMPLETED
    assert again.completed_at == world.clock()
    assert again.expires_at == again.completed_at + timedelta(seconds=batch.retention_seconds)


def test_only_items_with_one_of_the_codes_run_again(world: World) -> None:
    batch, _ = ended(world, "extraction_failed", "ocr_provider_error", "internal_error")
    assert retry(world, batch, "internal_error", "ocr_provider_error").items == 2
    assert [item.status.value for item in world.items(batch)] == ["failed", "pending", "pending"]


def test_where_nothing_failed_nothing_changes(world: World) -> None:
    batch, _ = ended(world, None, None)
    before = world.now(batch), world.items(batch)
    world.clock.go(seconds=5)
    assert retry(world, batch).items == 0
    assert (world.now(batch), world.items(batch)) == before
    other, _ = ended(world, "extraction_failed")
    before = world.now(other), world.items(other)
    assert retry(world, other, "internal_error").items == 0
    assert (world.now(other), world.items(other)) == before


def test_a_reader_goes_on_from_the_moment_of_the_retry(world: World) -> None:
    batch, items = ended(world, "extraction_failed", None)
    found = retry(world, batch)
    page = world.ledger.batches.items(batch.batch_id, after=ItemCursor(found.since, ItemId("")))
    assert ids(page) == [items[0].item_id]
    world.work_off(batch)
    page = world.ledger.batches.items(batch.batch_id, after=ItemCursor(found.since, ItemId("")))
    assert [(item.item_id, item.status.value) for item in page] == [(items[0].item_id, "succeeded")]


def test_in_a_running_batch_failed_items_run_again_too(world: World) -> None:
    batch = world.batch(3)
    bad, held = world.take(batch, 2)
    world.say(begin(bad), finish(bad, failed()), begin(held))
    found = retry(world, batch)
    assert (found.items, found.had_ended) == (1, False)
    assert [item.status.value for item in world.items(batch)] == ["pending", "running", "pending"]
    assert [item.position for item in world.take(batch, 2)] == [0, 2]


def test_a_late_word_under_the_lease_that_failed_is_refused(world: World) -> None:
    batch, (item,) = ended(world, "extraction_failed")
    retry(world, batch)
    assert [verdict.accepted for verdict in world.say(finish(item, success()), begin(item))] == [False, False]
    assert world.items(batch)[0].status is ItemStatus.PENDING
    (again,) = world.take(batch)
    assert again.lease_no == item.lease_no + 1
    assert world.say(finish(again))[0].accepted


def test_an_item_that_lost_its_leases_has_all_its_lives_again(world: World) -> None:
    batch = world.batch()
    for _ in range(5):
        (item,) = world.take(batch)
        world.say(begin(item))
        world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    assert world.items(batch)[0].error_code == "internal_error"
    retry(world, batch)
    (item,) = world.take(batch)
    assert item.lost_leases == 0


def test_cancelled_items_stay_cancelled_and_the_cancel_is_forgotten(world: World) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    with pytest.raises(BatchCancelling):
        retry(world, batch)
    world.say(finish(item, failed()))
    assert world.now(batch).status is BatchStatus.CANCELLED
    assert retry(world, batch).batch.status is BatchStatus.RUNNING
    assert [one.status.value for one in world.items(batch)] == ["pending", "cancelled"]
    world.work_off(batch)
    assert world.now(batch).status is BatchStatus.COMPLETED


def test_items_whose_file_has_expired_stay_failed(world: World) -> None:
    old, new = world.files(1, hours=1)[0], world.files(1, hours=72)[0]
    batch = world.ledger.batches.create(world.order([old, new]))[0]
    for item in world.take(batch, 2):
        world.say(begin(item), finish(item, failed()))
    world.clock.go(hours=2)
    found = retry(world, batch)
    assert (found.items, found.expired) == (1, 1)
    assert [item.status.value for item in world.items(batch)] == ["failed", "pending"]


def test_a_retry_of_nothing_but_expired_files_is_refused(world: World) -> None:
    file_ids = world.files(2, hours=1)
    batch = world.ledger.batches.create(world.order(file_ids))[0]
    for item in world.take(batch, 2):
        world.say(begin(item), finish(item, failed()))
    world.clock.go(hours=2)
    before = world.now(batch)
    with pytest.raises(UnknownFiles) as caught:
        retry(world, batch)
    assert caught.value.facts["file_ids"] == sorted(file_ids)
    assert world.now(batch) == before


def test_a_file_does_not_expire_while_its_item_runs_again(world: World) -> None:
    (file_id,) = world.files(1, hours=1)
    batch = world.ledger.batches.create(world.order([file_id]))[0]
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, failed()))
    retry(world, batch)
    world.clock.go(hours=2)
    assert world.ledger.files.find(world.customer.customer_id, [file_id])[file_id].status is FileStatus.READY


def test_another_customers_batch_cannot_be_retried(world: World, ledger: Ledger) -> None:
    batch, _ = ended(world, "extraction_failed")
    stranger = ledger.accounts.ensure_customer("stranger")
    for customer_id, batch_id in ((stranger.customer_id, batch.batch_id), (batch.customer_id, BatchId("batch_x"))):
        with pytest.raises(BatchNotFound):
            ledger.batches.retry_failed(Retry(customer_id=customer_id, batch_id=batch_id))


def test_a_claim_that_waits_is_served_by_the_retry(world: World) -> None:
    batch = world.batch(2)
    bad, held = world.take(batch, 2)
    world.say(begin(bad), finish(bad, failed()), begin(held))
    told: list[object] = []
    request = ClaimRequest(batch_id=batch.batch_id, run_id=RUN, worker_id=WorkerId("worker-1/a"), slots=1)
    world.ledger.work.wait_for_claim(request, told.append)
    assert not told
    retry(world, batch)
    (claim,) = told
    assert isinstance(claim, Claim)
    assert [item.item_id for one in claim.slices for item in one.items] == [bad.item_id]


def test_a_batch_that_goes_on_is_open_and_gets_runs_numbered_on(world: World, ledger: Ledger) -> None:
    batch = world.batch()
    world.run(batch)
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, failed()))
    ledger.runs.end(RUN)
    assert not ledger.runs.open_batches()
    retry(world, batch)
    (found,) = ledger.runs.open_batches()
    assert (found.batch.batch_id, found.unleased, found.runs) == (batch.batch_id, 1, ())
    assert ledger.runs.add(batch.batch_id).run_no == 2
    ledger.runs.name(batch.batch_id, 2, RunId("run-2"))


def test_a_succeeded_item_is_billed_once_whatever_failed_before(world: World) -> None:
    batch, _ = ended(world, "extraction_failed", None)
    retry(world, batch)
    world.work_off(batch)
    assert world.pages() == 4


def test_many_failed_items_run_again(world: World) -> None:
    batch = world.batch(200)
    while slices := world.claim(batch, 8, slice_items=25).slices:
        world.say(*(finish(item, failed()) for one in slices for item in one.items))
    assert world.now(batch).status is BatchStatus.FAILED
    assert retry(world, batch).items == 200
    world.work_off(batch)
    assert world.now(batch).counts.succeeded == 200
