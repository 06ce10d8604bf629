"""Puts right what died: silent workers, leases that ran out, batches without a living run.

Reads the ledger, asks the dispatcher for new runs; a crashed run is never scheduled again. Gives batches
further runs where other workers can help, and withdraws runs that nobody takes.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from api.orchestrator.dispatch import TROUBLE, Dispatcher, RunView, told
from api.orchestrator.further_runs import could_be_taken, superfluous_runs, wants_further_run
from api.orchestrator.run_delivery import RunDelivery
from api.periodic_task import STARTING_SECONDS, PeriodicTask
from api.threads import in_thread
from api.workers.registry import WorkerRegistry
from octavo.batches import Run, RunStatus
from octavo.errors import BatchNotFound
from octavo.identifiers import BatchId, CustomerId, RunId, WorkerId
from octavo.ledger.contract import Ledger, OpenBatch
from octavo.service.estimates import Estimates
from octavo.timestamps import now

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 1.0
ABSENCE = timedelta(seconds=5)
"""Between two looks for the dead: then this process was stopped, or its machine slept, and heard nobody."""
LONGEST_PAUSE_SECONDS = 60.0
PATIENCE = timedelta(seconds=5)
"""How long a run that was made may say nothing before Prefect is asked about it, and between two questions."""
TOO_LONG = timedelta(seconds=60)
"""How long a run may wait beside a worker that has room and is not kept from it; then it is made anew."""
LIMITS_SECONDS = 30.0
"""Between two looks whether Prefect still shows the caps of customers with open batches."""
BEGINNING = timedelta(seconds=30)
"""How long a run may be on its way from Prefect's Pending to its first word here; then its worker has died."""
QUESTIONS_PER_PASS = 10
LEAST_PAUSE_SECONDS = 0.1
"""Between two looks for workers that could help, however much news there is."""
BATCH_IS_OVER = "The batch ended before a worker took this run."
NO_WORKER_IS_LEFT = "Every live worker is already working on this batch."
STRANDED = "Its work pool was deleted before a worker took this run; the batch gets another."
WAITED_TOO_LONG = "No worker took this run although one had room; the batch gets another."


def needs_run(found: OpenBatch) -> bool:
    """Whether a batch has items that nobody holds and no run to claim them."""
    return found.unleased > 0 and not found.runs


def is_overdue(run: Run, moment: datetime) -> bool:
    """Whether a run was made a good while ago, or the clock was set back since, and no worker has opened it."""
    age = moment - run.created_at
    return run.status is RunStatus.STARTING and not timedelta() <= age <= PATIENCE


class Restarts:
    """How soon a batch may have another run beside those it has: at once after progress, later and later without.

    A run that ends at once, for a defect or a missing module, would otherwise be created again every second.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[BatchId, int], tuple[int, int, float]] = {}

    def may_start(self, found: OpenBatch, moment: float) -> bool:
        """Whether it is time; `moment` is monotonic seconds. A yes counts as a start."""
        done = found.batch.total_items - found.batch.counts.unfinished
        beside = (found.batch.batch_id, len(found.runs))
        was_done, fruitless, started = self._seen.get(beside, (-1, 0, 0.0))
        if done > was_done:
            fruitless = 0
        elif moment - started < min(2.0**fruitless, LONGEST_PAUSE_SECONDS):
            return False
        self._seen[beside] = (done, fruitless + 1, moment)
        return True

    def keep(self, batch_ids: Collection[BatchId]) -> None:
        """Forget every other batch."""
        self._seen = {beside: seen for beside, seen in self._seen.items() if beside[0] in batch_ids}


def _task(name: str, work: Callable[[], Awaitable[float | None]]) -> PeriodicTask:
    # Whatever happens in a pass, the next one looks again: nothing else would clear up after the dead.
    return PeriodicTask(
        name,
        work,
        seconds=PERIOD_SECONDS,
        longest_pause_seconds=PERIOD_SECONDS,
        survives_defects=True,
        logger=logger,
    )


class Reconciler:
    """One pass a second over everything that is not finished."""

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        workers: WorkerRegistry,
        estimates: Estimates,
        run_delivery: RunDelivery,
    ) -> None:
        self._ledger = ledger
        self._run_delivery = run_delivery
        self._limits_shown = time.monotonic()
        self._dispatcher = dispatcher
        self._workers = workers
        self._estimates = estimates
        self._restarts = Restarts()
        self._asked: dict[RunId, float] = {}
        self._first_asked: dict[RunId, float] = {}
        self._questions = 0
        self._began = time.monotonic()
        self._looked = now()
        self._workers_task = _task("the check for dead workers", self._take_from_the_dead)
        self._batches_task = _task("a reconciling pass", self._watch_batches)

    async def run(self) -> None:
        """Reconcile until this is cancelled; a pass that fails is repeated."""
        # Two tasks, as one of them waits for Prefect: a dead worker's items must not wait for it, too.
        await asyncio.gather(self._workers_task.run(at_once=True), self._batches_task.run(at_once=True))

    async def _watch_batches(self) -> float:
        await self._pass()
        await self._follow_news(time.monotonic() + PERIOD_SECONDS)
        return 0.0

    async def _follow_news(self, until: float) -> None:
        """Until the next pass, see at once whether a worker that came, or a run that was made, calls for another."""
        while (left := until - time.monotonic()) > 0:
            if await self._workers.wait_for_change(left):
                if len(self._workers.alive()) > 1:
                    await self._share(await in_thread(self._ledger.runs.open_batches))
                await asyncio.sleep(LEAST_PAUSE_SECONDS)

    async def _pass(self) -> None:
        await self._take_from_the_dead()
        batches = await in_thread(self._ledger.runs.open_batches)
        self._estimates.observe(batches)
        self._restarts.keep({found.batch.batch_id for found in batches})
        self._questions = 0
        starting = await in_thread(self._ledger.runs.starting)
        known = {run.run_id for run in starting}
        self._asked = {run_id: asked for run_id, asked in self._asked.items() if run_id in known}
        self._first_asked = {run_id: asked for run_id, asked in self._first_asked.items() if run_id in known}
        for found in batches:
            await self._look_after(found)
        await self._share(batches)
        await self._show_limits(batches)
        are_open = {found.batch.batch_id for found in batches}
        for run in starting:
            if run.batch_id not in are_open:
                await self._clear_away(run)
        for run in await in_thread(self._ledger.runs.lost):
            try:
                await self._dispatcher.crash(run)
            except TROUBLE as error:
                logger.log(self._level(), "Prefect cannot be told of lost run %s yet: %s", run.run_id, told(error))

    async def _take_from_the_dead(self) -> None:
        moment = now()
        if moment - self._looked > ABSENCE:
            logger.warning("this process was suspended for %s; workers are given time to report", moment - self._looked)
            self._workers.was_silent()
        self._looked = moment
        # Leases that ran out while nobody could renew them say nothing of their workers.
        if self._workers.is_listening:
            await in_thread(self._ledger.work.expire_leases)
        for worker_id in await in_thread(self._ledger.work.workers):
            if self._workers.is_silent(worker_id):
                logger.warning("worker %s is silent; its leases are revoked", worker_id)
                await in_thread(partial(self._ledger.work.revoke, worker_id=worker_id))

    async def _look_after(self, found: OpenBatch) -> None:
        batch_id = found.batch.batch_id
        if self._dispatcher.is_starting(batch_id):
            return
        for run in found.runs:
            if run.status is RunStatus.STARTING and run.run_id is None:
                self._dispatcher.resume(run)
            elif run.run_id is not None and is_overdue(run, now()) and self._may_ask(run.run_id):
                await self._ask_about(run, run.run_id, superfluous=await self._why_withdrawn(found, run))
        if needs_run(found) and self._restarts.may_start(found, time.monotonic()):
            logger.info("batch %s has no run; one is created", batch_id)
            self._dispatcher.start(batch_id)

    async def _why_withdrawn(self, found: OpenBatch, run: Run) -> str | None:
        """Return why a run goes if it still waits for a worker; None where it may go on waiting."""
        if run in superfluous_runs(found, self._workers.capacities({})):
            return NO_WORKER_IS_LEFT
        if run.run_id is None or self._age(run, run.run_id) <= TOO_LONG or self._run_delivery.obstacle is not None:
            return None
        held = Counter[WorkerId]()
        for one in await in_thread(self._ledger.work.held_slots):
            held[one.worker_id] += one.slots
        return WAITED_TOO_LONG if could_be_taken(found, self._workers.capacities(held)) else None

    async def _show_limits(self, batches: Sequence[OpenBatch]) -> None:
        """Have Prefect show the caps of all customers with open batches again, in case somebody deleted one."""
        if not batches or time.monotonic() - self._limits_shown < LIMITS_SECONDS:
            return
        self._limits_shown = time.monotonic()
        theirs = {found.batch.customer_id for found in batches}
        try:
            customers = await in_thread(self._ledger.accounts.customers)
            await self._dispatcher.show_limits([one for one in customers if one.customer_id in theirs])
        except TROUBLE as error:
            logger.info("Prefect does not show the caps of customers now: %s", error)

    async def _share(self, batches: Sequence[OpenBatch]) -> None:
        """Give a further run to batches on which a worker that has them not open could help."""
        if not any(found.unleased and found.runs for found in batches) or len(self._workers.alive()) < 2:
            return
        held = await in_thread(self._ledger.work.held_slots)
        of_worker, of_customer = Counter[WorkerId](), Counter[CustomerId]()
        for one in held:
            of_worker[one.worker_id] += one.slots
            of_customer[one.customer_id] += one.slots
        caps = {
            customer.customer_id: customer.item_cap for customer in await in_thread(self._ledger.accounts.customers)
        }
        rooms = self._workers.capacities(of_worker)
        for found in batches:
            customer_id, batch_id = found.batch.customer_id, found.batch.batch_id
            cap = caps.get(customer_id, 0)
            wants = wants_further_run(found, cap=cap, places=cap - of_customer[customer_id], workers=rooms)
            # One at a time: that it was made is news, upon which the next one is looked for.
            if (
                wants
                and not self._dispatcher.is_starting(batch_id)
                and self._restarts.may_start(found, time.monotonic())
            ):
                logger.info("batch %s gets a further run, for a worker that has room", batch_id)
                self._dispatcher.start(batch_id)

    async def _clear_away(self, run: Run) -> None:
        """End a run whose batch ended before a worker took it; otherwise Prefect would show it as late for ever."""
        if self._dispatcher.is_starting(run.batch_id):
            return
        if run.run_id is None:
            self._dispatcher.resume(run)
        elif is_overdue(run, now()) and self._may_ask(run.run_id):
            await self._ask_about(run, run.run_id, superfluous=BATCH_IS_OVER)

    def _may_ask(self, run_id: RunId) -> bool:
        """Whether Prefect may be asked about a run now: seldom about one, and about few in a pass."""
        moment = time.monotonic()
        if self._questions >= QUESTIONS_PER_PASS or moment - self._asked.get(run_id, 0.0) < PATIENCE.total_seconds():
            return False
        self._asked[run_id] = moment
        self._first_asked.setdefault(run_id, moment)
        self._questions += 1
        return True

    def _level(self) -> int:
        """Return how loud a Prefect that does not answer is told: softly while it may still be starting."""
        return logging.INFO if time.monotonic() - self._began < STARTING_SECONDS else logging.WARNING

    def _age(self, run: Run, run_id: RunId) -> timedelta:
        """Return how old a run is; since it was first asked about where the clock was set back after it was made."""
        age = now() - run.created_at
        if age >= timedelta():
            return age
        return timedelta(seconds=time.monotonic() - self._first_asked.get(run_id, time.monotonic()))

    async def _ask_about(self, run: Run, run_id: RunId, *, superfluous: str | None) -> None:
        """Act on what Prefect says of an overdue run; `superfluous` is why it goes if it still waits for a worker."""
        try:
            view = await self._dispatcher.look(run_id)
            if view is RunView.STRANDED and superfluous is None and self._run_delivery.obstacle is None:
                superfluous = STRANDED
            if view in (RunView.WAITING, RunView.STRANDED) and superfluous is not None:
                logger.info("run %s of batch %s is withdrawn: %s", run_id, run.batch_id, superfluous)
                await self._dispatcher.withdraw(run, superfluous)
        except TROUBLE as error:
            logger.log(self._level(), "Prefect says nothing about run %s: %s", run_id, told(error))
            return
        if view is RunView.CANCELLED:
            # Cancelled before it began: no worker has seen it, so nobody else would cancel the batch.
            logger.info("batch %s was cancelled in Prefect", run.batch_id)
            with contextlib.suppress(BatchNotFound):
                await in_thread(lambda: self._ledger.batches.cancel(run.customer_id, run.batch_id))
            # Prefect shows Cancelling until somebody says that it is over: told with the lost runs of this pass.
            await in_thread(lambda: self._ledger.work.revoke(run_id=run_id))
        elif view is RunView.GONE:
            await self._dispatcher.ended_in_silence(run)
        elif view is RunView.BEGUN and self._age(run, run_id) > BEGINNING:
            logger.warning("run %s was begun and never reported; it counts as lost", run_id)
            await in_thread(lambda: self._ledger.work.revoke(run_id=run_id))
