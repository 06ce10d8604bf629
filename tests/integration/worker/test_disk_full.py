"""A disk of ours that is full fails no document: the item waits until there is room."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octavo.batches import ItemStatus
from octavo.disk_room import SCRATCH_ROOM_BYTES
from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.extraction.inputs import Inputs
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Objects
from octavo.worker import SliceWorker
from tests.small_disk import SmallDisk, small_disk
from tests.storage_server import storage_process
from tests.unit.api.serving import until
from tests.unit.client.stack import RUN, Stack, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "data") as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", SCRATCH_ROOM_BYTES // 1024**2 + 40) as made:
        yield made


def extractor(folder: Path) -> Extractor:
    return Extractor(
        processes=1,
        limits=Limits(),
        registry=EngineRegistry.installed(test_engines=True),
        work_directory=folder,
    )


def goes_on_when_there_is_room(
    stack: Stack, work: ItemWork, disk: SmallDisk, caplog: pytest.LogCaptureFixture, *documents: bytes
) -> BatchId:
    """Work a batch off on a disk that is full for a while; returns the batch, all of whose items have succeeded."""
    worker = SliceWorker(stack.worker(), work, slots=4, lease_seconds=90.0, on_change=lambda: None)
    batch_id = stack.batch(*(stack.file(one) for one in documents), engine="failing")
    worker.open_run(stack.named_run(batch_id), batch_id)
    slice_ids = next(worker.claims(RUN))
    disk.fill()
    with ThreadPoolExecutor(len(slice_ids)) as pool, caplog.at_level(logging.WARNING):
        working = [pool.submit(worker.process, slice_id, is_last_attempt=False) for slice_id in slice_ids]
        until(lambda: caplog.text.count("waits for storage") >= len(documents), "every item has met the full disk")
        assert not any(one.done() for one in working)
        disk.make_room()
        assert [one.result(timeout=240).counts for one in working] == [(1, 0)] * len(documents)
    worker.close()
    items = stack.items(batch_id)
    assert [item.status for item in items] == [ItemStatus.SUCCEEDED] * len(documents)
    return batch_id


def test_a_full_disk_for_documents_in_work_is_waited_out(
    stack: Stack, disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    with extractor(disk.folder) as reader:
        reader.warm_up()
        work = ItemWork(stack.objects, reader, folder=disk.folder)
        goes_on_when_there_is_room(stack, work, disk, caplog, b"words", b"litter", b"pid")


def test_a_full_disk_of_the_children_alone_is_waited_out(
    stack: Stack, disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class BesideTheDisk(ItemWork):
        """Keeps inputs elsewhere, so that it is the child that meets the full disk."""

        def __init__(self) -> None:
            super().__init__(stack.objects, reader, folder=tmp_path)
            self._inputs.is_disk_full = Inputs(stack.objects, disk.folder).is_disk_full  # type: ignore[method-assign] # the disk of the child

    with extractor(disk.folder) as reader:
        reader.warm_up()
        goes_on_when_there_is_room(stack, BesideTheDisk(), disk, caplog, b"litter")


def test_full_storage_is_waited_out(
    stack: Stack, disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    objects = disk.folder / "objects"
    objects.mkdir()
    with storage_process(objects) as (settings, _), extractor(tmp_path / "work") as reader:
        storage = S3Objects(settings)
        work = ItemWork(Copied(stack.objects, storage), reader, folder=tmp_path)
        goes_on_when_there_is_room(stack, work, disk, caplog, b"words")
        assert [found.key for found in storage.list("results/")]
        assert not list(objects.rglob(".rclone_temp_*"))


class Copied(S3Objects):
    """Real storage for what is written; inputs come from where the test has put them."""

    def __init__(self, inputs: ObjectStore, storage: S3Objects) -> None:
        super().__init__(storage._settings)
        self.download = inputs.download  # type: ignore[method-assign]
