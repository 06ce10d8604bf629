"""Workers' reports about items, and which are accepted."""

from dataclasses import replace

import pytest

from octavo.batches import BatchStatus, Counts, ItemStatus
from octavo.errors import DOCUMENT_ERRORS
from octavo.identifiers import ItemId
from octavo.ledger.contract import Report, ReportKind, ReportResult
from tests.contract.ledger.world import WORKER, World, begin, failed, finish, release, success


def test_begin_makes_the_item_and_its_batch_running(world: World) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch)
    world.clock.go(seconds=1)
    (verdict,) = world.say(begin(item))
    assert verdict == ReportResult(item.item_id, accepted=True, batch_id=batch.batch_id, batch_ended=False)
    running = world.item(item)
    assert (running.status, running.attempts) == (ItemStatus.RUNNING, 1)
    assert running.started_at == running.updated_at == world.clock()
    assert world.now(batch).status is BatchStatus.RUNNING
    assert world.now(batch).started_at == world.clock()


def test_begin_said_twice_is_one_attempt(world: World) -> None:
    (item,) = world.take(world.batch())
    world.say(begin(item))
    before = world.item(item)
    assert world.say(begin(item))[0].accepted
    assert world.item(item) == before


def test_begin_again_is_the_next_attempt(world: World) -> None:
    (item,) = world.take(world.batch())
    world.say(begin(item))
    before = world.item(item)
    assert world.say(begin(item, again=True))[0].accepted
    after = world.item(item)
    assert (after.attempts, after.started_at) == (2, before.started_at)
    assert after.updated_at > before.updated_at


def test_success_is_written_with_pages_and_result(world: World) -> None:
    (item,) = world.take(world.batch())
    world.say(begin(item))
    world.clock.go(seconds=3)
    world.say(finish(item, success(pages=7)))
    done = world.item(item)
    assert (done.status, done.page_count, done.result_id) == (ItemStatus.SUCCEEDED, 7, "result-7")
    assert (done.error_code, done.error_message, done.error_retryable) == (None, None, None)
    assert done.completed_at == done.updated_at == world.clock()
    assert world.pages() == 7


def test_a_result_that_was_there_already_is_billed_as_any_and_said_to_be_reused(world: World) -> None:
    first, second = world.take(world.batch()), world.take(world.batch())
    world.say(finish(first[0], success(pages=7)), finish(second[0], replace(success(pages=7), reused=True)))
    assert [world.item(first[0]).reused, world.item(second[0]).reused] == [False, True]
    assert world.item(second[0]).result_id == world.item(first[0]).result_id
    assert world.pages() == 14


@pytest.mark.parametrize("code", sorted(DOCUMENT_ERRORS))
def test_a_failure_is_written_with_its_error_and_costs_nothing(world: World, code: str) -> None:
    (item,) = world.take(world.batch())
    world.say(begin(item), finish(item, replace(failed(code), retryable=True)))
    done = world.item(item)
    assert (done.status, done.error_code, done.error_message, done.error_retryable) == (
        ItemStatus.FAILED,
        code,
        "It is damaged.",
        True,
    )
    assert (done.page_count, done.result_id, world.pages()) == (None, None, 0)


def test_finish_stands_for_a_begin_that_was_never_said(world: World) -> None:
    batch = world.batch()
    (item,) = world.take(batch)
    world.say(finish(item))
    assert (world.item(item).attempts, world.item(item).started_at) == (1, world.now(batch).started_at)


def test_a_finish_said_again_after_a_lost_answer_is_accepted_and_changes_nothing(world: World) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch)
    first = world.say(begin(item), finish(item))
    before = world.item(item), world.now(batch), world.pages()
    world.clock.go(seconds=9)
    assert world.say(begin(item), finish(item)) == first
    assert world.say(finish(item, failed()))[0].accepted
    assert (world.item(item), world.now(batch), world.pages()) == before


@pytest.mark.parametrize("held_by_another", [False, True])
def test_a_late_word_under_an_old_lease_leaves_no_trace(world: World, held_by_another: bool) -> None:
    (staged,) = world.staged()
    world.ledger.files.add([staged])
    batch, _ = world.ledger.batches.create(world.order([staged.file_id]))
    (old,) = world.take(batch)
    world.say(begin(old))
    world.ledger.work.revoke(worker_id=WORKER)
    if held_by_another:
        world.say(begin(world.take(batch)[0]))
    before = world.item(old), world.now(batch)
    for late in (
        finish(old, success(pages=9, sha256="late")),
        begin(old),
        begin(old, again=True),
        release(old),
    ):
        assert world.say(late) == [
            ReportResult(old.item_id, accepted=False, batch_id=batch.batch_id, batch_ended=False)
        ]
    assert (world.item(old), world.now(batch)) == before
    assert world.pages() == 0
    assert world.ledger.files.find(batch.customer_id, [old.file_id]) == {old.file_id: staged}


def test_only_the_current_lease_is_billed(world: World) -> None:
    batch = world.batch()
    (old,) = world.take(batch)
    world.ledger.work.revoke(worker_id=WORKER)
    (new,) = world.take(batch)
    assert world.say(finish(new, success(pages=1)))[0].accepted
    before = world.item(new), world.now(batch)
    assert not world.say(finish(old, success(pages=9)))[0].accepted
    assert (world.item(new), world.now(batch), world.pages()) == (*before, 1)


def test_a_report_on_an_unknown_item_is_refused(world: World) -> None:
    nowhere = Report(kind=ReportKind.BEGIN, item_id=ItemId("item_nowhere"), lease_no=1)
    assert world.say(nowhere) == [ReportResult(nowhere.item_id, accepted=False, batch_id=None, batch_ended=False)]


def test_a_report_on_an_item_nobody_leased_is_refused(world: World) -> None:
    (item,) = world.items(world.batch())
    for lease_no in (0, 1):
        report = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=lease_no, outcome=success())
        assert not world.say(report)[0].accepted
    assert world.pages() == 0


def test_a_finish_without_an_outcome_is_refused_with_all_reports_beside_it(world: World) -> None:
    first, second = world.take(world.batch(2), 2)
    with pytest.raises(ValueError, match="outcome"):
        world.say(begin(first), replace(finish(second), outcome=None))
    assert world.item(first).attempts == 0


def test_reports_count_each_on_its_own_and_are_answered_in_order(world: World) -> None:
    first_batch, second_batch = world.batch(2), world.batch(1)
    first, second = world.take(first_batch, 2)
    (third,) = world.take(second_batch)
    stale = replace(finish(second), lease_no=7)
    verdicts = world.say(begin(first), stale, finish(third), finish(first, failed()), begin(second))
    assert [one.accepted for one in verdicts] == [True, False, True, True, True]
    assert [one.item_id for one in verdicts] == [
        first.item_id,
        second.item_id,
        third.item_id,
        first.item_id,
        second.item_id,
    ]
    assert [one.batch_ended for one in verdicts] == [False, False, True, False, False]
    assert world.now(first_batch).counts == Counts(running=1, failed=1)
    assert world.now(second_batch).status is BatchStatus.COMPLETED


def test_no_reports_have_no_verdicts(world: World) -> None:
    assert world.say() == []


def test_release_gives_an_item_back_uncounted(world: World) -> None:
    batch = world.batch(2)
    untouched, begun = world.take(batch, 2)
    world.say(begin(begun), release(begun), release(untouched))
    assert world.item(begun).status is ItemStatus.PENDING
    assert world.item(begun).attempts == 1
    assert world.now(batch).status is BatchStatus.RUNNING
    assert [(item.lease_no, item.lost_leases, item.attempts) for item in world.take(batch, 2)] == [
        (2, 0, 0),
        (2, 0, 1),
    ]


def test_a_running_item_released_after_a_cancel_is_cancelled(world: World) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    (verdict,) = world.say(release(item))
    assert (verdict.accepted, verdict.batch_ended) == (True, True)
    assert world.item(item).status is ItemStatus.CANCELLED
    assert world.now(batch).status is BatchStatus.CANCELLED


def test_attempts_never_decrease_over_leases_and_attempts(world: World) -> None:
    batch = world.batch()
    seen: list[int] = []
    for how in (release, None, release):
        (item,) = world.take(batch)
        assert item.attempts == (seen[-1] if seen else 0)
        world.say(begin(item), begin(item, again=True))
        seen.append(world.item(item).attempts)
        if how is None:
            world.ledger.work.revoke(worker_id=WORKER)
        else:
            world.say(how(item))
        seen.append(world.item(item).attempts)
    assert seen == [2, 2, 4, 4, 6, 6]
