"""Staged files."""

from dataclasses import replace

import pytest

from octavo.batches import FileStatus
from octavo.errors import FilesNotUploaded, UnknownFiles
from octavo.identifiers import FileId
from octavo.outcomes import Outcome
from tests.contract.ledger.world import World, failed, finish, success


def status(world: World, file_id: FileId) -> FileStatus:
    return world.ledger.files.find(world.customer.customer_id, [file_id])[file_id].status


def test_files_come_back_as_they_were_given(world: World) -> None:
    staged = world.staged(3)
    world.ledger.files.add(staged)
    found = world.ledger.files.find(world.customer.customer_id, [file.file_id for file in staged])
    assert found == {file.file_id: file for file in staged}


def test_adding_no_files_is_fine(world: World) -> None:
    world.ledger.files.add([])
    world.ledger.files.mark_ready([])
    assert world.ledger.files.find(world.customer.customer_id, []) == {}


def test_files_are_kept_all_or_none(world: World) -> None:
    known, fresh = world.staged(2)
    world.ledger.files.add([known])
    with pytest.raises(ValueError, match="already"):
        world.ledger.files.add([fresh, known])
    with pytest.raises(ValueError, match="already"):
        world.ledger.files.add([fresh, fresh])
    assert world.ledger.files.find(world.customer.customer_id, [fresh.file_id]) == {}


def test_files_of_others_are_not_returned(world: World) -> None:
    theirs = world.files(customer=world.ledger.accounts.ensure_customer("other"))
    assert world.ledger.files.find(world.customer.customer_id, [*theirs, FileId("file_nowhere")]) == {}


def test_only_pending_files_become_ready(world: World) -> None:
    (pending,) = world.files(status=FileStatus.PENDING)
    (expired,) = world.files(status=FileStatus.EXPIRED)
    (late,) = world.files(status=FileStatus.PENDING, hours=-1)
    world.ledger.files.mark_ready([pending, expired, late, FileId("file_nowhere")])
    assert status(world, pending) is FileStatus.READY
    assert status(world, expired) is FileStatus.EXPIRED
    assert status(world, late) is FileStatus.EXPIRED


def test_a_file_expires_at_its_time(world: World) -> None:
    (file_id,) = world.files(hours=1)
    world.clock.go(hours=1, microseconds=-1)
    assert status(world, file_id) is FileStatus.READY
    world.clock.go(microseconds=1)
    assert status(world, file_id) is FileStatus.EXPIRED
    with pytest.raises(UnknownFiles):
        world.ledger.batches.create(world.order([file_id]))


def test_a_file_does_not_expire_while_an_unfinished_item_names_it(world: World) -> None:
    (file_id,) = world.files(hours=1)
    batch, _ = world.ledger.batches.create(world.order([file_id]))
    world.clock.go(hours=2)
    assert status(world, file_id) is FileStatus.READY
    again, _ = world.ledger.batches.create(world.order([file_id]))
    world.work_off(batch)
    assert status(world, file_id) is FileStatus.READY
    world.ledger.batches.cancel(again.customer_id, again.batch_id)
    assert status(world, file_id) is FileStatus.EXPIRED


def test_a_batch_may_not_name_unknown_foreign_or_expired_files(world: World) -> None:
    (good,) = world.files()
    (foreign,) = world.files(customer=world.ledger.accounts.ensure_customer("other"))
    (expired,) = world.files(hours=-1)
    (pending,) = world.files(status=FileStatus.PENDING)
    unknown = FileId("file_nowhere")
    with pytest.raises(UnknownFiles) as refused:
        world.ledger.batches.create(world.order([unknown, good, expired, pending, unknown, foreign]))
    assert refused.value.facts == {"file_ids": [unknown, expired, foreign]}
    assert world.ledger.batches.of_customer(world.customer.customer_id) == []


def test_a_batch_may_not_name_files_without_bytes(world: World) -> None:
    (good,) = world.files()
    late, early = world.files(2, status=FileStatus.PENDING)
    with pytest.raises(FilesNotUploaded) as refused:
        world.ledger.batches.create(world.order([early, good, late, early]))
    assert refused.value.facts == {"file_ids": [early, late]}
    world.ledger.files.mark_ready([late, early])
    assert world.ledger.batches.create(world.order([early, good, late, early]))[1]


@pytest.mark.parametrize("outcome", [success(sha256="abc"), failed(sha256="abc")])
def test_an_outcome_that_knows_the_digest_gives_it_to_the_file(world: World, outcome: Outcome) -> None:
    (staged,) = world.staged()
    world.ledger.files.add([staged])
    batch, _ = world.ledger.batches.create(world.order([staged.file_id]))
    (item,) = world.take(batch)
    world.say(finish(item, outcome))
    found = world.ledger.files.find(world.customer.customer_id, [staged.file_id])
    assert found == {staged.file_id: replace(staged, sha256="abc")}


def test_a_failure_without_a_digest_leaves_the_file_alone(world: World) -> None:
    (staged,) = world.staged()
    world.ledger.files.add([staged])
    batch, _ = world.ledger.batches.create(world.order([staged.file_id]))
    (item,) = world.take(batch)
    world.say(finish(item, failed()))
    assert world.ledger.files.find(world.customer.customer_id, [staged.file_id]) == {staged.file_id: staged}
