"""Folders of fork servers: held by a lock while the fork server lives, swept by the next one if it died."""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
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
            remove_folder(other)
    return folder


def lock_folder(folder: Path) -> int:
    """Lock a folder for as long as the returned descriptor stays open in this process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def remove_folder(folder: Path) -> None:
    """Remove a folder in which nobody works any more, however deep and unreadable its maker has made it.

    What cannot be removed stays. Never leaves the folder, and needs no more memory or longer paths for a deeper one.
    """
    names = (f".{number}" for number in count())
    # Some file systems list only a part of a folder that changes meanwhile.
    with suppress(OSError), _opened(str(folder), None) as top:
        while found := _names_in(top):
            removed = [_remove_entry(name, top, names) for name in found]
            if not any(removed):
                break
    with suppress(OSError):
        folder.rmdir()


def _remove_entry(name: str, top: int, names: Iterator[str]) -> bool:
    """Remove a file, or a folder whose own folders become folders of `top`. Return whether it has gone."""
    with suppress(OSError):
        os.unlink(name, dir_fd=top)
        return True
    with suppress(OSError), _opened(name, top) as inner:
        for entry in _names_in(inner):
            try:
                os.unlink(entry, dir_fd=inner)
            except OSError:
                _make_accessible(entry, inner)
                os.rename(entry, next(names), src_dir_fd=inner, dst_dir_fd=top)
    with suppress(OSError):
        os.rmdir(name, dir_fd=top)
        return True
    return False


def _names_in(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


@contextmanager
def _opened(name: str, parent: int | None) -> Iterator[int]:
    _make_accessible(name, parent)
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_accessible(name: str, parent: int | None) -> None:
    with suppress(OSError):
        # Nobody puts a link in its place any more.
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.chmod(name, stat.S_IRWXU, dir_fd=parent)


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
