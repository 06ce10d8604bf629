"""Shows in Prefect how many slots each customer has taken: as many of `customer:<id>` as this worker has taken.

The ledger decides; these slots make the limit visible and real for whatever else uses it. They are taken off the path
of the work, in one lease per slot, and where Prefect has none to give the work continues. A dead worker's leases are
released by the next life of its name, if that finds the note of them, or expire by themselves within a minute.
"""

import json
import logging
import math
import threading
from pathlib import Path
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError

from octavo.identifiers import CustomerId
from octavo.worker import SliceWorker

logger = logging.getLogger(__name__)
LEASE_SECONDS = 60
RENEW_SECONDS = 20.0
SETTLE_SECONDS = 0.25
"""Between two looks at the slots of this worker."""
LINGER_SECONDS = 1.0
"""How long a slot is kept after its slice: one that goes from one slice to the next is free for a moment."""
TROUBLE = (httpx.HTTPError, PrefectHTTPStatusError)


class CustomerSlots:
    """Keeps Prefect's slots equal to those that this worker has taken; one lease of Prefect's per slot."""

    def __init__(
        self, slice_worker: SliceWorker, note: Path | None = None, *, linger_seconds: float = LINGER_SECONDS
    ) -> None:
        self._slice_worker = slice_worker
        self._linger_seconds = linger_seconds
        self._note = note
        """A file that names the leases held, for a next life of this worker."""
        self._noted: list[str] = []
        self._leases: dict[CustomerId, list[UUID]] = {}
        self._high: dict[CustomerId, tuple[int, float]] = {}
        """The most slots seen lately, and until when they count."""
        self._has_changed = threading.Event()
        self._again = math.inf
        """When to ask once more for a slot that was not free."""
        self._client: PrefectClient | None = None

    def changed(self) -> None:
        """Say, from any thread, that slots were taken or freed."""
        self._has_changed.set()

    async def run(self) -> None:
        """Follow the worker for ever."""
        await self._release_left_over()
        renewed = anyio.current_time()
        while True:
            await anyio.sleep(SETTLE_SECONDS)
            if anyio.current_time() - renewed >= RENEW_SECONDS:
                renewed = anyio.current_time()
                await self._renew()
            if self._has_changed.is_set() or anyio.current_time() >= self._again:
                self._has_changed.clear()
                self._again = math.inf
                await self._follow()

    async def release_all(self) -> None:
        """Give every slot back."""
        for customer_id in list(self._leases):
            await self._give_back(customer_id, 0)
        self._write_note()
        if self._client is not None:
            await self._client.__aexit__(None, None, None)
            self._client = None

    def _write_note(self) -> None:
        held = [str(lease) for leases in self._leases.values() for lease in leases]
        if self._note is not None and held != self._noted:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(json.dumps(held))
            self._noted = held

    async def _release_left_over(self) -> None:
        """Give back what an earlier life of this worker held when it was killed."""
        try:
            left = json.loads(self._note.read_text()) if self._note is not None else []
        except (FileNotFoundError, ValueError):
            # Never written, or cut off in the middle: those leases run out.
            return
        for lease in left:
            await self._release(UUID(lease))

    async def _release(self, lease: UUID) -> None:
        try:
            await (await self._connected()).release_concurrency_slots_with_lease(lease)
        except TROUBLE as error:
            logger.info("lease %s expires by itself: %s", lease, error)

    async def _follow(self) -> None:
        slots = self._slice_worker.slots_by_customer()
        for customer_id in {*slots, *self._leases, *self._high}:
            now = slots.get(customer_id, 0)
            await self._give_back(customer_id, self._lately(customer_id, now))
            if now:
                await self._take(customer_id, now)
        self._write_note()

    def _lately(self, customer_id: CustomerId, slots: int) -> int:
        """Return the most slots seen lately; while these are more than now, the worker is looked at again."""
        moment = anyio.current_time()
        high, until = self._high.get(customer_id, (0, 0.0))
        if slots >= high or moment >= until:
            high, until = slots, moment + self._linger_seconds
        self._high[customer_id] = (high, until)
        if high > slots:
            self._has_changed.set()
        elif not high:
            del self._high[customer_id]
        return high

    async def _connected(self) -> PrefectClient:
        if self._client is None:
            self._client = await get_client().__aenter__()
        return self._client

    async def _take(self, customer_id: CustomerId, wanted: int) -> None:
        leases = self._leases.setdefault(customer_id, [])
        try:
            client = await self._connected()
            while len(leases) < wanted:
                answer = await client.increment_concurrency_slots_with_lease(
                    [f"customer:{customer_id}"], 1, "concurrency", LEASE_SECONDS
                )
                leases.append(UUID(answer.json()["lease_id"]))
        except TROUBLE as error:
            # Full (423), or Prefect is away: the ledger has given the slot, so the work continues without. Prefect is
            # asked again, for another worker keeps a slot for a moment, and a dead one for a minute.
            self._again = anyio.current_time() + self._linger_seconds
            logger.info("Prefect has no slot for %s: %s", customer_id, error)

    async def _give_back(self, customer_id: CustomerId, wanted: int) -> None:
        leases = self._leases.get(customer_id, [])
        while len(leases) > wanted:
            await self._release(leases.pop())
        if not leases:
            self._leases.pop(customer_id, None)

    async def _renew(self) -> None:
        for customer_id, leases in self._leases.items():
            client = await self._connected()
            for lease in list(leases):
                try:
                    await client.renew_concurrency_lease(lease, LEASE_SECONDS)
                except TROUBLE as error:
                    logger.info("a slot of %s is lost: %s", customer_id, error)
                    leases.remove(lease)
                    self._has_changed.set()
