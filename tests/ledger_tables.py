"""Looks into a DuckDB ledger past its methods, and changes what is there, for tests of what follows from it."""

from typing import Any

from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.working_set import WorkingSet
from octavo.ledger.duckdb.writer import each


def looked_up(ledger: Ledger, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query on what is committed."""
    assert isinstance(ledger, DuckdbLedger)

    def read(view: Snapshot) -> list[tuple[Any, ...]]:
        return view._connection.execute(sql, list(values)).fetchall()

    return ledger._store.read(read)


def count(ledger: Ledger, table: str) -> int:
    """Return how many rows a table has."""
    ((found,),) = looked_up(ledger, f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(found)


def alter(ledger: Ledger, sql: str, *values: object) -> None:
    """Change rows behind the ledger's back; it forgets what it knows of them."""
    assert isinstance(ledger, DuckdbLedger)
    writer = ledger._store.writer

    def change(tx: Transaction, _: None) -> None:
        tx.flush()
        tx._connection.execute(sql, list(values))
        writer._working = WorkingSet()

    writer.submit(each(change), None)
