"""The owner's side of one child: hand it a document, take in what it sends, keep the wall clock."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.sandbox.child import render_task_for, task_for
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
_MOST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class UntrustedReading:
    """What a child sent: bounded in size, otherwise unchecked."""

    document_json: bytes
    images: tuple[bytes, ...]


class ChildHandle:
    """A child as its owner holds it."""

    def __init__(self, fork_server: ForkServerHandle, limits: Limits) -> None:
        """Have one forked and wait until it is confined. Raises `ChildLost`, `SandboxUnavailable`."""
        self._fork_server = fork_server
        self._limits = limits
        self.pid, self._channel, self._folder = fork_server.fork()
        self.served = 0
        self.customer: str | None = None
        """Whose documents it has read, once it has read any."""
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
                    raise _document_error(code, _printable(message))
                case {"type": "defect", "message": str(message)}:
                    raise ChildDied(_printable(message))
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


def _printable(message: str) -> str:
    """Return what can be stored and shown of a message: half characters and endless ones can be sent by no child."""
    return "".join(letter if letter.isprintable() else " " for letter in message[:_MOST_MESSAGE])


def _document_error(code: str, message: str) -> DocumentError:
    if code not in DOCUMENT_ERRORS:
        raise WireBroken("an unknown error code")
    return DOCUMENT_ERRORS[code](message)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
