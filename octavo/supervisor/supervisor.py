"""Starts the children together, keeps them running, and stops them in order when told to."""

import asyncio
import itertools
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from octavo.supervisor import leftovers
from octavo.supervisor.child import Child, ChildSpec, Patience, Tell


class Supervisor:
    """Supervises a flat tree: every child starts at once and waits by itself for what it needs."""

    def __init__(
        self, specs: Sequence[ChildSpec], *, tell: Tell, children_file: Path, patience: Patience | None = None
    ) -> None:
        self._file = children_file
        self._children = [Child(spec, tell, on_change=self._note, patience=patience) for spec in specs]
        self._stop = asyncio.Event()
        self._tell = tell

    def _note(self) -> None:
        leftovers.note(self._file, [child.pid for child in self._children if child.pid is not None])

    def stop(self) -> None:
        """Begin to stop; when called a second time, kill everything at once."""
        if self._stop.is_set():
            for child in self._children:
                child.kill()
        self._stop.set()

    async def run(self, *, on_started: Callable[[], None] = lambda: None) -> str | None:
        """Keep the children running until SIGTERM, SIGINT, SIGHUP or `stop`; the last in the list is stopped first.

        If one of them cannot go on, all are stopped; returns which that was, and its last words.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # An ignored SIGHUP means nohup: the stack should outlive its terminal.
            if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
                loop.add_signal_handler(number, self.stop)
        keepers = [asyncio.create_task(child.keep()) for child in self._children]
        on_started()
        stopping = asyncio.create_task(self._stop.wait())
        # A keeper ends by itself when its child cannot go on; one that raised is a bug that must be seen.
        await asyncio.wait([stopping, *keepers], return_when=asyncio.FIRST_COMPLETED)
        gave_up = next((f"{child.spec.name}: {child.gave_up}" for child in self._children if child.gave_up), None)
        if gave_up is not None:
            self._tell("octavo", f"cannot go on without {gave_up}")
        self._tell("octavo", "stopping: what has begun is finished first; Ctrl-C again stops at once")
        for _, together in itertools.groupby(reversed(self._children), lambda child: child.spec.stops_with or child):
            await asyncio.gather(*(child.stop() for child in together))
        stopping.cancel()
        try:
            await asyncio.gather(*keepers)
        finally:
            self._note()
        return gave_up
