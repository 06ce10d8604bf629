"""What the facets of a DuckDB ledger read and write through, and how their methods become reads and writes.

A method marked `read` gets a snapshot as its first argument, one marked `write` the transaction of the commit that
it becomes part of; callers give neither. What a `write` raises before it first writes leaves nothing behind.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from types import MethodType
from typing import Concatenate, ParamSpec, TypeVar

import duckdb

from octavo.ledger import refusals
from octavo.ledger.duckdb.database import Database
from octavo.ledger.duckdb.failures import reading_failure
from octavo.ledger.duckdb.snapshot import Snapshot, Statements
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.writer import Handler, Refusal, Writer, each
from octavo.timestamps import Clock

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Facet")


class Store:
    """An opened database with its writer; all facets of a ledger share one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock = clock
        self._database = database
        self._statements = Statements()
        self.writer = Writer(database, self._statements, clock)
        self._is_closed = False

    def read(self, read: Callable[[Snapshot], R]) -> R:
        """Return what `read` makes of the committed state. Raises LedgerUnavailable, and what `read` does."""
        if self._is_closed:
            raise refusals.closed()
        try:
            with self._database.cursor() as cursor:
                cursor.begin()
                return read(Snapshot(cursor, self._statements, self.clock()))
        except duckdb.Error as error:
            raise reading_failure(self._database.path, error) from error

    def write(self, handler: Handler[A, R], argument: A) -> R:
        """Return what the handler makes of the argument, once that is committed."""
        return self.writer.submit(handler, argument)

    def go_on_after_restore(self) -> None:
        """Let the next commit be later than everything that was restored."""
        self.writer.go_on_from(self._database.last_commit())

    def close(self) -> None:
        """Commit what waits, end the writer and release the database; safe to repeat."""
        self._is_closed = True
        self.writer.close()
        self._database.close()


class Facet:
    """One part of a ledger, on a store that it shares with the others."""

    def __init__(self, store: Store) -> None:
        self._store = store


def read(method: Callable[Concatenate[F, Snapshot, P], R]) -> Callable[Concatenate[F, P], R]:
    """Return the method as a read of its own: all its statements see the same committed state."""

    @wraps(method)
    def reading(self: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._store.read(lambda view: method(self, view, *args, **kwargs))

    return reading


def write(method: Callable[Concatenate[F, Transaction, P], R]) -> Callable[Concatenate[F, P], R]:
    """Return the method as part of the next commit; the calls of one commit are taken one after the other."""

    def take(tx: Transaction, call: Callable[[Transaction], R]) -> R:
        return call(tx)

    handler = each(take)

    @wraps(method)
    def writing(self: F, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._store.write(handler, lambda tx: method(self, tx, *args, **kwargs))

    return writing


def write_together(
    method: Callable[[F, Transaction, Sequence[A]], Sequence[R | Refusal]],
) -> Callable[[F, A], R]:
    """Return the method as part of the next commit; it takes all calls of one commit at once."""

    @wraps(method)
    def writing(self: F, /, argument: A) -> R:
        # Two bound methods of one facet are equal, so the writer sees that they belong together.
        handler: Handler[A, R] = MethodType(method, self)
        return self._store.write(handler, argument)

    return writing
