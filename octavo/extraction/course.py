"""How far the reading of one item has come: written by the thread that reads, looked at by the one that tells of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from octavo.engines.contract import PageObserver
from octavo.extraction.kept_pages import KeptPages
from octavo.identifiers import ResultId


@dataclass(slots=True)
class Course:
    """One reading of one item."""

    between_pages: Callable[["Course"], None]
    """Called after each page; what it raises ends the reading."""
    is_again: bool = False
    """Whether there was a reading before, which may have left finished pages."""
    began_at: float = field(default_factory=time.monotonic)
    pages_total: int | None = None
    pages_done: int = 0
    kept_in: ResultId | None = None
    """Where finished pages are kept, once there are some."""
    is_just_kept: bool = False
    """Whether all pages that are finished are kept, but for some of the last few."""

    def make_sure(self) -> None:
        """Raise if the item was taken away: what others may have finished meanwhile is not to be touched."""
        self.is_just_kept = False
        self.between_pages(self)

    def care(self, kept: KeptPages, seconds: float) -> PageObserver:
        """Return what follows this course and keeps its pages."""

        def on_page(done: int) -> None:
            self.pages_done = done
            self.between_pages(self)
            self.is_just_kept = False

        def keep(data: bytes) -> None:
            if kept.add(data):
                self.kept_in = kept.result_id
                self.is_just_kept = True

        return PageObserver(on_page=on_page, keep=keep, kept=kept.pieces, seconds=seconds)
