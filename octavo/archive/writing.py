"""Follows a ledger and writes what is new into storage. Blocks.

What others refer to is written first, and the ledger records the position last: a crash in between
repeats the last part, into the same objects or with the same items once more.
"""

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from octavo.archive import format as archived
from octavo.batches import StagedFile
from octavo.errors import ArchiveForeign, BatchNotFound
from octavo.identifiers import BatchId, FileId
from octavo.ledger.archive import Accounts, ArchivePosition, Changes, Deletions, Outcomes, StagedFiles
from octavo.ledger.contract import Ledger
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore
from octavo.timestamps import Clock, now

PIECES_PER_BATCH = 200
"""Number of pieces of an unfinished batch after which they are merged."""
ACCOUNTS_KEPT = 2
"""Versions of customers and keys to keep: the last, and the one before in case the last is truncated."""
SWEEP_EVERY = timedelta(hours=1)
GRACE = timedelta(days=1)
"""How long a staged file is remembered after it has expired."""
_IDENTITY_BYTES = 10_000
_PIECE_BYTES = 1024**3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ArchiveWriter:
    """Writes the archive of one ledger only."""

    def __init__(self, ledger: Ledger, objects: ObjectStore, clock: Clock = now) -> None:
        self._ledger = ledger
        self._objects = objects
        self._clock = clock
        self._position: ArchivePosition | None = None
        self._generation = 0
        self._pieces: Counter[BatchId] = Counter()
        self._swept_at = _EPOCH
        self._one_at_a_time = threading.Lock()

    def look(self) -> None:
        """Archive everything new.

        Raises ArchiveForeign and writes nothing if the archive belongs to another ledger; ArchiveUnreadable
        likewise; StorageUnavailable and LedgerUnavailable, after which the next call continues.
        """
        with self._one_at_a_time:
            self._look()

    def _look(self) -> None:
        if self._position is None:
            self._make_sure_it_is_ours()
            self._position = self._ledger.archive.position()
        while (change := self._ledger.archive.changes(self._position)) is not None:
            if not change.is_empty:
                self._write(change)
                self._ledger.archive.note_position(change.position)
            self._position = change.position
        if self._clock() - self._swept_at > SWEEP_EVERY:
            self._sweep()
            self._swept_at = self._clock()

    def _make_sure_it_is_ours(self) -> None:
        ours = self._ledger.archive.identity()
        self._generation = ours.generation
        try:
            data = self._objects.read(keys.ARCHIVE_IDENTITY, max_bytes=_IDENTITY_BYTES)
        except ObjectMissing:
            # What this ledger recorded was in another bucket, or is gone.
            self._ledger.archive.note_position(ArchivePosition())
            self._put(keys.ARCHIVE_IDENTITY, archived.IDENTITY.dump(archived.identity_of(ours)), archived.JSON)
            return
        found = archived.load_identity(data)
        if found.ledger_id != ours.ledger_id:
            raise ArchiveForeign(
                f"The archive in storage belongs to another ledger ({found.ledger_id}, not {ours.ledger_id}), so "
                "nothing is archived. If ledger.duckdb was lost, stop the stack, then: octavo ledger rebuild --data DIR"
            )

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        self._objects.write(key, data, content_type)

    def _write(self, change: Changes) -> None:
        if change.accounts is not None:
            self._write_accounts(change.accounts)
        if change.runs is not None:
            self._put(keys.OPEN_RUNS, archived.RUNS.dump(change.runs), archived.JSON)
        if change.files is not None:
            self._write_files(change.files)
        for manifest in change.manifests:
            self._put(keys.manifest_key(manifest.batch_id), archived.MANIFEST.dump(manifest), archived.JSON)
        for outcomes in change.outcomes:
            self._write_outcomes(outcomes)
        if change.deletions is not None:
            self._forget(change.deletions)

    def _write_accounts(self, accounts: Accounts) -> None:
        versions = sorted(info.key for info in self._objects.list(keys.ACCOUNTS))
        number = _microseconds(self._clock())
        if versions:
            # The last version has the greatest number even if the clock went back.
            number = max(number, int(versions[-1].removeprefix(keys.ACCOUNTS).removesuffix(".json")) + 1)
        self._put(keys.accounts_key(number), archived.ACCOUNTS.dump(accounts), archived.JSON)
        self._objects.delete(versions[: -(ACCOUNTS_KEPT - 1)])

    def _write_files(self, staged: StagedFiles) -> None:
        days: dict[date, list[StagedFile]] = {}
        for file in staged.files:
            days.setdefault(file.expires_at.astimezone(UTC).date(), []).append(file)
        for day, files in days.items():
            key = keys.staged_files_key(day, self._generation, staged.file_no)
            self._put(key, archived.dump_files(files), archived.JSON_LINES)

    def _write_outcomes(self, outcomes: Outcomes) -> None:
        batch_id = outcomes.batch_id
        self._pieces[batch_id] += 1
        if outcomes.is_terminal or outcomes.is_whole or self._pieces[batch_id] > PIECES_PER_BATCH:
            self._write_all_outcomes(batch_id)
        else:
            key = keys.outcomes_piece_key(batch_id, _microseconds(outcomes.until))
            self._put(key, archived.dump_outcomes(outcomes), archived.JSON_LINES)

    def _write_all_outcomes(self, batch_id: BatchId) -> None:
        """Write all outcomes as one object, from the ledger, which knows every outcome, not from the pieces."""
        try:
            whole = archived.dump_outcomes(self._ledger.archive.outcomes(batch_id))
        except BatchNotFound:
            # Deleted meanwhile: the next call removes what is below it.
            return
        self._put(keys.outcomes_key(batch_id), whole, archived.JSON_LINES)
        self._objects.delete([info.key for info in self._objects.list(keys.outcomes_prefix(batch_id))])
        self._pieces.pop(batch_id, None)

    def _forget(self, deletions: Deletions) -> None:
        """Remove what was deleted, after writing what it was billed."""
        if deletions.usage:
            key = keys.kept_usage_key(self._generation, deletions.deletion_no)
            self._put(key, archived.dump_usage(deletions.usage), archived.JSON_LINES)
        self._objects.delete_below([keys.batch_prefix(batch_id) for batch_id in deletions.batch_ids])
        for batch_id in deletions.batch_ids:
            self._pieces.pop(batch_id, None)
        days: dict[date, set[FileId]] = {}
        for file_id, expires_at in deletions.files:
            days.setdefault(expires_at.astimezone(UTC).date(), set()).add(file_id)
        for day, file_ids in days.items():
            self._strike_out(day, file_ids)
        for batch_id in deletions.touched:
            self._write_anew(batch_id)

    def _strike_out(self, day: date, file_ids: set[FileId]) -> None:
        """Rewrite the pieces of staged files that contain these."""
        for info in list(self._objects.list(keys.staged_files_prefix(day))):
            found, _ = archived.load_files(self._objects.read(info.key, max_bytes=_PIECE_BYTES))
            left = [file for file in found.files if file.file_id not in file_ids]
            if not left:
                self._objects.delete([info.key])
            elif len(left) < len(found.files):
                self._put(info.key, archived.dump_files(left), archived.JSON_LINES)

    def _write_anew(self, batch_id: BatchId) -> None:
        """Rewrite a batch whose files have changed; a deleted file means that all of its items have ended."""
        try:
            manifest = self._ledger.archive.manifest(batch_id)
        except BatchNotFound:
            return
        self._put(keys.manifest_key(batch_id), archived.MANIFEST.dump(manifest), archived.JSON)
        self._write_all_outcomes(batch_id)

    def _sweep(self) -> None:
        """Delete expired files; those used by a batch are in its manifest."""
        oldest = (self._clock() - GRACE).astimezone(UTC).date()
        old = [info.key for info in self._objects.list(keys.STAGED_FILES) if keys.staged_files_day(info.key) < oldest]
        self._objects.delete(old)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
