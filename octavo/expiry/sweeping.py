"""Finds objects that nothing refers to: uploads of deleted files, results of refused work.

Nothing is swept while ledger and archive disagree: a ledger that was lost, or restored from an old
copy, knows little, and objects it does not know may be all that is left.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from octavo.archive import format as archived
from octavo.errors import ArchiveUnreadable
from octavo.expiry.expiring import Expiry
from octavo.identifiers import BatchId, CustomerId, FileId, ResultId
from octavo.ledger.contract import Ledger
from octavo.objects import keys
from octavo.objects.contract import ObjectInfo, ObjectMissing, ObjectStore
from octavo.timestamps import Clock, now

_IDENTITY_BYTES = 10_000


class Sweep:
    """Sweeps the storage of one ledger, which it is shown piece by piece."""

    def __init__(
        self, ledger: Ledger, objects: ObjectStore, expiry: Expiry, *, patience: timedelta, clock: Clock = now
    ) -> None:
        """`patience` is the age at which an unknown object is swept: work in progress is not in the ledger yet."""
        self._ledger = ledger
        self._objects = objects
        self._expiry = expiry
        self._patience = patience
        self._clock = clock

    def objection(self, batch_ids: Sequence[BatchId]) -> str | None:
        """Return why nothing may be swept, given the batches in the archive; None if sweeping is allowed.

        Raises StorageUnavailable.
        """
        try:
            identity = archived.load_identity(self._objects.read(keys.ARCHIVE_IDENTITY, max_bytes=_IDENTITY_BYTES))
        except (ObjectMissing, ArchiveUnreadable):
            return "storage holds no archive of this ledger that can be read"
        if identity.ledger_id != self._ledger.archive.identity().ledger_id:
            return "the archive in storage belongs to another ledger"
        unknown = sorted(set(batch_ids) - self._ledger.lifetimes.known_batches(batch_ids))
        # One that is being deleted is already gone from the ledger, but not yet from the archive.
        unknown = [one for one in unknown if self._is_old(keys.batch_prefix(one))]
        return f"the archive describes batches that the ledger does not know, such as {unknown[0]}" if unknown else None

    def _is_old(self, prefix: str) -> bool:
        found = [info.last_modified for info in self._objects.list(prefix)]
        return bool(found) and max(found) < self._clock() - self._patience

    def sweep(self, stored: Sequence[ObjectInfo]) -> int:
        """Delete those of these objects that nothing refers to; return how many. Raises StorageUnavailable."""
        before = self._clock() - self._patience
        return self._sweep_inputs(stored, before) + self._sweep_results(stored, before)

    def _sweep_inputs(self, stored: Sequence[ObjectInfo], before: datetime) -> int:
        inputs = {file_id: info for info in stored if (file_id := _file_of(info.key)) is not None}
        kept = self._ledger.lifetimes.kept_files(list(inputs)) if inputs else {}
        # Bytes of an expired or deleted file, uploaded through a URL that was still valid.
        gone = [info.key for file_id, info in inputs.items() if not kept.get(file_id, info.last_modified >= before)]
        self._objects.delete(gone)
        return len(gone)

    def _sweep_results(self, stored: Sequence[ObjectInfo], before: datetime) -> int:
        touched: dict[tuple[CustomerId, ResultId], list[datetime]] = defaultdict(list)
        for info in stored:
            if (found := _result_of(info.key)) is not None:
                touched[found].append(info.last_modified)
        old = {result_id: customer_id for (customer_id, result_id), moments in touched.items() if max(moments) < before}
        return self._expiry.take_results(old)


def _file_of(key: str) -> FileId | None:
    try:
        return keys.file_of(key)
    except ValueError:
        return None


def _result_of(key: str) -> tuple[CustomerId, ResultId] | None:
    try:
        return keys.result_of(key)
    except ValueError:
        return None
