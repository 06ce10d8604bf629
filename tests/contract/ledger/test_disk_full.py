"""The DuckDB ledger on a disk that is full: it says so, keeps what it acknowledged, and resumes when there is space."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.batches import ItemStatus
from octavo.errors import LedgerUnavailable
from octavo.identifiers import BatchId
from octavo.ledger.duckdb import DuckdbLedger, database
from tests.contract.ledger.world import WallClock, World, begin, finish, recount
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as made:
        yield made


def write_until_refused(world: World) -> list[BatchId]:
    """Write until the ledger refuses; returns what it acknowledged."""
    made: list[BatchId] = []

    def write() -> None:
        while len(made) < 10_000:
            made.append(world.batch(20).batch_id)

    with pytest.raises(LedgerUnavailable, match="disk of the ledger is full"):
        write()
    return made


@pytest.mark.parametrize("leave_bytes", [0, 300_000])
def test_a_full_disk_is_told_and_the_ledger_goes_on_when_there_is_room(disk: SmallDisk, leave_bytes: int) -> None:
    ledger = DuckdbLedger(disk.folder / "ledger.duckdb")
    try:
        world = World(ledger, WallClock())
        first = world.batch(3)
        done, begun, _ = world.take(first, 3)
        world.say(begin(begun), finish(done))
        disk.fill(leave_bytes=leave_bytes)
        made = write_until_refused(world)
        assert bool(made) is bool(leave_bytes)
        disk.fill()
        with pytest.raises(LedgerUnavailable, match="free some space"):
            world.batch(200)  # a few bytes may still fit into the log's last page
        assert world.item(begun).status is ItemStatus.RUNNING, "it can be read all the while"
        disk.make_room()
        assert world.say(finish(begun))[0].accepted
        assert world.pages() == 4
        check(world, made)
    finally:
        ledger.close()


def test_a_checkpoint_that_does_not_fit_breaks_the_opened_file_and_the_ledger_opens_it_anew(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With its usual 16 MB of log between two checkpoints this would take long.
    monkeypatch.setitem(database.SETTINGS, "checkpoint_threshold", "50KB")
    ledger = DuckdbLedger(disk.folder / "ledger.duckdb")
    try:
        world = World(ledger, WallClock())
        batch = world.batch(1)
        (begun,) = world.take(batch)
        disk.fill(leave_bytes=2_000_000)
        made = write_until_refused(world)
        assert made
        made += write_until_refused(world)  # opened anew it may find room for a few more
        disk.make_room()
        assert world.say(finish(begun))[0].accepted
        assert world.pages() == 2
        check(world, made)
        world.ledger.close()
        world.ledger = ledger = DuckdbLedger(disk.folder / "ledger.duckdb")
        check(world, made)
    finally:
        ledger.close()


def check(world: World, acknowledged: list[BatchId]) -> None:
    """What was acknowledged is there, whole, and nothing else is half there."""
    batches = world.ledger.batches.of_customer(world.customer.customer_id, limit=100_000)
    assert {batch.batch_id for batch in batches} >= set(acknowledged)
    for batch in batches:
        assert batch.counts == recount(world.items(batch))
        assert batch.counts.total == batch.total_items
