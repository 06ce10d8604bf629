"""What nothing refers to is swept; what is recent, kept or not ours is not."""

from datetime import timedelta

import pytest

from octavo.archive.writing import ArchiveWriter
from octavo.expiry.expiring import Expiry
from octavo.expiry.sweeping import Sweep
from octavo.identifiers import BatchId, ResultId, new_batch_id, new_file_id
from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import memory_ledger
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from tests.contract.ledger.world import StandingClock, World
from tests.unit.expiry.stored import inputs, stored, worked_off, write_result

DAY = timedelta(days=1)


@pytest.fixture
def sweep(ledger: Ledger, objects: MemoryObjects, expiry: Expiry, clock: StandingClock) -> Sweep:
    return Sweep(ledger, objects, expiry, patience=DAY, clock=clock)


@pytest.fixture
def writer(ledger: Ledger, objects: MemoryObjects, clock: StandingClock) -> ArchiveWriter:
    return ArchiveWriter(ledger, objects, clock)


def swept(sweep: Sweep, objects: MemoryObjects) -> int:
    return sweep.sweep(list(objects.list("in/")) + list(objects.list("results/")))


def test_kept_files_and_results_are_never_swept(world: World, objects: MemoryObjects, sweep: Sweep) -> None:
    inputs(world, objects, 3, hours=1000)
    batch, _ = world.ledger.batches.create(world.order(world.files(2), retention_seconds=1000 * 3600))
    worked_off(world, objects, batch, "res_1", "res_2")
    before = stored(objects, keys.INPUTS) + stored(objects, keys.RESULTS)
    world.clock.go(days=30)
    assert swept(sweep, objects) == 0
    assert stored(objects, keys.INPUTS) + stored(objects, keys.RESULTS) == before


def test_results_of_refused_work_go_when_they_are_old(world: World, objects: MemoryObjects, sweep: Sweep) -> None:
    write_result(world, objects, "res_refused", images=4)
    world.clock.go(hours=23)
    assert swept(sweep, objects) == 0, "it may still be reported"
    world.clock.go(hours=2)
    assert swept(sweep, objects) == 6
    assert stored(objects, keys.RESULTS) == []


def test_bytes_of_a_file_that_the_ledger_never_knew_go_when_they_are_old(
    world: World, objects: MemoryObjects, sweep: Sweep
) -> None:
    key = keys.input_key(world.customer.customer_id, world.clock().date(), new_file_id())
    objects.write(key, b"bytes", "application/pdf")
    assert swept(sweep, objects) == 0
    world.clock.go(days=2)
    assert swept(sweep, objects) == 1


@pytest.mark.parametrize("end", ["expired", "deleted"])
def test_bytes_that_come_after_their_file_has_gone_are_swept_at_once(
    world: World, objects: MemoryObjects, expiry: Expiry, sweep: Sweep, end: str
) -> None:
    (file,) = inputs(world, objects, 1, hours=1)
    if end == "deleted":
        expiry.finish(world.ledger.files.delete(file.customer_id, file.file_id))
    else:
        world.clock.go(hours=2)
        expiry.look()
    objects.write(file.object_key, b"again", "application/pdf")
    assert swept(sweep, objects) == 1
    assert stored(objects, keys.INPUTS) == []


def test_what_is_no_input_and_no_result_is_left_alone(world: World, objects: MemoryObjects, sweep: Sweep) -> None:
    for key in (keys.ROOM_PROBE, "in/readme", "results/notes.txt"):
        objects.write(key, b"x", "text/plain")
    world.clock.go(days=100)
    assert swept(sweep, objects) == 0


def test_nothing_is_swept_beside_the_archive_of_another_ledger_or_none(
    objects: MemoryObjects, sweep: Sweep, clock: StandingClock
) -> None:
    assert "no archive" in str(sweep.objection([]))
    ArchiveWriter(memory_ledger(clock), objects, clock).look()
    assert "another ledger" in str(sweep.objection([]))


def test_nothing_is_swept_while_the_archive_tells_of_batches_the_ledger_does_not_know(
    world: World, objects: MemoryObjects, sweep: Sweep, writer: ArchiveWriter
) -> None:
    batch = world.batch()
    writer.look()
    assert sweep.objection([batch.batch_id]) is None
    unknown = new_batch_id()
    objects.write(keys.manifest_key(unknown), b"{}", "application/json")
    assert sweep.objection([batch.batch_id, unknown]) is None, "it may just be under way out of the archive"
    world.clock.go(days=2)
    assert unknown in str(sweep.objection([batch.batch_id, unknown]))
    assert sweep.objection([batch.batch_id, BatchId("batch_of_nothing")]) is None


def test_a_result_that_an_item_names_again_is_not_swept(world: World, objects: MemoryObjects, sweep: Sweep) -> None:
    write_result(world, objects, "res_1")
    world.clock.go(days=2)
    worked_off(world, objects, world.batch(), "res_1")
    shown = list(objects.list("results/"))
    world.clock.go(minutes=1)
    assert sweep.sweep(shown) == 0
    assert world.ledger.lifetimes.live_results([ResultId("res_1")])
