"""One commit in the making: named statements, the moment, the stamp, the rows of unfinished work."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import duckdb

from octavo.batches import ItemStatus
from octavo.identifiers import BatchId, ItemId, RunId, WorkerId
from octavo.ledger import rules
from octavo.ledger.duckdb.outbox import add_deliveries_of_ends
from octavo.ledger.duckdb.snapshot import Snapshot, Statements
from octavo.ledger.duckdb.storing import store_work
from octavo.ledger.duckdb.working_set import WorkingSet
from octavo.ledger.rows import BatchRow, ItemRow
from octavo.ledger.unit_of_work import UnitOfWork


class Transaction(Snapshot):
    """What a command may use while its commit is open; lives on the writer thread alone.

    `now` is the clock's moment, `stamp()` that of the commit (the same, or a little later).
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        known: Statements,
        now: datetime,
        last: datetime,
        working: WorkingSet,
    ) -> None:
        super().__init__(connection, known, now)
        self.stamp = rules.Stamp(now, last)
        self.working = working
        self.ended_waits: list[tuple[RunId | None, WorkerId | None]] = []
        self._work: UnitOfWork | None = None
        self.has_news = False
        """Whether a waiting claim may be served: a slot or an item is free, or a run or a batch is over."""
        self.has_deliveries = False
        """Whether a delivery may have come due with this commit."""
        self.touched: set[BatchId] = set()
        """Batches that show something else with this commit."""

    @property
    def work(self) -> UnitOfWork:
        """What this commit does to items, batches and slices; stored with `flush`, at the latest at its end."""
        if self._work is None:
            self._work = UnitOfWork(
                {}, self.working.batches, self.working.slices(self), self.stamp, self.working.quotas(self)
            )
        return self._work

    def load_items(self, item_ids: Iterable[ItemId]) -> None:
        """Put these items, those that there are, and their batches into `work`."""
        items = self.work.items
        items.update(self.working.load_items(self, [item_id for item_id in item_ids if item_id not in items]))
        self.working.load_batches(self, {items[item_id].batch_id for item_id in item_ids if item_id in items})

    def load_items_of(self, slice_ids: Sequence[str]) -> None:
        """Do the same with the items that these slices hold."""
        self.flush()
        self.work.items.update(self.working.items_of(self, slice_ids))
        self.working.load_batches(self, {self.work.slices[slice_id].batch_id for slice_id in slice_ids})

    def forget_limits(self) -> None:
        """Read caps and quotas again: one has changed. What was billed is stored first, so that it counts."""
        self.flush()
        self.working.forget_caps()

    def forget_pending(self, batch_id: BatchId) -> None:
        """Forget a batch's pending items: one statement has changed them all."""
        self.working.forget_pending(batch_id)
        items = self.work.items
        for item in [
            item for item in items.values() if item.batch_id == batch_id and item.status is ItemStatus.PENDING
        ]:
            del items[item.item_id]

    def flush(self) -> None:
        """Store what has changed, so that statements see it."""
        if self._work is not None:
            self.has_news |= self._frees_something(self._work)
            self.touched.update(item.batch_id for item in self._work.changed_items.values())
            self.touched.update(item.batch_id for item in self._work.progressed_items.values())
            store_work(self, self._work)
            if self._work.ended_batches:
                self.has_deliveries |= add_deliveries_of_ends(
                    self, self._work.ended_batches, self.working.webhooks(self)
                )
            self.working.settle(self._work)
            self._work.forget_changes()

    @staticmethod
    def _frees_something(work: UnitOfWork) -> bool:
        return bool(work.closed_slices) or any(map(rules.is_free, work.changed_items.values()))

    def has_claims_to_serve(self) -> bool:
        """Whether a claim that waits may have something to hear; what came free can be taken then."""
        if self._work is not None and self._frees_something(self._work):
            self.has_news = True
            if any(map(rules.is_free, self._work.changed_items.values())):
                self.flush()
        return self.has_news

    def take_free(self, batch: BatchRow, size: int) -> Sequence[ItemRow]:
        """Take free items of a batch for one slice of at most so many, by position."""
        if not self.working.knows_free(batch, size):
            self.flush()
            self.working.load_free(self, batch, size)
        return self.working.take_free(batch, size)

    def end_waits(self, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        """Let the standing claims of a run, or a worker, be told how things stand with this commit."""
        self.ended_waits.append((run_id, worker_id))
        self.has_news = True
