"""Chooses what a heartbeat reports about items that take long: how many of their pages are finished, if that is new."""

import time
from collections.abc import Iterable

from octavo.identifiers import ItemId
from octavo.ledger.contract import ItemProgress
from octavo.worker.leased_slice import LeasedSlice


class ProgressReporter:
    """Remembers what was reported, so that nothing is reported twice. Used by one thread."""

    def __init__(self) -> None:
        self._reported: dict[ItemId, ItemProgress] = {}

    def due(self, slices: Iterable[LeasedSlice], least_seconds: float) -> tuple[ItemProgress, ...]:
        """Return the progress of items that have been in progress for so many seconds, where it has changed."""
        began_before = time.monotonic() - least_seconds
        found = [
            ItemProgress(
                item_id=item.item_id,
                lease_no=item.lease_no,
                pages_done=reading.pages_done,
                pages_total=reading.pages_total,
                kept_in=reading.kept_in,
            )
            for leased in slices
            for item in leased.slice.items
            if (reading := leased.readings.get(item.item_id)) is not None
            and reading.pages_total is not None
            and reading.began_at <= began_before
        ]
        self._reported = {one.item_id: self._reported[one.item_id] for one in found if one.item_id in self._reported}
        return tuple(one for one in found if one != self._reported.get(one.item_id))

    def note_reported(self, progress: Iterable[ItemProgress]) -> None:
        """Note that this has arrived."""
        self._reported |= {one.item_id: one for one in progress}
