"""What a child and all it has started use of the machine, as their owner sees it (Linux; elsewhere nothing is seen).

The kernel's own limits are for single processes and single files; what many of them add up to is counted here.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from octavo.engines.contract import Limits

_OWN_MEMORY = ("RssAnon:", "RssShmem:")
_BLOCK_BYTES, _LEAST_FILE_BYTES = 512, 4096
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Usage:
    """Processes, their memory without what files back, and bytes on disk."""

    processes: int = 0
    memory_bytes: int = 0
    scratch_bytes: int = 0


def usage_of(pid: int, folder: Path, limits: Limits) -> Usage:
    """Return what the process, its descendants and its folder hold at this moment, as far as limits ask."""
    if sys.platform != "linux":
        return Usage()
    family = _process_tree(pid)
    return Usage(len(family), sum(map(_memory, family)), _disk(folder, limits.scratch_bytes))


def exceeded_limit(usage: Usage, before: Usage, limits: Limits) -> str | None:
    """Say which limit a document has passed, given what the child held before it; None if none."""
    if usage.processes - before.processes > limits.processes:
        return f"the document needs more than {limits.processes} processes"
    if usage.memory_bytes - before.memory_bytes > limits.memory_bytes:
        return f"the document needs more than {limits.memory_bytes // _MIB} MiB of memory"
    if usage.scratch_bytes > limits.scratch_bytes:
        return f"the document needs more than {limits.scratch_bytes // _MIB} MiB of disk"
    return None


def _process_tree(pid: int) -> list[int]:
    # Also those whose parent has ended: a child is made the new parent of whatever it has started.
    family = [pid]
    for member in family:
        family += _children(member)
    return family


def _children(pid: int) -> list[int]:
    found: list[int] = []
    # A process may end at any moment, and then it has no children any more.
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_OWN_MEMORY))


def _disk(folder: Path, most: int) -> int:
    """Return the bytes below a folder, without looking further once there are more than `most`."""
    total, folders = 0, [str(folder)]
    # What is gone meanwhile needs no room.
    while folders and total <= most:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                total += max(_LEAST_FILE_BYTES, entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES)
    return total
