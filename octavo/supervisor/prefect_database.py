"""Returns space freed by pruning from the embedded Prefect server's SQLite file to the disk.

Deleted rows leave free pages, which later rows use first, so the file never shrinks by itself. It is
rewritten, smaller, before the server starts, when nobody else has it open.
"""

import sqlite3
from pathlib import Path

LEAST_FREE_BYTES = 64 * 1024 * 1024
LEAST_FREE_PART = 0.5


def compact(path: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> int:
    """Rewrite the file if it is mostly free pages; return the bytes that were freed, usually 0.

    A file that is damaged, locked, or has no space next to it is left alone: the server will report it.
    """
    if not path.exists():
        return 0
    before = path.stat().st_size
    try:
        # A leftover server that is still stopping may hold the file for a moment; do not wait long for it.
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
