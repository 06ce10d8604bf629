"""Expiry and deletion in the ledger in memory."""

import threading
from collections.abc import Iterable, MutableMapping, MutableSequence, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from octavo.batches import FileStatus, ItemStatus, Run, RunStatus, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.ledger import refusals
from octavo.ledger.archive import Deletions
from octavo.ledger.lifetimes import Doomed
from octavo.ledger.rows import BatchRow, ItemRow, UsageRow
from octavo.timestamps import Clock

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class MemoryLifetimes:
    """What `MemoryLedger` does for `Lifetimes`; the tables are the ledger's."""

    _clock: Clock
    _files: MutableMapping[FileId, StagedFile]
    _batches: MutableMapping[BatchId, BatchRow]
    _items: MutableMapping[ItemId, ItemRow]
    _items_of: MutableMapping[BatchId, list[ItemRow]]
    _runs: MutableMapping[tuple[BatchId, int], Run]
    _idempotency: MutableMapping[tuple[CustomerId, str], tuple[str, BatchId, datetime]]
    _usage: MutableMapping[ItemId, UsageRow]

    def __init__(self) -> None:
        self._doomed: dict[int, Doomed] = {}
        self._last_doomed = 0
        self._expired_to: dict[BatchId, datetime] = {}
        self._deletions: MutableSequence[BatchId | tuple[FileId, datetime]] = []
        """In order; the first one's number is 1, and none is ever taken out."""

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    # Expiry

    def expire(self, limit: int) -> int:
        with self._enter():
            files = [file for file in self._files.values() if self._is_due(file)][:limit]
            for file in files:
                self._files[file.file_id] = replace(file, status=FileStatus.EXPIRED)
            self._doom((file.customer_id, file.object_key, None) for file in files)
            results = [item for batch in self._batches.values() for item in self._due_items(batch)]
            for batch in self._batches.values():
                self._expired_to[batch.batch_id] = self._clock() - timedelta(seconds=batch.retention_seconds)
            self._doom_results(results)
            kept = [item for item in self._items.values() if self._has_due_pages(item)]
            self._doom((self._batches[item.batch_id].customer_id, None, item.kept_in) for item in kept)
            for item in kept:
                item.kept_in = None
            return len(files) + len(results) + len(kept)

    def _has_due_pages(self, item: ItemRow) -> bool:
        is_over = item.status in (ItemStatus.FAILED, ItemStatus.CANCELLED)
        return item.kept_in is not None and is_over and self._end_of(item) <= self._clock()

    def _is_due(self, file: StagedFile) -> bool:
        is_kept = file.status in (FileStatus.PENDING, FileStatus.READY)
        return is_kept and file.expires_at <= self._clock() and not self._users(file.file_id)

    def _users(self, file_id: FileId) -> list[BatchId]:
        named = (item for item in self._items.values() if item.file_id == file_id)
        return sorted({item.batch_id for item in named if not item.status.is_terminal})

    def _due_items(self, batch: BatchRow) -> list[ItemRow]:
        return [item for item in self._kept_items(batch) if self._end_of(item) <= self._clock()]

    def _kept_items(self, batch: BatchRow) -> list[ItemRow]:
        """Return the items whose results have not expired yet."""
        after = self._expired_to.get(batch.batch_id, _BEGINNING)
        return [
            item
            for item in self._items_of[batch.batch_id]
            if item.status is ItemStatus.SUCCEEDED and item.completed_at is not None and item.completed_at > after
        ]

    def _end_of(self, item: ItemRow) -> datetime:
        kept = timedelta(seconds=self._batches[item.batch_id].retention_seconds)
        return (item.completed_at or self._clock()) + kept

    def _doom_results(self, items: Iterable[ItemRow]) -> list[int]:
        named = dict.fromkeys((self._batches[item.batch_id].customer_id, item.result_id) for item in items)
        return self._doom((customer_id, None, result_id) for customer_id, result_id in named)

    def _doom(self, found: Iterable[tuple[CustomerId, str | None, ResultId | None]]) -> list[int]:
        numbers = []
        for customer_id, object_key, result_id in found:
            self._last_doomed += 1
            numbers.append(self._last_doomed)
            self._doomed[self._last_doomed] = Doomed(
                number=self._last_doomed, customer_id=customer_id, object_key=object_key, result_id=result_id
            )
        return numbers

    def doomed(self, limit: int, numbers: Sequence[int] | None = None) -> list[Doomed]:
        with self._enter():
            found = [one for one in self._doomed.values() if numbers is None or one.number in set(numbers)]
            return found[:limit]

    def forget_doomed(self, numbers: Sequence[int]) -> None:
        with self._enter():
            for number in numbers:
                self._doomed.pop(number, None)

    def live_results(self, result_ids: Sequence[ResultId]) -> set[ResultId]:
        with self._enter():
            named = {item.result_id for item in self._with_result() if self._end_of(item) > self._clock()}
            return {result_id for result_id in result_ids if result_id in named}

    def result_expires_at(self, customer_id: CustomerId, result_id: ResultId) -> datetime | None:
        with self._enter():
            ends = [
                self._end_of(item)
                for item in self._with_result()
                if item.result_id == result_id and self._batches[item.batch_id].customer_id == customer_id
            ]
            return max(ends, default=None)

    def _with_result(self) -> list[ItemRow]:
        return [item for item in self._items.values() if item.result_id is not None]

    # Deleting

    def delete_file(self, customer_id: CustomerId, file_id: FileId) -> list[int]:
        with self._enter():
            file = self._files.get(file_id)
            if file is None or file.customer_id != customer_id or file.status is FileStatus.DELETED:
                raise refusals.unknown_files([file_id])
            using = self._users(file_id)
            if using:
                raise refusals.file_in_use(file_id, using)
            self._files[file_id] = replace(
                file, status=FileStatus.DELETED, filename=None, content_type=None, sha256=None, size_bytes=0
            )
            self._deletions.append((file_id, file.expires_at))
            return self._doom([(customer_id, file.object_key, None)])

    def delete_batch(self, customer_id: CustomerId, batch_id: BatchId) -> list[int]:
        with self._enter():
            batch = self._batches.get(batch_id)
            if batch is None or batch.customer_id != customer_id:
                raise refusals.batch_not_found(batch_id)
            if not batch.status.is_terminal:
                raise refusals.batch_not_finished(batch_id, batch.status.value)
            return self._delete(batch)

    def _delete(self, batch: BatchRow) -> list[int]:
        numbers = self._doom_results(self._kept_items(batch))
        batch_id = batch.batch_id
        numbers += self._doom(
            (batch.customer_id, None, item.kept_in) for item in self._items_of[batch_id] if item.kept_in is not None
        )
        for item in self._items_of.pop(batch_id, []):
            del self._items[item.item_id]
        del self._batches[batch_id]
        self._expired_to.pop(batch_id, None)
        for run_key in [key for key, run in self._runs.items() if run.batch_id == batch_id]:
            if self._runs[run_key].status is RunStatus.ENDED:
                del self._runs[run_key]
        for key in [key for key, kept in self._idempotency.items() if kept[1] == batch_id]:
            del self._idempotency[key]
        self._deletions.append(batch_id)
        return numbers

    def forget_batches(self, expired_before: datetime, limit: int) -> int:
        with self._enter():
            old = [one for one in self._batches.values() if one.completed_at and one.expires_at < expired_before]
            old.sort(key=lambda batch: batch.expires_at)
            taken, items = 0, 0
            for batch in old:
                items += batch.total_items
                if taken and items > limit:
                    break
                self._delete(batch)
                taken += 1
            return taken

    def forget_files(self, expired_before: datetime, limit: int) -> int:
        with self._enter():
            named = {item.file_id for item in self._items.values()}
            old = [
                file.file_id
                for file in self._files.values()
                if file.status in (FileStatus.EXPIRED, FileStatus.DELETED)
                and file.expires_at < expired_before
                and file.file_id not in named
            ][:limit]
            for file_id in old:
                del self._files[file_id]
            return len(old)

    def _deletions_after(self, number: int) -> Deletions | None:
        found = self._deletions[number:]
        if not found:
            return None
        files = tuple(one for one in found if isinstance(one, tuple))
        batch_ids = tuple(one for one in found if not isinstance(one, tuple))
        deleted = {file_id for file_id, _ in files}
        return Deletions(
            deletion_no=len(self._deletions),
            batch_ids=batch_ids,
            usage=tuple(row for row in self._usage.values() if row.batch_id in batch_ids),
            files=files,
            touched=tuple(sorted({item.batch_id for item in self._items.values() if item.file_id in deleted})),
        )

    # Orphans

    def kept_files(self, file_ids: Sequence[FileId]) -> dict[FileId, bool]:
        with self._enter():
            found = [self._files[file_id] for file_id in file_ids if file_id in self._files]
            return {file.file_id: file.status in (FileStatus.PENDING, FileStatus.READY) for file in found}

    def known_batches(self, batch_ids: Sequence[BatchId]) -> set[BatchId]:
        with self._enter():
            return {batch_id for batch_id in batch_ids if batch_id in self._batches}
