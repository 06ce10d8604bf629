"""The loop of every worker thread that serves the API: ask for work, do it, answer, back off while there is trouble."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from octavo.errors import OctavoError

logger = logging.getLogger(__name__)
Work = TypeVar("Work")
PAUSE_SECONDS = 1.0
"""After trouble; the client has already repeated the request for as long as its patience lasts."""


class WorkLoop(Generic[Work]):
    """Asks for one kind of work until it drains. Thread-safe.

    `ask` is a long poll: it returns None when its time is over without any work. `do` does the work and answers.
    """

    def __init__(self, name: str, ask: Callable[[], Work | None], do: Callable[[Work], None]) -> None:
        self._name = name
        self._ask = ask
        self._do = do
        self.draining = threading.Event()

    def start(self, threads: int) -> None:
        """Run the loop in so many threads."""
        for number in range(threads):
            # Daemons: a long poll cannot be cancelled, and the process must not wait for it at its end.
            threading.Thread(target=self.run, name=f"octavo-{self._name}-{number}", daemon=True).start()

    def drain(self) -> None:
        """Ask for nothing more; work that has begun continues as long as the process lives."""
        self.draining.set()

    def run(self) -> None:
        """Run the loop in this thread until it drains."""
        while not self.draining.is_set():
            try:
                work = self._ask()
                if work is not None:
                    self._do(work)
            except OctavoError as error:
                logger.warning("%s: trouble with the API: %s", self._name, error.message)
                self.draining.wait(PAUSE_SECONDS)
            except Exception:  # the edge of the thread: a defect must not end the loop
                logger.exception("%s: a defect in one piece of work", self._name)
                self.draining.wait(PAUSE_SECONDS)
