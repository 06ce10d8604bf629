"""Prefect's SQLite file is given back its room, when there is much of it and nobody else has the file."""

import sqlite3
from pathlib import Path

from octavo.supervisor.prefect_database import compact

ROWS, BYTES = 400, 4000


def database(folder: Path, *, kept: int) -> Path:
    """Return a file that held many rows and now holds these."""
    path = folder / "prefect.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, payload BLOB)")
    connection.executemany("INSERT INTO events (payload) VALUES (?)", [(bytes(BYTES),)] * ROWS)
    connection.execute("DELETE FROM events WHERE id > ?", (kept,))
    connection.commit()
    connection.close()
    return path


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT count(*) FROM events").fetchone()
    connection.close()
    return int(found)


def test_a_file_of_mostly_free_pages_shrinks_and_keeps_its_rows(tmp_path: Path) -> None:
    path = database(tmp_path, kept=10)
    before = path.stat().st_size
    given_back = compact(path, least_free_bytes=BYTES)
    assert given_back > 0.9 * ROWS * BYTES
    assert path.stat().st_size == before - given_back
    assert rows(path) == 10
    assert compact(path, least_free_bytes=BYTES) == 0


def test_little_room_is_left_for_later_rows(tmp_path: Path) -> None:
    assert compact(database(tmp_path, kept=10)) == 0
    (tmp_path / "full").mkdir()
    assert compact(database(tmp_path / "full", kept=ROWS - 10), least_free_bytes=BYTES) == 0


def test_a_file_that_is_missing_locked_or_damaged_is_left_alone(tmp_path: Path) -> None:
    assert compact(tmp_path / "prefect.db") == 0
    path = database(tmp_path, kept=10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert compact(path, least_free_bytes=BYTES) == 0
    other.execute("ROLLBACK")
    other.close()
    path.write_bytes(b"no database" * 1000)
    assert compact(path, least_free_bytes=BYTES) == 0
