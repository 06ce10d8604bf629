"""The one way to have a document read: finds the engine and a child, and checks what comes back."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from octavo.documents import Document
from octavo.engines.contract import Engine, Limits, PageToRender, Reading, Source, is_repeatable, refuse_unhonoured
from octavo.engines.observer import ReadingObserver
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import ChildDied, ChildOverdue
from octavo.engines.sandbox.pool import ChildPool, ChildScope, PoolSize
from octavo.errors import DocumentTooLarge, ExtractionFailed, PageLimitExceeded, UnsupportedInput
from octavo.extraction.extraction import Extraction
from octavo.extraction.in_process import InProcessProgress
from octavo.extraction.ready_engines import ReadyEngines
from octavo.extraction.stop import Stop
from octavo.extraction.untrusted import check_images, checked_page_image, checked_reading
from octavo.parse_options import ParseOptions

_RENDER_BYTES = 512 * 1024**2
"""What a child needs to draw a page, as a rule: as much as the engine that reads it."""


@dataclass(slots=True)
class _Work:
    """One document to be read: by which engine, in what kind of child, followed by whom."""

    engine: Engine
    source: Source
    options: ParseOptions
    observer: ReadingObserver
    customer: str | None
    is_apart: bool
    stop: Stop
    began_at: float = 0.0
    """When reading really began: what waited for a child was not reading."""

    def begin(self) -> None:
        self.observer.begin()
        self.began_at = time.monotonic()


class Extractor:
    """Reads documents, `processes` at once with local engines if they fit into `memory_bytes`.

    Customers take turns, and no two of them share a child; `newcomer_processes` more documents are read at once for
    customers of whom none is. Thread-safe; a context manager.
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
        newcomer_processes: int = 0,
        child_scope: ChildScope = "customer",
    ) -> None:
        self._limits = limits
        self._engines = ReadyEngines(registry)
        self._work_directory = work_directory
        self._pool = ChildPool(
            PoolSize(
                processes=processes,
                newcomer_processes=newcomer_processes,
                memory_bytes=memory_bytes,
                child_scope=child_scope,
            ),
            limits=limits,
            registry=registry,
            require=sandbox_require,
            work_directory=work_directory,
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
        found = self._engines.used_lately(engine)
        return found is None or found.kind == "local"

    def engine_version(self, name: str | None) -> tuple[str, str]:
        """Return the name and the version of the engine that is meant. Raises as `extract` does."""
        ready = self._engines.get(name)
        return ready.engine.name, ready.version

    def is_repeatable(self, name: str | None) -> bool:
        """Whether the engine that is meant reads the same bytes the same way every time. Raises as `extract` does."""
        return is_repeatable(self._engines.get(name).engine)

    def extract(
        self,
        source: Source,
        options: ParseOptions,
        observer: ReadingObserver | None = None,
        *,
        customer: str | None = None,
        in_fresh_child: bool = False,
        is_apart: bool = False,
        stop: Stop | None = None,
    ) -> Extraction:
        """Read a document; blocks until it is the customer's turn, a child is free and the document is read.

        `observer` follows the reading; what it raises ends the work and comes out here. `in_fresh_child` has a local
        engine read in a child that has read nothing before; `is_apart` in one beside the `processes`, at once: the
        caller limits how many these are. `stop` may end a local engine's reading from another thread.

        Raises a `DocumentError` for what is wrong with the document, `UnknownEngine`, `ChildLost` (somebody else
        ended the parser: not the document's fault, worth another try), `SandboxUnavailable`, and
        `ReadingStopped` once `stop` was set.
        """
        ready = self._engines.get(options.engine)
        refuse_unhonoured(ready.engine, options)
        self._refuse_by_size(source)
        work = _Work(
            engine=ready.engine,
            source=source,
            options=options,
            observer=observer or ReadingObserver(),
            customer=customer,
            is_apart=is_apart,
            stop=stop or Stop(),
        )
        if ready.engine.kind == "remote":
            reading = self._read_in_process(work)
        else:
            reading = self._read_in_child(work, fresh=in_fresh_child)
        self._refuse_by_pages(reading.document)
        return Extraction(
            document=reading.document,
            images=reading.images,
            engine=ready.engine.name,
            engine_version=ready.version,
            seconds=time.monotonic() - work.began_at,
        )

    def _read_in_process(self, work: _Work) -> Reading:
        work.begin()
        with tempfile.TemporaryDirectory(prefix="octavo-remote-", dir=self._work_directory) as folder:
            progress = InProcessProgress(work.observer)
            reading = work.engine.extract(work.source, work.options, self._limits, progress, Path(folder))
        check_images(reading)
        return reading

    def _read_in_child(self, work: _Work, *, fresh: bool) -> Reading:
        try:
            return self._read_once(work, fresh=fresh, is_first=True)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied:
            return self._read_again(work)

    def _read_again(self, work: _Work) -> Reading:
        try:
            return self._read_once(work, fresh=True, is_first=False)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied as error:
            raise ExtractionFailed(f"the parser crashed twice on this document: {error.message}") from error

    def _read_once(self, work: _Work, *, fresh: bool, is_first: bool) -> Reading:
        memory_bytes = work.engine.memory_bytes
        with (
            self._pool.child(work.customer, fresh=fresh, memory_bytes=memory_bytes, is_apart=work.is_apart) as child,
            work.stop.ends(child.abort),
        ):
            if is_first:
                work.begin()
            return checked_reading(child.read(work.source, work.options, work.observer))

    def render_page(self, source: Source, page: PageToRender, *, seconds: float, customer: str | None = None) -> bytes:
        """Return a page as a PNG, drawn in a child beside the `processes`, at once: the caller limits how many.

        Raises `UnsupportedInput` where the format has no page images, another `DocumentError` where the page cannot be
        drawn within `seconds`, `ChildLost`, `SandboxUnavailable`.
        """
        end = time.monotonic() + seconds
        try:
            try:
                return self._rendered(source, page, seconds, customer, fresh=False)
            except ChildDied:
                return self._rendered(source, page, max(0.0, end - time.monotonic()), customer, fresh=True)
        except ChildOverdue as error:
            raise ExtractionFailed(error.message) from error
        except ChildDied as error:
            raise ExtractionFailed(f"the parser crashed twice on this page: {error.message}") from error

    def _rendered(
        self, source: Source, page: PageToRender, seconds: float, customer: str | None, *, fresh: bool
    ) -> bytes:
        with self._pool.child(customer, fresh=fresh, memory_bytes=_RENDER_BYTES, is_apart=True) as child:
            return checked_page_image(child.render_page(source, page, seconds), page)

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
