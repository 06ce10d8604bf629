"""Shows open lanes in Prefect: as many slots of `customer:<id>` are taken as this worker has lanes open.

The ledger decides; these slots make the limit visible and real for whatever else uses it. They
are taken off the path of the work, in one lease per slot, and where Prefect has none to give
the lane works on. A dead worker's leases run out by themselves.
"""

import logging
import threading
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError

from octavo.identifiers import CustomerId
from octavo.workbench import Workbench

logger = logging.getLogger(__name__)
LEASE_SECONDS = 60
RENEW_SECONDS = 20.0
SETTLE_SECONDS = 0.25
"""Between two looks at the bench: a lane that goes from one slice to the next keeps its slot."""
TROUBLE = (httpx.HTTPError, PrefectHTTPStatusError)


class LaneSlots:
    """Keeps Prefect's slots equal to the bench's lanes; one lease of Prefect's per lane."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._leases: dict[CustomerId, list[UUID]] = {}
        self._has_changed = threading.Event()
        self._client: PrefectClient | None = None

    def changed(self) -> None:
        """Say, from any thread, that lanes were opened or closed."""
        self._has_changed.set()

    async def run(self) -> None:
        """Follow the bench for ever."""
        renewed = anyio.current_time()
        while True:
            await anyio.sleep(SETTLE_SECONDS)
            if anyio.current_time() - renewed >= RENEW_SECONDS:
                renewed = anyio.current_time()
                await self._renew()
            if self._has_changed.is_set():
                self._has_changed.clear()
                await self._follow()

    async def release_all(self) -> None:
        """Give every slot back."""
        for customer_id in list(self._leases):
            await self._give_back(customer_id, 0)
        if self._client is not None:
            await self._client.__aexit__(None, None, None)
            self._client = None

    async def _follow(self) -> None:
        lanes = self._bench.lanes_by_customer()
        for customer_id in {*lanes, *self._leases}:
            await self._give_back(customer_id, lanes.get(customer_id, 0))
            await self._take(customer_id, lanes.get(customer_id, 0))

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
            # Full (423), or Prefect is away: the ledger has opened the lane, so it works on without.
            logger.info("no slot for a lane of %s: %s", customer_id, error)

    async def _give_back(self, customer_id: CustomerId, wanted: int) -> None:
        leases = self._leases.get(customer_id, [])
        client = await self._connected()
        while len(leases) > wanted:
            try:
                await client.release_concurrency_slots_with_lease(leases.pop())
            except TROUBLE as error:
                logger.info("a slot of %s runs out by itself: %s", customer_id, error)
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
