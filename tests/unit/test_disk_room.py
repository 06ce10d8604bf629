"""Whether a disk takes bytes: on one that is really full."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo import disk_room
from octavo.disk_room import DiskWatch, refusing_full_disk, writing_trouble
from octavo.errors import StorageUnavailable
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 4) as made:
        yield made


@pytest.mark.parametrize("leave_bytes", [0, 300_000])
def test_a_disk_that_is_full_or_nearly_so_is_told_and_nothing_is_left_on_it(disk: SmallDisk, leave_bytes: int) -> None:
    assert writing_trouble(disk.folder) is None
    disk.fill(leave_bytes=leave_bytes)
    assert writing_trouble(disk.folder) == "No space left on device"
    disk.make_room()
    assert writing_trouble(disk.folder) is None
    assert list(disk.folder.iterdir()) == []


def test_an_answer_serves_for_some_seconds(disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = DiskWatch([tmp_path, disk.folder, tmp_path / "missing"])
    assert watch.trouble() is None
    disk.fill()
    assert watch.trouble() is None
    monkeypatch.setattr(disk_room, "LOOK_SECONDS", -1.0)
    assert watch.trouble() == "No space left on device"
    disk.make_room()
    assert watch.trouble() is None


def test_a_full_disk_refuses_a_request_and_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(StorageUnavailable, match="no room left"), refusing_full_disk():
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(PermissionError), refusing_full_disk():
        raise PermissionError(errno.EACCES, "Permission denied")
