"""Sends a worker's reports: urgent ones in 3 ms, the rest within a tenth of a second, whatever waits together."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from octavo.errors import ServiceUnreachable
from octavo.ledger.contract import Report, ReportResult

LONGEST_WAIT_SECONDS = 0.1
GATHER_SECONDS = 0.003
"""An urgent report waits this long for others: slices that end together then free their slots in one commit."""
MOST_WAITING = 2000
"""Above this whoever reports waits: an API that does not answer slows the work down and fills no memory."""
Send = Callable[[Sequence[Report]], Sequence[ReportResult]]


class Outbox:
    """One thread that sends; its futures tell whether a report was accepted. Thread-safe."""

    def __init__(
        self, send: Send, *, wait_seconds: float = LONGEST_WAIT_SECONDS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._send = send
        self._most_waiting = most_waiting
        self._wait_seconds = wait_seconds
        self._waiting: list[tuple[Report, Future[bool]]] = []
        self._sending: Future[bool] | None = None
        """Of the last group that was sent, the last answer."""
        self._is_urgent = False
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="octavo-outbox", daemon=True)
        self._thread.start()

    def put(self, report: Report, *, is_urgent: bool = True) -> "Future[bool]":
        """Take a report, once there is room for it.

        The future ends with whether it was accepted, or with the client's error.
        """
        answer: Future[bool] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < self._most_waiting)
            if self._is_closed:
                answer.set_exception(ServiceUnreachable("This worker has ended; the item goes to another."))
                return answer
            self._waiting.append((report, answer))
            self._is_urgent |= is_urgent
            self._changed.notify_all()
        return answer

    def flush(self) -> None:
        """Send now what waits, without waiting for the answer."""
        with self._changed:
            self._is_urgent = True
            self._changed.notify_all()

    def settle(self) -> None:
        """Send what waits, and wait until all that was put before has its answer."""
        with self._changed:
            last = self._waiting[-1][1] if self._waiting else self._sending
            self._is_urgent = True
            self._changed.notify_all()
        if last is not None:
            last.exception()

    def close(self) -> None:
        """Send what waits, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while group := self._next_group():
            reports = [report for report, _ in group]
            try:
                verdicts = self._send(reports)
            except Exception as error:  # noqa: BLE001 - the edge of this thread: whoever asked hears of it
                for _, answer in group:
                    answer.set_exception(error)
                continue
            for (_, answer), verdict in zip(group, verdicts, strict=True):
                answer.set_result(verdict.accepted)

    def _next_group(self) -> list[tuple[Report, "Future[bool]"]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            deadline = time.monotonic() + self._wait_seconds
            while not (self._is_urgent or self._is_closed) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        if not self._is_closed:
            time.sleep(GATHER_SECONDS)
        with self._changed:
            group, self._waiting = self._waiting, []
            self._sending = group[-1][1] if group else self._sending
            self._is_urgent = False
            self._changed.notify_all()
            return group
