"""Work that waits for a worker: asked for, leased, watched and ended. In memory, because it is about now.

The customer's request waits here while a worker has the work. A worker that falls silent loses it to the next one;
work that nobody waits for any more is dropped.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from api.workers.registry import WorkerRegistry
from octavo.errors import InternalError, OctavoError, StaleLease
from octavo.identifiers import CustomerId, WorkerId

LOOK_SECONDS = 1.0
"""How often a waiting request checks whether the worker that has its work is still alive."""
MAX_ATTEMPTS = 5
Task = TypeVar("Task")
Answer = TypeVar("Answer")


@dataclass(eq=False, slots=True)
class Job(Generic[Task, Answer]):
    """One piece of work, from the first request for it until it has ended or nobody waits for it."""

    job_id: str
    customer_id: CustomerId
    task: Task
    answer: "asyncio.Future[Answer]"
    askers: int = 0
    """How many requests wait for the answer."""
    attempt: int = 0
    """The fencing token: counts the workers that were given it."""
    worker_id: WorkerId | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the worker that has it need not continue; another one for each attempt."""
    is_ending: bool = False
    """Whether its end is being recorded: until that is done nobody else may end it."""

    def succeed(self, answer: Answer) -> None:
        """Give this answer to everyone who waits."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: OctavoError) -> None:
        """Raise this error for everyone who waits."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # where nobody waits any more, asyncio must not complain that nobody has looked

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Keep others from ending it, and a time limit from taking effect, while its end is recorded."""
        self.is_ending = True
        try:
            yield
        finally:
            self.is_ending = False


class Broker(Generic[Task, Answer]):
    """Hands one kind of work to the workers that ask for it.

    Lives on the event loop of this process, so that nothing in it is locked.
    """

    def __init__(self, workers: WorkerRegistry, *, outlives_askers: bool) -> None:
        """With `outlives_askers` work that a worker has begun continues when nobody waits for it any more."""
        self._workers = workers
        self._outlives_askers = outlives_askers
        self._jobs: dict[str, Job[Task, Answer]] = {}
        """By id, the oldest first."""
        self._changed = asyncio.Event()
        self._turn = 0
        self._last_turn: dict[CustomerId, int] = {}
        """When each customer was last given a worker."""
        self._is_closed = False

    def close(self) -> None:
        """Answer every worker that waits: this process ends."""
        self._is_closed = True
        self._changed.set()
        for job in self._jobs.values():
            job.released.set()

    @property
    def jobs(self) -> list[Job[Task, Answer]]:
        """All jobs, waiting or with a worker, the oldest first; those that have their answer are over."""
        return [job for job in self._jobs.values() if not job.answer.done()]

    def of_customer(self, customer_id: CustomerId) -> list[Job[Task, Answer]]:
        """Return the jobs of one customer."""
        return [job for job in self.jobs if job.customer_id == customer_id]

    def find(self, job_id: str) -> Job[Task, Answer] | None:
        """Return a job by its id."""
        return self._jobs.get(job_id)

    def add(self, job_id: str, customer_id: CustomerId, task: Task) -> Job[Task, Answer]:
        """Put a job up for the next worker that asks."""
        job: Job[Task, Answer] = Job(job_id, customer_id, task, asyncio.get_running_loop().create_future())
        self._jobs[job_id] = job
        self._changed.set()
        return job

    def remove(self, job: Job[Task, Answer]) -> None:
        """Take a job off; a worker that has it need not continue."""
        if self._jobs.get(job.job_id) is job:
            del self._jobs[job.job_id]
        job.released.set()
        if not self._jobs:
            self._last_turn.clear()

    async def wait(self, job: Job[Task, Answer], seconds: float) -> Answer:
        """Return a job's answer. Raises what it failed with, and TimeoutError when it has not ended in time."""
        job.askers += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(job)
        except TimeoutError:
            # An end that is being recorded counts: whoever is told of a timeout must not be billed.
            while job.is_ending:
                await asyncio.wait({job.answer}, timeout=LOOK_SECONDS)
            if job.answer.done():
                return job.answer.result()
            raise
        finally:
            job.askers -= 1
            if not job.askers and (job.worker_id is None or not self._outlives_askers):
                self.remove(job)

    async def _answer(self, job: Job[Task, Answer]) -> Answer:
        """Wait, and let another worker take over from one that is gone."""
        while True:
            done, _ = await asyncio.wait({job.answer}, timeout=LOOK_SECONDS)
            if done:
                return job.answer.result()
            if job.worker_id is not None and not job.is_ending and self._workers.is_silent(job.worker_id):
                if job.attempt >= MAX_ATTEMPTS:
                    raise InternalError("The workers that had this work were lost repeatedly.")
                self._take_back(job)

    def _take_back(self, job: Job[Task, Answer]) -> None:
        job.released.set()
        job.worker_id = None
        if job.askers:
            self._changed.set()
        else:
            self.remove(job)

    async def claim(
        self, worker_id: WorkerId, wait_seconds: float, *, lease_seconds: float | None = None
    ) -> Job[Task, Answer] | None:
        """Lease the next job to a worker, waiting for one; the job is taken back after `lease_seconds`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_seconds
        while True:
            self._workers.heartbeat(worker_id)
            if (job := self._next()) is not None:
                self._lease(job, worker_id)
                if lease_seconds is not None:
                    loop.call_later(lease_seconds, self._expire, job, job.attempt)
                return job
            left = until - loop.time()
            if left <= 0 or self._is_closed:
                return None
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await self._changed.wait()

    def _next(self) -> Job[Task, Answer] | None:
        """Return the oldest waiting job of the customer whose turn it is: fewest in progress, served longest ago."""
        in_work = Counter(job.customer_id for job in self._jobs.values() if job.worker_id is not None)

        def rank(job: Job[Task, Answer]) -> tuple[int, int]:
            return in_work[job.customer_id], self._last_turn.get(job.customer_id, 0)

        return min((job for job in self._jobs.values() if job.worker_id is None), key=rank, default=None)

    def _lease(self, job: Job[Task, Answer], worker_id: WorkerId) -> None:
        self._turn += 1
        self._last_turn[job.customer_id] = self._turn
        job.worker_id, job.attempt, job.released = worker_id, job.attempt + 1, asyncio.Event()

    def _expire(self, job: Job[Task, Answer], attempt: int) -> None:
        if self._jobs.get(job.job_id) is job and job.attempt == attempt and job.worker_id is not None:
            self._take_back(job)

    async def watch(self, job_id: str, attempt: int, wait_seconds: float) -> bool:
        """Return whether somebody still waits for a job after so many seconds; False as soon as nobody does."""
        job = self._jobs.get(job_id)
        if job is None or not self._has(job, attempt):
            return False
        if not self._is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await job.released.wait()
        return self._has(job, attempt)

    def leased(self, job_id: str, attempt: int) -> Job[Task, Answer]:
        """Return a job that a worker has under this attempt and may end. Raises StaleLease."""
        job = self._jobs.get(job_id)
        if job is None or not self._has(job, attempt) or job.is_ending or job.answer.done():
            raise StaleLease("nobody waits for this work any more, or another worker has it")
        return job

    def _has(self, job: Job[Task, Answer], attempt: int) -> bool:
        return self._jobs.get(job.job_id) is job and job.attempt == attempt and job.worker_id is not None
