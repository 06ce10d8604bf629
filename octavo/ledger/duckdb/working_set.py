"""The rows of unfinished work as the writer knows them: a commit reads nothing that an earlier one has written.

One writer owns the file, so what it wrote last is what is there. Open slices, the items they hold, open batches,
the runs that work on them and the next free items stay here between commits; whatever is not here is read when it
is asked for. Only the writer's thread touches it, and after a commit that failed it begins with an empty one.
"""

from collections.abc import Iterable, Sequence

from octavo.batches import ClaimedItem, ItemStatus, Run
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, RunId
from octavo.ledger import rules
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import BATCHES, ITEMS, RESERVATIONS, RUNS, SLICES, WEBHOOKS
from octavo.ledger.duckdb.values import Row
from octavo.ledger.quotas import QuotaRow, Quotas, ReservationRow
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow
from octavo.ledger.unit_of_work import UnitOfWork
from octavo.webhooks.records import Webhook

FREE_ITEMS_READ = 200
"""Free items of a batch that are read at a time, at least; more when more are asked for."""
MOST_FREE_ITEMS = 20_000
"""Free items that are kept, over all batches."""


class WorkingSet:
    """Rows by their ids. They are the rows themselves: whoever changes one changes it for the next commit, too."""

    def __init__(self) -> None:
        self.batches: dict[BatchId, BatchRow] = {}
        self.items: dict[ItemId, ItemRow] = {}
        """Those that an open slice holds."""
        self.runs: dict[RunId, Run] = {}
        self._slices: dict[str, SliceRow] | None = None
        self._caps: dict[CustomerId, int] = {}
        self._quotas: dict[CustomerId, QuotaRow | int | None] = {}
        """Of customers whose caps are known; a number until somebody asks how much of it was used."""
        self._reservations: dict[ItemId, ReservationRow] | None = None
        self._free: dict[BatchId, list[ItemRow]] = {}
        self._sources: dict[FileId, Row] = {}
        self._webhooks: dict[CustomerId, list[Webhook]] | None = None

    # Reading

    def load_batches(self, view: Snapshot, batch_ids: Iterable[BatchId]) -> dict[BatchId, BatchRow]:
        """Return those of these batches that there are."""
        wanted = set(batch_ids)
        missing = sorted(wanted - self.batches.keys())
        if missing:
            rows = view.records(BATCHES, "batches_by_id", batch_ids=missing)
            self.batches |= {row.batch_id: row for row in rows}
        return {batch_id: self.batches[batch_id] for batch_id in wanted if batch_id in self.batches}

    def load_items(self, view: Snapshot, item_ids: Iterable[ItemId]) -> dict[ItemId, ItemRow]:
        """Return those of these items that there are."""
        wanted = set(item_ids)
        found = {item_id: self.items[item_id] for item_id in wanted if item_id in self.items}
        missing = sorted(wanted - found.keys())
        if missing:
            rows = view.records(ITEMS, "items_by_id", item_ids=missing)
            found |= {row.item_id: row for row in rows}
        return found

    def slices(self, view: Snapshot) -> dict[str, SliceRow]:
        """Return all open slices."""
        if self._slices is None:
            self._slices = {row.slice_id: row for row in view.records(SLICES, "all_slices")}
        return self._slices

    def items_of(self, view: Snapshot, slice_ids: Sequence[str]) -> dict[ItemId, ItemRow]:
        """Return the items these slices hold."""
        held = self.slices(view)
        found = {item.item_id: item for item in self.items.values() if item.slice_id in set(slice_ids)}
        known = dict.fromkeys(slice_ids, 0)
        for item in found.values():
            known[str(item.slice_id)] += 1
        # A slice that an earlier life of this process opened: its items were never here.
        unknown = [slice_id for slice_id in slice_ids if known[slice_id] < held[slice_id].open_items]
        if unknown:
            rows = view.records(ITEMS, "items_of_slices", slice_ids=unknown)
            found |= {row.item_id: row for row in rows if row.item_id not in found}
        return found

    def load_runs(self, view: Snapshot, run_ids: Iterable[RunId]) -> dict[RunId, Run]:
        """Return those of these runs that the ledger knows."""
        wanted = set(run_ids)
        missing = sorted(wanted - self.runs.keys())
        if missing:
            runs = view.records(RUNS, "runs_by_id", run_ids=missing)
            self.runs |= {run.run_id: run for run in runs if run.run_id is not None}
        return {run_id: self.runs[run_id] for run_id in wanted if run_id in self.runs}

    def caps(self, view: Snapshot, customer_ids: Iterable[CustomerId]) -> dict[CustomerId, int]:
        """Return the caps of these customers."""
        missing = sorted(set(customer_ids) - self._caps.keys())
        if missing:
            for customer_id, cap, quota in view.rows("caps", customer_ids=missing):
                self._caps[customer_id], self._quotas[customer_id] = cap, quota
        return self._caps

    def webhooks(self, view: Snapshot) -> dict[CustomerId, list[Webhook]]:
        """Return all webhooks, by customer."""
        if self._webhooks is None:
            self._webhooks = {}
            for webhook in view.records(WEBHOOKS, "all_webhooks"):
                self._webhooks.setdefault(webhook.customer_id, []).append(webhook)
        return self._webhooks

    def quotas(self, view: Snapshot) -> Quotas:
        """Return what a commit needs to set pages aside and to bill them."""
        if self._reservations is None:
            rows = view.records(RESERVATIONS, "all_reservations")
            self._reservations = {row.item_id: row for row in rows}
        return Quotas(self._reservations, lambda customer_id: self._quota(view, customer_id))

    def _quota(self, view: Snapshot, customer_id: CustomerId) -> QuotaRow | None:
        if customer_id not in self._quotas:
            self.caps(view, [customer_id])
        found = self._quotas[customer_id]
        if isinstance(found, int):
            # Whatever is billed from here on is added to it: nothing of this customer waits to be stored.
            used = int(view.rows("pages_used", customer_id=customer_id)[0][0])
            found = self._quotas[customer_id] = QuotaRow(found, used)
        return found

    def knows_free(self, batch: BatchRow, size: int) -> bool:
        """Whether the next so many free items of a batch, or all of them, are here."""
        return len(self._free.get(batch.batch_id, ())) >= min(size, batch.unleased)

    def load_free(self, view: Snapshot, batch: BatchRow, size: int) -> None:
        """Read the next free items of a batch; whatever was leased must have been stored."""
        free = view.records(ITEMS, "free_items", batch_no=batch.batch_no, limit=max(size, FREE_ITEMS_READ))
        self._free[batch.batch_id] = free
        missing = [item.file_id for item in free if item.file_id not in self._sources]
        if missing:
            self._sources |= {row[0]: row for row in view.rows("file_sources", file_ids=missing)}

    def take_free(self, batch: BatchRow, size: int) -> list[ItemRow]:
        """Take items for one slice of at most so many, by position."""
        free = self._free.get(batch.batch_id, [])
        count = rules.fitting(free, size)
        taken, self._free[batch.batch_id] = free[:count], free[count:]
        self.items |= {item.item_id: item for item in taken}
        return taken

    def claimed(self, item: ItemRow, customer_id: CustomerId) -> ClaimedItem:
        """Return what the worker is told of an item that `take_free` gave."""
        _, object_key, filename, content_type, size_bytes = self._sources[item.file_id]
        return ClaimedItem(
            item_id=item.item_id,
            batch_id=item.batch_id,
            customer_id=customer_id,
            file_id=item.file_id,
            position=item.position,
            lease_no=item.lease_no,
            attempts=item.attempts,
            lost_leases=item.lost_leases,
            object_key=object_key,
            filename=filename,
            content_type=content_type,
            size_bytes=size_bytes,
            reserves_pages=self._quotas.get(customer_id) is not None and item.result_id is None,
            result_id=item.result_id,
            failed_pages=item.failed_pages,
        )

    # Keeping up

    def keep_runs(self, runs: Iterable[Run]) -> None:
        """Take runs as they have just been stored."""
        self.runs |= {run.run_id: run for run in runs if run.run_id is not None}

    def forget_runs(self, run_ids: Iterable[RunId]) -> None:
        """Forget runs that were removed."""
        for run_id in run_ids:
            self.runs.pop(run_id, None)

    def forget_batches(self, batch_ids: Iterable[BatchId]) -> None:
        """Forget batches that were removed."""
        for batch_id in batch_ids:
            self.batches.pop(batch_id, None)
            self._free.pop(batch_id, None)

    def forget_caps(self) -> None:
        """Read caps and quotas again: one has changed."""
        self._caps.clear()
        self._quotas.clear()

    def forget_webhooks(self) -> None:
        """Read webhooks again: one has changed."""
        self._webhooks = None

    def forget_pending(self, batch_id: BatchId) -> None:
        """Forget a batch's pending items: one statement has changed them all."""
        self._free.pop(batch_id, None)
        pending = [
            item.item_id
            for item in self.items.values()
            if item.batch_id == batch_id and item.status is ItemStatus.PENDING
        ]
        for item_id in pending:
            del self.items[item_id]

    def settle(self, work: UnitOfWork) -> None:
        """Take what a piece of work has done, once it is stored."""
        if self._slices is not None:
            for slice_id in work.closed_slices:
                self._slices.pop(slice_id, None)
        for item in work.changed_items.values():
            if item.slice_id is not None:
                self.items[item.item_id] = item
                continue
            self.items.pop(item.item_id, None)
            if item.status is ItemStatus.PENDING:
                self._free.pop(item.batch_id, None)  # it comes before those that are known to be free

    def tidy(self) -> None:
        """Let go, after a commit, of what is finished."""
        ended = [batch_id for batch_id, batch in self.batches.items() if batch.status.is_terminal]
        for batch_id in ended:
            del self.batches[batch_id]
            self._free.pop(batch_id, None)
        self.runs = {run_id: run for run_id, run in self.runs.items() if not rules.is_over(run)}
        if sum(map(len, self._free.values())) > MOST_FREE_ITEMS:
            self._free.clear()
        if len(self._sources) > len(self.items) + 10 * FREE_ITEMS_READ:
            free = {item.file_id for items in self._free.values() for item in items}
            self._sources = {key: row for key, row in self._sources.items() if key in free}
