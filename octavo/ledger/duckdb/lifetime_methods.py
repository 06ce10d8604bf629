"""Expiry and deletion as methods of the DuckDB ledger."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from octavo.identifiers import BatchId, CustomerId, FileId, ResultId
from octavo.ledger.duckdb import lifetimes
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.writer import Writer, each
from octavo.ledger.lifetimes import Doomed

R = TypeVar("R")

_EXPIRE_FILES = each(lifetimes.expire_files)
_DOOM_RESULTS = each(lifetimes.doom_results)
_DOOM_KEPT_PAGES = each(lifetimes.doom_kept_pages)
_FORGET_DOOMED = each(lifetimes.forget_doomed)
_DELETE_FILE = each(lifetimes.delete_file)
_DELETE_BATCH = each(lifetimes.delete_batch)
_FORGET_BATCHES = each(lifetimes.forget_batches)
_FORGET_FILES = each(lifetimes.forget_files)


class LifetimeMethods:
    """What `DuckdbLedger` does for `Lifetimes`."""

    _writer: Writer

    def _read(self, read: Callable[[Snapshot], R]) -> R:
        raise NotImplementedError

    def expire(self, limit: int) -> int:
        file_ids = self._read(lambda view: lifetimes.due_files(view, limit))
        if file_ids:
            self._writer.submit(_EXPIRE_FILES, file_ids)
        due = self._read(lambda view: lifetimes.due_results(view, limit))
        if due.until:
            self._writer.submit(_DOOM_RESULTS, due)
        kept = self._read(lambda view: lifetimes.due_kept_pages(view, limit))
        if kept:
            self._writer.submit(_DOOM_KEPT_PAGES, kept)
        return len(file_ids) + len(due.results) + len(kept)

    def doomed(self, limit: int, numbers: Sequence[int] | None = None) -> list[Doomed]:
        return self._read(lambda view: lifetimes.doomed(view, limit, numbers))

    def forget_doomed(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._writer.submit(_FORGET_DOOMED, numbers)

    def live_results(self, result_ids: Sequence[ResultId]) -> set[ResultId]:
        return self._read(lambda view: lifetimes.live_results(view, result_ids)) if result_ids else set()

    def result_expires_at(self, customer_id: CustomerId, result_id: ResultId) -> datetime | None:
        return self._read(lambda view: lifetimes.result_expires_at(view, customer_id, result_id))

    def delete_file(self, customer_id: CustomerId, file_id: FileId) -> list[int]:
        return self._writer.submit(_DELETE_FILE, (customer_id, file_id))

    def delete_batch(self, customer_id: CustomerId, batch_id: BatchId) -> list[int]:
        return self._writer.submit(_DELETE_BATCH, (customer_id, batch_id))

    def forget_batches(self, expired_before: datetime, limit: int) -> int:
        return self._writer.submit(_FORGET_BATCHES, (expired_before, limit))

    def forget_files(self, expired_before: datetime, limit: int) -> int:
        return self._writer.submit(_FORGET_FILES, (expired_before, limit))

    def kept_files(self, file_ids: Sequence[FileId]) -> dict[FileId, bool]:
        return self._read(lambda view: lifetimes.kept_files(view, file_ids))

    def known_batches(self, batch_ids: Sequence[BatchId]) -> set[BatchId]:
        return self._read(lambda view: lifetimes.known_batches(view, batch_ids))
