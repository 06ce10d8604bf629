"""Long polls: a request that waits holds no thread and asks the ledger nothing until a commit says there is news."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from octavo.ledger.watching import Unwatch

LONGEST_WAIT_SECONDS = 60.0
CLIENT_GONE = 499
"""Nobody reads it; it is what proxies' logs say of a client that closed the connection."""
T = TypeVar("T")


class LongPolls:
    """The long polls of this process; lives on its event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def close(self) -> None:
        """Have every request that waits, or comes from now on, answered at once: this process ends."""
        self._closed = True
        for event in self._waiting:
            event.set()

    async def until_news(
        self,
        request: Request,
        watch: Callable[[Callable[[], None]], Unwatch],
        look: Callable[[], Awaitable[tuple[T, bool]]],
        seconds: float,
    ) -> T:
        """Return what `look` finds as soon as it says that it is news, else what it finds after so many seconds.

        `watch` has a function called, from any thread, whenever it is worth another look. A client that goes away
        ends the wait, too. Raises what `look` does.
        """
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def tell() -> None:
            # A loop that has ended has nobody left who waits; the ledger's writer must not die of it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

        until = loop.time() + seconds
        gone = asyncio.create_task(until_gone(request))
        gone.add_done_callback(lambda _: event.set())
        self._waiting.add(event)
        # Before the first look: what is committed after it is told.
        unwatch = watch(tell)
        try:
            while True:
                event.clear()
                found, is_news = await look()
                left = until - loop.time()
                if is_news or self._closed or gone.done() or left <= 0:
                    return found
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await event.wait()
        finally:
            unwatch()
            self._waiting.discard(event)
            gone.cancel()


async def while_there(request: Request, work: Awaitable[T]) -> T | None:
    """Wait for some work as long as the client of a request is there; None, and the work called off, once it is not."""
    task, gone = asyncio.ensure_future(work), asyncio.create_task(until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()


async def until_gone(request: Request) -> None:
    """Return when the client of a request, whose body was read, has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
