"""The archive of the ledger in memory: files and batches are numbered as they came."""

import secrets
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta

from octavo.batches import ApiKey, Customer, FileStatus, ItemStatus, Run, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, KeyId, WebhookId
from octavo.ledger import refusals
from octavo.ledger.archive import (
    Accounts,
    ArchivedBatch,
    ArchivedPart,
    ArchivePosition,
    Changes,
    Deletions,
    EndedItem,
    KeptKey,
    KeptUsage,
    LedgerIdentity,
    Manifest,
    OpenRuns,
    Outcomes,
    StagedFiles,
)
from octavo.ledger.restoring import Restoring, check_empty, restored_run
from octavo.ledger.rows import BatchRow, ItemRow, UsageRow
from octavo.timestamps import Clock
from octavo.webhooks.records import Webhook


class MemoryArchive:
    """What `MemoryLedger` does for its archive; the tables are the ledger's."""

    _clock: Clock
    _last_commit: datetime
    _customers: MutableMapping[CustomerId, Customer]
    _keys: MutableMapping[KeyId, ApiKey]
    _digests: MutableMapping[str, KeyId]
    _files: MutableMapping[FileId, StagedFile]
    _batches: MutableMapping[BatchId, BatchRow]
    _items: MutableMapping[ItemId, ItemRow]
    _items_of: Mapping[BatchId, list[ItemRow]]
    _runs: MutableMapping[tuple[BatchId, int], Run]
    _idempotency: MutableMapping[tuple[CustomerId, str], tuple[str, BatchId, datetime]]
    _usage: MutableMapping[ItemId, UsageRow]
    _webhooks: dict[WebhookId, Webhook]

    def __init__(self) -> None:
        super().__init__()
        self._identity = LedgerIdentity(ledger_id=secrets.token_hex(16))
        self._position = ArchivePosition()
        self._file_log: list[FileId] = []
        self._batch_log: list[BatchId] = []
        """All there ever were, in order; the first one's number is 1."""

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    def identity(self) -> LedgerIdentity:
        with self._enter():
            return self._identity

    def archived(self) -> ArchivePosition:
        with self._enter():
            return self._position

    def note_archived(self, position: ArchivePosition) -> None:
        with self._enter():
            self._position = position

    def changes(self, after: ArchivePosition) -> Changes | None:
        with self._enter():
            accounts, runs = self._accounts(), self._open_runs_of_all()
            deletions = self._deletions_after(after.deletion_no)
            seen = [(run.batch_id, run.run_no, run.run_id, run.worker_id, run.status) for run in runs.runs]
            position = ArchivePosition(
                accounts=repr(accounts),
                runs=repr(seen),
                file_no=len(self._file_log),
                batch_no=len(self._batch_log),
                deletion_no=after.deletion_no if deletions is None else deletions.deletion_no,
                updated_at=max(after.updated_at, self._last_commit),
            )
            files = tuple(self._files_after(after.file_no))
            batches = [self._batches[one] for one in self._batch_log[after.batch_no :] if one in self._batches]
            found = Changes(
                position=position,
                accounts=accounts if position.accounts != after.accounts else None,
                runs=runs if position.runs != after.runs else None,
                files=StagedFiles(file_no=position.file_no, files=files) if files else None,
                manifests=tuple(map(self._manifest, batches)),
                outcomes=tuple(self._outcomes_after(after.updated_at)),
                deletions=deletions,
            )
            return None if found.is_empty else found

    def _files_after(self, number: int) -> Iterable[StagedFile]:
        found = (self._files[file_id] for file_id in self._file_log[number:] if file_id in self._files)
        return (file for file in found if file.status is not FileStatus.DELETED)

    def _deletions_after(self, number: int) -> Deletions | None:
        raise NotImplementedError

    def manifest(self, batch_id: BatchId) -> Manifest:
        with self._enter():
            if batch_id not in self._batches:
                raise refusals.batch_not_found(batch_id)
            return self._manifest(self._batches[batch_id])

    def outcomes(self, batch_id: BatchId) -> Outcomes:
        with self._enter():
            if batch_id not in self._batches:
                raise refusals.batch_not_found(batch_id)
            items = [row for row in self._items_of[batch_id] if row.status.is_terminal or row.result_id is not None]
            return replace(self._outcomes(self._batches[batch_id], items, self._last_commit), is_whole=True)

    def _accounts(self) -> Accounts:
        digests = {key_id: digest for digest, key_id in self._digests.items()}
        return Accounts(
            customers=tuple(self._customers.values()),
            keys=tuple(KeptKey(key=key, digest=digests[key.key_id]) for key in self._keys.values()),
            webhooks=tuple(self._webhooks.values()),
        )

    def _open_runs_of_all(self) -> OpenRuns:
        opened = {batch.batch_id for batch in self._batches.values() if not batch.status.is_terminal}
        runs = [run for run in self._runs.values() if run.batch_id in opened]
        return OpenRuns(runs=tuple(sorted(runs, key=lambda run: (run.batch_id, run.run_no))))

    def _manifest(self, batch: BatchRow) -> Manifest:
        rows = self._items_of[batch.batch_id]
        named = ((key, kept) for (_, key), kept in self._idempotency.items() if kept[1] == batch.batch_id)
        key, (digest, _, keyed_at) = next(named, (None, ("", batch.batch_id, None)))
        return Manifest(
            batch_id=batch.batch_id,
            customer_id=batch.customer_id,
            engine=batch.engine,
            options=batch.options,
            metadata=batch.metadata,
            priority=batch.priority,
            retention_seconds=batch.retention_seconds,
            created_at=batch.created_at,
            idempotency_key=key,
            body_digest=digest,
            keyed_at=keyed_at,
            items=tuple((row.item_id, row.file_id) for row in rows),
            files=tuple(self._files[file_id] for file_id in dict.fromkeys(row.file_id for row in rows)),
        )

    def _outcomes_after(self, after: datetime) -> Iterable[Outcomes]:
        for batch in self._batches.values():
            items = [row for row in self._items_of[batch.batch_id] if row.status.is_terminal and row.updated_at > after]
            asked = batch.cancel_requested_at
            if batch.retried_at is not None and batch.retried_at > after:
                yield self.outcomes(batch.batch_id)
            elif items or (asked is not None and asked > after):
                yield self._outcomes(batch, items, self._last_commit)

    def _outcomes(self, batch: BatchRow, rows: Iterable[ItemRow], until: datetime) -> Outcomes:
        return Outcomes(
            batch_id=batch.batch_id,
            until=until,
            is_terminal=batch.status.is_terminal,
            started_at=batch.started_at,
            cancel_requested_at=batch.cancel_requested_at,
            items=tuple(self._ended_item(row) for row in rows),
        )

    def _ended_item(self, row: ItemRow) -> EndedItem:
        return EndedItem(
            item_id=row.item_id,
            status=row.status if row.status.is_terminal else ItemStatus.PENDING,
            updated_at=row.updated_at,
            completed_at=row.completed_at or row.updated_at,
            attempts=row.attempts,
            lease_no=row.lease_no,
            lost_leases=row.lost_leases,
            finished_lease_no=row.finished_lease_no,
            page_count=row.page_count,
            result_id=row.result_id,
            error_code=row.error_code,
            error_message=row.error_message,
            error_retryable=row.error_retryable,
            engine=row.engine,
            seconds=row.seconds,
            reused=row.reused,
            started_at=row.started_at,
            sha256=self._files[row.file_id].sha256,
            failed_pages=row.failed_pages,
        )

    # Made anew

    def restore(self, parts: Iterable[ArchivedPart], *, generation: int) -> None:
        with self._enter():
            check_empty(list(self._customers.values()))
            given = Restoring(generation=generation, moment=self._clock())
            for part in parts:
                self._restore_part(part, given)
            self._identity = replace(self._identity, generation=generation)
            self._position = replace(
                self._position,
                file_no=len(self._file_log),
                batch_no=len(self._batch_log),
                updated_at=given.moment - timedelta(microseconds=1),
            )

    def _restore_part(self, part: ArchivedPart, given: Restoring) -> None:
        if isinstance(part, Accounts):
            self._customers.update({one.customer_id: one for one in part.customers})
            self._keys.update({one.key.key_id: one.key for one in part.keys})
            self._digests.update({one.digest: one.key.key_id for one in part.keys})
            self._webhooks.update({one.webhook_id: one for one in part.webhooks})
        elif isinstance(part, KeptUsage):
            self._usage.update({row.item_id: row for row in part.rows})
        elif isinstance(part, StagedFiles):
            self._restore_files(part.files)
        elif isinstance(part, ArchivedBatch):
            self._restore_batch(part, given)
        else:
            for run in map(restored_run, part.runs):
                if run.batch_id in self._batches:
                    self._runs[run.batch_id, run.run_no] = run

    def _restore_files(self, files: Iterable[StagedFile]) -> None:
        for file in files:
            if file.file_id not in self._files:
                self._file_log.append(file.file_id)
            known = self._files.get(file.file_id, file)
            self._files[file.file_id] = replace(known, status=file.status, sha256=file.sha256 or known.sha256)

    def _restore_batch(self, archived: ArchivedBatch, given: Restoring) -> None:
        rows, manifest = given.rows(archived), archived.manifest
        self._restore_files(rows.files)
        self._batches[rows.batch.batch_id] = rows.batch
        self._batch_log.append(rows.batch.batch_id)
        for row in rows.items:
            self._items[row.item_id] = row
            self._items_of[row.batch_id].append(row)
            self._last_commit = max(self._last_commit, row.updated_at)
        self._usage.update({row.item_id: row for row in rows.usage})
        if manifest.idempotency_key is not None:
            key = (manifest.customer_id, manifest.idempotency_key)
            self._idempotency[key] = (
                manifest.body_digest,
                manifest.batch_id,
                manifest.keyed_at or manifest.created_at,
            )
