"""How many submissions each API key has made to each route within the last minute."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

WINDOW_SECONDS = 60
CLOCK_STEP_SECONDS = 1.0
"""A clock that goes back by more was set; by less it is being slewed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a key on one route after a submission."""

    limit: int
    is_taken: bool
    left: int
    seconds: int
    """Seconds until the next submission is allowed, rounded up; at least 1."""


class SubmissionRates:
    """The counts of one API process; they start from 0 with it, and with another limit."""

    def __init__(self) -> None:
        self._counts = MovingWindowRateLimiter(MemoryStorage())
        self._latest = time.time()

    def count(self, key_id: str, route: str, limit: int) -> Standing:
        """Count a submission unless the limit is reached; a refused one does not count.

        Event loop only: otherwise two at the same moment could both take the last place.
        """
        moment = time.time()
        if moment < self._latest - CLOCK_STEP_SECONDS:
            # Counted by the wall clock, the submissions of before would fill the window until it has caught up.
            self._counts = MovingWindowRateLimiter(MemoryStorage())
        self._latest = moment
        item = RateLimitItemPerMinute(limit)
        is_taken = self._counts.hit(item, key_id, route)
        window = self._counts.get_window_stats(item, key_id, route)
        seconds = math.ceil(window.reset_time - time.time())
        return Standing(limit, is_taken, max(0, window.remaining), min(max(1, seconds), WINDOW_SECONDS))
