"""Ends what a killed stack has left running, identified by pid and start time so that nothing else is hit."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path


def _started(pid: int) -> str:
    """Return when a process started, in a form that only serves comparison; empty if there is none."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if state == "Z":
            return ""  # it has ended; only its new parent, which may never do so, can reap it
        # The kernel counts from boot, so a number means nothing after the next boot.
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[18]}"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def note(file: Path, pids: Iterable[int]) -> None:
    """Record which processes are ours."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({str(pid): _started(pid) for pid in pids}))
    draft.replace(file)


def end(file: Path, *, seconds: float = 5.0) -> list[int]:
    """Kill recorded processes that still run, wait until they are gone, return their pids. Call under the lock."""
    noted = _noted(file)
    left = [pid for pid, started in noted.items() if started and _started(pid) == started]
    for pid in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and any(_started(pid) == noted[pid] for pid in left):
        time.sleep(0.05)
    return left


def _noted(file: Path) -> dict[int, str]:
    try:
        found = json.loads(file.read_text())
        return {int(pid): str(started) for pid, started in found.items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
