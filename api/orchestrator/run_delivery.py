"""Whether Prefect gives the runs of batches to workers: the deployment, its work pool and its queue, as Prefect tells.

People may pause each of them, and delete them. What is missing, workers create again while they run
(`deployments/register.py`); what is paused stays paused, and is told.
"""

import logging
import time
from dataclasses import dataclass

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from api.orchestrator.dispatch import TROUBLE, Dispatcher
from api.periodic_task import STARTING_SECONDS, PeriodicTask

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps runs from workers, as a sentence; whether somebody wants it so."""

    message: str
    is_pause: bool


class RunDelivery:
    """Knows what keeps runs from being given to workers; looks every few seconds."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self.obstacle: Obstacle | None = None
        """What was in the way at the last look; while Prefect does not answer, nothing new is known."""
        self._began = time.monotonic()
        self._was_well = False
        self._task = PeriodicTask(
            "the look at the work pool",
            self._pass,
            seconds=PERIOD_SECONDS,
            longest_pause_seconds=PERIOD_SECONDS,
            passing=TROUBLE,
            logger=logger,
        )

    @property
    def is_paused(self) -> bool:
        """Whether somebody has paused the deployment, its work pool or its queue."""
        return self.obstacle is not None and self.obstacle.is_pause

    @property
    def trouble(self) -> str | None:
        """What an operator should know; not that a first worker, which registers the deployment, is yet to start."""
        return None if self.obstacle is None or self._is_starting(self.obstacle) else self.obstacle.message

    def _is_starting(self, found: Obstacle) -> bool:
        is_young = time.monotonic() - self._began < STARTING_SECONDS
        return is_young and not (self._was_well or found.is_pause)

    async def run(self) -> None:
        """Look until this is cancelled."""
        await self._task.run(at_once=True)

    async def _pass(self) -> None:
        await self.look()

    async def look(self) -> Obstacle | None:
        """Return what keeps runs from workers now. Raises what a client of Prefect does."""
        found = await _obstacle(await self._dispatcher.prefect(), self._dispatcher.deployment)
        if found != self.obstacle:
            self._dispatcher.forget()
            if found is None:
                logger.info("runs are given to workers again")
            else:
                level = logging.INFO if self._is_starting(found) else logging.WARNING
                logger.log(level, "no run is given to a worker: %s", found.message)
        self.obstacle = found
        self._was_well |= found is None
        return found


async def _obstacle(client: PrefectClient, name: str) -> Obstacle | None:
    try:
        deployment = await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return _missing(f"Prefect has no deployment {name}")
    if deployment.paused:
        return _paused(f"the deployment {name}")
    return await _obstacle_in_pool(client, deployment)


async def _obstacle_in_pool(client: PrefectClient, deployment: DeploymentResponse) -> Obstacle | None:
    pool, queue = deployment.work_pool_name, deployment.work_queue_name
    if pool is None:
        return _missing(f"the deployment {deployment.name} has lost its work pool")
    try:
        found = await client.read_work_pool(pool)
        if found.is_paused:
            return _paused(f"the work pool {pool}")
        if found.concurrency_limit == 0:
            return Obstacle(f"the work pool {pool} has a concurrency limit of 0 in Prefect; raise it there", True)
        if queue is not None and (await client.read_work_queue_by_name(queue, work_pool_name=pool)).is_paused:
            return _paused(f"the queue {queue} of the work pool {pool}")
    except ObjectNotFound:
        return _missing(f"Prefect has no work pool {pool} with a queue {queue}")
    return None


def _missing(what: str) -> Obstacle:
    return Obstacle(f"{what}; a worker creates it again within seconds, as long as one runs", False)


def _paused(what: str) -> Obstacle:
    return Obstacle(f"{what} is paused in Prefect; no new run begins until it is resumed there", True)
