"""Claims made a little ahead of whoever takes them, in a thread of their own."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

Claimed = TypeVar("Claimed")
DEPTH = 2
"""Claims whose work is begun before the flow has made task runs for the last ones; then the flow is waited for."""
PUT_SECONDS = 1.0


def ahead(
    claims: Iterator[Claimed], *, begin: Callable[[Claimed], None], give_up: Callable[[Claimed], None], name: str
) -> Iterator[Claimed]:
    """Yield what `claims` yields, each begun by then: no slot waits for whoever takes them.

    What `claims` raises is raised here. Work claimed after the taker has gone is given up.
    """
    claimed: queue.Queue[Claimed | BaseException | None] = queue.Queue(DEPTH)
    is_taken = threading.Event()
    is_taken.set()

    def put(what: Claimed | BaseException | None) -> None:
        while is_taken.is_set():
            with contextlib.suppress(queue.Full):
                return claimed.put(what, timeout=PUT_SECONDS)

    def claim() -> None:
        end: BaseException | None = None
        try:
            for one in claims:
                if not is_taken.is_set():
                    return give_up(one)
                begin(one)
                put(one)
        except BaseException as error:  # noqa: BLE001 - the edge of this thread: the taker hears of it
            end = error
        put(end)

    threading.Thread(target=claim, name=name, daemon=True).start()
    try:
        while (taken := claimed.get()) is not None:
            if isinstance(taken, BaseException):
                raise taken
            yield taken
    finally:
        is_taken.clear()
