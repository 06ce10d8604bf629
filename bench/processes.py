"""A process and all its descendants, according to /proc (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Family:
    """How many processes there are what each kind holds in memory and has spent of the processor."""

    count: int
    resident_mib: dict[str, int]
    cpu_seconds: dict[str, float]

    @classmethod
    def of(cls, pid: int) -> "Family":
        """Return the family of a process, itself among them, added up by kind."""
        family = members(pid)
        resident: dict[str, int] = {}
        spent: dict[str, float] = {}
        for member, kind in family:
            resident[kind] = resident.get(kind, 0) + resident_kib(member) // 1024
            spent[kind] = spent.get(kind, 0.0) + _cpu_seconds(member)
        return cls(len(family), dict(sorted(resident.items())), spent)


def members(pid: int) -> list[tuple[int, str]]:
    """Return pid and kind of a process and all its descendants."""
    parents = _parents()
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return [(member, _kind(member)) for member in sorted(family)]


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 for one that has ended."""
    return _parents().get(pid, 0)


def resident_kib(pid: int) -> int:
    """Return what a process holds in memory; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _parents() -> dict[int, int]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(stat.parent.name)] = int(fields[1])
    return found


def _kind(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    line = " ".join(words)
    kinds = {
        "rclone": "storage",
        "prefect_server": "prefect",
        "-m api": "api",
        "deployments.worker": "worker",
        "fork_server": "extraction",
        "octavo up": "supervisor",
    }
    return next((kind for mark, kind in kinds.items() if mark in line), words[0].rpartition("/")[2])


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # Its own, and that of its children that have ended: extraction children live for fifty documents.
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
