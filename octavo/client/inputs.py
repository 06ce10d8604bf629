"""Files on disk that are to be submitted: found without leaving the given folders, opened without waiting."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from octavo.errors import InvalidSettings, OctavoError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnreadableFile(OctavoError):
    """A file vanished, cannot be read, or changed while it was read."""

    code = "unreadable_file"


@dataclass(frozen=True, slots=True)
class Input:
    """A file to submit, and its name relative to the folder it was found in; results are named after it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that is not submitted, and why."""

    path: Path
    reason: str


OnSkipped = Callable[[Skipped], None]


def find_inputs(
    paths: Sequence[Path], *, follow_links: bool = False, on_skipped: OnSkipped = lambda _: None
) -> list[Input]:
    """Return the files among and below these paths, in order, without hidden ones.

    Symbolic links are skipped unless they are to be followed; pipes, sockets and devices always.
    Raises InvalidSettings for a missing path, and if nothing was found.
    """
    walk = _Walk(follow_links, on_skipped)
    for path in paths:
        if not os.path.lexists(path):
            raise InvalidSettings(f"There is no file or folder {path}.")
        walk.take(path)
    if not walk.found:
        raise InvalidSettings("There are no files in the given paths.")
    return walk.found


class _Walk:
    """One search, with the folders it has entered, because links can make circles."""

    def __init__(self, follow_links: bool, on_skipped: OnSkipped) -> None:
        self._follow_links = follow_links
        self._on_skipped = on_skipped
        self._entered: set[tuple[int, int]] = set()
        self.found: list[Input] = []

    def take(self, given: Path) -> None:
        """Look at a path and at everything below it."""
        left = [(given, "")]
        while left:
            path, name = left.pop()
            try:
                left += reversed(self._look(path, name))
            except OSError as error:
                self._on_skipped(Skipped(path, error.strerror or str(error)))

    def _look(self, path: Path, name: str) -> list[tuple[Path, str]]:
        """Keep a file; return what is in a folder, with names."""
        found = path.lstat()
        if is_link := stat.S_ISLNK(found.st_mode):
            if not self._follow_links:
                self._on_skipped(Skipped(path, "a symbolic link; --follow-links takes what it points to"))
                return []
            found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            return self._inside(path, name, found)
        if stat.S_ISREG(found.st_mode):
            self.found.append(Input(path.resolve() if is_link else path, name or path.name))
        else:
            self._on_skipped(Skipped(path, KINDS.get(stat.S_IFMT(found.st_mode), "not a file")))
        return []

    def _inside(self, path: Path, name: str, found: os.stat_result) -> list[tuple[Path, str]]:
        if self._follow_links:
            if (found.st_dev, found.st_ino) in self._entered:
                self._on_skipped(Skipped(path, "a folder that was taken already, by another path"))
                return []
            self._entered.add((found.st_dev, found.st_ino))
        inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
        return [(one, f"{name}/{one.name}" if name else one.name) for one in inside]


def size_of(path: Path) -> int:
    """Return how many bytes a file has. Raises UnreadableFile."""
    with opened(path) as stream:
        return os.fstat(stream.fileno()).st_size


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, but not what has been put in its place: no link, and no pipe to wait for. Raises UnreadableFile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableFile("It is no longer a file.")
            yield stream
    except OSError as error:
        raise UnreadableFile(f"It cannot be read: {error.strerror or error}.") from error


def exactly(stream: BinaryIO, size_bytes: int, *, piece_bytes: int = 64 * 1024) -> Iterator[bytes]:
    """Yield a file's bytes, as many as were announced. Raises UnreadableFile if it has become shorter or longer."""
    left = size_bytes
    while left and (piece := stream.read(min(piece_bytes, left))):
        left -= len(piece)
        if not left and os.fstat(stream.fileno()).st_size != size_bytes:
            break
        yield piece
    if left or os.fstat(stream.fileno()).st_size != size_bytes:
        raise UnreadableFile("It changed while it was uploaded.")
