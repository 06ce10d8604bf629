"""Has deliveries sent: starts the flow that sends them when one is due, and hands them out to it.

The ledger says when something is due, Prefect is asked only to start a run, and about one that never reported.
Nothing here is remembered over a restart: whatever is due then is due still, in the ledger.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from api.orchestrator.dispatch import TROUBLE, Dispatcher, RunView
from api.periodic_task import PeriodicTask
from api.threads import in_thread
from api.workers.registry import WorkerRegistry
from octavo.client.delivery_protocol import DeliveryClaim, Outgoing
from octavo.errors import LedgerUnavailable
from octavo.identifiers import DeliveryId, RunId, WorkerId
from octavo.ledger.contract import HeldDelivery, Ledger
from octavo.service.webhook_messages import WebhookMessages
from octavo.settings import WebhookSettings
from octavo.timestamps import now
from octavo.webhooks.records import AttemptReport, DueDelivery

logger = logging.getLogger(__name__)
STARTING_SECONDS = 10.0
"""How long a run that was made may say nothing before Prefect is asked about it."""
SENDING_SECONDS = 10.0
"""How long a run that sends may say nothing, beside the longest POST; then it counts as lost."""
LEAST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0
SILENCE_LOOK_SECONDS = 1.0
"""How often, while deliveries are under way, it is looked whether their workers still report."""
LONGEST_SLEEP_SECONDS = 60.0
"""The clock may be set meanwhile."""
MARGIN_SECONDS = 20.0
"""How much longer than a POST its lease is: for the report about it, which waits while this process is started again.

What a dead worker holds is given to another as soon as its death is known, after a restart of this process when the
lease has run out.
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who has a delivery under way."""

    worker_id: WorkerId
    held: HeldDelivery
    until: float
    """When its lease runs out, by the monotonic clock."""


class Deliveries:
    """The way out of the ledger's outbox, as far as it leads through this process."""

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        workers: WorkerRegistry,
        messages: WebhookMessages,
        given: WebhookSettings,
    ) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._workers = workers
        self._given = given
        self._messages = messages
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._is_closed = False
        self._waiting = 0
        self._alive_until = 0.0
        self._made: RunId | None = None
        """A run that was made and has not reported."""
        self._deployment_id: UUID | None = None
        self._task = PeriodicTask(
            "the sending of webhooks",
            self._see_to_runs,
            seconds=LONGEST_SLEEP_SECONDS,
            first_pause_seconds=LEAST_PAUSE_SECONDS,
            longest_pause_seconds=LONGEST_PAUSE_SECONDS,
            passing=(*TROUBLE, LedgerUnavailable),
            logger=logger,
        )
        self._senders: dict[DeliveryId, Sender] = {}
        """Who sends what. Not remembered over a restart: then leases run out."""

    @property
    def _lease_seconds(self) -> float:
        return self._given.post_seconds + MARGIN_SECONDS

    @property
    def waiting(self) -> int:
        """How many claims wait."""
        return self._waiting

    # News

    def _wake(self) -> None:
        """Look again; on a thread of the ledger's, at the end of a commit."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who waited
                self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
        self._task.wake()

    async def close(self) -> None:
        """Answer every claim that waits: this process ends."""
        self._is_closed = True
        self._ring()

    # Starting runs

    async def run(self) -> None:
        """See to it, until this is cancelled, that what is due has a run that sends it."""
        self._loop = asyncio.get_running_loop()
        self._ledger.deliveries.watch(self._wake)
        await self._task.run(at_once=True)

    async def _see_to_runs(self) -> float:
        try:
            return await self._look()
        except TROUBLE:
            self._deployment_id = None  # it may be another Prefect that answers next
            raise

    async def _look(self) -> float:
        """Start a run if one is needed; returns in how many seconds to look again, if there are no news before."""
        await self.take_from_the_silent()
        longest = SILENCE_LOOK_SECONDS if self._senders else LONGEST_SLEEP_SECONDS
        due_at = await in_thread(self._ledger.deliveries.next_at)
        if due_at is None:
            return longest
        seconds = (due_at - now()).total_seconds()
        if seconds > 0:
            return min(seconds, longest)
        alive = self._alive_until - time.monotonic()
        if self._waiting or alive > 0:
            return max(alive, LEAST_PAUSE_SECONDS)
        await self._start()
        return STARTING_SECONDS

    async def take_from_the_silent(self) -> None:
        """Take what they are sending from workers that have not been heard of for too long."""
        for sender in [one for one in self._senders.values() if time.monotonic() > one.until]:
            self._forget(sender.held)
        for worker_id in self.senders():
            if self._workers.is_silent(worker_id):
                await self.take_from(worker_id)

    def senders(self) -> set[WorkerId]:
        """Return the workers that have deliveries under way."""
        return {one.worker_id for one in self._senders.values()}

    async def take_from(self, worker_id: WorkerId) -> None:
        """End the leases of a worker that is lost, or gone: what it was sending is due again."""
        held = [one.held for one in self._senders.values() if one.worker_id == worker_id]
        if not held:
            return
        count = await in_thread(lambda: self._ledger.deliveries.give_back(held))
        for one in held:
            self._forget(one)
        if count:
            logger.warning("worker %s is gone; %d deliveries it was sending are due again", worker_id, count)
            self._alive_until = 0.0
            self._ring()

    def _forget(self, held: HeldDelivery) -> None:
        found = self._senders.get(held.delivery_id)
        if found is not None and found.held == held:
            del self._senders[held.delivery_id]

    async def _start(self) -> None:
        if self._made is not None and await self._dispatcher.look(self._made) is RunView.WAITING:
            logger.info("flow run %s, which sends webhooks, waits for a worker", self._made)
        else:
            self._made = await self._make()
            logger.info("deliveries are due; flow run %s sends them", self._made)
        self._alive_until = time.monotonic() + STARTING_SECONDS
        await self._workers.notify()

    async def _make(self) -> RunId:
        client = await self._dispatcher.prefect()
        if self._deployment_id is None:
            self._deployment_id = (await client.read_deployment_by_name(self._given.deployment)).id
        made = await client.create_flow_run_from_deployment(self._deployment_id, name="Webhooks", tags=["webhooks"])
        return RunId(str(made.id))

    # What the flow asks and tells

    async def claim(self, asked: DeliveryClaim, wait_seconds: float) -> list[Outgoing]:
        """Return deliveries as soon as any is due; none when the time is over first."""
        self._made = None
        self._waiting += 1
        try:
            taken = await self._wait_for_due(asked.limit, time.monotonic() + wait_seconds)
        finally:
            self._waiting -= 1
        if asked.worker_id is not None:
            self._workers.heartbeat(asked.worker_id)
            until = time.monotonic() + self._lease_seconds
            held = [HeldDelivery(one.delivery.delivery_id, one.delivery.lease_no) for one in taken]
            self._senders |= {one.delivery_id: Sender(asked.worker_id, one, until) for one in held}
        if taken or asked.under_way:
            self._alive_until = time.monotonic() + self._given.post_seconds + SENDING_SECONDS
        else:
            self._alive_until = 0.0
            self._ring()  # whatever comes due from now on needs another run
        moment = now()
        return [self._messages.outgoing(due, moment=moment, seconds=self._given.post_seconds) for due in taken]

    async def _wait_for_due(self, limit: int, end: float) -> Sequence[DueDelivery]:
        lease_seconds = self._lease_seconds
        while True:
            news = self._news
            due_at = await in_thread(self._ledger.deliveries.next_at)
            if due_at is not None and due_at <= now():
                taken = await in_thread(lambda: self._ledger.deliveries.claim(limit=limit, lease_seconds=lease_seconds))
                if taken:
                    return taken
            left = end - time.monotonic()
            if left <= 0 or self._is_closed:
                return ()
            until_due = left if due_at is None else (due_at - now()).total_seconds()
            await _either(news, min(left, max(until_due, LEAST_PAUSE_SECONDS)))

    async def report(self, report: AttemptReport) -> bool:
        """Take a worker's report about an attempt; False when it came too late."""
        taken = await in_thread(lambda: self._ledger.deliveries.report(report, retry_seconds=self._given.retry_seconds))
        self._forget(HeldDelivery(report.delivery_id, report.lease_no))
        return taken

    async def prune(self) -> int:
        """Remove what is old enough; returns how many deliveries."""
        before = now() - timedelta(days=self._given.keep_days)
        return await in_thread(lambda: self._ledger.deliveries.prune(before))


async def _either(news: asyncio.Event, seconds: float) -> None:
    """Return when there are news, or the time is over."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), seconds)
