"""Waiting for a condition with a limit, and what the kernel knows of a process."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_SECONDS = 60.0
LOOK_SECONDS = 0.01


def wait_until(condition: Callable[[], object], *, limit: float = LIMIT_SECONDS, what: str = "the condition") -> None:
    """Look again and again until the condition holds; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"{what} does not hold after {limit:.0f} s"
        time.sleep(LOOK_SECONDS)


async def until(condition: Callable[[], object], *, limit: float = LIMIT_SECONDS) -> None:
    """Look again and again without holding up the event loop."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"the condition does not hold after {limit:.0f} s"
        await asyncio.sleep(LOOK_SECONDS)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def read_pid(file: Path) -> int:
    """Return the pid a child has written down, waiting for it."""
    wait_until(lambda: file.exists() and file.read_text().strip(), what=f"{file.name} is written")
    return int(file.read_text())
