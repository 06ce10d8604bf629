"""How many items make a slice: enough that Prefect's cost per task run is a small part of the work. Pure.

A task run costs about 44 ms of CPU in total, over server, worker and API; a slice of a second keeps
that below a twentieth. Until a few items have been timed, a slice is one item.
"""

import statistics
from collections import deque

SLICE_SECONDS = 1.0
SHORT_SECONDS = 0.1
"""Reports about items shorter than this may wait a moment and be sent together."""
MOST_ITEMS = 100
TIMED_ITEMS = 4
"""Items to time before slices grow."""


class Pace:
    """The pace of one batch, measured on its last fifty items."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=50)

    def add(self, seconds: float) -> None:
        """Record how long reading one item took."""
        self._seconds.append(seconds)

    @property
    def median_seconds(self) -> float | None:
        """The median of the times; None while there are too few."""
        return statistics.median(self._seconds) if len(self._seconds) >= TIMED_ITEMS else None

    @property
    def slice_items(self) -> int:
        """How many items make up a second of work: 1 to 100."""
        median = self.median_seconds
        if median is None:
            return 1
        return max(1, min(MOST_ITEMS, round(SLICE_SECONDS / max(median, SLICE_SECONDS / MOST_ITEMS))))

    @property
    def is_short(self) -> bool:
        """Whether this batch's items are so short that each report about one would cost as much as the work."""
        median = self.median_seconds
        return median is not None and median < SHORT_SECONDS
