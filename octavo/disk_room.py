"""Whether a disk of ours still takes bytes, and what to say where it does not."""

import contextlib
import errno
import math
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from octavo.errors import StorageUnavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
SCRATCH_ROOM_BYTES = 64 * 1024 * 1024
"""With less than this the disk for documents in progress counts as full; looked at only when something has failed."""
PROBE_BYTES = 1024 * 1024
"""What a disk must have room for to count as one that takes bytes: the ledger writes in pieces of 256 KiB."""
LOOK_SECONDS = 5.0
"""How old an answer may be: health is asked often, by more than one."""
NO_ROOM = "The service has no room left on its disk; try again later."


def is_disk_full(folder: Path) -> bool:
    """Whether the disk for documents in progress has no room left."""
    return shutil.disk_usage(folder).free < SCRATCH_ROOM_BYTES


@contextlib.contextmanager
def refusing_full_disk() -> Iterator[None]:
    """Turn the error of a disk that is full into StorageUnavailable: the request is not to blame, nor is it a bug."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageUnavailable(NO_ROOM) from error


def writing_trouble(folder: Path) -> str | None:
    """Return why nothing can be written to a folder, in the system's words; None where there is room for more."""
    draft = folder / f".octavo-probe-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _take_room(descriptor)
        finally:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror
    return None


def _take_room(descriptor: int) -> None:
    """Set room aside, which no byte is written for where the system can do that."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, PROBE_BYTES)
    else:
        os.write(descriptor, bytes(4096))


class DiskWatch:
    """Whether the disks of some folders take bytes, tried again when the last answer is some seconds old."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._looked = -math.inf

    def trouble(self) -> str | None:
        """Return why a disk takes no bytes; None while all do. Strangers read this: no path is told."""
        with self._lock:
            if time.monotonic() - self._looked > LOOK_SECONDS:
                found = (writing_trouble(folder) for folder in self._one_of_each_disk())
                self._trouble = next((trouble for trouble in found if trouble is not None), None)
                self._looked = time.monotonic()
            return self._trouble

    def _one_of_each_disk(self) -> Sequence[Path]:
        return list({folder.stat().st_dev: folder for folder in self._folders if folder.exists()}.values())


def scratch_folder() -> Path:
    """Return where documents in progress are."""
    return Path(tempfile.gettempdir())
