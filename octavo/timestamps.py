"""Points in time: aware UTC datetimes internally, RFC 3339 with microseconds and `Z` on the wire."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time; a parameter wherever a test needs to control it."""


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def to_wire(moment: datetime) -> str:
    """Format a moment as `2026-11-23T05:06:07.000008Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
