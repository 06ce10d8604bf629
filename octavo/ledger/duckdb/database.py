"""Opening the ledger's file: settings, migrations, who may open it.

Never open this file by other means while the ledger has it: closing any descriptor of it drops
the lock that keeps other processes out.
"""

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import duckdb

from octavo.errors import LedgerTooNew, LedgerUnavailable
from octavo.ledger.duckdb.failures import damage, in_use, is_damage, opening_failure
from octavo.ledger.duckdb.statements import Migration, migrations, statements

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    # The work is many short statements; a second thread costs each more than it saves.
    "threads": "1",
    "memory_limit": "1GB",
    # Small and often: what is changed stays in memory until then, and grew by 20 MB between two of 16 MB each.
    "checkpoint_threshold": "4MB",
    # Nothing of the ledger is fetched from anywhere, and SQL sees its own file only.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}

_open_here: set[Path] = set()
_open_here_lock = threading.Lock()


class Database(Protocol):
    """An opened database, its schema up to date; `root` belongs to the writer thread."""

    root: duckdb.DuckDBPyConnection

    @property
    def path(self) -> Path | None:
        """Return its file; None in memory."""
        ...

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own, for one read."""
        ...

    def reopen(self) -> None:
        """Reopen it, after an error with which DuckDB gives an opened database up. Writer thread only."""
        ...

    def keep_private(self) -> None:
        """Let nobody but the owner read what a commit has written."""
        ...

    def last_commit(self) -> datetime:
        """Return the latest moment that was given to a commit."""
        ...

    def close(self) -> None:
        """Release it; safe to repeat."""
        ...


class FileDatabase:
    """The opened file, its schema up to date; `root` belongs to the writer thread.

    Raises: DataDirectoryInUse, InvalidSettings, LedgerDamaged, LedgerTooNew, LedgerUnavailable.
    """

    def __init__(self, path: Path, steps: tuple[Migration, ...] | None = None) -> None:
        self.path = path.absolute()
        self._wal = self.path.with_name(self.path.name + ".wal")
        _enter(self.path)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root = _connect(self.path)
            try:
                migrate(self.root, migrations() if steps is None else steps)
                last_commit(self.root)
                self.keep_private()
            except duckdb.Error as error:
                # What is cut off at its end is met by whatever is read first.
                self.root.close()
                raise opening_failure(self.path, error) from error
            except BaseException:
                self.root.close()
                raise
        except BaseException:
            _leave(self.path)
            raise

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own on the same file, for one read."""
        return self.root.cursor()

    def reopen(self) -> None:
        """Reopen the file, after an error with which DuckDB gives an opened file up. Writer thread only.

        Raises LedgerUnavailable while that cannot be done: the disk is still full, or a read still
        holds the file as it was opened before.
        """
        self.root.close()
        root = _connect(self.path)
        try:
            root.execute(statements()["last_commit"])
        except duckdb.Error as error:
            root.close()
            if is_damage(error):
                raise LedgerUnavailable(damage(self.path, error)) from error
            raise LedgerUnavailable(f"The ledger {self.path} cannot be opened again yet: {error}") from error
        self.root = root
        self.keep_private()

    def keep_private(self) -> None:
        """Let the owner alone read the file and its log, which DuckDB recreates now and then."""
        for path in (self.path, self._wal):
            try:
                if stat.S_IMODE(path.stat().st_mode) & 0o077:
                    path.chmod(0o600)
            except FileNotFoundError:
                continue

    def last_commit(self) -> datetime:
        """Return the latest moment the file has given to a commit."""
        return last_commit(self.root)

    def close(self) -> None:
        """Write the log into the file and release it; safe to repeat."""
        self.root.close()
        _leave(self.path)


def last_commit(root: duckdb.DuckDBPyConnection) -> datetime:
    """Return the latest moment that a commit was given, the beginning of time before the first."""
    row = root.execute(statements()["last_commit"]).fetchone()
    if row is None or row[0] is None:
        return datetime.min.replace(tzinfo=UTC)
    moment: datetime = row[0].replace(tzinfo=UTC)
    return moment


def _enter(path: Path) -> None:
    # DuckDB would share one open file inside a process, and two writers would overtake each other.
    with _open_here_lock:
        if path in _open_here:
            raise in_use(path)
        _open_here.add(path)


def _leave(path: Path) -> None:
    with _open_here_lock:
        _open_here.discard(path)


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    # The file is made while nobody else may read what is made: a chmod afterwards would come late.
    before = os.umask(0o077)
    try:
        return duckdb.connect(path, config=SETTINGS)
    except duckdb.Error as error:
        raise opening_failure(path, error) from error
    finally:
        os.umask(before)


def migrate(root: duckdb.DuckDBPyConnection, steps: tuple[Migration, ...]) -> None:
    """Run the steps that have not run yet. Raises LedgerTooNew, LedgerUnavailable, what DuckDB raises on reading."""
    sql = statements()
    root.execute(sql["create_migrations"])
    applied = [row[0] for row in root.execute(sql["applied_migrations"]).fetchall()]
    newest, known = max(applied, default=0), max(step.version for step in steps)
    if newest > known:
        raise LedgerTooNew(
            f"The ledger was written by a newer Octavo (schema {newest}; this version knows {known}). "
            "Start that version, or give this one a data directory from before it."
        )
    for step in [step for step in steps if step.version not in applied]:
        root.begin()
        try:
            root.execute(step.sql)
            root.execute(
                sql["record_migration"],
                {
                    "version": step.version,
                    "name": step.name,
                    "applied_at": datetime.now(UTC).replace(tzinfo=None),
                },
            )
            root.commit()
        except duckdb.Error as error:
            root.rollback()
            raise LedgerUnavailable(f"Migration {step.version}, {step.name}, has failed: {error}") from error
