"""Folders of fork servers: held by a lock while the fork server lives, swept by the next one if it died."""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "octavo-sandbox-"
_YOUNG_SECONDS = 120.0


def make_folder(work_directory: Path | None) -> Path:
    """Make a folder for a fork server, and remove those that dead fork servers have left beside it."""
    if work_directory is not None:
        work_directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=work_directory)).resolve()
    for other in folder.parent.glob(f"{_PREFIX}*"):
        if other != folder and _is_left_behind(other):
            shutil.rmtree(other, ignore_errors=True)
    return folder


def lock_folder(folder: Path) -> int:
    """Lock a folder for as long as the returned descriptor stays open in this process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_left_behind(folder: Path) -> bool:
    try:
        # A fork server that is just starting has not locked its folder yet.
        if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
            return False
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
