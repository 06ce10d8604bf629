"""What a heartbeat tells of items that take long: how many of their pages are finished, if that is new."""

import time
from collections.abc import Iterable

from octavo.identifiers import ItemId
from octavo.ledger.contract import ItemProgress
from octavo.worker.leased_slice import LeasedSlice


class ProgressReporter:
    """Remembers what was told, so that nothing is told twice. Used by one thread."""

    def __init__(self) -> None:
        self._told: dict[ItemId, ItemProgress] = {}

    def look(self, leased: Iterable[LeasedSlice], least_seconds: float) -> tuple[ItemProgress, ...]:
        """Return how far items are that have been in progress for so long, where that has changed."""
        began_before = time.monotonic() - least_seconds
        found = [
            ItemProgress(
                item_id=item.item_id,
                lease_no=item.lease_no,
                pages_done=course.pages_done,
                pages_total=course.pages_total,
                kept_in=course.kept_in,
            )
            for one in leased
            for item in one.slice.items
            if (course := one.courses.get(item.item_id)) is not None
            and course.pages_total is not None
            and course.began_at <= began_before
        ]
        self._told = {one.item_id: self._told[one.item_id] for one in found if one.item_id in self._told}
        return tuple(one for one in found if one != self._told.get(one.item_id))

    def note_told(self, progress: Iterable[ItemProgress]) -> None:
        """Say that this has arrived."""
        self._told |= {one.item_id: one for one in progress}
