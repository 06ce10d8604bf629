"""`ReadingLedger` in memory."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from octavo.batches import FileStatus, Item, ItemStatus, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId
from octavo.ledger import refusals, rules
from octavo.ledger.reading import Retried, Retry
from octavo.ledger.rows import BatchRow, ItemRow
from octavo.ledger.watching import Unwatch, Watches
from octavo.timestamps import Clock


class MemoryReading:
    """What `MemoryLedger` does for those who follow a batch; the tables are the ledger's."""

    _items_of: Mapping[BatchId, list[ItemRow]]
    _watches: Watches
    _clock: Clock

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    def _end_of(self, item: ItemRow) -> datetime:
        raise NotImplementedError

    def _batch_row(self, batch_id: BatchId, customer_id: CustomerId | None = None) -> BatchRow:
        raise NotImplementedError

    def files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        raise NotImplementedError

    def _work(self) -> rules.Work:
        raise NotImplementedError

    def _commit(self, work: rules.Work) -> None:
        raise NotImplementedError

    def _serve(self) -> None:
        raise NotImplementedError

    def retry_failed(self, asked: Retry) -> Retried:
        with self._enter():
            batch = self._batch_row(asked.batch_id, asked.customer_id)
            had_ended = batch.status.is_terminal
            if batch.cancel_requested_at is not None and not had_ended:
                raise refusals.batch_cancelling(asked.batch_id)
            failed = [row for row in self._items_of[asked.batch_id] if self._is_meant(asked, row)]
            held = self.files(asked.customer_id, [row.file_id for row in failed])
            ready = {file_id for file_id, file in held.items() if file.status is FileStatus.READY}
            wanted = [row for row in failed if row.file_id in ready]
            if failed and not wanted:
                raise refusals.unknown_files(sorted({row.file_id for row in failed}))
            work = self._work()
            since = work.stamp()
            if wanted:
                work.reopen(batch, wanted)
            self._commit(work)
            self._serve()
            return Retried(
                batch=batch.record(),
                items=len(wanted),
                expired=len(failed) - len(wanted),
                had_ended=had_ended,
                since=since,
            )

    def _is_meant(self, asked: Retry, row: ItemRow) -> bool:
        if row.status is ItemStatus.FAILED:
            return asked.codes is None or row.error_code in asked.codes
        is_incomplete = row.status is ItemStatus.SUCCEEDED and row.failed_pages > 0
        return asked.failed_pages and is_incomplete and self._end_of(row) > self._clock()

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        return self._watches.add(batch_id, tell)

    def pending_files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        return [one for one in self.files(customer_id, file_ids).values() if one.status is FileStatus.PENDING]

    def items_in_order(self, batch_id: BatchId, *, first: int = 0, limit: int = 100) -> list[Item]:
        with self._enter():
            return [row.record() for row in self._items_of.get(batch_id, [])[first : first + limit]]
