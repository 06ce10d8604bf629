"""How long to wait before trying again, in the terms of tenacity: one schedule for every retry loop."""

from tenacity.wait import wait_base, wait_random_exponential


def exponential(first_seconds: float, longest_seconds: float) -> wait_base:
    """Return pauses that double from `first_seconds` up to `longest_seconds`, each with random jitter.

    No pause is shorter than half of the first one, so that trouble is never answered with a burst of attempts.
    """
    return wait_random_exponential(multiplier=first_seconds, min=first_seconds / 2, max=longest_seconds)
