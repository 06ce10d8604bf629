"""What a child and all it has started use of the machine, as their owner sees it (Linux; elsewhere nothing is seen).

The kernel's own limits are for single processes and single files; what many of them add up to is counted here.
"""

import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from octavo.engines.contract import Limits

_DELETED = " (deleted)"
_OWN_MEMORY = ("RssAnon:", "RssShmem:")
_BLOCK_BYTES, _LEAST_FILE_BYTES = 512, 4096
_MIB = 1024**2
_THREADS_OF_A_PROCESS = 32


@dataclass(frozen=True, slots=True)
class Usage:
    """Processes, their threads, their memory without what files back, and bytes on disk."""

    processes: int = 0
    threads: int = 0
    memory_bytes: int = 0
    scratch_bytes: int = 0


def usage_of(pid: int, folder: Path, limits: Limits) -> Usage:
    """Return what the process, its descendants and its folder hold at this moment, as far as limits ask."""
    if sys.platform != "linux":
        return Usage()
    family = _process_tree(pid)
    threads = sum(len(_threads(member)) for member in family)
    scratch = _disk(folder, limits.scratch_bytes) + _nameless(family, folder)
    return Usage(len(family), threads, sum(map(_memory, family)), scratch)


def has_left_nothing(pid: int, folder: Path) -> bool:
    """Return whether a child's last document has left neither a process, running or not reaped, nor a file."""
    try:
        with os.scandir(folder) as entries:
            return not children_of(pid) and next(entries, None) is None
    except OSError:
        return False


def exceeded_limit(usage: Usage, before: Usage, limits: Limits) -> str | None:
    """Say which limit a document has passed, given what the child held before it; None if none."""
    if usage.processes - before.processes > limits.processes:
        return f"the document needs more than {limits.processes} processes"
    most_threads = limits.processes * _THREADS_OF_A_PROCESS
    if usage.threads - before.threads > most_threads:
        return f"the document needs more than {most_threads} threads"
    if usage.memory_bytes - before.memory_bytes > limits.memory_bytes:
        return f"the document needs more than {limits.memory_bytes // _MIB} MiB of memory"
    if usage.scratch_bytes > limits.scratch_bytes:
        return f"the document needs more than {limits.scratch_bytes // _MIB} MiB of disk"
    return None


def _process_tree(pid: int) -> list[int]:
    # Also those whose parent has ended: a child is made the new parent of whatever it has started.
    family = [pid]
    for member in family:
        family += children_of(member)
    return family


def children_of(pid: int) -> list[int]:
    """Return the children of a process, or none if it has ended (Linux; elsewhere none are seen)."""
    found: list[int] = []
    for thread in _threads(pid):
        # A thread may end at any moment, and then it has no children any more.
        with suppress(OSError):
            found += map(int, Path(thread, "children").read_text().split())
    return found


def _threads(pid: int) -> list[str]:
    with suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
        return [thread.path for thread in threads]
    return []


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_OWN_MEMORY))


def _disk(folder: Path, most: int) -> int:
    """Return the bytes below a folder, without looking further once there are more than `most`.

    A folder that cannot be listed holds more than any.
    """
    total, folders = 0, [str(folder)]
    while folders and total <= most:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    total += max(_LEAST_FILE_BYTES, entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            continue  # What is gone meanwhile needs no room.
        except OSError:
            return most + 1
    return total


def _nameless(family: list[int], folder: Path) -> int:
    """Return the bytes of files in the folder that have been removed and are still open or mapped."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in family:
        # As above, what is gone meanwhile needs no room.
        with suppress(OSError):
            for opened in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found = opened.stat()
                    if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                        sizes[found.st_dev, found.st_ino] = found.st_blocks * _BLOCK_BYTES
            for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
                if line.endswith(_DELETED) and str(folder) in line:
                    place, _, _, device, inode, _ = line.split(maxsplit=5)
                    begin, end = (int(address, 16) for address in place.split("-"))
                    known = os.makedev(*(int(part, 16) for part in device.split(":"))), int(inode)
                    sizes[known] = max(sizes.get(known, 0), end - begin)
    return sum(sizes.values())
