"""Long polls: a waiting request holds no thread and asks the ledger nothing until a commit wakes it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from octavo.ledger.watching import Unwatch

LONGEST_WAIT_SECONDS = 60.0
CLIENT_GONE = 499
"""Nobody receives it; it is what proxies log for a client that closed the connection."""
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
        """Answer every waiting or future request at once, because this process is stopping."""
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
        """Return what `look` finds as soon as it has news, otherwise what it finds after the given seconds.

        `watch` registers a function that is called, from any thread, when looking again is worthwhile. A client
        that disconnects also ends the wait. Raises what `look` does.
        """
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def tell() -> None:
            # When the loop has ended nobody waits any more; this must not kill the ledger's writer.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

        until = loop.time() + seconds
        gone = asyncio.create_task(until_gone(request))
        gone.add_done_callback(lambda _: event.set())
        self._waiting.add(event)
        # Before the first look, so that no later commit is missed.
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
    """Wait for some work while the client is connected; once it is not, cancel the work and return None."""
    task, gone = asyncio.ensure_future(work), asyncio.create_task(until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()


async def until_gone(request: Request) -> None:
    """Return when the client of a request, whose body was read, has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
