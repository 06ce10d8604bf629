"""What an engine is, what it is given and what it hands back.

Knows no engine. A local engine runs in a sandboxed child and may parse; a remote one runs in a thread
of the owner's process, calls a service, and must not parse anything itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from octavo.documents import Document
from octavo.errors import InternalError
from octavo.parse_options import ParseOptions

EngineKind = Literal["local", "remote"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one document may cost.

    `wall_seconds` bounds the whole document, `page_seconds` the time without a page being finished (a
    group of n pages under recognition has n times as long). `memory_bytes` is address space beyond
    what the child has when it starts, and memory beyond that over the child and all that it has started.
    `file_bytes` is for one file that is written, `scratch_bytes` for all of them at a time.
    """

    wall_seconds: float = 1800.0
    page_seconds: float = 60.0
    cpu_seconds: int = 1800
    memory_bytes: int = 2 * 1024**3
    file_bytes: int = 512 * 1024**2
    scratch_bytes: int = 2 * 1024**3
    open_files: int = 256
    processes: int = 32
    max_bytes: int = 150 * 1024 * 1024
    max_pages: int = 1000
    max_page_pixels: int = 50_000_000
    max_content_bytes: int = 10_000_000
    max_paths: int = 20_000
    max_images: int = 2_000
    max_image_bytes: int = 128 * 1024**2
    max_document_bytes: int = 64 * 1024**2
    max_kept_bytes: int = 192 * 1024**2
    max_unpacked_bytes: int = 512 * 1024**2
    documents_per_child: int = 50


ExtractOptions = ParseOptions
"""The name by which engines of installed packages that were written for version 0.1.0 know the options."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document on local disk. Name and type are what somebody claims; the bytes decide."""

    path: Path
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None

    def byte_count(self) -> int:
        """Return the size on disk."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class PageToRender:
    """A page that is to be rendered for a viewer: its number from 1, the image's size in pixels.

    `rotation` is `Page.rotation`: how far, clockwise, the page in the file is turned to stand as its boxes say.
    """

    page_no: int
    width: int
    height: int
    rotation: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What an engine made of a document; `Figure.image_index` points into `images`."""

    document: Document
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an engine can work here, and if not, what is missing."""

    available: bool
    reason: str | None = None


AVAILABLE = Availability(True)


class Progress(Protocol):
    """How an engine tells its keeper that it is alive; every call starts the page clock again."""

    def counted(self, pages: int) -> None:
        """Say how many pages the document has, before work is spent on them."""

    def working(self, pages: int) -> None:
        """Say that the next word may take as long as that many pages need."""


@runtime_checkable
class PageKeeper(Protocol):
    """A `Progress` that takes pages as they are finished, so that an interrupted reading is not lost.

    Engines ask for it with `isinstance` and need not use it.
    """

    def finished(self, pages: int) -> None:
        """Say how many pages are finished by now; heard together with the next `working`."""

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        """Offer what was finished since the last offer that was taken; `pack` is called when it is worth keeping.

        It always is with the last offer, which is made by a reading in which pages have failed: a further one is to
        read no others.
        """

    def kept(self) -> Sequence[bytes]:
        """Return what readings of the same bytes by the same version with the same options have had kept.

        Each piece is whole; in which order they come means nothing, and pages may be in more than one.
        """


class Engine(Protocol):
    """A way to read documents.

    `extract` raises a `DocumentError` for what is wrong with the document itself. Anything else it raises is
    a defect of the engine and ends as `ExtractionFailed` after a second try.

    What only some engines can do is a protocol of its own below, and asked for with `isinstance`.
    """

    @property
    def name(self) -> str:
        """The name customers ask for."""

    @property
    def version(self) -> str:
        """Changes whenever the same bytes may give another result; part of result keys."""

    @property
    def licence(self) -> str:
        """The SPDX name of the strictest licence among its parts."""

    @property
    def kind(self) -> EngineKind:
        """Where it runs: `local` in a sandboxed child, `remote` in a thread of the owner."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of text recognition as ISO 639-2 codes; empty where the engine recognises nothing."""

    @property
    def memory_bytes(self) -> int:
        """What a child needs for one document as a rule, for which a worker keeps room; 0 for remote engines.

        A plan, not a limit: that is `Limits.memory_bytes`.
        """

    def availability(self) -> Availability:
        """Say whether the engine can work here, cheaply and without loading it."""

    def preload(self) -> None:
        """Import what is heavy; called once in the process from which children are forked."""

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        """Read `source`; files may be made in `folder`, which is removed afterwards."""


@runtime_checkable
class HonoursParseOptions(Protocol):
    """An engine that can read a part of a document, or one that is locked.

    Without it an engine reads whole documents that are open, and is never asked for anything else.
    """

    @property
    def honoured_options(self) -> frozenset[str]:
        """Which of `pages` and `has_password` of the `ParseOptions` it honours."""


def refuse_unhonoured(engine: Engine, options: ParseOptions) -> None:
    """Raise InternalError if the engine would ignore an option: nothing that was asked for is left out in silence."""
    asked = {"pages": bool(options.pages), "has_password": options.has_password}
    honoured = engine.honoured_options if isinstance(engine, HonoursParseOptions) else frozenset()
    ignored = [name for name, is_asked in asked.items() if is_asked and name not in honoured]
    if ignored:
        raise InternalError(f"engine {engine.name} does not know the options {', '.join(ignored)}")


@runtime_checkable
class DescribesItself(Protocol):
    """An engine that says what customers are told of it: all three, or it is listed as local and unknown.

    Every engine has these by now; one that was written for an earlier contract may not.
    """

    @property
    def licence(self) -> str:
        """As in `Engine`."""

    @property
    def kind(self) -> EngineKind:
        """As in `Engine`."""

    @property
    def languages(self) -> tuple[str, ...]:
        """As in `Engine`."""


@runtime_checkable
class DeclaresRepeatability(Protocol):
    """An engine that says whether the same bytes give the same result every time; one that does not say does so.

    Results of an engine whose `is_repeatable` is false are never reused.
    """

    @property
    def is_repeatable(self) -> bool:
        """Whether it does."""


def is_repeatable(engine: Engine) -> bool:
    """Return whether an engine reads the same bytes the same way every time."""
    return engine.is_repeatable if isinstance(engine, DeclaresRepeatability) else True


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as it is listed to customers."""

    name: str
    version: str
    licence: str
    kind: EngineKind
    languages: tuple[str, ...]
    available: bool
    reason: str | None = field(default=None)
