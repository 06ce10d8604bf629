"""A test engine that misbehaves as the document's name, or else its first bytes, tell it to.

The word is the name up to its first dot (`crash.pdf`), or the first word of the bytes. It knows every
item error code and the names in `_BEHAVIOURS`; `pages 300 0.05` is as many pages of so many seconds each;
`holes 4 2,3 3` is four pages of which 2 and 3 fail, and 3 alone once the others were kept; any other word is read
as one page that holds it. Never registered unless the registry is asked for test engines.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from octavo.documents import Block, Box, Document, Figure, Page
from octavo.engines.contract import (
    AVAILABLE,
    Availability,
    EngineKind,
    Limits,
    PageKeeper,
    Progress,
    Reading,
    Source,
)
from octavo.errors import DOCUMENT_ERRORS
from octavo.parse_options import ParseOptions

_LONGEST_TEXT = 1024
_BUSY_SECONDS = 0.8
_ALLOCATION_BYTES = 64 * 1024**2
_ENDLESS_COUNT = 10**12


class FailingEngine:
    """Does what the document says, in its child."""

    name = "failing"
    version = "1"
    licence = "AGPL-3.0-or-later"
    kind: EngineKind = "local"
    languages: tuple[str, ...] = ()
    memory_bytes = 64 * 1024**2
    is_repeatable = False

    def availability(self) -> Availability:
        return AVAILABLE

    def preload(self) -> None:
        pass

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        word, argument = _words(source)
        if word == "pages":
            return _slow_pages(argument, progress)
        if word == "holes":
            return _pages_with_failures(FailingTask(folder, argument), progress)
        progress.counted(1)
        if word in DOCUMENT_ERRORS:
            raise DOCUMENT_ERRORS[word](f"the document asked for {word}")
        behaviour = _BEHAVIOURS.get(word)
        return behaviour(FailingTask(folder, argument)) if behaviour else _page(word)


@dataclass(frozen=True, slots=True)
class FailingTask:
    """What a behaviour is given: the document's folder, and what follows the first word."""

    folder: Path
    argument: str


def _words(source: Source) -> tuple[str, str]:
    named = (source.filename or "").partition(".")[0]
    if named in _BEHAVIOURS or named in DOCUMENT_ERRORS:
        return named, ""
    with source.path.open("rb") as file:
        word, _, argument = file.read(_LONGEST_TEXT).decode("utf-8", "replace").partition(" ")
    return word.strip() or "nothing", argument.strip()


def _page(text: str, *, failed: bool = False) -> Reading:
    block = Block(page_no=1, order=0, role="paragraph", text=text, bbox=Box(72, 72, 300, 84))
    bad = (Page(2, 595.0, 842.0, status="failed", error="the page asked to fail"),) if failed else ()
    return Reading(Document(pages=(Page(1, 595.0, 842.0), *bad), blocks=(block,)))


def _slow_pages(argument: str, progress: Progress) -> Reading:
    """Read as many pages as the document says, each in so many seconds; each holds the process that read it."""
    count, seconds = int(argument.split()[0]), float(argument.split()[1])
    progress.counted(count)
    keeper, readers = _kept(progress)
    fresh: dict[str, str] = {}

    def pack() -> bytes:
        packed = json.dumps(fresh).encode()
        fresh.clear()
        return packed

    for page_no in map(str, range(1, count + 1)):
        if page_no not in readers:
            progress.working(1)
            time.sleep(seconds)
            readers[page_no] = fresh[page_no] = str(os.getpid())
            if keeper is not None:
                keeper.finished(len(readers))
                keeper.keep(pack)
    blocks = tuple(
        Block(page_no=number, order=0, role="paragraph", text=readers[str(number)], bbox=Box(72, 72, 300, 84))
        for number in range(1, count + 1)
    )
    return Reading(Document(pages=tuple(Page(block.page_no, 595.0, 842.0) for block in blocks), blocks=blocks))


def _kept(progress: Progress) -> tuple[PageKeeper | None, dict[str, str]]:
    """Return who keeps pages, and which process has read each page that was kept."""
    keeper = progress if isinstance(progress, PageKeeper) else None
    readers: dict[str, str] = {}
    for piece in keeper.kept() if keeper else ():
        readers |= json.loads(piece)
    return keeper, readers


def _pages_with_failures(task: FailingTask, progress: Progress) -> Reading:
    """Read so many pages with a figure each; told which fail at first, and which (`-`: none) once others were kept.

    The last may be the name of a behaviour instead, which is carried out then.
    """
    count, first, later = task.argument.split()
    progress.counted(int(count))
    keeper, readers = _kept(progress)
    failing = set((later if readers else first).split(","))
    if readers and later in _BEHAVIOURS:
        return _BEHAVIOURS[later](task)
    numbers = range(1, int(count) + 1)
    readers = {str(no): str(os.getpid()) for no in numbers if str(no) not in failing} | readers
    if keeper is not None and len(readers) < len(numbers):
        keeper.keep(json.dumps(readers).encode, is_last=True)
    read = [no for no in numbers if str(no) in readers]
    box = Box(72, 72, 300, 84)
    return Reading(
        Document(
            pages=tuple(
                Page(no, 595.0, 842.0)
                if str(no) in readers
                else Page(no, 595.0, 842.0, status="failed", error="the page asked to fail")
                for no in numbers
            ),
            blocks=tuple(Block(page_no=no, order=0, role="paragraph", text=readers[str(no)], bbox=box) for no in read),
            figures=tuple(Figure(no, 1, box, "image/png", 1, 1, index) for index, no in enumerate(read)),
        ),
        images=tuple(b"\x89PNG\r\n\x1a\n" + str(no).encode() for no in read),
    )


def _crash(_: FailingTask) -> Reading:
    os.abort()


def _killed(task: FailingTask) -> Reading:
    os.kill(os.getpid(), signal.SIGKILL)
    return _hang(task)


def _hang(_: FailingTask) -> Reading:
    # One bytecode that takes for ever: signals that Python would handle are not looked at.
    sum(range(_ENDLESS_COUNT))
    return _page("unreachable")


def _memory(_: FailingTask) -> Reading:
    held = []
    while True:
        held.append(bytearray(_ALLOCATION_BYTES))


def _defect(_: FailingTask) -> Reading:
    raise RuntimeError("the document asked for a defect")


def _invalid_answer(_: FailingTask) -> Reading:
    reading = _page("a lie")
    object.__setattr__(reading.document.blocks[0].bbox, "x1", -1.0)
    return reading


def _oversized_answer(_: FailingTask) -> Reading:
    return Reading(_page("a flood").document, (bytes(256 * 1024**2),))


def _network(_: FailingTask) -> Reading:
    try:
        with socket.socket() as far:
            far.connect(("127.0.0.1", 9))
    except OSError as error:
        return _page(f"refused: {error.strerror}")
    return _page("connected")


def _write(_: FailingTask) -> Reading:
    try:
        Path.home().joinpath("octavo-was-here").write_text("from the sandbox")
    except OSError as error:
        return _page(f"refused: {error.strerror}")
    return _page("written")


def _grandchild(task: FailingTask) -> Reading:
    subprocess.Popen([sys.executable, "-c", f"sum(range({_ENDLESS_COUNT}))"])
    return _hang(task)


def _read(task: FailingTask) -> Reading:
    try:
        return _page(Path(task.argument).read_text())
    except OSError as error:
        return _page(f"refused: {error.strerror}")


def _environment(_: FailingTask) -> Reading:
    return _page(" ".join(os.environ))


def _pid(_: FailingTask) -> Reading:
    return _page(str(os.getpid()))


def _busy(_: FailingTask) -> Reading:
    end = time.process_time() + _BUSY_SECONDS
    while time.process_time() < end:
        pass
    return _page(str(os.getpid()))


def _leftover_file(task: FailingTask) -> Reading:
    task.folder.joinpath("litter").write_text("left behind")
    return _page(str(task.folder))


def _bad_page(_: FailingTask) -> Reading:
    return _page("a good page", failed=True)


def _only_bad_pages(_: FailingTask) -> Reading:
    return Reading(Document(pages=(Page(1, 1.0, 1.0, status="failed", error="the page asked to fail"),)))


_BEHAVIOURS: dict[str, Callable[[FailingTask], Reading]] = {
    "crash": _crash,
    "killed": _killed,
    "hang": _hang,
    "memory": _memory,
    "defect": _defect,
    "lie": _invalid_answer,
    "flood": _oversized_answer,
    "network": _network,
    "write": _write,
    "grandchild": _grandchild,
    "read": _read,
    "environment": _environment,
    "pid": _pid,
    "busy": _busy,
    "litter": _leftover_file,
    "bad-page": _bad_page,
    "only-bad-pages": _only_bad_pages,
}
