"""Observers of a reading that do what a test says."""

from collections.abc import Callable, Sequence

from octavo.engines.observer import ReadingObserver
from octavo.extraction.reading_progress import ReadingProgress

Action = Callable[[], object]
Count = Callable[[int], object]


class Observing(ReadingObserver):
    """Calls what it was given."""

    def __init__(
        self,
        *,
        on_begin: Action = lambda: None,
        on_counted: Count = lambda _: None,
        on_page: Count = lambda _: None,
        keep: Callable[[bytes], object] = lambda _: None,
        kept: Sequence[bytes] = (),
        keep_seconds: float | None = None,
    ) -> None:
        self._on_begin, self._on_counted, self._on_page = on_begin, on_counted, on_page
        self._keep, self._kept = keep, kept
        self.keep_seconds = keep_seconds

    def begin(self) -> None:
        self._on_begin()

    def counted(self, pages: int) -> None:
        self._on_counted(pages)

    def page_finished(self, done: int) -> None:
        self._on_page(done)

    def keep(self, data: bytes) -> None:
        self._keep(data)

    def kept(self) -> Sequence[bytes]:
        return list(self._kept)


class Following(ReadingProgress):
    """The progress of an item that calls what it was given."""

    def __init__(
        self,
        *,
        on_begin: Action = lambda: None,
        on_counted: Count = lambda _: None,
        check: Action = lambda: None,
        is_again: bool = False,
    ) -> None:
        super().__init__(is_again=is_again)
        self._on_begin, self._on_counted, self._check = on_begin, on_counted, check

    def on_begin(self) -> None:
        self._on_begin()

    def on_counted(self, pages: int) -> None:
        self._on_counted(pages)

    def check(self) -> None:
        self._check()
