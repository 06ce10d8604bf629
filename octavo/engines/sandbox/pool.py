"""As many children as allowed, given out one document at a time."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.child_handle import ChildHandle
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import ChildFailure, ChildLost
from octavo.engines.sandbox.fork_server_handle import ForkServerHandle


class ChildPool:
    """Children for `processes` documents at once, as far as they fit into `memory_bytes`. Thread-safe.

    Documents that are read apart wait for nothing: whoever asks for that limits them himself. What memory they
    need, others wait for.

    Starts its fork server when first needed. A document that needs more than all of the memory is read alone.
    """

    def __init__(
        self,
        *,
        processes: int,
        limits: Limits,
        registry: EngineRegistry,
        require: Require = "all",
        work_directory: Path | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self._limits = limits
        self._registry = registry
        self._require: Require = require
        self._work_directory = work_directory
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._reserved: list[int] = []
        self._reserved_apart: list[int] = []
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._fork_server: ForkServerHandle | None = None
        self._idle: list[ChildHandle] = []
        self._failures: Counter[str] = Counter()
        self._protection: tuple[str, ...] = ()
        self._closed = False

    @contextmanager
    def child(self, *, fresh: bool = False, memory_bytes: int = 0, is_apart: bool = False) -> Iterator[ChildHandle]:
        """Wait for a place and `memory_bytes` of room, give a child out; it is used again unless the body raises.

        `fresh` asks for one that has read nothing yet.

        Raises `ChildLost` when the pool is closed, `SandboxUnavailable` when no child can be confined.
        """
        child: ChildHandle | None = None
        if is_apart:
            self._reserve_memory(memory_bytes)
        else:
            self._reserve_place(memory_bytes)
        try:
            child = (None if fresh else self._idle_child()) or ChildHandle(self._running_fork_server(), self._limits)
            self._protection = child.protection
            yield child
        except BaseException as error:
            if isinstance(error, ChildFailure):
                with self._changed:
                    self._failures[error.code] += 1
            if child is not None:
                child.kill()
            raise
        else:
            self._give_back(child)
        finally:
            self._release(self._reserved_apart if is_apart else self._reserved, memory_bytes)

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
        with self._changed:
            return dict(self._failures)

    @property
    def fork_server_pid(self) -> int | None:
        """The process id of the fork server while one runs."""
        fork_server = self._fork_server
        return fork_server.pid if fork_server is not None and fork_server.alive else None

    def close(self) -> None:
        """End all children; documents in progress end with `ChildLost`."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for child in idle:
            child.kill()
        with self._starting:
            fork_server, self._fork_server = self._fork_server, None
        if fork_server is not None:
            fork_server.close()

    def _reserve_place(self, memory_bytes: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(memory_bytes))
            if self._closed:
                raise ChildLost("the sandbox is closed")
            self._reserved.append(memory_bytes)

    def _reserve_memory(self, memory_bytes: int) -> None:
        with self._changed:
            self._reserved_apart.append(memory_bytes)

    def _has_room(self, memory_bytes: int) -> bool:
        if not self._reserved:
            return True
        taken = sum(self._reserved) + sum(self._reserved_apart)
        fits = self._memory_bytes is None or taken + memory_bytes <= self._memory_bytes
        return fits and len(self._reserved) < self._processes

    def _release(self, reserved: list[int], memory_bytes: int) -> None:
        with self._changed:
            reserved.remove(memory_bytes)
            # All of them: the one whose turn it would be may need more than the one behind it.
            self._changed.notify_all()

    def _idle_child(self) -> ChildHandle | None:
        while True:
            with self._changed:
                if not self._idle:
                    return None
                child = self._idle.pop()
            if child.usable:
                return child
            child.kill()

    def _give_back(self, child: ChildHandle) -> None:
        with self._changed:
            # One more than places: a child that was used apart is worth keeping, too.
            keep = child.usable and not self._closed and len(self._idle) <= self._processes
            if keep:
                self._idle.append(child)
        if not keep:
            child.kill()

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
