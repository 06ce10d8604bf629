"""The real ledger: one DuckDB file, one writer thread, a cursor for each read."""

import atexit
from pathlib import Path

from octavo.ledger.duckdb.accounts import DuckdbAccounts
from octavo.ledger.duckdb.archive import DuckdbArchive
from octavo.ledger.duckdb.batches import DuckdbBatches
from octavo.ledger.duckdb.billing import DuckdbBilling
from octavo.ledger.duckdb.database import Database, FileDatabase
from octavo.ledger.duckdb.deliveries import DuckdbDeliveries
from octavo.ledger.duckdb.files import DuckdbFiles
from octavo.ledger.duckdb.lifetimes import DuckdbLifetimes
from octavo.ledger.duckdb.memory import MemoryDatabase, close_instance
from octavo.ledger.duckdb.runs import DuckdbRuns
from octavo.ledger.duckdb.store import Store
from octavo.ledger.duckdb.webhooks import DuckdbWebhooks
from octavo.ledger.duckdb.work import DuckdbWork
from octavo.timestamps import Clock, now


class DuckdbLedger:
    """A `Ledger` in the DuckDB file at `path`, made if it is new, readable by its owner alone; None: in memory.

    Raises: DataDirectoryInUse when the file is open elsewhere, LedgerTooNew when a newer version
    has written it, LedgerUnavailable when it cannot be opened.
    """

    def __init__(self, path: Path | None, *, clock: Clock = now) -> None:
        database: Database = MemoryDatabase() if path is None else FileDatabase(path)
        self._store = store = Store(database, clock)
        self.accounts = DuckdbAccounts(store)
        self.billing = DuckdbBilling(store)
        self.files = DuckdbFiles(store)
        self.batches = DuckdbBatches(store)
        self.work = DuckdbWork(store)
        self.runs = DuckdbRuns(store)
        self.webhooks = DuckdbWebhooks(store)
        self.deliveries = DuckdbDeliveries(store)
        self.archive = DuckdbArchive(store)
        self.lifetimes = DuckdbLifetimes(store)

    def close(self) -> None:
        """Commit what waits, end the writer and release the file; safe to repeat."""
        self.accounts.forget_principals()
        self._store.close()


def memory_ledger(clock: Clock = now) -> DuckdbLedger:
    """Return a new ledger in memory, for tests and for trying things out: it is gone once it is closed."""
    return _MemoryLedger(None, clock=clock)


class _MemoryLedger(DuckdbLedger):
    """A ledger in memory, closed with the process if nobody has closed it: DuckDB complains of what is left open."""

    def __init__(self, path: None, *, clock: Clock) -> None:
        super().__init__(path, clock=clock)
        _still_open.append(self)

    def close(self) -> None:
        super().close()
        if self in _still_open:
            _still_open.remove(self)


_still_open: list[_MemoryLedger] = []


@atexit.register
def _close_all() -> None:
    for ledger in list(_still_open):
        ledger.close()
    close_instance()
