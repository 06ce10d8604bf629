"""Staged files in DuckDB."""

from collections.abc import Sequence
from dataclasses import replace

from octavo.batches import FileStatus, StagedFile
from octavo.identifiers import CustomerId, FileId
from octavo.ledger import refusals
from octavo.ledger.duckdb.deletions import note_deleted_file, note_deletions
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write, write_together
from octavo.ledger.duckdb.tables import FILES
from octavo.ledger.duckdb.transaction import Transaction


class DuckdbFiles(Facet):
    """A `FileLedger`."""

    def add(self, files: Sequence[StagedFile]) -> None:
        if files:
            self._add(files)

    @write_together
    def _add(self, tx: Transaction, calls: Sequence[Sequence[StagedFile]]) -> list[None]:
        # One that is there breaks the primary key.
        FILES.insert_rows(tx, [file for files in calls for file in files])
        return [None] * len(calls)

    @read
    def find(self, view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        return find_files(view, customer_id, file_ids)

    @read
    def pending(self, view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        return view.records(FILES, "pending_files", customer_id=customer_id, file_ids=list(file_ids), now=view.now)

    def mark_ready(self, file_ids: Sequence[FileId]) -> None:
        if file_ids:
            self._mark_ready(file_ids)

    @write
    def _mark_ready(self, tx: Transaction, file_ids: Sequence[FileId]) -> None:
        expired = expired_files(tx, file_ids)
        tx.rows("mark_ready", file_ids=[file_id for file_id in file_ids if file_id not in expired])

    @write
    def delete(self, tx: Transaction, customer_id: CustomerId, file_id: FileId) -> list[int]:
        tx.flush()
        file = find_files(tx, customer_id, [file_id]).get(file_id)
        if file is None:
            raise refusals.unknown_files([file_id])
        using = [row[0] for row in tx.rows("unfinished_batches_of_file", file_id=file_id)]
        if using:
            raise refusals.file_in_use(file_id, using)
        tx.rows("delete_file", file_id=file_id)
        tx.rows("forget_names", file_id=file_id)
        note_deleted_file(tx, file)
        return note_deletions(tx, [(customer_id, file.object_key, None)])


def find_files(view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
    """Return those of the files that are this customer's (expired ones with that status)."""
    found = view.records(FILES, "files", customer_id=customer_id, file_ids=list(file_ids))
    expired = expired_files(view, file_ids)
    return {
        file.file_id: replace(file, status=FileStatus.EXPIRED) if file.file_id in expired else file for file in found
    }


def expired_files(view: Snapshot, file_ids: Sequence[FileId]) -> set[FileId]:
    """Return those of the files that have expired: their time is over and no unfinished item names them."""
    overdue = {row[0] for row in view.rows("overdue_files", file_ids=list(file_ids), now=view.now)}
    if overdue:
        overdue -= {row[0] for row in view.rows("files_in_use", file_ids=list(overdue))}
    return overdue


def check_files(tx: Transaction, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, str | None]:
    """Return the names of the files of a batch. Raises UnknownFiles, FilesNotUploaded where it may not name them."""
    expired = expired_files(tx, file_ids)
    found = tx.rows("files_of_batch", customer_id=customer_id, file_ids=list(file_ids))
    unknown = [file_id for file_id, status, _ in found if status is None or file_id in expired]
    if unknown:
        raise refusals.unknown_files(unknown)
    pending = [file_id for file_id, status, _ in found if status != FileStatus.READY]
    if pending:
        raise refusals.files_not_uploaded(pending)
    return {file_id: filename for file_id, _, filename in found}
