"""What has expired is deleted from storage, and nothing else."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from octavo.batches import ClaimedItem
from octavo.errors import StorageUnavailable
from octavo.expiry import deletion_guard
from octavo.expiry.expiring import Expiry
from octavo.identifiers import ResultId
from octavo.ledger.contract import ReportKind, Retry
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from tests.contract.ledger.world import World, begin, failed, finish
from tests.unit.expiry.stored import inputs, outcome, stored, worked_off, write_result


def test_inputs_results_and_figures_are_gone_when_their_time_is_over(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    files = inputs(world, objects, 2, hours=1)
    batch, _ = world.ledger.batches.create(world.order([file.file_id for file in files]))
    worked_off(world, objects, batch, "res_1", "res_2")
    world.clock.go(minutes=59)
    assert expiry.look() == 0
    assert len(stored(objects, keys.INPUTS)) == 2
    assert len(stored(objects, keys.RESULTS)) == 6
    world.clock.go(minutes=2)
    assert expiry.look() == 4
    assert stored(objects, keys.INPUTS) == stored(objects, keys.RESULTS) == []
    assert expiry.look() == 0


def test_a_batch_that_outlives_its_files_has_its_bytes_to_the_end(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    files = inputs(world, objects, 2, hours=1)
    batch, _ = world.ledger.batches.create(world.order([file.file_id for file in files]))
    for _ in range(3):
        world.clock.go(days=1)
        assert expiry.look() == 0
        assert len(stored(objects, keys.INPUTS)) == 2
    worked_off(world, objects, batch, "res_1")
    expiry.look()
    assert stored(objects, keys.INPUTS) == [files[1].object_key]
    worked_off(world, objects, batch, "res_2")
    expiry.look()
    assert stored(objects, keys.INPUTS) == []
    assert len(stored(objects, keys.RESULTS)) == 6


def test_a_shared_result_goes_with_the_last_item_that_names_it(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    world.clock.go(minutes=40)
    worked_off(world, objects, world.batch(), "res_shared")
    world.clock.go(minutes=40)
    expiry.look()
    assert len(stored(objects, keys.RESULTS)) == 3
    world.clock.go(minutes=40)
    expiry.look()
    assert stored(objects, keys.RESULTS) == []


def test_a_result_stays_while_its_failed_pages_are_read_again(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    batch = world.batch()
    (item,) = world.take(batch)
    world.say(finish(item, replace(outcome("res_shared"), failed_pages=1)))
    asked = Retry(customer_id=batch.customer_id, batch_id=batch.batch_id, failed_pages=True)
    assert world.ledger.batches.retry_failed(asked).items == 1
    world.clock.go(minutes=61)
    expiry.look()
    assert len(stored(objects, keys.RESULTS)) == 3, "though the other item's time is over"
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, failed()))
    world.clock.go(minutes=59)
    expiry.look()
    assert len(stored(objects, keys.RESULTS)) == 3, "its time begins anew"
    world.clock.go(minutes=2)
    expiry.look()
    assert stored(objects, keys.RESULTS) == []


def test_a_deleted_batch_leaves_what_another_batch_names(world: World, objects: MemoryObjects, expiry: Expiry) -> None:
    batch, other = world.batch(2), world.batch()
    worked_off(world, objects, batch, "res_shared", "res_own")
    worked_off(world, objects, other, "res_shared")
    expiry.finish(world.ledger.batches.delete(batch.customer_id, batch.batch_id))
    left = keys.result_prefix(world.customer.customer_id, ResultId("res_shared"))
    assert stored(objects, keys.RESULTS) == stored(objects, left) != []
    expiry.finish(world.ledger.batches.delete(other.customer_id, other.batch_id))
    assert stored(objects, keys.RESULTS) == []


def test_what_cannot_be_taken_away_while_storage_is_down_goes_afterwards(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    inputs(world, objects, 3, hours=1)
    world.clock.go(hours=2)
    objects.available = False
    with pytest.raises(StorageUnavailable):
        expiry.look()
    objects.available = True
    assert len(stored(objects, keys.INPUTS)) == 3
    assert expiry.look() == 3
    assert stored(objects, keys.INPUTS) == []


def test_more_than_one_slice_is_taken_in_one_look(
    world: World, objects: MemoryObjects, expiry: Expiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octavo.expiry.expiring.SLICE", 3)
    inputs(world, objects, 10, hours=1)
    worked_off(world, objects, world.batch(7), *[f"res_{number}" for number in range(7)])
    world.clock.go(hours=2)
    assert expiry.look() == 17
    assert stored(objects, keys.INPUTS) == stored(objects, keys.RESULTS) == []


# New work that has the same result


def test_work_whose_result_went_before_it_was_reported_is_done_again(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    batch = world.batch()
    world.clock.go(hours=2)
    (item,) = world.take(batch)
    world.say(begin(item))
    write_result(world, objects, "res_shared")
    expiry.look()
    assert stored(objects, keys.RESULTS) == []
    with expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))]) as reports:
        assert [report.kind for report in reports] == [ReportKind.RELEASE]
        (verdict,) = world.ledger.work.report(reports)
    assert verdict.accepted
    assert world.now(batch).counts.pending == 1
    (again,) = world.take(batch)
    write_result(world, objects, "res_shared")
    with expiry.deletion_guard.reporting([finish(again, outcome("res_shared"))]) as reports:
        world.ledger.work.report(reports)
    assert world.now(batch).counts.succeeded == 1
    expiry.look()
    assert len(stored(objects, keys.RESULTS)) == 3


def test_half_a_result_is_no_result(world: World, objects: MemoryObjects, expiry: Expiry) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    customer_id, result_id = world.customer.customer_id, ResultId("res_shared")
    objects.write(keys.result_key(customer_id, result_id, "extract-page.json"), b"{}", "application/json")
    with expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))]) as reports:
        assert reports[0].kind is ReportKind.RELEASE


def test_drawn_pages_go_with_their_result_and_do_not_count_when_it_is_made_again(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    customer_id, result_id = world.customer.customer_id, ResultId("res_shared")
    for number in (1, 2, 3):
        objects.write(keys.drawn_page_key(customer_id, result_id, number, 200), b"png", "image/png")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    assert stored(objects, keys.RESULTS) == []
    write_result(world, objects, "res_shared")
    report = finish(item, outcome("res_shared"))
    with expiry.deletion_guard.reporting([report]) as reports:
        assert reports == [report]


def test_a_page_drawn_too_late_is_no_result(
    world: World, objects: MemoryObjects, expiry: Expiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    customer_id = world.customer.customer_id
    objects.write(keys.drawn_page_key(customer_id, ResultId("res_shared"), 1, 200), b"png", "image/png")
    monkeypatch.setattr(deletion_guard, "WRITING_SECONDS", 0.0)
    with expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))]) as reports:
        assert reports[0].kind is ReportKind.RELEASE


def test_a_result_with_fewer_objects_than_went_long_ago_is_taken(
    world: World, objects: MemoryObjects, expiry: Expiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    write_result(world, objects, "res_shared", images=0)
    monkeypatch.setattr(deletion_guard, "WRITING_SECONDS", 0.0)
    report = finish(item, outcome("res_shared"))
    with expiry.deletion_guard.reporting([report]) as reports:
        assert reports == [report]


def test_a_result_that_was_shown_in_more_ways_than_it_is_now_is_taken(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    worked_off(world, objects, world.batch(), "res_shared")
    customer_id, result_id = world.customer.customer_id, ResultId("res_shared")
    other = keys.rendering_key(customer_id, result_id, "extract-page", {"extract_text": False})
    objects.write(other, b"{}", "application/json")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    assert stored(objects, keys.RESULTS) == [], "every rendering goes with its result"
    write_result(world, objects, "res_shared")
    report = finish(item, outcome("res_shared"))
    with expiry.deletion_guard.reporting([report]) as reports:
        assert reports == [report]


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_rendering_of_a_document_that_went_is_no_result(
    world: World, objects: MemoryObjects, expiry: Expiry, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A worker that found the document, and made a rendering of it, may write that one after the document went."""
    worked_off(world, objects, world.batch(), "res_shared")
    (item,) = world.take(world.batch())
    world.clock.go(hours=2)
    expiry.look()
    key = keys.rendering_key(
        world.customer.customer_id, ResultId("res_shared"), "extract-page", {"extract_text": False}
    )
    objects.write(key, b"{}", "application/json")
    monkeypatch.setattr(deletion_guard, "WRITING_SECONDS", seconds)
    with expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))]) as reports:
        assert reports[0].kind is ReportKind.RELEASE


def test_a_report_waits_for_the_deletion_of_its_result_and_a_deletion_for_a_report(
    world: World, objects: MemoryObjects, expiry: Expiry
) -> None:
    (item,) = world.take(world.batch())
    result_id = ResultId("res_shared")
    order: list[str] = []
    inside = threading.Event()

    def report() -> None:
        with expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))]):
            order.append("reported")

    def delete() -> None:
        with expiry.deletion_guard.deleting([result_id]):
            order.append("deleted")

    for hold, other in ((expiry.deletion_guard.deleting([result_id]), report), (_reporting(expiry, item), delete)):
        order.clear()
        inside.clear()
        with hold:
            thread = threading.Thread(target=_after, args=(inside, other), daemon=True)
            thread.start()
            assert inside.wait(60)
            order.append("first")
        thread.join(60)
        assert order[0] == "first"
        assert len(order) == 2
    write_result(world, objects, "res_other")
    with expiry.deletion_guard.deleting([result_id]):
        other_report = finish(item, outcome("res_other"))
        with expiry.deletion_guard.reporting([other_report]) as reports:
            assert reports == [other_report], "other results are not held up"


def _reporting(expiry: Expiry, item: ClaimedItem) -> "contextlib.AbstractContextManager[object]":
    return expiry.deletion_guard.reporting([finish(item, outcome("res_shared"))])


def _after(inside: threading.Event, work: Callable[[], None]) -> None:
    inside.set()
    work()
