"""Blocking work on a thread, off the event loop."""

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread, off the event loop."""
    return await anyio.to_thread.run_sync(work)
