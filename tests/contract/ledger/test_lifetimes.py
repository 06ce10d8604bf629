"""How files, results and batches end: by expiry, or because somebody deletes them."""

from dataclasses import replace

import pytest

from octavo.batches import Batch, FileStatus, ItemStatus
from octavo.errors import BatchNotFinished, BatchNotFound, FileInUse, ItemNotFound, UnknownFiles
from octavo.identifiers import BatchId, FileId, ResultId, RunId
from octavo.ledger.contract import Report, ReportKind
from octavo.outcomes import Succeeded
from tests.contract.ledger.world import RUN, World, failed, finish, success

HOUR = 3600


def named(result: str) -> Succeeded:
    return replace(success(), result_id=ResultId(result))


def finished(world: World, *results: str, retention_seconds: int = HOUR, hours: float = 72) -> Batch:
    """Return a batch whose items have come to these results, one after the other."""
    batch, _ = world.ledger.batches.create(
        world.order(world.files(len(results), hours=hours), retention_seconds=retention_seconds)
    )
    for item, result in zip(world.take(batch, len(results)), results, strict=True):
        world.say(finish(item, named(result)))
    return world.now(batch)


def expire(world: World, limit: int = 1000) -> list[str]:
    """Expire all that is due and return what is doomed by it, keys and results."""
    while world.ledger.lifetimes.expire(limit):
        pass
    return taken(world)


def taken(world: World) -> list[str]:
    doomed = world.ledger.lifetimes.pending_deletions(100_000)
    world.ledger.lifetimes.note_deleted([one.number for one in doomed])
    assert world.ledger.lifetimes.pending_deletions(1) == []
    return sorted(str(one.object_key or one.result_id) for one in doomed)


def status(world: World, file_id: FileId) -> FileStatus:
    return world.ledger.files.find(world.customer.customer_id, [file_id])[file_id].status


# Expiry of files


def test_a_file_is_expired_from_its_time_on_and_its_bytes_are_doomed_once(world: World) -> None:
    first, second = world.staged(2, hours=1)
    world.ledger.files.add([first, replace(second, status=FileStatus.PENDING)])
    world.clock.go(hours=1, microseconds=-1)
    assert expire(world) == []
    world.clock.go(microseconds=1)
    assert expire(world) == [first.object_key, second.object_key]
    assert status(world, first.file_id) is FileStatus.EXPIRED
    assert expire(world) == []


def test_retention_never_runs_on_a_file_that_an_unfinished_item_names(world: World) -> None:
    waiting, running, done = world.files(3, hours=1)
    batch, _ = world.ledger.batches.create(world.order([done, running, waiting]))
    ended, begun = world.take(batch, 2)
    world.say(finish(ended), Report(kind=ReportKind.BEGIN, item_id=begun.item_id, lease_no=begun.lease_no))
    world.clock.go(days=100)
    assert "files/0" not in expire(world), "of all three only the ended item's file may go"
    assert [status(world, one) for one in (waiting, running, done)] == ["ready", "ready", "expired"]
    world.say(finish(begun))
    assert "files/1" in expire(world)
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert "files/0" in expire(world)


def test_a_file_of_two_batches_waits_for_both(world: World) -> None:
    (file_id,) = world.files(hours=1)
    one, _ = world.ledger.batches.create(world.order([file_id]))
    two, _ = world.ledger.batches.create(world.order([file_id]))
    world.clock.go(hours=2)
    world.work_off(one)
    assert "files/0" not in expire(world)
    world.work_off(two)
    assert "files/0" in expire(world)


# Expiry of results


def test_a_result_expires_when_its_retention_has_passed_since_its_item_was_completed(world: World) -> None:
    batch, _ = world.ledger.batches.create(world.order(world.files(2)))
    early, late = world.take(batch, 2)
    world.clock.go(minutes=10)
    world.say(finish(early, named("res_early")))
    world.clock.go(minutes=30)
    world.say(finish(late, named("res_late")))
    world.clock.go(minutes=30)
    assert world.ledger.lifetimes.live_results([ResultId("res_early"), ResultId("res_late")]) == {"res_late"}
    assert expire(world) == ["res_early"]
    world.clock.go(minutes=29, seconds=59)
    assert expire(world) == []
    world.clock.go(seconds=1)
    assert expire(world) == ["res_late"]
    world.clock.go(hours=10)
    assert expire(world) == []


def test_results_of_an_unfinished_batch_expire_by_their_own_items(world: World) -> None:
    batch, _ = world.ledger.batches.create(world.order(world.files(3)))
    for number, item in enumerate(world.take(batch, 2)):
        world.say(finish(item, named(f"res_{number}")))
        world.clock.go(minutes=1)
    world.clock.go(hours=1, minutes=-1, microseconds=-1)
    assert expire(world) == ["res_0"]
    world.clock.go(minutes=1)
    assert expire(world) == ["res_1"]
    (item,) = world.take(batch, 1)
    world.say(finish(item, named("res_2")))
    world.clock.go(hours=1)
    assert expire(world) == ["res_2"]


def test_a_batch_whose_last_item_failed_expires_all_the_same(world: World) -> None:
    batch, _ = world.ledger.batches.create(world.order(world.files(2)))
    good, bad = world.take(batch, 2)
    world.say(finish(good, named("res_good")))
    world.clock.go(minutes=1)
    world.say(finish(bad, failed()))
    world.clock.go(hours=2)
    assert expire(world) == ["res_good"]
    assert world.ledger.lifetimes.expire(10) == 0


def test_a_result_that_another_item_names_is_live_until_the_last_one_s_time(world: World) -> None:
    result = ResultId("res_shared")
    finished(world, "res_shared")
    world.clock.go(minutes=30, seconds=1)
    finished(world, "res_shared")
    world.clock.go(minutes=30)
    assert expire(world) == ["res_shared"], "noted with each item's end"
    assert world.ledger.lifetimes.live_results([result]) == {result}, "and taken away with the last one's"
    world.clock.go(minutes=31)
    assert expire(world) == ["res_shared"]
    assert world.ledger.lifetimes.live_results([result]) == set()


def test_batches_keep_the_retention_they_were_made_with(world: World) -> None:
    finished(world, "res_short", retention_seconds=60)
    finished(world, "res_long", retention_seconds=3 * HOUR)
    world.clock.go(minutes=2)
    assert expire(world) == ["res_short"]
    world.clock.go(hours=3)
    assert expire(world) == ["res_long"]


def test_until_when_a_result_is_kept_is_told_to_its_customer_alone(world: World) -> None:
    finished(world, "res_shared")
    world.clock.go(minutes=30)
    later = finished(world, "res_shared")
    other = world.ledger.accounts.ensure_customer("other")
    ends = world.ledger.lifetimes.result_expires_at(world.customer.customer_id, ResultId("res_shared"))
    assert ends == later.expires_at
    assert world.ledger.lifetimes.result_expires_at(other.customer_id, ResultId("res_shared")) is None
    assert world.ledger.lifetimes.result_expires_at(world.customer.customer_id, ResultId("res_other")) is None


def test_much_expires_in_slices_and_none_of_it_is_left_out_or_taken_twice(world: World) -> None:
    for number in range(4):
        finished(world, *[f"res_{number}_{item}" for item in range(7)], hours=1)
    world.clock.go(hours=3)
    slices, found = 0, []
    while world.ledger.lifetimes.expire(3):
        slices += 1
        found += taken(world)
    assert sorted(found) == sorted(
        [f"files/{item}" for _ in range(4) for item in range(7)]
        + [f"res_{number}_{item}" for number in range(4) for item in range(7)]
    )
    assert slices >= 1


def test_a_batch_stays_a_record_when_its_results_have_expired(world: World) -> None:
    batch = finished(world, "res_1")
    (before,) = world.items(batch)
    world.clock.go(hours=2)
    expire(world)
    assert world.now(batch) == batch
    assert world.items(batch) == [before], "a reader with a cursor is not told of it"


# Deleting a file


def test_a_deleted_file_is_as_if_it_never_was(world: World) -> None:
    (staged,) = world.staged()
    world.ledger.files.add([staged])
    customer_id, file_id = world.customer.customer_id, staged.file_id
    (number,) = world.ledger.files.delete(customer_id, file_id)
    (doomed,) = world.ledger.lifetimes.pending_deletions(10, [number])
    assert (doomed.object_key, doomed.customer_id) == (staged.object_key, customer_id)
    assert world.ledger.files.find(customer_id, [file_id]) == {}
    with pytest.raises(UnknownFiles):
        world.ledger.files.delete(customer_id, file_id)
    with pytest.raises(UnknownFiles) as refused:
        world.ledger.batches.create(world.order([file_id]))
    assert refused.value.facts == {"file_ids": [file_id]}
    world.ledger.files.mark_ready([file_id])
    assert world.ledger.files.find(customer_id, [file_id]) == {}
    world.clock.go(days=10)
    taken(world)
    assert expire(world) == []


def test_unknown_and_foreign_files_cannot_be_deleted(world: World) -> None:
    (theirs,) = world.files(customer=world.ledger.accounts.ensure_customer("other"))
    for file_id in (theirs, FileId("file_nowhere")):
        with pytest.raises(UnknownFiles) as refused:
            world.ledger.files.delete(world.customer.customer_id, file_id)
        assert refused.value.facts == {"file_ids": [file_id]}
    assert world.ledger.lifetimes.pending_deletions(10) == []


def test_a_file_cannot_be_deleted_while_an_unfinished_item_names_it(world: World) -> None:
    (file_id,) = world.files()
    one, _ = world.ledger.batches.create(world.order([file_id, file_id]))
    two, _ = world.ledger.batches.create(world.order([file_id]))
    with pytest.raises(FileInUse) as refused:
        world.ledger.files.delete(world.customer.customer_id, file_id)
    assert refused.value.facts == {"batch_ids": sorted([one.batch_id, two.batch_id])}
    world.work_off(one)
    with pytest.raises(FileInUse) as refused:
        world.ledger.files.delete(world.customer.customer_id, file_id)
    assert refused.value.facts == {"batch_ids": [two.batch_id]}
    world.ledger.batches.cancel(two.customer_id, two.batch_id)
    assert world.ledger.files.delete(world.customer.customer_id, file_id)
    assert [item.file_id for item in world.items(one)] == [file_id, file_id], "items keep the id"


def test_an_expired_file_can_be_deleted(world: World) -> None:
    (file_id,) = world.files(hours=1)
    world.clock.go(hours=2)
    expire(world)
    assert world.ledger.files.delete(world.customer.customer_id, file_id)


# Deleting a batch


def test_a_deleted_batch_is_as_if_it_never_was_and_its_usage_stays(world: World) -> None:
    batch, _ = world.ledger.batches.create(world.order(world.files(3), key="monday"))
    world.run(batch)
    for number, item in enumerate(world.take(batch, 3)):
        world.say(finish(item, named(f"res_{number}") if number else failed()))
    world.ledger.runs.end(RUN)
    pages, (first, *_) = world.pages(), world.items(batch)
    numbers = world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert {one.result_id for one in world.ledger.lifetimes.pending_deletions(10, numbers)} == {"res_1", "res_2"}
    with pytest.raises(BatchNotFound):
        world.now(batch)
    with pytest.raises(BatchNotFound):
        world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    with pytest.raises(BatchNotFound):
        world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    with pytest.raises(ItemNotFound):
        world.ledger.batches.item(batch.batch_id, first.item_id)
    assert world.ledger.batches.items(batch.batch_id) == []
    assert world.ledger.batches.of_customer(batch.customer_id) == []
    assert world.ledger.lifetimes.live_results([ResultId("res_1")]) == set()
    assert world.pages() == pages == 4
    assert world.ledger.runs.get(RUN) is None
    assert world.ledger.batches.replay(batch.customer_id, "monday", "body") is None, "its key is free again"
    assert world.ledger.lifetimes.known_batches([batch.batch_id]) == set()


def test_files_of_a_deleted_batch_stay(world: World) -> None:
    (file_id,) = world.files()
    batch, _ = world.ledger.batches.create(world.order([file_id]))
    world.work_off(batch)
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert status(world, file_id) is FileStatus.READY
    assert world.ledger.batches.create(world.order([file_id]))[1]


@pytest.mark.parametrize("state", ["pending", "running", "cancelling"])
def test_a_batch_that_has_not_ended_cannot_be_deleted(world: World, state: str) -> None:
    batch = world.batch(2)
    if state != "pending":
        (item,) = world.take(batch)
        world.say(Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no))
    if state == "cancelling":
        world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    with pytest.raises(BatchNotFinished) as refused:
        world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert refused.value.facts == {"status": state}
    assert world.now(batch).status == state


def test_unknown_and_foreign_batches_cannot_be_deleted(world: World) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    theirs = world.batch(customer=other)
    world.ledger.batches.cancel(theirs.customer_id, theirs.batch_id)
    for batch_id in (theirs.batch_id, BatchId("batch_nowhere")):
        with pytest.raises(BatchNotFound):
            world.ledger.batches.delete(world.customer.customer_id, batch_id)
    assert world.ledger.batches.get(theirs.customer_id, theirs.batch_id).batch_id == theirs.batch_id


def test_results_that_have_expired_are_not_doomed_again_with_their_batch(world: World) -> None:
    batch = finished(world, "res_1", "res_2")
    world.clock.go(hours=2)
    assert expire(world) == ["res_1", "res_2"]
    assert world.ledger.batches.delete(batch.customer_id, batch.batch_id) == []


def test_a_late_word_about_a_deleted_item_is_refused_and_bills_nothing(world: World) -> None:
    batch = world.batch()
    (lost,) = world.take(batch)
    world.clock.go(minutes=5)
    world.ledger.work.expire_leases()
    world.work_off(batch)
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    (verdict,) = world.say(finish(lost))
    assert (verdict.accepted, verdict.batch_id) == (False, None)
    assert world.pages() == 2


def test_a_run_that_goes_on_ends_and_is_pruned_though_its_batch_was_deleted(world: World) -> None:
    batch = world.batch()
    world.run(batch)
    world.work_off(batch)
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert world.ledger.runs.end(RunId(RUN)) is not None
    world.clock.go(days=1)
    assert world.ledger.runs.prune(world.clock()).runs == 1
    assert world.ledger.runs.get(RUN) is None


def test_updated_at_goes_on_after_the_newest_batch_was_deleted(world: World) -> None:
    batch = finished(world, "res_1")
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    world.clock.go(seconds=-30)
    later = finished(world, "res_2")
    assert world.items(later)[0].updated_at > batch.completed_at  # type: ignore[operator]


# Records


def test_batches_that_expired_long_ago_are_forgotten_in_slices(world: World) -> None:
    old = [finished(world, f"res_{number}_0", f"res_{number}_1") for number in range(3)]
    world.clock.go(hours=2)
    young = finished(world, "res_young")
    open_batch = world.batch()
    pages = world.pages()
    assert world.ledger.lifetimes.forget_batches(world.clock(), 3) == 1
    assert world.ledger.lifetimes.forget_batches(world.clock(), 100) == 2
    assert world.ledger.lifetimes.forget_batches(world.clock(), 100) == 0
    assert world.ledger.lifetimes.known_batches([one.batch_id for one in (*old, young, open_batch)]) == {
        young.batch_id,
        open_batch.batch_id,
    }
    assert world.pages() == pages


def test_files_are_forgotten_when_they_have_gone_and_no_item_names_them(world: World) -> None:
    batch = finished(world, "res_1", hours=1)
    world.files(2, hours=1)
    (kept,) = world.files()
    world.clock.go(hours=2)
    assert world.ledger.lifetimes.forget_files(world.clock(), 100) == 0, "their bytes have not been doomed yet"
    expire(world)
    assert world.ledger.lifetimes.forget_files(world.clock(), 1) == 1
    assert world.ledger.lifetimes.forget_files(world.clock(), 100) == 1
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert world.ledger.lifetimes.forget_files(world.clock(), 100) == 1
    assert status(world, kept) is FileStatus.READY


# Orphans


def test_whose_bytes_are_kept_is_told_of_known_files(world: World) -> None:
    (ready,) = world.files()
    (pending,) = world.files(status=FileStatus.PENDING)
    (expired,) = world.files(status=FileStatus.EXPIRED)
    (deleted,) = world.files()
    world.ledger.files.delete(world.customer.customer_id, deleted)
    told = world.ledger.lifetimes.kept_files([ready, pending, expired, deleted, FileId("file_nowhere")])
    assert told == {ready: True, pending: True, expired: False, deleted: False}


def test_an_item_that_fails_for_a_missing_upload_is_told_so(world: World) -> None:
    batch = world.batch()
    (item,) = world.take(batch)
    world.say(finish(item, failed("upload_missing")))
    (found,) = world.items(batch)
    assert (found.status, found.error_code) == (ItemStatus.FAILED, "upload_missing")
