"""How far the reading of one item has come: written by the thread that reads, read by the one that reports it."""

import time
from collections.abc import Sequence

from octavo.engines.observer import ReadingObserver
from octavo.extraction.kept_pages import KeptPages
from octavo.identifiers import ResultId


class ReadingProgress(ReadingObserver):
    """Follows one reading of one item, and keeps its pages.

    Subclasses say what begins the item's work, what its pages cost and what ends it early.
    """

    def __init__(self, *, is_again: bool = False) -> None:
        """`is_again` says that there was a reading before, which may have left finished pages."""
        self.is_again = is_again
        self.began_at = time.monotonic()
        self.pages_total: int | None = None
        self.pages_done = 0
        self.kept_in: ResultId | None = None
        """Where finished pages are kept, once there are some."""
        self.is_just_kept = False
        """Whether all pages that are finished are kept, but for some of the last few."""
        self._is_begun = False
        self._told_pages: int | None = None
        self._kept_pages: KeptPages | None = None

    # What a subclass decides; what these raise ends the reading

    def on_begin(self) -> None:
        """Work on the item begins; called once."""

    def on_counted(self, pages: int) -> None:
        """The item has so many pages; called once for each number in a row."""

    def check(self) -> None:
        """Called between pages: may the reading continue?"""

    # What whoever reads calls

    def begin(self) -> None:
        """Work on the item begins, for the first time or again."""
        if not self._is_begun:
            self._is_begun = True
            self.on_begin()

    def counted(self, pages: int) -> None:
        """The document has so many pages."""
        self.pages_total = pages
        if pages != self._told_pages:
            self.on_counted(pages)
            self._told_pages = pages

    def page_finished(self, done: int) -> None:
        """So many pages are finished."""
        self.pages_done = done
        self.check()
        self.is_just_kept = False

    def check_before_replacing(self) -> None:
        """Raise if the item was taken away: what others may have finished meanwhile is not to be touched."""
        self.is_just_kept = False
        self.check()

    # Finished pages

    def keep_pages(self, kept_pages: KeptPages, seconds: float) -> None:
        """Keep finished pages there, every so many seconds."""
        self._kept_pages = kept_pages
        self.keep_seconds = seconds

    def keep(self, data: bytes) -> None:
        """Keep a piece of finished pages."""
        if self._kept_pages is not None and self._kept_pages.add(data):
            self.kept_in = self._kept_pages.result_id
            self.is_just_kept = True

    def kept(self) -> Sequence[bytes]:
        """Return the pieces that earlier readings have kept."""
        return () if self._kept_pages is None else self._kept_pages.pieces()
