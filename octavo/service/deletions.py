"""Deletion at a customer's wish: nothing of a file or a batch stays but what was billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio.to_thread

from octavo.batches import Customer
from octavo.identifiers import BatchId, FileId
from octavo.ledger.contract import BatchLedger, FileLedger


class Remover(Protocol):
    """Removes from storage and archive what the ledger has marked as deleted."""

    async def finish(self, numbers: Sequence[int]) -> None:
        """Remove what has these numbers, or leave it to the expiry's own loop when it takes long."""
        ...


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletes files and batches."""

    files: FileLedger
    batches: BatchLedger
    remover: Remover

    async def delete_file(self, customer: Customer, file_id: FileId) -> None:
        """Delete a file and its bytes; results that were made of it stay. Raises UnknownFiles, FileInUse."""
        numbers = await anyio.to_thread.run_sync(self.files.delete, customer.customer_id, file_id)
        await self.remover.finish(numbers)

    async def delete_batch(self, customer: Customer, batch_id: BatchId) -> None:
        """Delete a batch that has ended, with its items and results. Raises BatchNotFound, BatchNotFinished."""
        numbers = await anyio.to_thread.run_sync(self.batches.delete, customer.customer_id, batch_id)
        await self.remover.finish(numbers)
