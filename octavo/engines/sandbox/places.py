"""Where threads wait for their turn to have a document read; whose it is, the queue says."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from octavo.engines.sandbox.failures import ChildLost
from octavo.engines.sandbox.place_queue import Place, PlaceQueue

TURN_SECONDS = 0.25
"""So long a customer's documents follow each other in one place: tiny ones then share a child, where each fresh one
takes 40 ms (`bench/child_scope.py`); others wait so much longer at most."""


class Places:
    """Gives every thread its place and wakes nobody else. Thread-safe."""

    def __init__(self, queue: PlaceQueue, *, turn_seconds: float = TURN_SECONDS) -> None:
        self._queue = queue
        self._turn_seconds = turn_seconds
        self._began: dict[Place, float] = {}
        """When the turn of each given place began."""
        self._lock = threading.Lock()
        self._turns: dict[Place, threading.Event] = {}
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        with self._lock:
            return len(self._turns)

    @contextmanager
    def place(self, customer: str | None, memory_bytes: int, *, is_apart: bool = False) -> Iterator[None]:
        """Wait for a place, with room for so many bytes, and have it while the body runs; apart it is there at once.

        Raises `ChildLost` once the sandbox is closed.
        """
        place, turn = self._ask(customer, memory_bytes, is_apart)
        try:
            turn.wait()
            if not is_apart and self._is_closed:
                raise ChildLost("the sandbox is closed")
            yield
        finally:
            self._leave(place)

    def close(self) -> None:
        """Wake all who wait, for nobody gets a place any more."""
        with self._lock:
            self._is_closed = True
            for turn in self._turns.values():
                turn.set()

    def _ask(self, customer: str | None, memory_bytes: int, is_apart: bool) -> tuple[Place, threading.Event]:
        turn = threading.Event()
        with self._lock:
            if is_apart:
                place = self._queue.take_apart(customer, memory_bytes)
                turn.set()
            else:
                place = self._queue.ask(customer, memory_bytes)
                self._turns[place] = turn
                self._hand_out()
            if self._is_closed:
                turn.set()
        return place, turn

    def _leave(self, place: Place) -> None:
        with self._lock:
            began = self._began.pop(place, None)
            self._turns.pop(place, None)
            if began is not None and time.monotonic() - began < self._turn_seconds:
                following = self._queue.pass_on(place)
                if following is not None:
                    self._begin(following, began)
                    return
            self._queue.leave(place)
            self._hand_out()

    def _hand_out(self) -> None:
        now = time.monotonic()
        for place in self._queue.hand_out():
            self._begin(place, now)

    def _begin(self, place: Place, turn_began: float) -> None:
        self._began[place] = turn_began
        self._turns.pop(place).set()
