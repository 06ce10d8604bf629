"""What must hold after the kill test: nothing is left over, and the books are right."""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import httpx

from bench.killer import VICTIMS, belonging_to
from bench.processes import members
from bench.service import prefect_access

UNFINISHED_UPLOAD = ".rclone_temp_*"
SETTLE_SECONDS = 150.0
"""Prefect's slots of a worker that was killed run out after a minute."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger of a stopped stack says about one customer."""

    unfinished_items: int
    leases: int
    succeeded_items: int
    succeeded_pages: int
    usage_rows: int
    items_billed: int
    pages_billed: int
    most_lost_leases: int

    @property
    def problems(self) -> list[str]:
        """What is wrong with them, as sentences."""
        found = {
            f"{self.unfinished_items} items did not end": self.unfinished_items > 0,
            f"{self.leases} leases are left": self.leases > 0,
            f"{self.usage_rows} usage rows for {self.items_billed} items": self.usage_rows != self.items_billed,
            f"{self.items_billed} items billed, {self.succeeded_items} succeeded": self.items_billed
            != self.succeeded_items,
            f"{self.pages_billed} pages billed, {self.succeeded_pages} succeeded": self.pages_billed
            != self.succeeded_pages,
        }
        return [problem for problem, is_so in found.items() if is_so]


def books(data: Path, customer: str) -> Books:
    """Read one customer's books from the ledger of a stopped stack; leases are those of all customers."""
    with duckdb.connect(data / "ledger.duckdb", read_only=True) as ledger:
        row = ledger.execute(
            """
            WITH mine AS (
                SELECT i.* FROM items i JOIN customers c USING (customer_id)
                WHERE c.name = $customer
            ), billed AS (
                SELECT u.* FROM usage u JOIN customers c USING (customer_id) WHERE c.name = $customer
            )
            SELECT
                (SELECT count(*) FROM mine WHERE status IN ('pending', 'running')),
                (SELECT count(*) FROM slices),
                (SELECT count(*) FROM mine WHERE status = 'succeeded'),
                (SELECT coalesce(sum(page_count), 0)::BIGINT FROM mine WHERE status = 'succeeded'),
                (SELECT count(*) FROM billed),
                (SELECT count(DISTINCT item_id) FROM billed),
                (SELECT coalesce(sum(pages), 0)::BIGINT FROM billed),
                (SELECT coalesce(max(lost_leases), 0) FROM mine)
            """,
            {"customer": customer},
        ).fetchone()
    assert row is not None
    return Books(*row)


def left_running(data: Path, pid: int) -> list[str]:
    """Return what is wrong with the processes of a stack that should be idle."""
    family = dict(members(pid))
    strays = {other: line for other, line in belonging_to(data).items() if other not in family}
    found = [f"process {other} has lost its stack: {line[:120]}" for other, line in strays.items()]
    counts = Counter(family.values())
    found += [f"{counts[kind]} {kind} processes" for kind in VICTIMS if kind != "extraction" and counts[kind] != 1]
    return found


def left_on_disk(data: Path, temporary: Path, *, is_running: bool) -> list[str]:
    """Return files and folders that nothing will remove; a stack with one worker has one fork server with a folder."""
    # Each worker has a folder of its own there, which stays.
    scratch = [path for path in (data / "scratch").glob("*/*") if path.name != "ready"]
    sandboxes = [path for path in scratch if path.name.startswith("octavo-sandbox-")]
    if is_running and len(sandboxes) == 1:
        scratch.remove(sandboxes[0])
    left = [*scratch, *temporary.iterdir(), *(data / "objects").rglob(UNFINISHED_UPLOAD)]
    return [str(path) for path in left]


def slots_taken(data: Path) -> int:
    """Return how many slots Prefect shows as taken, over all customers; -1 while it does not answer."""
    try:
        access = prefect_access(data)
        url = f"{access.api_url}/v2/concurrency_limits/filter"
        limits = httpx.post(url, json={}, headers=access.headers, timeout=30, trust_env=False).json()
        return sum(limit["active_slots"] for limit in limits)
    except (httpx.HTTPError, LookupError, ValueError):
        return -1


def settle(data: Path, temporary: Path, pid: int, url: str | None = None) -> dict[str, object]:
    """Wait until an idle stack looks idle; return what still does not, and after how long.

    With the API's `url` Prefect's slots are looked at, too.
    """
    began = time.monotonic()
    while True:
        found: dict[str, object] = {
            "processes": left_running(data, pid),
            "files": left_on_disk(data, temporary, is_running=True),
            "prefect_slots": slots_taken(data) if url else 0,
        }
        seconds = round(time.monotonic() - began, 1)
        if not any(found.values()) or seconds > SETTLE_SECONDS:
            return found | {"after_seconds": seconds}
        time.sleep(1)


def as_figures(found: Books) -> dict[str, object]:
    """Return the books as plain JSON values, with what is wrong with them."""
    return asdict(found) | {"problems": found.problems}
