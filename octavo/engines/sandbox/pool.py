"""As many children as allowed, given out one document at a time, each to one customer only."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.child_handle import ChildHandle
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import ChildFailure, ChildLost
from octavo.engines.sandbox.fork_server_handle import ForkServerHandle
from octavo.engines.sandbox.idle_children import IdleChildren
from octavo.engines.sandbox.place_queue import PlaceQueue
from octavo.engines.sandbox.places import Places

ChildScope = Literal["customer", "document"]
"""For what a child may live: documents of one customer, or one document."""
_IDLE_MORE = 1
"""Idle children that are kept beyond one for each process: one that was used apart is worth keeping, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSize:
    """How many documents are read at once, and what each of them leaves behind."""

    processes: int
    newcomer_processes: int = 0
    """So many more are read for customers of whom none is."""
    memory_bytes: int | None = None
    """What all of them together may need; unlimited if None."""
    child_scope: ChildScope = "customer"


class ChildPool:
    """Children for as many documents at once as its size says, handed out to customers in turn. Thread-safe.

    Documents that are read apart wait for nothing: whoever asks for that limits them himself. What memory they
    need, others wait for.

    Starts its fork server when first needed.
    """

    def __init__(
        self,
        size: PoolSize,
        *,
        limits: Limits,
        registry: EngineRegistry,
        require: Require = "all",
        work_directory: Path | None = None,
    ) -> None:
        self._limits = limits
        self._registry = registry
        self._require: Require = require
        self._work_directory = work_directory
        self._child_scope = size.child_scope
        self._places = Places(
            PlaceQueue(places=size.processes, newcomer_places=size.newcomer_processes, memory_bytes=size.memory_bytes)
        )
        self._idle = IdleChildren(size.processes + _IDLE_MORE)
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._fork_server: ForkServerHandle | None = None
        self._failures: Counter[str] = Counter()
        self._protection: tuple[str, ...] = ()
        self._closed = False

    @contextmanager
    def child(
        self, customer: str | None = None, *, fresh: bool = False, memory_bytes: int = 0, is_apart: bool = False
    ) -> Iterator[ChildHandle]:
        """Wait for a place and `memory_bytes` of room, give a child out that no other customer's document was in.

        It is used again for the same customer unless the body raises. `fresh` asks for one that has read nothing yet.

        Raises `ChildLost` when the pool is closed, `SandboxUnavailable` when no child can be confined.
        """
        with self._places.place(customer, memory_bytes, is_apart=is_apart):
            child: ChildHandle | None = None
            try:
                child = (None if fresh else self._idle_child(customer)) or self._new_child()
                child.customer = customer
                self._protection = child.protection
                yield child
            except BaseException as error:
                if isinstance(error, ChildFailure):
                    with self._lock:
                        self._failures[error.code] += 1
                if child is not None:
                    child.kill()
                raise
            else:
                self._give_back(child)

    def warm_up(self) -> None:
        """Load the parsers and prove that a child can be confined. Raises `SandboxUnavailable`."""
        with self.child():
            pass

    @property
    def protection(self) -> tuple[str, ...]:
        """Which of `confinement.WALLS` were up around the newest child; empty before there was one."""
        return self._protection

    @property
    def failures(self) -> dict[str, int]:
        """How many children have failed so far, by the code of the failure; second tries count again."""
        with self._lock:
            return dict(self._failures)

    @property
    def fork_server_pid(self) -> int | None:
        """The process id of the fork server while one runs."""
        fork_server = self._fork_server
        return fork_server.pid if fork_server is not None and fork_server.alive else None

    def close(self) -> None:
        """End all children; documents in progress end with `ChildLost`."""
        with self._lock:
            self._closed = True
            idle = self._idle.take_all()
        self._places.close()
        for child in idle:
            child.kill()
        with self._starting:
            fork_server, self._fork_server = self._fork_server, None
        if fork_server is not None:
            fork_server.close()

    def _idle_child(self, customer: str | None) -> ChildHandle | None:
        while True:
            with self._lock:
                child = self._idle.take(customer)
            if child is None or child.usable:
                return child
            child.kill()

    def _new_child(self) -> ChildHandle:
        return ChildHandle(self._running_fork_server(), self._limits)

    def _give_back(self, child: ChildHandle) -> None:
        is_spent = child.served > 0 and self._child_scope == "document"
        is_usable = not is_spent and child.usable
        with self._lock:
            ended = self._idle.put(child) if is_usable and not self._closed else [child]
        for one in ended:
            one.kill()

    def _running_fork_server(self) -> ForkServerHandle:
        with self._starting:
            if self._closed:
                raise ChildLost("the sandbox is closed")
            if self._fork_server is not None and not self._fork_server.alive:
                self._fork_server.close()
                self._fork_server = None
            if self._fork_server is None:
                self._fork_server = ForkServerHandle(self._limits, self._registry, self._require, self._work_directory)
            return self._fork_server
