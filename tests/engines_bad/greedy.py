"""An engine that exceeds one limit after the other, as told by the document's first word."""

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from octavo.documents import Document, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.parse_options import ParseOptions

Told = Any
"""The progress that a child is given, and what hangs on it."""
LONG_SECONDS = 60.0
MIB = 1024**2
WORD = b'{"type": "working", "pages": 1, "done": 0}'
HOARD = f"hoard = bytearray({100 * MIB}); import time; time.sleep({LONG_SECONDS})"


class GreedyEngine(FailingEngine):
    """Takes more than it may have."""

    name = "greedy"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        DEEDS[source.path.read_text()](progress, folder)
        return Reading(Document((Page(1, 1.0, 1.0),)))


def _chatter(progress: Told, folder: Path) -> None:
    """Says for ever that it goes on."""
    while True:
        progress.working(1)


def _pass_descriptors(progress: Told, folder: Path) -> None:
    """Hands its owner open files that nobody has asked for."""
    end: socket.socket = progress._channel.socket
    for _ in range(200):
        socket.send_fds(end, [len(WORD).to_bytes(4, "big") + WORD], [0])


def _herd(progress: Told, folder: Path) -> None:
    """Starts programs that have each less memory than is allowed, and together more."""
    herd = [subprocess.Popen([sys.executable, "-c", HOARD]) for _ in range(6)]
    time.sleep(LONG_SECONDS)
    assert herd


def _orphan_herd(progress: Told, folder: Path) -> None:
    """As the herd, but whoever started them has ended."""
    starter = f"import subprocess, sys; [subprocess.Popen([sys.executable, '-c', {HOARD!r}]) for _ in range(6)]"
    subprocess.run([sys.executable, "-c", starter], check=True)
    time.sleep(LONG_SECONDS)


def _swarm(progress: Told, folder: Path) -> None:
    """Forks until there are many."""
    for _ in range(60):
        if os.fork() == 0:
            signal.pause()
    time.sleep(LONG_SECONDS)


def _litter(progress: Told, folder: Path) -> None:
    """Fills the disk with many files."""
    for number in range(100):
        folder.joinpath(str(number)).write_bytes(bytes(MIB))
    time.sleep(LONG_SECONDS)


def _large_file(progress: Told, folder: Path) -> None:
    """Writes one large file."""
    with folder.joinpath("large").open("wb") as file:
        for _ in range(100):
            file.write(bytes(MIB))


def _nameless_files(progress: Told, folder: Path) -> None:
    """Fills the disk with files that are in no folder."""
    opened = []
    for number in range(6):
        path = folder / str(number)
        opened.append(path.open("wb"))
        opened[-1].write(bytes(10 * MIB))
        opened[-1].flush()
        path.unlink()
    time.sleep(LONG_SECONDS)


def _mapped_files(progress: Told, folder: Path) -> None:
    """Fills the disk with files that are in no folder and not even open."""
    mapped = []
    for number in range(6):
        path = folder / str(number)
        path.write_bytes(bytes(10 * MIB))
        with path.open("rb") as file:
            mapped.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        path.unlink()
    for entry in list(Path("/proc/self/fd").iterdir()):
        # The module keeps descriptors of its own.
        with suppress(OSError):
            if str(entry.readlink()).endswith("(deleted)"):
                os.close(int(entry.name))
    time.sleep(LONG_SECONDS)


def _deep_litter(progress: Told, folder: Path) -> None:
    """Fills the disk where no path leads to."""
    os.chdir(folder)
    for _ in range(2500):
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
    for number in range(60):
        Path(str(number)).write_bytes(bytes(MIB))
    time.sleep(LONG_SECONDS)


def _threads(progress: Told, folder: Path) -> None:
    """Starts more threads than any parser needs."""
    threading.stack_size(64 * 1024)
    for _ in range(1100):
        threading.Thread(target=time.sleep, args=(LONG_SECONDS,), daemon=True).start()
    time.sleep(LONG_SECONDS)


def _open_files(progress: Told, folder: Path) -> None:
    """Opens the same file again and again."""
    opened = [open(folder / "source", "rb") for _ in range(1000)]  # noqa: PTH123, SIM115
    assert opened


DEEDS: dict[str, Callable[[Told, Path], None]] = {
    "chatter": _chatter,
    "descriptors": _pass_descriptors,
    "herd": _herd,
    "orphan-herd": _orphan_herd,
    "swarm": _swarm,
    "litter": _litter,
    "large-file": _large_file,
    "nameless-files": _nameless_files,
    "mapped-files": _mapped_files,
    "deep-litter": _deep_litter,
    "threads": _threads,
    "open-files": _open_files,
}
