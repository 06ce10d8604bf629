"""What an error of DuckDB says of the ledger's file: damaged, too new, not ours, in use, or not to be had just now."""

import errno
import os
from pathlib import Path

import duckdb

from octavo.errors import (
    DataDirectoryInUse,
    InvalidSettings,
    LedgerDamaged,
    LedgerTooNew,
    LedgerUnavailable,
    OperationError,
)

NO_SPACE = os.strerror(errno.ENOSPC)
NOT_PERMITTED = (os.strerror(errno.EACCES), os.strerror(errno.EPERM), os.strerror(errno.EROFS))
DAMAGE = (
    "not a valid DuckDB",
    "Could not read enough bytes",
    "Corrupt database",
    "checksum",
    "Failed to load metadata",
)
"""Parts of DuckDB's messages about files that are cut off or overwritten."""
OF_DAMAGE = (duckdb.SerializationException,)
"""Errors of DuckDB that a sound file never causes."""
OTHER_VERSION = ("database file with version number", "newer version of DuckDB")


def in_use(path: Path) -> DataDirectoryInUse:
    """Return the refusal of a file that another process, or this one, has open."""
    return DataDirectoryInUse(f"The ledger {path} is in use; stop the other Octavo, or choose another data directory.")


def damage(path: Path, error: duckdb.Error) -> str:
    """Return what to do about a damaged file."""
    return (
        f"The ledger {path} is damaged ({_first_line(error)}). Stop the stack and restore it from its archive: "
        f"octavo ledger rebuild --force --data {path.parent}"
    )


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error says that the file's content is not what was written."""
    return isinstance(error, OF_DAMAGE) or any(part in str(error) for part in DAMAGE)


def opening_failure(path: Path, error: duckdb.Error) -> OperationError:
    """Return why a file cannot be opened, and what to do."""
    told = str(error)
    if "Could not set lock" in told or "Conflicting lock" in told:
        return in_use(path)
    if any(part in told for part in OTHER_VERSION):
        return LedgerTooNew(f"The ledger {path} was written by another version of DuckDB: {_first_line(error)}")
    if any(part in told for part in NOT_PERMITTED):
        return InvalidSettings(
            f"The ledger {path} may not be opened by this user; start as its owner, or choose another data directory."
        )
    if is_damage(error):
        return LedgerDamaged(damage(path, error))
    return LedgerUnavailable(f"The ledger {path} cannot be opened: {_first_line(error)}")


def reading_failure(path: Path | None, error: duckdb.Error) -> LedgerUnavailable:
    """Return why an opened file cannot be read."""
    if path is not None and is_damage(error):
        return LedgerUnavailable(damage(path, error))
    return LedgerUnavailable(f"The ledger could not be read: {error}")


def writing_failure(path: Path | None, error: duckdb.Error) -> LedgerUnavailable:
    """Return why an opened file cannot be written."""
    if NO_SPACE in str(error):
        return LedgerUnavailable("The disk of the ledger is full; free some space, and it resumes by itself.")
    if path is not None and is_damage(error):
        return LedgerUnavailable(damage(path, error))
    return LedgerUnavailable(f"The ledger could not be written: {error}")


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
