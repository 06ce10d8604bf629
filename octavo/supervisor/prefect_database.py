"""Gives back the room that was pruned from the embedded Prefect server's SQLite file.

Deleted rows leave free pages, which later rows take first: the file stays as large as it has been at its
largest. It is written anew, smaller, before the server starts: then nobody else has it open.
"""

import sqlite3
from pathlib import Path

LEAST_FREE_BYTES = 64 * 1024 * 1024
LEAST_FREE_PART = 0.5


def compact(path: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> int:
    """Write the file anew if it is mostly free pages; returns the bytes that were given back, 0 mostly.

    A file that is damaged, locked, or has no room beside it is left as it is: the server says more about it.
    """
    if not path.exists():
        return 0
    before = path.stat().st_size
    try:
        # A leftover server that still ends may hold the file for a moment; it is not waited for long.
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            if _free_bytes(connection) >= max(least_free_bytes, LEAST_FREE_PART * before):
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    except sqlite3.Error:
        return 0
    return max(0, before - path.stat().st_size)


def _free_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page_size)
