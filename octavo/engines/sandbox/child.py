"""A child: serves documents one after the other, each in a fresh folder, until told to stop or broken."""

import dataclasses
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, cast

from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import Require, confine, grant_cpu
from octavo.engines.sandbox.failures import SandboxUnavailable
from octavo.engines.sandbox.folders import remove_folder
from octavo.engines.sandbox.wire import Channel, Header, WireBroken, WireClosed
from octavo.errors import DocumentError, ExtractionFailed
from octavo.parse_options import ParseOptions

EXIT_DEFECT = 70
EXIT_UNCONFINED = 71
_COPY_BYTES = 1024 * 1024
_MAX_MESSAGE = 2000
_MIB = 1024**2
Answer = tuple[bytes, Sequence[bytes]]
"""A document as JSON, and images; a page that was drawn is an image without a document."""


class _ProgressReporter:
    """Sends an engine's progress, and the pages it has finished, to the owner."""

    def __init__(self, channel: Channel, kept: Sequence[bytes], keep_seconds: float | None, room: int) -> None:
        self._channel = channel
        self._kept = kept
        self._keep_seconds = keep_seconds
        self._room = room
        self._last = time.monotonic()
        self._done = 0

    def counted(self, pages: int) -> None:
        self._channel.send({"type": "counted", "pages": pages})

    def working(self, pages: int) -> None:
        self._channel.send({"type": "working", "pages": pages, "done": self._done})

    def finished(self, pages: int) -> None:
        self._done = pages

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        if self._keep_seconds is None or (not is_last and time.monotonic() - self._last < self._keep_seconds):
            return
        data = pack()
        if data is not None and len(data) > self._room:
            self._keep_seconds = None
        elif data is not None:
            self._room -= len(data)
            self._channel.send({"type": "keep", "bytes": len(data)}, data)
        self._last = time.monotonic()

    def kept(self) -> Sequence[bytes]:
        kept, self._kept = self._kept, ()
        return kept


def serve(channel: Channel, folder: Path, registry: EngineRegistry, limits: Limits, require: Require) -> NoReturn:
    """Give up all that a child must not have, then answer tasks; ends with the process."""
    try:
        active = confine(folder, limits, require)
    except SandboxUnavailable as error:
        channel.send({"type": "unconfined", "message": error.message})
        os._exit(EXIT_UNCONFINED)
    _copy_without_attributes()
    channel.send({"type": "confined", "active": active})
    try:
        while True:
            _answer(channel, channel.receive(), folder, registry, limits)
    except (WireClosed, WireBroken):
        os._exit(0)


def _copy_without_attributes() -> None:
    """Have `shutil` copy files without modes and times, which may not be changed: OCRmyPDF and others use `copy2`."""

    def leave(*_: object, **__: object) -> None:
        pass

    shutil.copymode = shutil.copystat = leave


def _answer(channel: Channel, task: Header, folder: Path, registry: EngineRegistry, limits: Limits) -> None:
    grant_cpu(limits.cpu_seconds)
    try:
        with _work_folder(folder) as work:
            answer = _answer_to(channel, task, work, registry, limits)
    except DocumentError as error:
        _send_error(channel, error)
    except (MemoryError, OSError) as error:
        if (passed := _limit_of(error, limits)) is not None:
            _send_error(channel, ExtractionFailed(passed))
        else:
            _send_defect(channel, error)
    # The edge of the process: the owner learns of a defect, and tries again in another child.
    except Exception as error:  # noqa: BLE001
        _send_defect(channel, error)
    else:
        _send(channel, answer)


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Make a folder for one document, gone by the time of the answer: a child that leaves files is not used again."""
    work = Path(tempfile.mkdtemp(dir=folder))
    os.environ["TMPDIR"] = tempfile.tempdir = str(work)
    try:
        yield work
    finally:
        remove_folder(work)


def _answer_to(channel: Channel, task: Header, work: Path, registry: EngineRegistry, limits: Limits) -> Answer:
    claimed = cast(dict[str, Any], task["source"])
    kept = [channel.receive_bytes(length) for length in cast(list[int], task["kept"])]
    path = work / "source"
    _copy(channel.take_descriptor(), path)
    source = Source(path=path, **claimed)
    if task["render"] is not None:
        return _render(source, PageToRender(**cast(dict[str, Any], task["render"])), limits)
    options = ParseOptions.of_values(cast(dict[str, Any], task["options"]))
    engine = registry.resolve(options.engine)
    reporter = _ProgressReporter(channel, kept, cast(float | None, task["keep_seconds"]), limits.max_kept_bytes)
    reading = engine.extract(source, options, limits, reporter, work)
    return reading.document.to_json().encode(), reading.images


def _render(source: Source, page: PageToRender, limits: Limits) -> Answer:
    # Imported here, because the parsers belong in the fork server and its children alone.
    from octavo.engines.pages.rendering import render

    return b"", (render(source, page, limits),)


def _copy(descriptor: int, path: Path) -> None:
    # A copy, because outside programs want a path and must not reach the owner's file.
    with os.fdopen(descriptor, "rb") as given, path.open("wb") as copy:
        shutil.copyfileobj(given, copy, _COPY_BYTES)


def _send(channel: Channel, answer: Answer) -> None:
    document, images = answer
    sizes = [len(image) for image in images]
    channel.send({"type": "reading", "document": len(document), "images": sizes}, document, *images)


def _limit_of(error: MemoryError | OSError, limits: Limits) -> str | None:
    """Say which limit of the process an error comes from; None if from none."""
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return f"the document needs more than {limits.memory_bytes // _MIB} MiB of memory"
    if error.errno == errno.EMFILE:
        return f"the document needs more than {limits.open_files} open files"
    if error.errno == errno.EFBIG:
        return f"the document needs a file of more than {limits.file_bytes // _MIB} MiB"
    return None


def _send_defect(channel: Channel, error: Exception) -> None:
    channel.send({"type": "defect", "message": f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]})


def _send_error(channel: Channel, error: DocumentError) -> None:
    channel.send({"type": "error", "code": error.code, "message": error.message[:_MAX_MESSAGE]})


def task_for(source: Source, options: ParseOptions, kept: Sequence[bytes], keep_seconds: float | None) -> Header:
    """Return the frame that asks a child to read; the descriptor goes with it, what was kept after it."""
    return {
        "type": "task",
        "source": _claimed(source),
        "options": options.to_values(),
        "kept": [len(piece) for piece in kept],
        "keep_seconds": keep_seconds,
        "render": None,
    }


def render_task_for(source: Source, page: PageToRender) -> Header:
    """Return the frame that asks a child to draw a page; the descriptor goes with it."""
    return {"type": "task", "source": _claimed(source), "kept": [], "render": dataclasses.asdict(page)}


def _claimed(source: Source) -> Header:
    return {"filename": source.filename, "content_type": source.content_type, "size": source.size}
