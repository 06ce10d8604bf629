"""Kills, and now and then stops, processes of a stack at random: what the kill test strikes with."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import members

VICTIMS = ("api", "worker", "extraction", "prefect", "storage")
"""Kinds of `bench.processes`; `extraction` is a fork server or one of its children."""


@dataclass(frozen=True, slots=True)
class Blows:
    """How a killer strikes: how often in all, how often it stops instead of killing, in what time. Seconds."""

    kills: int = 60
    pause: tuple[float, float] = (5.0, 20.0)
    stop_share: float = 1 / 6
    stop_seconds: float = 20.0


@dataclass
class Killer:
    """Kills a process every few seconds until it has killed enough; `ended` continues whatever it has suspended."""

    pid: int
    blows: Blows
    dice: random.Random
    tell: Callable[[str], None] = print
    kills: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    _stopped: dict[int, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="killer")

    def start(self) -> None:
        self._thread.start()

    @property
    def goes_on(self) -> bool:
        """Whether there are kills left."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop killing, and continue whatever is suspended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self.kills.total() < self.blows.kills:
                next_blow = time.monotonic() + self.dice.uniform(*self.blows.pause)
                while time.monotonic() < next_blow:
                    if self._over.wait(0.2):
                        return
                    self._continue(older_than=self.blows.stop_seconds)
                self._strike()
        finally:
            while self._stopped and not self._over.wait(0.2):
                self._continue(older_than=self.blows.stop_seconds)
            self._continue(older_than=0.0)

    def _strike(self) -> None:
        victims = [(pid, kind) for pid, kind in members(self.pid) if kind in VICTIMS and pid not in self._stopped]
        if not victims:
            return
        kind = self.dice.choice(sorted({kind for _, kind in victims}))
        pid = self.dice.choice([pid for pid, found in victims if found == kind])
        is_stop = self.dice.random() < self.blows.stop_share
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if is_stop else signal.SIGKILL)
            (self.stops if is_stop else self.kills)[kind] += 1
            if is_stop:
                self._stopped[pid] = time.monotonic()
            self.tell(f"  {self.kills.total():3} {'stopped' if is_stop else 'killed'} {kind} {pid}")

    def _continue(self, *, older_than: float) -> None:
        for pid, since in list(self._stopped.items()):
            if time.monotonic() - since >= older_than:
                del self._stopped[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


def belonging_to(data: Path) -> dict[int, str]:
    """Return every process that names this data directory in its command line or environment, whoever its parent is."""
    mark = str(data.resolve()).encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            line = (folder / "cmdline").read_bytes()
            if mark in line or mark in (folder / "environ").read_bytes():
                found[int(folder.name)] = line.replace(b"\0", b" ").decode(errors="replace").strip()
    return found
