"""The one thread that writes: takes all that waits, commits it as one, then answers.

A commit that made room also serves the waiting claims: a slot is passed on by the commit that frees it.
There is no timer. While a commit is being synced, what arrives waits, and goes together into
the next one; alone, a command waits for nobody.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from octavo.errors import LedgerUnavailable, OctavoError
from octavo.ledger import refusals
from octavo.ledger.duckdb.claims import Claims
from octavo.ledger.duckdb.database import Database
from octavo.ledger.duckdb.failures import writing_failure
from octavo.ledger.duckdb.snapshot import Statements
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.working_set import WorkingSet
from octavo.ledger.watching import Watches
from octavo.timestamps import Clock

logger = logging.getLogger(__name__)
A = TypeVar("A")
R = TypeVar("R")

Refusal = OctavoError | ValueError
"""What a command may end with and leave nothing behind: it checks before it first writes."""
Handler = Callable[[Transaction, Sequence[A]], Sequence[R | Refusal]]
"""Takes all commands of its kind in one commit; a result or a refusal for each."""

GIVEN_UP = (duckdb.FatalException, duckdb.InternalException)
"""After one of these DuckDB does nothing more with the opened file; what was acknowledged is in it."""

MAX_WAITING = 1000
MAX_WAIT_SECONDS = 30.0


@dataclass(slots=True)
class _Command:
    handler: Handler[Any, Any]
    argument: Any
    answer: "Future[Any]" = field(default_factory=Future)


def each(take: Callable[[Transaction, A], R]) -> Handler[A, R]:
    """Return a handler that takes its commands one after the other."""

    def handler(tx: Transaction, arguments: Sequence[A]) -> list[R | Refusal]:
        return [_attempt(take, tx, argument) for argument in arguments]

    return handler


def _attempt(take: Callable[[Transaction, A], R], tx: Transaction, argument: A) -> R | Refusal:
    try:
        return take(tx, argument)
    except (OctavoError, ValueError) as refusal:
        return refusal


class Writer:
    """Owns the root connection; `submit` may be called from any thread."""

    def __init__(self, database: Database, known: Statements, clock: Clock) -> None:
        self._database = database
        self._statements = known
        self._clock = clock
        self._last: datetime = database.last_commit()
        self._working = WorkingSet()
        self.claims = Claims()
        self.on_delivery: Callable[[], None] = lambda: None
        """Called after a commit that may have made a delivery due; must not block."""
        self.watches = Watches()
        self._waiting: deque[_Command] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._taken = threading.Condition(self._lock)
        self._closed = False
        self._is_broken = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, handler: Handler[A, R], argument: A) -> R:
        """Return what the handler made of the argument, once that is committed.

        Raises: the handler's refusal, LedgerUnavailable when closed, overloaded or the file fails.
        """
        command = _Command(handler, argument)
        with self._lock:
            if not self._taken.wait_for(self._has_room, MAX_WAIT_SECONDS):
                raise LedgerUnavailable("The ledger cannot keep up with requests; try again later.")
            if self._closed:
                raise refusals.closed()
            self._waiting.append(command)
            self._arrived.notify()
        answer: R = command.answer.result()
        return answer

    def _has_room(self) -> bool:
        return self._closed or len(self._waiting) < MAX_WAITING

    def go_on_from(self, moment: datetime) -> None:
        """Let the next commit be later than this moment; said while no command waits."""
        self._last = max(self._last, moment)

    def close(self) -> None:
        """Commit what waits, then end the thread; safe to repeat."""
        with self._lock:
            self._closed = True
            self._arrived.notify()
            self._taken.notify_all()
        self._thread.join()
        self.claims.close(refusals.closed())

    def _run(self) -> None:
        while group := self._next_group():
            if not self._commit(group):
                for command in group:
                    self._commit([command])

    def _next_group(self) -> list[_Command]:
        with self._lock:
            self._arrived.wait_for(lambda: self._waiting or self._closed)
            group = list(self._waiting)
            self._waiting.clear()
            self._taken.notify_all()
            return group

    def _commit(self, group: list[_Command]) -> bool:
        """Commit a group and answer it; False when it failed as a group and nothing of it was done."""
        try:
            if self._is_broken:
                self._mend()
            root = self._database.root
            root.begin()
            self.claims.begin()
            tx = Transaction(root, self._statements, self._clock(), self._last, self._working)
            results = _take_all(tx, group)
            answers = self.claims.serve(tx)
            tx.flush()
            root.commit()
        # The edge of the writer thread: whatever a command raises must not end the thread, and goes
        # to the one who gave the command.
        except Exception as error:  # noqa: BLE001
            self._roll_back()
            self._working = WorkingSet()
            self._is_broken |= isinstance(error, GIVEN_UP)
            return self._refused(group, error, is_final=self._is_broken)
        if tx.stamp.used:
            self._last = tx.stamp()
        self._working.tidy()
        self.claims.keep(answers)
        self._database.keep_private()
        if tx.has_deliveries:
            self.on_delivery()
        self.watches.tell(tx.touched)
        for command, result in results:
            if isinstance(result, Exception):
                command.answer.set_exception(result)
            else:
                command.answer.set_result(result)
        return True

    def _refused(self, group: list[_Command], error: Exception, *, is_final: bool) -> bool:
        """Answer a group that failed; False, and no answer, when each of it is to be tried alone."""
        if len(group) > 1 and not is_final:
            return False
        for command in group:
            command.answer.set_exception(_translated(self._database.path, error))
        return True

    def _mend(self) -> None:
        """Reopen the file: whether the commit that broke it was done, nobody knows; it was not acknowledged."""
        self._database.reopen()
        self._last = max(self._last, self._database.last_commit())
        self._is_broken = False
        logger.warning("the ledger was reopened after a DuckDB error")

    def _roll_back(self) -> None:
        try:
            self._database.root.rollback()
        except duckdb.Error:
            # A failed COMMIT has ended the transaction already.
            return


def _take_all(tx: Transaction, group: list[_Command]) -> list[tuple[_Command, Any]]:
    by_handler: dict[Handler[Any, Any], list[_Command]] = {}
    for command in group:
        by_handler.setdefault(command.handler, []).append(command)
    results: list[tuple[_Command, Any]] = []
    for handler, commands in by_handler.items():
        taken = handler(tx, [command.argument for command in commands])
        results.extend(zip(commands, taken, strict=True))
    return results


def _translated(path: Path | None, error: Exception) -> Exception:
    if isinstance(error, duckdb.ConstraintException):
        return refusals.taken_already("id")
    return writing_failure(path, error) if isinstance(error, duckdb.Error) else error
