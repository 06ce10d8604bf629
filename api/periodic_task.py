"""Work that repeats for as long as the process lives: the one kind of loop in the API."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

STARTING_SECONDS = 120.0
"""How long after its start a process may find other parts of the service missing without a warning."""


class PeriodicTask:
    """Repeats a piece of work: at a fixed period, at once when it is woken, later and later while it fails.

    `work` may return how many seconds to wait before its next pass; None stands for the period. Errors of the types in
    `passing` are logged and the pass is repeated. Any other exception ends the loop, unless it `survives_defects`.
    The log tells when a kind of trouble begins and when it is over, not each attempt.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[float | None]],
        *,
        seconds: float,
        longest_pause_seconds: float,
        first_pause_seconds: float | None = None,
        passing: tuple[type[Exception], ...] = (),
        lasting: tuple[type[Exception], ...] = (),
        survives_defects: bool = False,
        logger: logging.Logger,
    ) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._passing = passing
        self._lasting = lasting
        self._logger = logger
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._well_at = time.monotonic()
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(Exception if survives_defects else passing),
            wait=wait_exponential(multiplier=first_pause_seconds or seconds, max=longest_pause_seconds),
            before_sleep=self._note_failure,
            sleep=asyncio.sleep,
        )
        self._made_at = time.monotonic()
        self._was_well = False
        self._is_told_softly = False
        self.trouble: BaseException | None = None
        """What the last pass failed with; None when it went well."""

    @property
    def seconds_since_success(self) -> float:
        """How long ago a pass went well, or the task was made."""
        return time.monotonic() - self._well_at

    def wake(self) -> None:
        """Have the next pass begin now, or right after the one under way; from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self, *, at_once: bool = False) -> None:
        """Repeat the work until this is cancelled; the first pass comes after one period unless `at_once`."""
        self._loop = asyncio.get_running_loop()
        pause: float | None = 0.0 if at_once else None
        while True:
            await self._pause(self._seconds if pause is None else pause)
            pause = await self._retrying(self._pass)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _pass(self) -> float | None:
        # Whatever wakes the task from here on may be news that this pass does not see any more.
        self._woken.clear()
        wanted = await self._work()
        self.note_success()
        return wanted

    def note_success(self) -> None:
        """Note that the work went well."""
        if self.trouble is not None:
            self._logger.info("%s works%s", self._name, " again" if self._was_well else "")
        self.trouble = None
        self._was_well, self._is_told_softly = True, False
        self._well_at = time.monotonic()

    def _note_failure(self, state: RetryCallState) -> None:
        """Remember what a pass failed with; the log hears of each kind of trouble once.

        While the other parts of the service are being started, that is no reason to warn.
        """
        error = state.outcome.exception() if state.outcome is not None else None
        before, self.trouble = self.trouble, error
        is_starting = not self._was_well and time.monotonic() - self._made_at < STARTING_SECONDS
        if error is None or (type(before) is type(error) and (is_starting or not self._is_told_softly)):
            return
        self._is_told_softly = is_starting and isinstance(error, self._passing) and not isinstance(error, self._lasting)
        if self._is_told_softly:
            self._logger.info("%s waits for another part of the service: %s", self._name, error)
        elif isinstance(error, self._passing):
            level = logging.ERROR if isinstance(error, self._lasting) else logging.WARNING
            self._logger.log(level, "%s does not work, and is tried again: %s", self._name, error)
        else:
            self._logger.error("%s failed with a defect, and is tried again", self._name, exc_info=error)
