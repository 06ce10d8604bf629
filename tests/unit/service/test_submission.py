"""Submission without HTTP: the order of its checks, what a repeated request gets, and when a run is asked for."""

import pytest

from octavo.batch_options import ExtractPageOptions
from octavo.batches import NewItem
from octavo.errors import (
    FilesNotUploaded,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MetadataTooLarge,
    QuotaExceeded,
    StorageUnavailable,
    UnknownEngine,
    UnknownFiles,
)
from octavo.identifiers import FileId
from octavo.service.staging import NewFile
from octavo.service.submission import BatchRequest
from tests.unit.service.world import DAY_SECONDS, World

NOBODYS = FileId("file_nobody")


def test_a_batch_of_files_whose_upload_nobody_has_seen_is_taken_and_a_run_asked_for(world: World) -> None:
    batch = world.submit(world.uploaded(), world.uploaded())
    assert batch.total_items == 2
    assert world.runs.started == [batch.batch_id]
    assert batch.retention_seconds == DAY_SECONDS


def test_the_engine_that_was_chosen_is_among_the_options(world: World) -> None:
    batch = world.submit(world.uploaded())
    assert batch.options.shown == ExtractPageOptions()
    assert batch.options.parse.engine
    assert batch.options.parse.engine_version


def test_the_same_key_and_body_give_the_same_batch_and_no_further_run(world: World) -> None:
    file_id = world.uploaded()
    first, again = world.submit(file_id, key="k"), world.submit(file_id, key="k")
    assert first.batch_id == again.batch_id
    assert world.runs.started == [first.batch_id]


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    file_id = world.uploaded()
    world.submit(file_id, key="k")
    with pytest.raises(IdempotencyKeyReused):
        world.submit(file_id, key="k", body="two")


def test_a_replay_is_answered_although_the_quota_is_used_up_and_storage_is_away(world: World) -> None:
    file_id = world.uploaded()
    first = world.submit(file_id, key="k")
    world.limited(0)
    world.objects.available = False
    assert world.submit(file_id, key="k").batch_id == first.batch_id


def test_the_quota_is_asked_before_the_files(world: World) -> None:
    world.limited(0)
    with pytest.raises(QuotaExceeded):
        world.submit(NOBODYS)
    assert world.runs.started == []


def test_files_that_are_not_there_are_named_and_nothing_is_started(world: World) -> None:
    waiting = world.staging.stage(world.customer, NewFile(5)).file.file_id
    with pytest.raises(UnknownFiles) as unknown:
        world.submit(waiting, NOBODYS)
    assert unknown.value.facts["file_ids"] == [NOBODYS]
    with pytest.raises(FilesNotUploaded) as missing:
        world.submit(waiting)
    assert missing.value.facts["file_ids"] == [waiting]
    assert world.runs.started == []


def test_storage_that_is_away_is_told_where_an_upload_must_be_looked_for(world: World) -> None:
    file_id = world.uploaded()
    world.objects.available = False
    with pytest.raises(StorageUnavailable):
        world.submit(file_id)


def test_an_engine_nobody_knows_is_refused(world: World) -> None:
    with pytest.raises(UnknownEngine):
        world.submit(NOBODYS, engine="nobody's")


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_has_1_to_255_characters(world: World, key: str) -> None:
    with pytest.raises(InvalidIdempotencyKey):
        world.submit(NOBODYS, key=key)


def test_metadata_that_is_nested_too_deep_is_refused_before_the_body_is_read(world: World) -> None:
    nested: dict[str, object] = {}
    for _ in range(5000):
        nested = {"a": nested}

    def body() -> dict[str, object]:
        raise AssertionError("the body was read")

    with pytest.raises(MetadataTooLarge):
        world.submission.submit(
            world.customer,
            BatchRequest(
                items=NewItem.of_files([NOBODYS]),
                engine=None,
                shown=ExtractPageOptions(),
                metadata=nested,
                idempotency_key=None,
                body=body,
            ),
        )
