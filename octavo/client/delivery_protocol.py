"""What workers and the API say to each other of webhooks' deliveries: plain frozen records, JSON on the wire.

The API composes and signs; a worker that sends holds no secret. The report about an attempt is the ledger's own record.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from octavo.identifiers import DeliveryId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryClaim:
    """Asks for deliveries that are due."""

    limit: int
    under_way: int = 0
    """How many the asking flow run is sending; one that has none and is given none ends."""
    worker_id: WorkerId | None = None
    """Who sends them: what a worker holds that is known to be dead is given to another at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One POST, ready to be made."""

    delivery_id: DeliveryId
    lease_no: int
    event: str
    url: str
    headers: Mapping[str, str]
    body: str
    seconds: float
    """Longest time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTaken:
    """Whether the report about an attempt counted; one that came too late did not."""

    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneDeliveriesRequest:
    """Asks the ledger to remove deliveries that are old enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedDeliveries:
    """How many were removed."""

    deliveries: int
