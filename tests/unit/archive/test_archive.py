"""A ledger's archive in storage: what is written, what a crash or an outage leaves, what comes back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.archive import writing
from octavo.archive.reading import ArchiveReader, Found
from octavo.archive.writing import ArchiveWriter
from octavo.batches import BatchStatus, FileStatus
from octavo.errors import ArchiveForeign, ArchiveMissing, ArchiveUnreadable, StorageUnavailable
from octavo.ledger.contract import Ledger, Retry
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing
from octavo.objects.memory import MemoryObjects
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish, success

Rebuilt = Callable[[], tuple[World, Found]]


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def objects(clock: StandingClock) -> MemoryObjects:
    return MemoryObjects(clock)


@pytest.fixture(params=["memory", "duckdb"])
def ledger(request: pytest.FixtureRequest, clock: StandingClock, tmp_path: Path) -> Iterator[Ledger]:
    in_memory = request.param == "memory"
    kept: Ledger = memory_ledger(clock) if in_memory else DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock)
    yield kept
    kept.close()


@pytest.fixture
def world(ledger: Ledger, clock: StandingClock) -> World:
    return World(ledger, clock)


@pytest.fixture
def writer(ledger: Ledger, objects: MemoryObjects, clock: StandingClock) -> ArchiveWriter:
    return ArchiveWriter(ledger, objects, clock)


@pytest.fixture
def rebuilt(objects: MemoryObjects, clock: StandingClock) -> Rebuilt:
    def rebuild() -> tuple[World, Found]:
        reader = ArchiveReader(objects)
        ledger = memory_ledger(clock)
        ledger.archive.restore(reader.parts(), generation=reader.identity().generation + 1)
        return World(ledger, clock), reader.found

    return rebuild


def stored(objects: MemoryObjects, prefix: str = keys.ARCHIVE) -> list[str]:
    return sorted(info.key for info in objects.list(prefix))


def everything(objects: MemoryObjects) -> dict[str, bytes]:
    return {key: objects.read(key, max_bytes=10**9) for key in stored(objects)}


class Failing(MemoryObjects):
    """Storage that goes down before the write it was told of, counted from 1."""

    def __init__(self, clock: StandingClock, at: int) -> None:
        super().__init__(clock)
        self.fail_at(at)

    def fail_at(self, at: int) -> None:
        self._at = at

    def write(self, key: str, data: bytes, content_type: str) -> None:
        self._at -= 1
        if self._at == 0:
            raise StorageUnavailable("Storage went down.")
        super().write(key, data, content_type)


# What is written --------------------------------------------------------------------------


def test_a_batch_leaves_a_manifest_and_one_object_of_outcomes(
    world: World, writer: ArchiveWriter, objects: MemoryObjects
) -> None:
    batch = world.batch(3)
    for item in world.take(batch, 3):
        world.clock.go(seconds=1)
        world.say(finish(item))
        writer.look()
    assert stored(objects, keys.batch_prefix(batch.batch_id)) == [
        keys.manifest_key(batch.batch_id),
        keys.outcomes_key(batch.batch_id),
    ]


def test_an_unfinished_batch_has_a_piece_for_each_look_that_found_something(
    world: World, writer: ArchiveWriter, objects: MemoryObjects
) -> None:
    batch = world.batch(4)
    for item in world.take(batch, 3):
        world.clock.go(seconds=1)
        world.say(finish(item))
        writer.look()
        writer.look()
    assert len(stored(objects, keys.outcomes_prefix(batch.batch_id))) == 3


def test_many_pieces_are_made_one_though_the_batch_is_not_finished(
    world: World,
    writer: ArchiveWriter,
    objects: MemoryObjects,
    rebuilt: Rebuilt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "PIECES_PER_BATCH", 3)
    batch = world.batch(8)
    for item in world.take(batch, 6):
        world.clock.go(seconds=1)
        world.say(finish(item))
        writer.look()
    assert len(stored(objects, keys.outcomes_prefix(batch.batch_id))) == 2
    assert keys.outcomes_key(batch.batch_id) in stored(objects)
    made, _ = rebuilt()
    assert made.now(batch).counts.succeeded == 6


def test_a_look_without_news_writes_nothing(world: World, writer: ArchiveWriter, objects: MemoryObjects) -> None:
    world.take(world.batch(1))
    writer.look()
    objects.write = lambda *_: pytest.fail("something was written")  # type: ignore[method-assign] # on purpose
    writer.look()


def test_no_secret_and_no_document_is_archived(world: World, writer: ArchiveWriter, objects: MemoryObjects) -> None:
    world.ledger.accounts.add_key(world.customer.customer_id, prefix="ok_ab", digest="the digest")
    writer.look()
    whole = b"".join(everything(objects).values())
    assert b"the digest" in whole
    assert all(key.startswith(keys.ARCHIVE) for key in stored(objects))


def test_two_versions_of_the_accounts_are_kept_and_the_last_that_can_be_read_counts(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    for name in ("Grace", "Edsger", "Barbara"):
        world.clock.go(seconds=-1)
        world.ledger.accounts.ensure_customer(name)
        writer.look()
    versions = stored(objects, keys.ACCOUNTS)
    assert len(versions) == 2
    made, _ = rebuilt()
    assert made.ledger.accounts.customers() == world.ledger.accounts.customers()
    objects.write(versions[-1], objects.read(versions[-1], max_bytes=10**6)[:-20], "application/json")
    made, found = rebuilt()
    assert {one.name for one in made.ledger.accounts.customers()} == {"Ada's archive", "Grace", "Edsger"}
    assert found.damaged == [f"{versions[-1]} cannot be read"]


def test_staged_files_are_forgotten_after_they_have_expired_but_not_those_of_a_batch(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    world.files(2, hours=1)
    (kept,) = world.files(1, hours=1)
    (young,) = world.files(1, hours=500)
    world.ledger.batches.create(world.order([kept]))
    writer.look()
    world.clock.go(days=3)
    writer.look()
    assert len(stored(objects, keys.STAGED_FILES)) == 1
    made, _ = rebuilt()
    assert set(made.ledger.files.find(world.customer.customer_id, [kept, young])) == {kept, young}


def test_a_bucket_that_is_new_gets_the_whole_archive(
    world: World, writer: ArchiveWriter, clock: StandingClock, rebuilt: Rebuilt
) -> None:
    world.work_off(world.batch(2))
    writer.look()
    other = MemoryObjects(clock)
    ArchiveWriter(world.ledger, other, clock).look()
    reader = ArchiveReader(other)
    assert len(list(reader.parts())) == 4
    assert reader.found.items["succeeded"] == 2


# Whose archive ----------------------------------------------------------------------------


def test_the_archive_of_another_ledger_is_never_written_to(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, clock: StandingClock
) -> None:
    world.work_off(world.batch(2))
    writer.look()
    before = everything(objects)
    fresh = World(memory_ledger(clock), clock)
    fresh.batch(1)
    other = ArchiveWriter(fresh.ledger, objects, clock)
    for _ in range(2):
        with pytest.raises(ArchiveForeign, match="octavo ledger rebuild"):
            other.look()
    assert everything(objects) == before


def test_an_archive_of_another_format_is_neither_read_nor_written(
    world: World, writer: ArchiveWriter, objects: MemoryObjects
) -> None:
    objects.write(keys.ARCHIVE_IDENTITY, b'{"format": 99, "ledger_id": "x"}', "application/json")
    with pytest.raises(ArchiveUnreadable, match="format 99"):
        writer.look()
    with pytest.raises(ArchiveUnreadable, match="format 99"):
        ArchiveReader(objects).identity()
    assert stored(objects) == [keys.ARCHIVE_IDENTITY]


def test_no_archive_is_told_with_what_to_look_at(objects: MemoryObjects) -> None:
    with pytest.raises(ArchiveMissing, match=r"storage\.bucket"):
        ArchiveReader(objects).identity()


def test_an_archive_without_customers_is_not_half_restored(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    writer.look()
    objects.delete(stored(objects, keys.ACCOUNTS))
    with pytest.raises(ArchiveUnreadable, match="no readable customers"):
        rebuilt()


# Crashes and outages ----------------------------------------------------------------------


@pytest.mark.parametrize("at", range(1, 9))
def test_an_outage_at_any_write_loses_nothing_and_bills_nothing_twice(
    world: World, clock: StandingClock, at: int
) -> None:
    objects = Failing(clock, at)
    writer = ArchiveWriter(world.ledger, objects, clock)
    one, other = world.batch(2), world.batch(2)
    writers = iter([writer, ArchiveWriter(world.ledger, objects, clock)])
    current = next(writers)
    for batch in (one, other):
        for item in world.take(batch, 2):
            clock.go(seconds=1)
            world.say(finish(item))
            try:
                current.look()
            except StorageUnavailable:
                current = next(writers)  # as after a crash
    current.look()
    reader = ArchiveReader(objects)
    ledger = memory_ledger(clock)
    ledger.archive.restore(reader.parts(), generation=1)
    made = World(ledger, clock)
    for batch in (one, other):
        assert ledger.batches.get(batch.customer_id, batch.batch_id) == world.now(batch)
        assert made.items(batch) == world.items(batch)
    assert made.pages() == world.pages() == 8
    assert reader.found.damaged == []


def test_what_happens_while_storage_is_down_is_archived_afterwards(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch(3)
    writer.look()
    objects.available = False
    for item in world.take(batch, 2):
        world.say(finish(item))
        with pytest.raises(StorageUnavailable):
            writer.look()
    objects.available = True
    writer.look()
    made, _ = rebuilt()
    assert made.now(batch).counts.succeeded == 2


def test_a_crash_before_the_position_was_noted_repeats_items_and_changes_nothing(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, clock: StandingClock, rebuilt: Rebuilt
) -> None:
    batch = world.batch(4)
    first, second, third = world.take(batch, 3)
    world.say(finish(first))
    writer.look()
    before = world.ledger.archive.position()
    clock.go(seconds=1)
    world.say(finish(second))
    writer.look()
    world.ledger.archive.note_position(before)
    clock.go(seconds=1)
    world.say(finish(third))
    ArchiveWriter(world.ledger, objects, clock).look()
    made, found = rebuilt()
    assert (found.items["succeeded"], found.items["pending"]) == (3, 1)
    assert made.pages() == 6


def test_a_piece_that_was_cut_off_loses_only_its_last_item(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch(4)
    world.say(*[finish(item) for item in world.take(batch, 3)])
    writer.look()
    (piece,) = stored(objects, keys.outcomes_prefix(batch.batch_id))
    objects.write(piece, objects.read(piece, max_bytes=10**6)[:-40], "application/x-ndjson")
    made, found = rebuilt()
    assert made.now(batch).counts.succeeded == 2
    assert found.damaged == [f"{piece}: 1 lines cannot be read"]
    made.work_off(batch)
    assert made.pages() == 8


def test_a_piece_without_its_first_line_is_left_out_and_told(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch(2)
    world.say(finish(world.take(batch)[0]))
    writer.look()
    (piece,) = stored(objects, keys.outcomes_prefix(batch.batch_id))
    for damage in (b"", b'{"batch_'):
        objects.write(piece, damage, "application/x-ndjson")
        made, found = rebuilt()
        assert made.now(batch).status is BatchStatus.PENDING
        assert found.damaged == [f"{piece} cannot be read"]


def test_a_batch_whose_manifest_cannot_be_read_is_left_out_and_the_others_come_back(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    lost, kept = world.batch(1), world.batch(1)
    world.work_off(lost)
    writer.look()
    objects.write(keys.manifest_key(lost.batch_id), b"{", "application/json")
    made, found = rebuilt()
    assert made.ledger.batches.of_customer(world.customer.customer_id) == [made.now(kept)]
    assert found.damaged == [f"{keys.manifest_key(lost.batch_id)} cannot be read: the batch is left out"]


def test_deleting_what_lies_below_a_batch_deletes_all_of_it(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch(2)
    world.work_off(batch)
    world.clock.go(days=5)
    writer.look()
    objects.delete(stored(objects, keys.batch_prefix(batch.batch_id)))
    whole = b"".join(everything(objects).values())
    assert batch.batch_id.encode() not in whole
    assert all(item.item_id.encode() not in whole for item in world.items(batch))


# Deleted ----------------------------------------------------------------------------------


def test_nothing_of_a_deleted_batch_is_archived_but_what_it_was_billed(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    gone, _ = world.ledger.batches.create(world.order(world.files(2), key="of a deleted batch"))
    kept = world.batch()
    world.work_off(gone)
    world.work_off(kept)
    items = world.items(gone)
    writer.look()
    world.ledger.batches.delete(gone.customer_id, gone.batch_id)
    writer.look()
    assert stored(objects, keys.batch_prefix(gone.batch_id)) == []
    whole = everything(objects)
    told = [key for key, data in whole.items() if gone.batch_id.encode() in data or items[0].item_id.encode() in data]
    assert [key.rpartition("/")[0] + "/" for key in told] == [keys.KEPT_USAGE]
    assert b"of a deleted batch" not in b"".join(whole.values())
    made, found = rebuilt()
    assert made.ledger.batches.of_customer(gone.customer_id) == [world.now(kept)]
    assert made.pages() == world.pages() == 6
    assert found.damaged == []


def test_nothing_of_a_deleted_file_is_archived_though_batches_have_named_it(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    (staged,), others = world.staged(), world.files(2)
    staged = replace(staged, filename="the secret name.pdf")
    world.ledger.files.add([staged])
    batch, _ = world.ledger.batches.create(world.order([staged.file_id, others[0]]))
    first, second = world.take(batch, 2)
    world.say(finish(first, success(sha256="digest-of-the-secret")), finish(second, success(sha256="other-digest")))
    writer.look()
    assert b"the secret name" in b"".join(everything(objects).values())
    world.ledger.files.delete(staged.customer_id, staged.file_id)
    writer.look()
    whole = b"".join(everything(objects).values())
    assert b"the secret name" not in whole
    assert b"digest-of-the-secret" not in whole
    assert b"other-digest" in whole
    made, found = rebuilt()
    assert made.ledger.files.find(staged.customer_id, [staged.file_id]) == {}
    assert set(made.ledger.files.find(staged.customer_id, others)) == set(others)
    assert made.items(batch) == world.items(batch)
    assert found.damaged == []


def test_what_was_deleted_before_it_was_archived_never_is(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch()
    (file_id,) = world.files()
    world.work_off(batch)
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    world.ledger.files.delete(world.customer.customer_id, file_id)
    writer.look()
    made, found = rebuilt()
    assert made.ledger.batches.of_customer(world.customer.customer_id) == []
    assert made.ledger.files.find(world.customer.customer_id, [file_id]) == {}
    assert made.pages() == 2
    assert found.damaged == []
    assert stored(objects, keys.BATCHES) == []


@pytest.mark.parametrize("at", range(1, 5))
def test_an_outage_while_deletions_are_archived_resurrects_nothing(world: World, clock: StandingClock, at: int) -> None:
    batch, (file_id, *_) = world.batch(), world.files(2)
    naming, _ = world.ledger.batches.create(world.order([file_id]))
    world.work_off(batch)
    world.work_off(naming)
    objects = Failing(clock, 0)
    writer = ArchiveWriter(world.ledger, objects, clock)
    writer.look()
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    world.ledger.files.delete(world.customer.customer_id, file_id)
    objects.fail_at(at)
    try:
        writer.look()
    except StorageUnavailable:
        writer.look()
    reader = ArchiveReader(objects)
    ledger = memory_ledger(clock)
    ledger.archive.restore(reader.parts(), generation=1)
    assert ledger.batches.of_customer(world.customer.customer_id) == world.ledger.batches.of_customer(
        world.customer.customer_id
    )
    assert ledger.files.find(world.customer.customer_id, [file_id]) == {}
    assert ledger.billing.pages_used(world.customer.customer_id) == world.pages()


def test_what_was_deleted_stays_so_in_a_ledger_that_is_made_anew_twice(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, clock: StandingClock, rebuilt: Rebuilt
) -> None:
    (file_id,) = world.files()
    batch, _ = world.ledger.batches.create(world.order([file_id]))
    gone = world.batch()
    world.work_off(batch)
    world.work_off(gone)
    writer.look()
    world.ledger.files.delete(world.customer.customer_id, file_id)
    world.ledger.batches.delete(gone.customer_id, gone.batch_id)
    writer.look()
    made, _ = rebuilt()
    objects.delete([keys.ARCHIVE_IDENTITY])
    ArchiveWriter(made.ledger, objects, clock).look()
    third, _ = rebuilt()
    assert third.ledger.files.find(world.customer.customer_id, [file_id]) == {}
    assert third.ledger.batches.of_customer(world.customer.customer_id) == [world.now(batch)]
    assert third.pages() == world.pages()


# Made anew --------------------------------------------------------------------------------


def test_a_ledger_made_anew_goes_on_in_the_same_archive_and_can_be_made_anew_again(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, clock: StandingClock, rebuilt: Rebuilt
) -> None:
    batch = world.batch(3)
    world.files(1, status=FileStatus.PENDING)
    done, running, _ = world.take(batch, 3)
    world.say(finish(done, success(5)), begin(running))
    writer.look()
    clock.go(seconds=10)
    made, found = rebuilt()
    assert (found.customers, found.files, found.batches, made.pages()) == (1, 4, 1, 5)
    objects.delete([keys.ARCHIVE_IDENTITY])  # as the rebuild does: the archive is the new ledger's from now on
    position = made.ledger.archive.position()
    again = ArchiveWriter(made.ledger, objects, clock)
    again.look()
    made.ledger.archive.note_position(position)
    made.work_off(batch)
    again.look()
    third, _ = rebuilt()
    assert third.now(batch) == made.now(batch)
    assert third.items(batch) == made.items(batch)
    assert third.pages() == 9
    assert third.now(batch).status is BatchStatus.COMPLETED


def test_reading_a_missing_object_is_no_damage_where_none_must_be(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    writer.look()
    objects.delete([keys.OPEN_RUNS])
    with pytest.raises(ObjectMissing):
        objects.read(keys.OPEN_RUNS, max_bytes=10)
    assert rebuilt()[1].damaged == []


# Retries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(1, 5))
def test_storage_that_went_down_around_a_retry_loses_no_retry(
    ledger: Ledger, clock: StandingClock, rebuilt: Rebuilt, objects: MemoryObjects, at: int
) -> None:
    world = World(ledger, clock)
    failing = Failing(clock, 10**6)
    failing._objects = objects._objects  # what is rebuilt from
    writer = ArchiveWriter(ledger, failing, clock)
    batch = world.batch(3)
    good, bad, worse = world.take(batch, 3)
    world.say(finish(good))
    writer.look()
    clock.go(seconds=1)
    world.say(finish(bad, failed()))
    writer.look()
    clock.go(seconds=1)
    world.say(finish(worse, failed("internal_error")))
    writer.look()
    clock.go(seconds=1)
    failing._at = at
    ledger.batches.retry_failed(Retry(customer_id=batch.customer_id, batch_id=batch.batch_id))
    for _ in range(2):
        try:
            writer.look()
        except StorageUnavailable:
            writer = ArchiveWriter(ledger, failing, clock)
    made, found = rebuilt()
    assert not found.damaged
    assert [item.status.value for item in made.items(batch)] == ["succeeded", "pending", "pending"]


def test_pieces_left_by_a_crash_do_not_bring_back_what_was_retried(
    world: World, writer: ArchiveWriter, objects: MemoryObjects, rebuilt: Rebuilt
) -> None:
    batch = world.batch(3)
    _, bad, _ = world.take(batch, 3)
    world.say(finish(bad, failed()))
    writer.look()
    pieces = {key: objects.read(key, max_bytes=10**6) for key in stored(objects, keys.outcomes_prefix(batch.batch_id))}
    assert pieces
    world.clock.go(seconds=1)
    world.ledger.batches.retry_failed(Retry(customer_id=batch.customer_id, batch_id=batch.batch_id))
    writer.look()
    for key, data in pieces.items():
        objects.write(key, data, "application/x-ndjson")
    made, _ = rebuilt()
    assert made.items(batch)[1].status.value == "pending"
