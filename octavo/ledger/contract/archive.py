"""What is new for the archive, and rebuilding a ledger from one."""

from collections.abc import Iterable
from typing import Protocol

from octavo.identifiers import BatchId
from octavo.ledger.archive import ArchivedPart, ArchivePosition, Changes, LedgerIdentity, Manifest, Outcomes


class ArchiveLedger(Protocol):
    """What an archive of the ledger is written from, and what it is rebuilt from."""

    def identity(self) -> LedgerIdentity:
        """Return which ledger this is; its name was made at random with it."""
        ...

    def position(self) -> ArchivePosition:
        """Return how far this ledger was archived."""
        ...

    def changes(self, after: ArchivePosition) -> Changes | None:
        """Return what is new after a position, the first part of it when it is much; None when nothing is.

        Nothing comes before what it refers to: customers, files, batches, outcomes. An outcome is told
        once, a customer or run whenever any of them has changed. What was deleted is told until that was archived.
        After a retry a batch is told of as a whole.
        """
        ...

    def outcomes(self, batch_id: BatchId) -> Outcomes:
        """Return all items of a batch that have ended, as a whole. Raises BatchNotFound."""
        ...

    def manifest(self, batch_id: BatchId) -> Manifest:
        """Return a batch as it was admitted. Raises BatchNotFound."""
        ...

    def note_position(self, position: ArchivePosition) -> None:
        """Say that everything up to this position was archived."""
        ...

    def restore(self, parts: Iterable[ArchivedPart], *, generation: int) -> None:
        """Put what an archive holds into this ledger, which must be empty; all of it counts as archived.

        Parts come in this order: accounts, usage, files, batches, runs; runs of unknown batches are left out.
        Items without an outcome are pending, under lease numbers that no earlier generation
        has given, and shown as changed just now. Raises ValueError for a ledger with customers.
        """
        ...
