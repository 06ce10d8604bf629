"""Where temporary files of the tests lie: in memory, where there is room.

A ledger waits for its disk at every commit; in memory the suite takes less time and leaves the disk alone.
`OCTAVO_TEST_DISK=1` keeps the files on disk.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 3 * 2**30
"""Five times what the suite was seen to hold at a time."""
SWITCH = "OCTAVO_TEST_DISK"


def use_memory() -> Callable[[], None]:
    """Let temporary files of this process and its children lie in memory, if it has room; returns what ends that."""
    if os.environ.get(SWITCH) or "TMPDIR" in os.environ or not _has_room():
        return lambda: None
    place = MEMORY / f"octavo-tests-{os.getuid()}"
    place.mkdir(mode=0o711, exist_ok=True)
    for left in place.iterdir():  # by a run that was killed
        if not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = place / str(os.getpid())
    # PostgreSQL runs as somebody else and has to find its folder inside.
    folder.mkdir(mode=0o711)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

    def end() -> None:
        del os.environ["TMPDIR"]
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)

    return end


def _has_room() -> bool:
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min(available // 2, shutil.disk_usage(MEMORY).free) >= ROOM_BYTES
