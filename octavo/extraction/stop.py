"""Breaks off a reading that nobody waits for any more, from another thread than the one that reads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from octavo.engines.sandbox.failures import ReadingStopped


class Stop:
    """Ends one reading, and every further one that is given it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._kill: Callable[[], None] | None = None

    @property
    def is_set(self) -> bool:
        """Whether the reading was broken off."""
        return self._is_set

    def set(self) -> None:
        """Break the reading off: its child is killed, or it does not begin. Again without harm."""
        with self._lock:
            self._is_set = True
            kill = self._kill
        if kill is not None:
            kill()

    def check(self) -> None:
        """Raise ReadingStopped if the reading was broken off."""
        if self._is_set:
            raise ReadingStopped("nobody waits for this reading any more")

    @contextmanager
    def ends(self, kill: Callable[[], None]) -> Iterator[None]:
        """Have `set` call `kill` while the body runs; whatever the body raises of it becomes ReadingStopped."""
        with self._lock:
            self._kill = kill
        try:
            self.check()
            yield
        except Exception:  # of a child that was killed; anything else is as unwanted as its reading
            self.check()
            raise
        finally:
            with self._lock:
                self._kill = None
