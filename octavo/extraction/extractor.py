"""The one way to have a document read: finds the engine, a child, and checks what comes back."""

import struct
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from octavo.documents import Document, InvalidDocument
from octavo.engines.contract import (
    Engine,
    Limits,
    PageObserver,
    PageToRender,
    Reading,
    Source,
    is_repeatable,
    refuse_unhonoured,
)
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import ChildDied, ChildOverdue
from octavo.engines.sandbox.pool import Child, ChildPool, UntrustedReading
from octavo.errors import (
    DocumentTooLarge,
    ExtractionFailed,
    InternalError,
    PageLimitExceeded,
    UnsupportedInput,
)
from octavo.extraction.stop import Stop
from octavo.parse_options import ParseOptions

_MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/webp": b"RIFF",
}
"""Kinds of figure bytes that may reach a customer's browser, and how they begin."""
_PNG_HEAD = _MAGIC["image/png"] + b"\0\0\0\rIHDR"
"""Width and height follow."""
_RENDER_BYTES = 512 * 1024**2
"""What a child needs to draw a page, as a rule: as much as the engine that reads it."""
_LARGE_ANSWER, _LARGE_ANSWER_BYTES = threading.Lock(), 1024**2
READY_SECONDS = 10.0
"""To ask an engine for its version and whether it can work takes half a millisecond, much for a small page."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """A document that was read; `images[figure.image_index]` are a figure's bytes."""

    document: Document
    images: tuple[bytes, ...]
    engine: str
    engine_version: str
    seconds: float
    """How long the reading took, without what it waited for a child."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.document.warnings

    @property
    def failed_pages(self) -> int:
        """How many pages could not be read."""
        return sum(page.status == "failed" for page in self.document.pages)

    def with_images_from(self, first: int) -> "Extraction":
        """Return the same with its images numbered from there on; those below are empty."""
        figures = tuple(replace(one, image_index=one.image_index + first) for one in self.document.figures)
        return replace(self, document=replace(self.document, figures=figures), images=(b"",) * first + self.images)


@dataclass(frozen=True, slots=True)
class _Ready:
    """An engine that was found able to work, and until when it need not be asked again."""

    engine: Engine
    version: str
    until: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a document is read: with how much memory, whether beside all others, and what may end it."""

    memory_bytes: int
    is_apart: bool
    stop: Stop


class _Begun:
    """Passes on that the reading begins, and remembers when: what waited for a child was not reading."""

    def __init__(self, on_begin: Callable[[], None] | None) -> None:
        self._on_begin = on_begin
        self.at = time.monotonic()

    def __call__(self) -> None:
        if self._on_begin is not None:
            self._on_begin()
        self.at = time.monotonic()


class _Near:
    """Takes the progress of an engine that runs in the caller's own thread."""

    def __init__(self, on_counted: Callable[[int], None] | None, care: PageObserver | None) -> None:
        self._on_counted = on_counted
        self._care = care
        self._done = 0
        self._last = time.monotonic()

    def counted(self, pages: int) -> None:
        if self._on_counted is not None:
            self._on_counted(pages)

    def working(self, pages: int) -> None:
        if self._care is not None:
            self._care.on_page(self._done)

    def finished(self, pages: int) -> None:
        self._done = pages

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        if self._care is None or (not is_last and time.monotonic() - self._last < self._care.seconds):
            return
        if (data := pack()) is not None:
            self._care.keep(data)
        self._last = time.monotonic()

    def kept(self) -> Sequence[bytes]:
        return () if self._care is None else self._care.kept()


class Extractor:
    """Reads documents, `processes` at once with local engines if they fit into `memory_bytes`.

    Thread-safe; a context manager.
    """

    def __init__(
        self,
        *,
        processes: int,
        limits: Limits,
        registry: EngineRegistry,
        sandbox_require: Require = "all",
        work_directory: Path | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self._limits = limits
        self._registry = registry
        self._work_directory = work_directory
        self._ready: dict[str | None, _Ready] = {}
        self._pool = ChildPool(
            processes=processes,
            limits=limits,
            registry=registry,
            require=sandbox_require,
            work_directory=work_directory,
            memory_bytes=memory_bytes,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load the parsers, so that the first document need not wait. Raises `SandboxUnavailable`."""
        self._pool.warm_up()

    @property
    def protection(self) -> tuple[str, ...]:
        """Which walls are up around the sandbox's children, by `confinement.WALLS`; known once it is warm."""
        return self._pool.protection

    @property
    def child_failures(self) -> dict[str, int]:
        """How many children died, were overdue or were lost so far, by code; second tries count again."""
        return self._pool.failures

    @property
    def fork_server_pid(self) -> int | None:
        """The process id of the sandbox's fork server while one runs."""
        return self._pool.fork_server_pid

    def close(self) -> None:
        """End all children; documents in progress end with `ChildLost`."""
        self._pool.close()

    def waits_for_child(self, engine: str | None) -> bool:
        """Whether a document may have to wait before this engine reads it; so it is said of one not used lately."""
        ready = self._ready.get(engine)
        return ready is None or ready.engine.kind == "local"

    def engine_version(self, name: str | None) -> tuple[str, str]:
        """Return the name and the version of the engine that is meant. Raises as `extract` does."""
        ready = self._ready_engine(name)
        return ready.engine.name, ready.version

    def is_repeatable(self, name: str | None) -> bool:
        """Whether the engine that is meant reads the same bytes the same way every time. Raises as `extract` does."""
        return is_repeatable(self._ready_engine(name).engine)

    def extract(
        self,
        source: Source,
        options: ParseOptions,
        *,
        on_begin: Callable[[], None] | None = None,
        on_counted: Callable[[int], None] | None = None,
        in_fresh_child: bool = False,
        is_apart: bool = False,
        care: PageObserver | None = None,
        stop: Stop | None = None,
    ) -> Extraction:
        """Read a document; blocks until a child is free and the document is read.

        `on_begin` is called once, when work on the document really begins; `on_counted` with the number of
        pages, before they are read. What either raises ends the work and comes out here.
        `in_fresh_child` has a local engine read it in a child that has read nothing before; `is_apart` in one
        beside the `processes`, at once: the caller limits how many these are. `care` is for who follows the pages;
        `stop` may end a local engine's reading from another thread.

        Raises a `DocumentError` for what is wrong with the document, `UnknownEngine`, `ChildLost` (somebody else
        ended the parser: not the document's fault, worth another try), `SandboxUnavailable`, and
        `ReadingStopped` once `stop` was set.
        """
        ready = self._ready_engine(options.engine)
        engine = ready.engine
        refuse_unhonoured(engine, options)
        self._refuse_by_size(source)
        begun = _Begun(on_begin)
        if engine.kind == "remote":
            reading = self._read_remote(engine, source, options, begun, on_counted, care)
        else:
            place = _Place(engine.memory_bytes, is_apart, stop or Stop())
            reading = self._read_local(place, source, options, begun, on_counted, care, fresh=in_fresh_child)
        self._refuse_by_pages(reading.document)
        return Extraction(
            document=reading.document,
            images=reading.images,
            engine=engine.name,
            engine_version=ready.version,
            seconds=time.monotonic() - begun.at,
        )

    def render_page(self, source: Source, page: PageToRender, *, seconds: float) -> bytes:
        """Return a page as a PNG, drawn in a child beside the `processes`, at once: the caller limits how many.

        Raises `UnsupportedInput` where the format has no page images, another `DocumentError` where the page cannot be
        drawn within `seconds`, `ChildLost`, `SandboxUnavailable`.
        """
        end = time.monotonic() + seconds
        try:
            try:
                return self._rendered(source, page, seconds, fresh=False)
            except ChildDied:
                return self._rendered(source, page, max(0.0, end - time.monotonic()), fresh=True)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied as error:
            raise ExtractionFailed(f"the parser crashed twice on this page: {error.message}") from error

    def _rendered(self, source: Source, page: PageToRender, seconds: float, *, fresh: bool) -> bytes:
        with self._pool.child(fresh=fresh, memory_bytes=_RENDER_BYTES, is_apart=True) as child:
            untrusted = child.render_page(source, page, seconds)
            size = struct.pack(">II", page.width, page.height)
            if len(untrusted.images) != 1 or not untrusted.images[0].startswith(_PNG_HEAD + size):
                raise ChildDied("the parser gave a broken answer: no image of this size")
            return untrusted.images[0]

    def _ready_engine(self, name: str | None) -> _Ready:
        ready = self._ready.get(name)
        if ready is not None and time.monotonic() < ready.until:
            return ready
        engine = self._registry.resolve(name)
        availability = engine.availability()
        if not availability.available:
            raise InternalError(f"engine {engine.name} cannot work here: {availability.reason}")
        ready = _Ready(engine, engine.version, time.monotonic() + READY_SECONDS)
        self._ready[name] = ready
        return ready

    def _refuse_by_size(self, source: Source) -> None:
        size = source.byte_count()
        if size == 0:
            raise UnsupportedInput("the document is empty")
        if size > self._limits.max_bytes:
            raise DocumentTooLarge(f"the document has {size} bytes, more than {self._limits.max_bytes}")

    def _refuse_by_pages(self, document: Document) -> None:
        if document.page_count > self._limits.max_pages:
            raise PageLimitExceeded(f"the document has {document.page_count} pages, more than {self._limits.max_pages}")
        if all(page.status == "failed" for page in document.pages):
            reason = document.pages[0].error if document.pages else "it has none"
            raise ExtractionFailed(f"no page of the document could be read: {reason}")

    def _read_remote(
        self,
        engine: Engine,
        source: Source,
        options: ParseOptions,
        begin: Callable[[], None],
        on_counted: Callable[[int], None] | None,
        care: PageObserver | None,
    ) -> Reading:
        begin()
        with tempfile.TemporaryDirectory(prefix="octavo-remote-", dir=self._work_directory) as folder:
            reading = engine.extract(source, options, self._limits, _Near(on_counted, care), Path(folder))
        _check_images(reading)
        return reading

    def _read_local(
        self,
        place: _Place,
        source: Source,
        options: ParseOptions,
        begin: Callable[[], None],
        on_counted: Callable[[int], None] | None,
        care: PageObserver | None,
        *,
        fresh: bool,
    ) -> Reading:
        try:
            with (
                self._pool.child(fresh=fresh, memory_bytes=place.memory_bytes, is_apart=place.is_apart) as child,
                place.stop.ends(child.abort),
            ):
                begin()
                return _read_in(child, source, options, on_counted, care)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied:
            return self._read_again(place, source, options, on_counted, care)

    def _read_again(
        self,
        place: _Place,
        source: Source,
        options: ParseOptions,
        on_counted: Callable[[int], None] | None,
        care: PageObserver | None,
    ) -> Reading:
        try:
            with (
                self._pool.child(fresh=True, memory_bytes=place.memory_bytes, is_apart=place.is_apart) as child,
                place.stop.ends(child.abort),
            ):
                return _read_in(child, source, options, on_counted, care)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied as error:
            raise ExtractionFailed(f"the parser crashed twice on this document: {error.message}") from error


def _read_in(
    child: Child,
    source: Source,
    options: ParseOptions,
    on_counted: Callable[[int], None] | None,
    care: PageObserver | None,
) -> Reading:
    untrusted = child.read(source, options, on_counted, care)
    try:
        return _checked(untrusted)
    except InvalidDocument as error:
        raise ChildDied(f"the parser gave a broken answer: {error}") from error


def _checked(untrusted: UntrustedReading) -> Reading:
    # One at a time: to refuse a broken answer takes 28 times its size for a moment, to take in a good one 10 times.
    with _LARGE_ANSWER if len(untrusted.document_json) > _LARGE_ANSWER_BYTES else nullcontext():
        document = Document.from_json(untrusted.document_json)
    reading = Reading(document, untrusted.images)
    _check_images(reading)
    return reading


def _check_images(reading: Reading) -> None:
    """Raise `InvalidDocument` unless every figure has bytes of the kind it claims."""
    for figure in reading.document.figures:
        if figure.image_index >= len(reading.images):
            raise InvalidDocument("a figure has no bytes")
        magic = _MAGIC.get(figure.mime)
        if magic is None or not reading.images[figure.image_index].startswith(magic):
            raise InvalidDocument(f"a figure is not {figure.mime}")
