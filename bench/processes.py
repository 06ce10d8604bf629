"""A process and all its descendants, as /proc tells of them (Linux)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Family:
    """How many processes there are and what each kind holds in memory."""

    count: int
    resident_mib: dict[str, int]

    @classmethod
    def of(cls, pid: int) -> "Family":
        """Return the family of a process, itself among them, added up by kind."""
        parents = _parents()
        family = {pid}
        while grown := {child for child, parent in parents.items() if parent in family} - family:
            family |= grown
        resident: dict[str, int] = {}
        for member in family:
            kind, mib = _kind(member), _resident_mib(member)
            resident[kind] = resident.get(kind, 0) + mib
        return cls(len(family), dict(sorted(resident.items())))


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
        "nursery": "extraction",
        "octavo up": "supervisor",
    }
    return next((kind for mark, kind in kinds.items() if mark in line), words[0].rpartition("/")[2])


def _resident_mib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))
