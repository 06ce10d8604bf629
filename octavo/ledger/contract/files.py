"""Staged files."""

from collections.abc import Sequence
from typing import Protocol

from octavo.batches import StagedFile
from octavo.identifiers import CustomerId, FileId


class FileLedger(Protocol):
    """The files that customers have staged."""

    def add(self, files: Sequence[StagedFile]) -> None:
        """Keep newly staged files, all or none. Raises ValueError if one is there already."""
        ...

    def find(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        """Return those of the files that are this customer's (expired ones with that status).

        A file expires at `expires_at`, but not while an unfinished item names it.
        """
        ...

    def pending(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        """Return those of the files that are this customer's and whose bytes nobody has seen yet."""
        ...

    def mark_ready(self, file_ids: Sequence[FileId]) -> None:
        """Say that these files' bytes were seen in storage; files that are not pending stay as they are."""
        ...

    def delete(self, customer_id: CustomerId, file_id: FileId) -> list[int]:
        """Delete a file; returns the numbers of its pending deletions.

        Items that name it keep its id. Raises UnknownFiles, also for one that was deleted before;
        FileInUse (`batch_ids`) while unfinished items name it.
        """
        ...
