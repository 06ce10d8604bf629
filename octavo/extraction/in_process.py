"""The progress of an engine that runs in the caller's own thread, passed on to whoever follows the reading."""

import time
from collections.abc import Callable, Sequence

from octavo.engines.observer import ReadingObserver


class InProcessProgress:
    """What such an engine is given as its `Progress`; one that runs in a child is followed through the child."""

    def __init__(self, observer: ReadingObserver) -> None:
        self._observer = observer
        self._done = 0
        self._kept_at = time.monotonic()

    def counted(self, pages: int) -> None:
        """Say how many pages the document has."""
        self._observer.counted(pages)

    def working(self, pages: int) -> None:
        """Say that the next pages are being read."""
        self._observer.page_finished(self._done)

    def finished(self, pages: int) -> None:
        """Say how many pages are finished; passed on with the next `working`."""
        self._done = pages

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        """Keep what `pack` returns, if it is time to keep something again."""
        seconds = self._observer.keep_seconds
        if seconds is None or (not is_last and time.monotonic() - self._kept_at < seconds):
            return
        if (data := pack()) is not None:
            self._observer.keep(data)
        self._kept_at = time.monotonic()

    def kept(self) -> Sequence[bytes]:
        """Return what earlier readings have kept."""
        return self._observer.kept()
