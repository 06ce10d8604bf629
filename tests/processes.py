"""Processes of tests, as the system shows them."""

import os
import signal
import subprocess
import time
from pathlib import Path

LIMIT_SECONDS = 60.0


def freeze(pid: int) -> None:
    """Stop a process and wait until all of it stands still: a signal is under way for a while on a busy machine."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + LIMIT_SECONDS
    while any(not state.startswith("T") for state in _states(pid)):
        assert time.monotonic() < end, f"process {pid} goes on after SIGSTOP"
        time.sleep(0.01)


def _states(pid: int) -> list[str]:
    """Return the state of each thread, or of the process where threads are not shown."""
    threads = Path(f"/proc/{pid}/task")
    if threads.is_dir():
        return [(thread / "stat").read_text().rpartition(")")[2].strip() for thread in threads.iterdir()]
    return [subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()]
