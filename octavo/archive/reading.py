"""Reads an archive to rebuild a ledger. What is damaged is left out and reported."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from octavo.archive import format as archived
from octavo.batches import ItemStatus, StagedFile
from octavo.errors import ArchiveMissing, ArchiveUnreadable
from octavo.identifiers import BatchId, CustomerId, FileId
from octavo.ledger.archive import Accounts, ArchivedBatch, ArchivedPart, Manifest, Outcomes, joined
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore

_MAX_BYTES = 1024**3


@dataclass(slots=True)
class Found:
    """What an archive holds, counted while it is read."""

    customers: int = 0
    keys: int = 0
    files: int = 0
    batches: int = 0
    items: Counter[str] = field(default_factory=Counter)
    """Items by the status with which they are restored."""
    damaged: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""


class ArchiveReader:
    """Reads one archive, once."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._customers: set[CustomerId] = set()
        self._files: set[FileId] = set()
        self.found = Found()

    def identity(self) -> archived.ArchiveIdentity:
        """Return which ledger the archive belongs to. Raises ArchiveMissing, ArchiveUnreadable, StorageUnavailable."""
        try:
            return archived.load_identity(self._read(keys.ARCHIVE_IDENTITY))
        except ObjectMissing:
            raise ArchiveMissing(
                f"Storage holds no archive of a ledger (no object {keys.ARCHIVE_IDENTITY}); "
                "check that the data directory, or storage.endpoint_url and storage.bucket, are right."
            ) from None

    def batches(self) -> list[BatchId]:
        """Return all batches in the archive, oldest first. Raises StorageUnavailable."""
        return sorted(self._keys_by_batch())

    def parts(self) -> Iterator[ArchivedPart]:
        """Yield everything in the order in which a ledger restores it.

        Raises ArchiveUnreadable if no customers can be read, StorageUnavailable.
        """
        yield self._accounts()
        for key in sorted(info.key for info in self._objects.list(keys.KEPT_USAGE)):
            usage, damaged = archived.load_usage(self._read(key))
            self._note_damaged(key, damaged)
            yield usage
        for key in sorted(info.key for info in self._objects.list(keys.STAGED_FILES)):
            files, damaged = archived.load_files(self._read(key))
            self._note_damaged(key, damaged)
            self._count_files(files.files)
            yield files
        by_batch = self._keys_by_batch()
        for batch_id in sorted(by_batch):
            batch = self._batch(batch_id, by_batch[batch_id])
            if batch is not None:
                yield batch
        try:
            yield archived.RUNS.load(self._read(keys.OPEN_RUNS))
        except ObjectMissing:
            return
        except ArchiveUnreadable:
            self._note_damaged(keys.OPEN_RUNS)

    def _read(self, key: str) -> bytes:
        return self._objects.read(key, max_bytes=_MAX_BYTES)

    def _note_damaged(self, key: str, lines: int | None = None) -> None:
        if lines is None:
            self.found.damaged.append(f"{key} cannot be read")
        elif lines:
            self.found.damaged.append(f"{key}: {lines} lines cannot be read")

    def _accounts(self) -> Accounts:
        for key in sorted((info.key for info in self._objects.list(keys.ACCOUNTS)), reverse=True):
            try:
                accounts = archived.ACCOUNTS.load(self._read(key))
            except ArchiveUnreadable:
                self._note_damaged(key)
            else:
                self.found.customers, self.found.keys = len(accounts.customers), len(accounts.keys)
                self._customers = {one.customer_id for one in accounts.customers}
                return accounts
        raise ArchiveUnreadable(f"The archive holds no readable customers (below {keys.ACCOUNTS}).")

    def _keys_by_batch(self) -> dict[BatchId, list[str]]:
        found: dict[BatchId, list[str]] = defaultdict(list)
        for info in self._objects.list(keys.BATCHES):
            found[keys.batch_of(info.key)].append(info.key)
        return found

    def _batch(self, batch_id: BatchId, its_keys: list[str]) -> ArchivedBatch | None:
        try:
            manifest = archived.MANIFEST.load(self._read(keys.manifest_key(batch_id)))
        except (ObjectMissing, ArchiveUnreadable):
            self.found.damaged.append(f"{keys.manifest_key(batch_id)} cannot be read: the batch is left out")
            return None
        if manifest.customer_id not in self._customers:
            self.found.damaged.append(
                f"{keys.manifest_key(batch_id)} belongs to an unknown customer: the batch is left out"
            )
            return None
        pieces = [Outcomes(batch_id=batch_id, until=manifest.created_at)]
        for key in its_keys:
            if key != keys.manifest_key(batch_id):
                pieces += self._piece(key)
        batch = ArchivedBatch(manifest=manifest, outcomes=joined(pieces))
        self._count(manifest, batch.outcomes)
        return batch

    def _piece(self, key: str) -> list[Outcomes]:
        try:
            outcomes, damaged = archived.load_outcomes(self._read(key))
        except (ArchiveUnreadable, ObjectMissing):
            self._note_damaged(key)
            return []
        self._note_damaged(key, damaged)
        return [outcomes]

    def _count_files(self, files: Iterable[StagedFile]) -> None:
        self._files.update(file.file_id for file in files)
        self.found.files = len(self._files)

    def _count(self, manifest: Manifest, outcomes: Outcomes) -> None:
        named = {item_id for item_id, _ in manifest.items}
        ended = [item for item in outcomes.items if item.item_id in named]
        self.found.batches += 1
        self._count_files(manifest.files)
        self.found.items.update(item.status.value for item in ended)
        without = ItemStatus.PENDING if outcomes.cancel_requested_at is None else ItemStatus.CANCELLED
        self.found.items[without.value] += len(named) - len(ended)
