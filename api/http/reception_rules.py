"""The rules by which bodies are received, from the settings."""

from api.http.body_reception import Pace, ReceptionRules
from api.http.large_bodies import Bounds, LargeBodies
from octavo.settings import Settings

PART_OF_A_CUSTOMER = 4
"""One customer may have this part of all large bodies at once, and twice this part of their bytes."""


def reception_rules(settings: Settings) -> ReceptionRules:
    """Return the rules for one process."""
    api, limits = settings.api, settings.limits
    kept, kept_bytes = limits.large_bodies, limits.large_body_bytes
    form_bytes = 2 * limits.max_file_bytes
    return ReceptionRules(
        pace=Pace(grace_seconds=api.body_grace_seconds, bytes_per_second=api.min_body_bytes_per_second),
        kept=LargeBodies(
            process=Bounds(bodies=kept, body_bytes=kept_bytes),
            customer=Bounds(bodies=max(1, kept // PART_OF_A_CUSTOMER), body_bytes=2 * kept_bytes // PART_OF_A_CUSTOMER),
            wait_seconds=limits.large_body_wait_seconds,
        ),
        # As many as may wait to be read; each has its document on disk.
        forms=LargeBodies(
            process=Bounds(bodies=limits.sync_calls, body_bytes=limits.sync_calls * form_bytes),
            customer=Bounds(
                bodies=limits.sync_calls_per_customer, body_bytes=limits.sync_calls_per_customer * form_bytes
            ),
            wait_seconds=limits.large_body_wait_seconds,
        ),
    )
