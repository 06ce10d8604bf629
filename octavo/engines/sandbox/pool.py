"""As many children as allowed, given out one document at a time; keeps the wall clock."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.child import render_task_for, task_for
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import (
    ChildDied,
    ChildFailure,
    ChildLost,
    ChildOverdue,
    SandboxUnavailable,
)
from octavo.engines.sandbox.fork_server_handle import ForkServerHandle
from octavo.engines.sandbox.usage import exceeded_limit, has_left_nothing, usage_of
from octavo.engines.sandbox.wire import Header, WireBroken, WireClosed, WireOverdue
from octavo.errors import DOCUMENT_ERRORS, DocumentError, ExtractionFailed
from octavo.parse_options import ParseOptions

_SENT_BY_OTHERS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
_CONFINE_SECONDS = 20.0
_USAGE_CHECK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class UntrustedReading:
    """What a child sent: bounded in size, otherwise unchecked."""

    document_json: bytes
    images: tuple[bytes, ...]


class Child:
    """A child as its owner holds it."""

    def __init__(self, fork_server: ForkServerHandle, limits: Limits) -> None:
        """Have one forked and wait until it is confined. Raises `ChildLost`, `SandboxUnavailable`."""
        self._fork_server = fork_server
        self._limits = limits
        self.pid, self._channel, self._folder = fork_server.fork()
        self.served = 0
        self.protection: tuple[str, ...] = ()
        self._await_confinement()
        self._before = usage_of(self.pid, self._folder, limits)

    @property
    def usable(self) -> bool:
        """Whether it may read another document: what the last one has left must not go on beside that."""
        if self.served >= self._limits.documents_per_child or self._fork_server.has_ended(self.pid):
            return False
        return has_left_nothing(self.pid, self._folder)

    def read(
        self,
        source: Source,
        options: ParseOptions,
        observer: ReadingObserver,
    ) -> UntrustedReading:
        """Have the child read a document.

        Raises the `DocumentError` that the child answers with, or a `ChildFailure`. After any exception the
        child must not be used again.
        """
        kept = () if observer.keep_seconds is None else observer.kept()
        task = task_for(source, options, kept, observer.keep_seconds)
        return self._ask(source, task, self._limits.wall_seconds, observer, kept)

    def render_page(self, source: Source, page: PageToRender, seconds: float) -> UntrustedReading:
        """Have the child draw a page within so many seconds: an image without a document. Raises as `read` does."""
        return self._ask(source, render_task_for(source, page), seconds, ReadingObserver())

    def _ask(
        self,
        source: Source,
        task: Header,
        seconds: float,
        observer: ReadingObserver,
        kept: Sequence[bytes] = (),
    ) -> UntrustedReading:
        self.served += 1
        try:
            return self._exchange(source, task, seconds, observer, kept)
        except WireOverdue:
            self.kill()
            raise ChildOverdue("the parser did not end its answer in time") from None
        except WireBroken as error:
            self.kill()
            raise ChildDied(f"the parser gave a broken answer: {error}") from error
        except WireClosed:
            raise self._failure_at_exit() from None

    def kill(self) -> None:
        """End the child and what it has started."""
        self._fork_server.kill(self.pid)
        self._channel.close()

    def abort(self) -> None:
        """End the child from another thread; whoever reads from it hears `ChildLost`."""
        self._fork_server.kill(self.pid)

    def _await_confinement(self) -> None:
        try:
            said = self._channel.receive(time.monotonic() + _CONFINE_SECONDS)
        except (WireClosed, WireBroken, WireOverdue):
            self.kill()
            raise ChildLost("a fresh child of the sandbox ended at once") from None
        if said.get("type") != "confined":
            self.kill()
            raise SandboxUnavailable(f"the sandbox cannot be set up: {said.get('message')}")
        active = said.get("active")
        self.protection = tuple(map(str, active)) if isinstance(active, list) else ()

    def _exchange(
        self,
        source: Source,
        task: Header,
        seconds: float,
        observer: ReadingObserver,
        kept: Sequence[bytes],
    ) -> UntrustedReading:
        end = time.monotonic() + seconds
        pages, room = 1, self._limits.max_kept_bytes
        descriptor = os.open(source.path, os.O_RDONLY)
        try:
            self._channel.send(task, *kept, descriptors=[descriptor])
        finally:
            os.close(descriptor)
        while True:
            match self._next_frame(end, seconds, pages):
                case {"type": "counted", "pages": int(count)}:
                    observer.counted(self._checked_count(count))
                case {"type": "working", "pages": int(count), "done": int(done)}:
                    pages = max(1, self._checked_count(count))
                    observer.page_finished(self._checked_count(done))
                case {"type": "keep", "bytes": int(length)} if observer.keep_seconds is not None and 0 < length <= room:
                    room -= length
                    observer.keep(self._channel.receive_bytes(length, end))
                case {"type": "reading", "document": int(length), "images": list(sizes)}:
                    return self._receive(length, sizes, end)
                case {"type": "error", "code": str(code), "message": str(message)}:
                    raise _document_error(code, message)
                case {"type": "defect", "message": str(message)}:
                    raise ChildDied(message)
                case _:
                    raise WireBroken("an unknown frame")

    def _next_frame(self, end: float, seconds: float, pages: int) -> Header:
        """Wait for the child's next frame, with an eye on the clock and on what it uses; what is over a limit ends it.

        Looked at only while nothing comes, so that it costs short documents nothing.
        """
        page_end = time.monotonic() + pages * self._limits.page_seconds
        while not self._channel.is_readable(min(end, page_end, time.monotonic() + _USAGE_CHECK_SECONDS)):
            if time.monotonic() > page_end:
                raise self._overdue(f"no page was finished within {pages * self._limits.page_seconds:g} s")
            if time.monotonic() > end:
                break
            if passed := exceeded_limit(usage_of(self.pid, self._folder, self._limits), self._before, self._limits):
                self.kill()
                raise ExtractionFailed(passed)
        # Also where there is more to read: who never stops talking must not continue for ever.
        if time.monotonic() > end:
            raise self._overdue(f"the document took longer than {seconds:g} s")
        return self._channel.receive(min(end, page_end))

    def _overdue(self, message: str) -> ChildOverdue:
        self.kill()
        return ChildOverdue(message)

    def _checked_count(self, count: int) -> int:
        if not 0 <= count <= self._limits.max_pages:
            raise WireBroken("an impossible number of pages")
        return count

    def _receive(self, length: int, sizes: list[object], end: float) -> UntrustedReading:
        lengths = [size for size in sizes if isinstance(size, int) and size >= 0]
        if len(lengths) != len(sizes):
            raise WireBroken("impossible sizes of images")
        if len(sizes) > self._limits.max_images:
            raise ExtractionFailed(f"the document has {len(sizes)} images, more than {self._limits.max_images}")
        if length < 0:
            raise WireBroken("an impossible size of the document")
        if length > self._limits.max_document_bytes:
            raise ExtractionFailed(f"the result has {length} bytes, more than {self._limits.max_document_bytes}")
        if sum(lengths) > self._limits.max_image_bytes:
            raise ExtractionFailed(f"the images have {sum(lengths)} bytes, more than {self._limits.max_image_bytes}")
        document = self._channel.receive_bytes(length, end)
        return UntrustedReading(document, tuple(self._channel.receive_bytes(size, end) for size in lengths))

    def _failure_at_exit(self) -> ChildFailure:
        status = self._fork_server.exit_status(self.pid)
        self.kill()
        if status is None:
            if self._fork_server.alive:
                return ChildDied("the parser closed its connection without an answer")
            return ChildLost("the sandbox process has ended")
        if not os.WIFSIGNALED(status):
            return ChildDied(f"the parser ended with exit code {os.waitstatus_to_exitcode(status)}")
        number = os.WTERMSIG(status)
        if number in _SENT_BY_OTHERS:
            return ChildLost(f"somebody sent {signal.Signals(number).name} to the parser")
        if number == signal.SIGXCPU:
            return ChildDied(f"the document needs more than {self._limits.cpu_seconds} s of processor time")
        return ChildDied(f"the parser ended with {_signal_name(number)}")


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
        self._idle: list[Child] = []
        self._failures: Counter[str] = Counter()
        self._protection: tuple[str, ...] = ()
        self._closed = False

    @contextmanager
    def child(self, *, fresh: bool = False, memory_bytes: int = 0, is_apart: bool = False) -> Iterator[Child]:
        """Wait for a place and `memory_bytes` of room, give a child out; it is used again unless the body raises.

        `fresh` asks for one that has read nothing yet.

        Raises `ChildLost` when the pool is closed, `SandboxUnavailable` when no child can be confined.
        """
        child: Child | None = None
        if is_apart:
            self._reserve_memory(memory_bytes)
        else:
            self._reserve_place(memory_bytes)
        try:
            child = (None if fresh else self._idle_child()) or Child(self._running_fork_server(), self._limits)
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

    def _idle_child(self) -> Child | None:
        while True:
            with self._changed:
                if not self._idle:
                    return None
                child = self._idle.pop()
            if child.usable:
                return child
            child.kill()

    def _give_back(self, child: Child) -> None:
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


def _document_error(code: str, message: str) -> DocumentError:
    if code not in DOCUMENT_ERRORS:
        raise WireBroken("an unknown error code")
    return DOCUMENT_ERRORS[code](message)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
