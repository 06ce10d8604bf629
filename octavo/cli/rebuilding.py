"""`octavo ledger rebuild`: a new ledger from the archive in storage."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from octavo import wiring
from octavo.archive import format as archived
from octavo.archive.reading import ArchiveReader, Found
from octavo.batches import ItemStatus
from octavo.cli.terminal import err, out, progress_bars, tell
from octavo.directory import DataDirectory, DirectoryLock
from octavo.errors import ArchiveMissing, InvalidSettings, LedgerExists
from octavo.ledger.archive import ArchivedBatch, ArchivedPart
from octavo.ledger.contract import Ledger, UsageTotals
from octavo.objects import embedded, keys
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Settings
from octavo.settings import Settings, read_settings
from octavo.supervisor import leftovers
from octavo.supervisor.alone import running
from octavo.supervisor.stack import Stack

MOST_DAMAGE_SHOWN = 20


def has_content(file: Path) -> bool:
    """Whether there is a file with anything in it."""
    return file.exists() and file.stat().st_size > 0


def has_embedded_archive(settings: Settings, directory: DataDirectory) -> bool:
    """Whether the embedded storage, running or not, holds the archive of a ledger."""
    embeds = settings.storage.endpoint_url is None
    return embeds and (directory.objects / settings.storage.bucket / keys.ARCHIVE_IDENTITY).exists()


def rebuild(data: Path | None, *, force: bool) -> bool:
    """Restore the ledger; return whether the whole archive could be read.

    Raises DataDirectoryInUse, LedgerExists, ArchiveMissing, ArchiveUnreadable, StorageUnavailable.
    """
    settings = read_settings(data)
    directory = DataDirectory(settings.data)
    directory.prepare()
    with DirectoryLock(directory):
        leftovers.end(directory.children)
        if has_content(directory.ledger) and not force:
            raise LedgerExists(
                f"{directory.ledger} exists. If it should no longer be used, --force moves it aside and restores a new "
                "one from the archive; whatever the archive lacks is then only in the old file."
            )
        with _objects(settings, directory) as objects:
            found, billed = _make(directory, objects)
    _show(found, billed, directory)
    return not found.damaged


@contextlib.contextmanager
def _objects(settings: Settings, directory: DataDirectory) -> Iterator[ObjectStore]:
    """Yield the storage of this stack; the embedded server is started for as long as it is needed."""
    stack = Stack(settings, directory)
    storage = stack.storage_alone()
    if storage is None:
        yield wiring.open_objects(_elsewhere(settings))
        return
    if not has_embedded_archive(settings, directory):
        raise ArchiveMissing(
            f"{directory.objects} holds no archive of a ledger in the bucket {settings.storage.bucket}; "
            "check that --data is the right directory."
        )
    url = stack.addresses.storage_url
    with running(storage, directory.children):
        own = embedded.load_keys(directory.storage_keys)
        yield wiring.open_objects(
            S3Settings(
                endpoint_url=url,
                public_url=url,
                bucket=settings.storage.bucket,
                access_key=own.access_key,
                secret_key=own.secret_key,
                region=settings.storage.region,
            )
        )


def _elsewhere(settings: Settings) -> S3Settings:
    storage = settings.storage
    if storage.endpoint_url is None or storage.access_key is None or storage.secret_key is None:
        raise InvalidSettings(
            "This command needs the keys of storage themselves: "
            "set OCTAVO_STORAGE__ACCESS_KEY and OCTAVO_STORAGE__SECRET_KEY."
        )
    return S3Settings(
        endpoint_url=storage.endpoint_url,
        public_url=storage.public_url or storage.endpoint_url,
        bucket=storage.bucket,
        access_key=storage.access_key.get_secret_value(),
        secret_key=storage.secret_key.get_secret_value(),
        region=storage.region,
    )


def _make(directory: DataDirectory, objects: ObjectStore) -> tuple[Found, UsageTotals]:
    reader = ArchiveReader(objects)
    generation = reader.identity().generation + 1
    draft = directory.path / "ledger.duckdb.new"
    for leftover in (draft, _log_of(draft)):
        leftover.unlink(missing_ok=True)
    ledger: Ledger = wiring.open_ledger_file(draft)
    try:
        ledger.archive.restore(_with_progress(reader), generation=generation)
        identity = archived.identity_of(ledger.archive.identity())
        billed = ledger.billing.totals()
    finally:
        ledger.close()
    # The archive belongs to the new ledger before that is in place: if interrupted in between, this can be repeated.
    objects.write(keys.ARCHIVE_IDENTITY, archived.IDENTITY.dump(identity), archived.JSON)
    _put_in_place(draft, directory.ledger)
    return reader.found, billed


def _with_progress(reader: ArchiveReader) -> Iterator[ArchivedPart]:
    tell("ledger", "reading the archive")
    with progress_bars() as bars:
        task = bars.add_task("batches", total=len(reader.batches()), note="")
        for part in reader.parts():
            yield part
            if isinstance(part, ArchivedBatch):
                bars.advance(task)


def _put_in_place(draft: Path, ledger: Path) -> None:
    """Move the old ledger, or what is left of it, aside; then move the new one into its place."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = ledger.with_name(f"{ledger.name}.OLD-{moment}")
    # A log left next to another file would be replayed into the new ledger.
    for old, new in ((ledger, aside), (_log_of(ledger), _log_of(aside))):
        if old.exists():
            old.rename(new)
            tell("ledger", f"{old.name} is now {new.name}")
    if _log_of(draft).exists():
        _log_of(draft).rename(_log_of(ledger))
    draft.rename(ledger)
    descriptor = os.open(ledger.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _show(found: Found, billed: UsageTotals, directory: DataDirectory) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {"customers": found.customers, "keys": found.keys, "files": found.files, "batches": found.batches}
    rows |= {f"items {status.value}": found.items[status.value] for status in ItemStatus if found.items[status.value]}
    # All that was billed, also sync extractions and batches that are gone: what `GET /v1/usage` says of it.
    for name, count in (rows | {"pages billed": billed.pages}).items():
        table.add_row(name, f"{count:,}")
    out.print(table)
    for sentence in found.damaged[:MOST_DAMAGE_SHOWN]:
        err.print(f"octavo: {sentence}", style="yellow", markup=False)
    if len(found.damaged) > MOST_DAMAGE_SHOWN:
        err.print(f"octavo: and {len(found.damaged) - MOST_DAMAGE_SHOWN} more", style="yellow", markup=False)
    tell("ledger", f"restored; start the stack: octavo up --data {directory.path}")
