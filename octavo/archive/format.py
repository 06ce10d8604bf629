"""The archive's objects as bytes: JSON, and JSON lines where a part is better than nothing.

Unknown fields are ignored and missing ones have their default, so a later version may add fields; a
change that an older reader would misread increases `FORMAT`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from octavo.batches import StagedFile
from octavo.errors import ArchiveUnreadable
from octavo.ledger.archive import (
    Accounts,
    EndedItem,
    KeptUsage,
    LedgerIdentity,
    Manifest,
    OpenRuns,
    Outcomes,
    StagedFiles,
)
from octavo.ledger.rows import UsageRow

FORMAT = 1
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveIdentity:
    """Which ledger the archive belongs to, and its format."""

    format: int = 0
    ledger_id: str = ""
    generation: int = 0


class Codec(Generic[T]):
    """Converts a record to bytes and back."""

    def __init__(self, record: type[T], *, sparse: bool = False) -> None:
        """`sparse` leaves out what is None, for records whose optional fields all default to None."""
        self._adapter = TypeAdapter(record)
        self._name = record.__name__
        self._sparse = sparse

    def dump(self, record: T) -> bytes:
        """Return a record as one line of JSON."""
        return self._adapter.dump_json(record, exclude_none=self._sparse)

    def load(self, data: bytes) -> T:
        """Return the record. Raises ArchiveUnreadable."""
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise ArchiveUnreadable(f"The archive holds something that is not a {self._name}.") from error


IDENTITY = Codec(ArchiveIdentity)
ACCOUNTS = Codec(Accounts)
RUNS = Codec(OpenRuns)
MANIFEST = Codec(Manifest)
_FILE = Codec(StagedFile)
_USAGE = Codec(UsageRow)
_ITEM = Codec(EndedItem, sparse=True)
_HEAD = Codec(Outcomes, sparse=True)


def identity_of(ledger: LedgerIdentity) -> ArchiveIdentity:
    """Return the identity of a ledger's archive."""
    return ArchiveIdentity(format=FORMAT, ledger_id=ledger.ledger_id, generation=ledger.generation)


def load_identity(data: bytes) -> ArchiveIdentity:
    """Return which ledger the archive belongs to. Raises ArchiveUnreadable, also for another format."""
    found = IDENTITY.load(data)
    if found.format != FORMAT:
        raise ArchiveUnreadable(
            f"The archive has format {found.format}, but this version reads {FORMAT}; use the Octavo that wrote it."
        )
    return found


def dump_files(files: Iterable[StagedFile]) -> bytes:
    """Return files, one to a line."""
    return _lines(map(_FILE.dump, files))


def load_files(data: bytes) -> tuple[StagedFiles, int]:
    """Return the readable files, and how many lines are unreadable."""
    files, damaged = _readable(_FILE, data.splitlines())
    return StagedFiles(file_no=0, files=tuple(files)), damaged


def dump_usage(rows: Iterable[UsageRow]) -> bytes:
    """Return what items were billed, one to a line."""
    return _lines(map(_USAGE.dump, rows))


def load_usage(data: bytes) -> tuple[KeptUsage, int]:
    """Return what is readable, and how many lines are not."""
    rows, damaged = _readable(_USAGE, data.splitlines())
    return KeptUsage(rows=tuple(rows)), damaged


def dump_outcomes(outcomes: Outcomes) -> bytes:
    """Return the outcomes of a batch: the batch in the first line, an item in each line after it."""
    head = _HEAD.dump(replace(outcomes, items=()))
    return _lines([head, *map(_ITEM.dump, outcomes.items)])


def load_outcomes(data: bytes) -> tuple[Outcomes, int]:
    """Return the readable outcomes, and how many lines are unreadable. Raises ArchiveUnreadable for the first line."""
    head, *lines = data.splitlines() or [b""]
    items, damaged = _readable(_ITEM, lines)
    return replace(_HEAD.load(head), items=tuple(items)), damaged


def _lines(lines: Iterable[bytes]) -> bytes:
    # The last line also ends with a line break: one that does not is truncated, and not JSON either.
    return b"".join(line + b"\n" for line in lines)


def _readable(codec: Codec[T], lines: Iterable[bytes]) -> tuple[list[T], int]:
    found: list[T] = []
    damaged = 0
    for line in lines:
        try:
            found.append(codec.load(line))
        except ArchiveUnreadable:
            damaged += 1
    return found, damaged
