"""What is new in DuckDB after a position, for whoever archives it; and a ledger rebuilt from an archive."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime

from octavo.batches import ItemStatus
from octavo.identifiers import BatchId, FileId
from octavo.ledger.archive import (
    Accounts,
    ArchivedPart,
    ArchivePosition,
    Changes,
    Deletions,
    EndedItem,
    KeptKey,
    LedgerIdentity,
    Manifest,
    OpenRuns,
    Outcomes,
    StagedFiles,
)
from octavo.ledger.duckdb.accounts import all_customers
from octavo.ledger.duckdb.batch_rows import find_batch
from octavo.ledger.duckdb.restoring import archive_position, end_restore, note_archive_position, restore_part
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import (
    API_KEYS,
    BATCHES,
    DELETIONS,
    FILES,
    IDEMPOTENCY_KEYS,
    IDENTITY,
    ITEMS,
    RUNS,
    USAGE,
    WEBHOOKS,
)
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.values import utc
from octavo.ledger.restoring import Restoring, check_empty
from octavo.ledger.rows import BatchRow, ItemRow

FILES_AT_ONCE = 5_000
BATCHES_AT_ONCE = 200
ITEMS_AT_ONCE = 20_000
DELETIONS_AT_ONCE = 200


class DuckdbArchive(Facet):
    """An `ArchiveLedger`."""

    @read
    def identity(self, view: Snapshot) -> LedgerIdentity:
        (found,) = view.records(IDENTITY, "identity")
        return found

    @read
    def position(self, view: Snapshot) -> ArchivePosition:
        return archive_position(view)

    @read
    def changes(self, view: Snapshot, after: ArchivePosition) -> Changes | None:
        ((accounts, runs),) = view.rows("fingerprints")
        found = Changes(
            position=replace(after, accounts=accounts, runs=runs),
            accounts=_accounts(view) if accounts != after.accounts else None,
            runs=_open_runs(view) if runs != after.runs else None,
        )
        found = _with_deletions(view, found)
        found = _with_files(view, found)
        if found.files is None or len(found.files.files) < FILES_AT_ONCE:
            found = _with_manifests(view, found)
            if not found.manifests or not view.rows("batches_after", batch_no=found.position.batch_no, limit=1):
                found = _with_outcomes(view, found)
        return None if found.position == after else found

    @read
    def outcomes(self, view: Snapshot, batch_id: BatchId) -> Outcomes:
        return _outcomes_of_batch(view, batch_id)

    @read
    def manifest(self, view: Snapshot, batch_id: BatchId) -> Manifest:
        (found,) = _manifests(view, [find_batch(view, batch_id)])
        return found

    @write
    def note_position(self, tx: Transaction, position: ArchivePosition) -> None:
        note_archive_position(tx, position)

    def restore(self, parts: Iterable[ArchivedPart], *, generation: int) -> None:
        self._check_empty()
        given = Restoring(generation=generation, moment=self._store.clock())
        for part in parts:
            self._restore_part(replace(given, part=part))
        self._end_restore(given)
        self._store.go_on_after_restore()

    @read
    def _check_empty(self, view: Snapshot) -> None:
        check_empty(all_customers(view))

    @write
    def _restore_part(self, tx: Transaction, given: Restoring) -> None:
        restore_part(tx, given)

    @write
    def _end_restore(self, tx: Transaction, given: Restoring) -> None:
        end_restore(tx, given)


def _accounts(view: Snapshot) -> Accounts:
    keys = tuple(KeptKey(key=row.record(), digest=row.digest) for row in view.records(API_KEYS, "all_keys"))
    webhooks = tuple(view.records(WEBHOOKS, "all_webhooks"))
    return Accounts(customers=tuple(all_customers(view)), keys=keys, webhooks=webhooks)


def _open_runs(view: Snapshot) -> OpenRuns:
    return OpenRuns(runs=tuple(view.records(RUNS, "runs_of_open_batches")))


def _with_deletions(view: Snapshot, found: Changes) -> Changes:
    rows = view.records(DELETIONS, "deletions_after", deletion_no=found.position.deletion_no, limit=DELETIONS_AT_ONCE)
    if not rows:
        return found
    batch_ids = [row.batch_id for row in rows if row.batch_id is not None]
    files = [(row.file_id, row.expires_at) for row in rows if row.file_id is not None and row.expires_at is not None]
    file_ids = [file_id for file_id, _ in files]
    usage = view.records(USAGE, "usage_of_batches", batch_ids=list(batch_ids)) if batch_ids else []
    naming = view.rows("batches_of_files", file_ids=file_ids) if file_ids else []
    deletions = Deletions(
        deletion_no=rows[-1].deletion_no,
        batch_ids=tuple(batch_ids),
        usage=tuple(usage),
        files=tuple(files),
        touched=tuple(row[0] for row in naming),
    )
    return replace(found, deletions=deletions, position=replace(found.position, deletion_no=deletions.deletion_no))


def _with_files(view: Snapshot, found: Changes) -> Changes:
    rows = view.rows("files_after", file_no=found.position.file_no, limit=FILES_AT_ONCE)
    if not rows:
        return found
    files = StagedFiles(file_no=rows[-1][-1], files=tuple(FILES.read(row[:-1]) for row in rows))
    return replace(found, files=files, position=replace(found.position, file_no=files.file_no))


def _with_manifests(view: Snapshot, found: Changes) -> Changes:
    batches = _first(view.records(BATCHES, "batches_after", batch_no=found.position.batch_no, limit=BATCHES_AT_ONCE))
    if not batches:
        return found
    reached = replace(found.position, batch_no=batches[-1].batch_no)
    return replace(found, manifests=tuple(_manifests(view, batches)), position=reached)


def _first(batches: Sequence[BatchRow]) -> list[BatchRow]:
    """Return as many of the first batches as have about `ITEMS_AT_ONCE` items, one at least."""
    taken: list[BatchRow] = []
    items = 0
    for batch in batches:
        items += batch.total_items
        if taken and items > ITEMS_AT_ONCE:
            break
        taken.append(batch)
    return taken


def _manifests(view: Snapshot, batches: Sequence[BatchRow]) -> Iterable[Manifest]:
    items: dict[int, list[ItemRow]] = {}
    for row in view.records(ITEMS, "items_of_batches", first=batches[0].batch_no, last=batches[-1].batch_no):
        items.setdefault(row.batch_no, []).append(row)
    file_ids = sorted({row.file_id for rows in items.values() for row in rows})
    files = {file.file_id: file for file in view.records(FILES, "files_by_id", file_ids=list(file_ids))}
    keyed = view.records(IDEMPOTENCY_KEYS, "idempotency_keys_of", batch_ids=[batch.batch_id for batch in batches])
    keys = {key.batch_id: key for key in keyed}
    for batch in batches:
        its_items = items[batch.batch_no]
        key = keys.get(batch.batch_id)
        made = Manifest(
            batch_id=batch.batch_id,
            customer_id=batch.customer_id,
            engine=batch.engine,
            options=batch.options.to_values(),
            metadata=batch.metadata,
            priority=batch.priority,
            retention_seconds=batch.retention_seconds,
            created_at=batch.created_at,
            idempotency_key=None if key is None else key.idempotency_key,
            body_digest="" if key is None else key.body_digest,
            keyed_at=None if key is None else key.created_at,
            items=tuple((item.item_id, item.file_id) for item in its_items),
            files=tuple(files[file_id] for file_id in dict.fromkeys(item.file_id for item in its_items)),
        )
        inputs = tuple(item.input() for item in its_items)
        yield made if inputs == made.of_files() else replace(made, inputs=inputs)


def _with_outcomes(view: Snapshot, found: Changes) -> Changes:
    after = found.position.updated_at
    ((until, count),) = view.rows("next_outcomes", after=after, limit=ITEMS_AT_ONCE)
    if count < ITEMS_AT_ONCE:
        # All of them: whatever else was committed meanwhile need not be looked at again.
        ((until,),) = view.rows("newest_commit", after=after)
    if until is None:
        return found
    until = utc(until)
    found = replace(found, position=replace(found.position, updated_at=until))
    if not count:
        return found
    rows: dict[BatchId, list[ItemRow]] = {}
    for row in view.records(ITEMS, "outcomes_between", after=after, until=until):
        rows.setdefault(row.batch_id, []).append(row)
    for (batch_id,) in view.rows("cancels_between", after=after, until=until):
        rows.setdefault(batch_id, [])
    retried = [row[0] for row in view.rows("retries_between", after=after, until=until)]
    for batch_id in retried:
        rows.pop(batch_id, None)
    digests = _digests(view, [row.file_id for ended in rows.values() for row in ended])
    found_batches = view.records(BATCHES, "batches_by_id", batch_ids=list(rows))
    batches = {batch.batch_id: batch for batch in found_batches}
    return replace(
        found,
        outcomes=(
            *(_outcomes(batches[batch_id], ended, digests, until) for batch_id, ended in rows.items()),
            *(_outcomes_of_batch(view, batch_id) for batch_id in retried),
        ),
    )


def _outcomes_of_batch(view: Snapshot, batch_id: BatchId) -> Outcomes:
    """Return all items of a batch that have ended or have a result. Raises BatchNotFound."""
    batch = find_batch(view, batch_id)
    rows = view.records(ITEMS, "outcomes_of_batch", batch_no=batch.batch_no)
    ((last,),) = view.rows("last_commit")
    found = _outcomes(batch, rows, _digests(view, [row.file_id for row in rows]), utc(last))
    return replace(found, is_whole=True)


def _digests(view: Snapshot, file_ids: Sequence[FileId]) -> dict[FileId, str]:
    return dict(view.rows("digests_of_files", file_ids=sorted(set(file_ids)))) if file_ids else {}


def _outcomes(batch: BatchRow, rows: Sequence[ItemRow], digests: dict[FileId, str], until: datetime) -> Outcomes:
    return Outcomes(
        batch_id=batch.batch_id,
        until=until,
        is_terminal=batch.status.is_terminal,
        started_at=batch.started_at,
        cancel_requested_at=batch.cancel_requested_at,
        items=tuple(_ended_item(row, digests) for row in rows),
    )


def _ended_item(row: ItemRow, digests: dict[FileId, str]) -> EndedItem:
    """Return what the archive keeps of an item; one that has a result and is read again is pending."""
    status = ItemStatus.PENDING if row.status is ItemStatus.RUNNING else row.status
    return EndedItem(
        status=status,
        completed_at=row.completed_at or row.updated_at,
        sha256=digests.get(row.file_id),
        **{name: getattr(row, name) for name in _OF_ENDED_ITEM},
    )


_OF_ENDED_ITEM = [field.name for field in fields(EndedItem) if field.name not in ("status", "completed_at", "sha256")]
