"""Bounds how many large bodies are held at once, and how many bytes: by the process and by each customer."""

import asyncio
import contextlib
from dataclasses import dataclass

from octavo.errors import RateLimited, ServiceBusy
from octavo.identifiers import CustomerId

RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be held at once."""

    bodies: int
    body_bytes: int

    def admits(self, held: "list[Place]", more_bytes: int) -> bool:
        """Return whether a body of so many bytes fits beside those that are held; the first one always does."""
        return not held or (
            len(held) < self.bodies and sum(place.size for place in held) + more_bytes <= self.body_bytes
        )


@dataclass(eq=False, slots=True)
class Place:
    """The place of one body; `size` is how many bytes are set aside for it."""

    customer_id: CustomerId
    size: int


class LargeBodies:
    """The places of one process. Lives on its event loop, so that nothing in it is locked."""

    def __init__(self, *, process: Bounds, customer: Bounds, wait_seconds: float) -> None:
        self._process = process
        self._customer = customer
        self._wait_seconds = wait_seconds
        self._held: list[Place] = []
        self._changed = asyncio.Event()

    @property
    def in_use(self) -> int:
        """How many places are taken."""
        return len(self._held)

    async def take(self, customer_id: CustomerId, size: int) -> Place:
        """Return a place for a body of so many bytes, after a short wait if need be.

        Raises RateLimited where the customer's own bodies are in the way, ServiceBusy where those of others are.
        """
        place = Place(customer_id, size)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._wait_seconds):
                while not self._fits(place):
                    self._changed.clear()
                    await self._changed.wait()
                self._held.append(place)
                return place
        if not self._customer.admits(self._of(customer_id), size):
            raise RateLimited(
                "As many large requests of yours as allowed are being received; try again shortly.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        raise ServiceBusy("As many large requests as possible are being received; try again shortly.")

    def give_back(self, place: Place) -> None:
        """Free a place for the next body."""
        self._held.remove(place)
        self._changed.set()

    def _fits(self, place: Place) -> bool:
        return self._process.admits(self._held, place.size) and self._customer.admits(
            self._of(place.customer_id), place.size
        )

    def _of(self, customer_id: CustomerId) -> list[Place]:
        return [place for place in self._held if place.customer_id == customer_id]
