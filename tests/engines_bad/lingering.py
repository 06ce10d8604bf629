"""An engine that leaves something behind, as told by the document's word, and says that all went well."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from octavo.documents import Block, Box, Document, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.engines.sandbox.system_calls import BY_ARGUMENT
from octavo.parse_options import ParseOptions

CLONE_PARENT, SIGCHLD = 0x8000, 17
DEPTH = 3000
LIBC = ctypes.CDLL(None, use_errno=True)


class LingeringEngine(FailingEngine):
    """Leaves processes or folders behind; a block names the child and the processes."""

    name = "lingering"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        left = LEFT[source.path.read_text()](folder)
        block = Block(1, 0, "paragraph", " ".join(map(str, [os.getpid(), *left])), Box(0, 0, 1, 1))
        return Reading(Document((Page(1, 1.0, 1.0),), (block,)))


def _pause() -> None:
    signal.pause()
    os._exit(0)


def _nothing(folder: Path) -> list[int]:
    return []


def _process(folder: Path) -> list[int]:
    if (pid := os.fork()) == 0:
        _pause()
    return [pid]


def _orphan(folder: Path) -> list[int]:
    script = "import os, signal; pid = os.fork(); print(pid, flush=True) if pid else (os.close(1), signal.pause())"
    return [int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout)]


def _session(folder: Path) -> list[int]:
    """Start one that tries to get a group or session of its own."""
    if (pid := os.fork()) == 0:
        for leave in (os.setsid, lambda: os.setpgid(0, 0)):
            with suppress(OSError):
                leave()
        _pause()
    return [pid]


def _sibling(folder: Path) -> list[int]:
    """Start one as a sibling of the child, if that is possible."""
    number = BY_ARGUMENT["clone"][0][0 if os.uname().machine == "x86_64" else 1]
    if (pid := LIBC.syscall(number, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) == 0:
        _pause()
    return [pid] if pid > 0 else []


def _zombie(folder: Path) -> list[int]:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return [pid]


def _depth(folder: Path) -> list[int]:
    """Make folders within folders, too deep for a path."""
    back = os.open(".", os.O_PATH)
    os.chdir(folder)
    for _ in range(DEPTH):
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
        Path("file").write_text("deep")
    os.fchdir(back)
    return []


def _closed_folders(folder: Path) -> list[int]:
    """Make folders that their owner must not list or enter."""
    for mode in (0, 0o300, 0o500):
        inner = folder / str(mode)
        inner.mkdir(mode)
        with suppress(OSError):
            (inner / "file").write_text("closed")
        with suppress(OSError):
            (inner / "inner").mkdir(0o300)
    return []


LEFT: dict[str, Callable[[Path], list[int]]] = {
    "nothing": _nothing,
    "process": _process,
    "orphan": _orphan,
    "session": _session,
    "sibling": _sibling,
    "zombie": _zombie,
    "depth": _depth,
    "closed-folders": _closed_folders,
}
