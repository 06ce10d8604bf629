"""Staged files in DuckDB."""

from collections.abc import Sequence
from dataclasses import replace

from octavo.batches import FileStatus, StagedFile
from octavo.identifiers import CustomerId, FileId
from octavo.ledger import refusals
from octavo.ledger.duckdb.deletions import note_deletions
from octavo.ledger.duckdb.snapshot import Parameter, Row, Snapshot, utc
from octavo.ledger.duckdb.store import Facet, read, write, write_together
from octavo.ledger.duckdb.transaction import Transaction


class DuckdbFiles(Facet):
    """A `FileLedger`."""

    def add(self, files: Sequence[StagedFile]) -> None:
        if files:
            self._add(files)

    @write_together
    def _add(self, tx: Transaction, calls: Sequence[Sequence[StagedFile]]) -> list[None]:
        # One that is there breaks the primary key.
        tx.rows("add_files", **file_columns([file for files in calls for file in files]))
        return [None] * len(calls)

    @read
    def find(self, view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        return find_files(view, customer_id, file_ids)

    @read
    def pending(self, view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        rows = view.rows("pending_files", customer_id=customer_id, file_ids=list(file_ids), now=view.now)
        return [file_record(row) for row in rows]

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
        tx.rows("note_deleted_file", file_id=file_id, expires_at=file.expires_at)
        return note_deletions(tx, [(customer_id, file.object_key, None)])


def file_record(row: Row) -> StagedFile:
    """Return a file from the columns every file statement selects."""
    return StagedFile(
        file_id=row[0],
        customer_id=row[1],
        status=FileStatus(row[2]),
        filename=row[3],
        content_type=row[4],
        size_bytes=row[5],
        sha256=row[6],
        object_key=row[7],
        created_at=utc(row[8]),
        expires_at=utc(row[9]),
    )


def file_columns(files: Sequence[StagedFile]) -> dict[str, Parameter]:
    """Return files as the columns of a statement that keeps them."""
    return {
        "file_ids": [file.file_id for file in files],
        "customer_ids": [file.customer_id for file in files],
        "statuses": [file.status for file in files],
        "filenames": [file.filename for file in files],
        "content_types": [file.content_type for file in files],
        "sizes": [file.size_bytes for file in files],
        "sha256s": [file.sha256 for file in files],
        "object_keys": [file.object_key for file in files],
        "created_ats": [file.created_at for file in files],
        "expires_ats": [file.expires_at for file in files],
    }


def find_files(view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
    """Return those of the files that are this customer's (expired ones with that status)."""
    found = [file_record(row) for row in view.rows("files", customer_id=customer_id, file_ids=list(file_ids))]
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


def check_files(tx: Transaction, customer_id: CustomerId, file_ids: Sequence[FileId]) -> None:
    """Raise UnknownFiles or FilesNotUploaded unless a batch may name all of these files."""
    expired = expired_files(tx, file_ids)
    refused = tx.rows("refused_files", customer_id=customer_id, file_ids=list(file_ids), expired=list(expired))
    unknown = [file_id for file_id, status in refused if status is None]
    if unknown:
        raise refusals.unknown_files(unknown)
    if refused:
        raise refusals.files_not_uploaded([file_id for file_id, _ in refused])
