"""Staging without HTTP: all or none, and uploads that are seen without being confirmed."""

import pytest

from octavo.batches import FileStatus
from octavo.errors import FileTooLarge, UnknownFiles
from octavo.identifiers import FileId
from octavo.service.staging import NewFile
from tests.unit.service.world import World


def test_a_staged_file_is_pending_and_has_an_address_for_its_bytes(world: World) -> None:
    upload = world.staging.stage(world.customer, NewFile(5, "a.pdf", "application/pdf"))
    assert upload.file.status is FileStatus.PENDING
    assert upload.url.url
    assert world.staging.find(world.customer, upload.file.file_id) == upload.file


def test_a_file_over_the_cap_is_refused(world: World) -> None:
    with pytest.raises(FileTooLarge) as refused:
        world.staging.stage(world.customer, NewFile(1001))
    assert refused.value.facts == {"limit_bytes": 1000}


def test_of_many_files_one_over_the_cap_is_named_by_its_index_and_none_is_staged(world: World) -> None:
    with pytest.raises(FileTooLarge) as refused:
        world.staging.stage_all(world.customer, [NewFile(5), NewFile(1001), NewFile(5)])
    assert refused.value.facts == {"limit_bytes": 1000, "index": 1}
    assert "Nothing was staged" in refused.value.message


def test_many_files_come_in_their_order(world: World) -> None:
    uploads = world.staging.stage_all(world.customer, [NewFile(size) for size in (3, 1, 2)])
    assert [upload.file.size_bytes for upload in uploads] == [3, 1, 2]


def test_a_file_is_ready_once_its_bytes_are_there_in_full(world: World) -> None:
    upload = world.staging.stage(world.customer, NewFile(5))
    world.objects.write(upload.file.object_key, b"1234", "application/pdf")
    assert world.staging.find(world.customer, upload.file.file_id).status is FileStatus.PENDING
    world.objects.write(upload.file.object_key, b"12345", "application/pdf")
    assert world.staging.find(world.customer, upload.file.file_id).status is FileStatus.READY


def test_another_customers_file_is_unknown(world: World) -> None:
    upload = world.staging.stage(world.customer, NewFile(5))
    stranger = world.ledger.accounts.ensure_customer("stranger")
    with pytest.raises(UnknownFiles):
        world.staging.find(stranger, upload.file.file_id)
    with pytest.raises(UnknownFiles):
        world.staging.find(world.customer, FileId("file_nobody"))
