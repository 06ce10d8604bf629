"""How long a page of a customer's items takes: `python -m bench.listing [--items N]`.

One customer has N items in batches of up to 1,000, names of their own and one in fifty failed; beside it a small
customer has 200 items in 20 batches, spread over the same time. The same pages are read from a ledger that holds
10,000 items. Straight from the ledger, without HTTP; the process's CPU is moved little by other work on the machine.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from octavo.batches import ItemStatus
from octavo.identifiers import CustomerId, random_part
from octavo.ledger.contract import ItemOrder, ItemPlace, ItemQuery
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.values import Parameter
from octavo.ledger.duckdb.writer import each

TIMES = 60
MOST_PER_BATCH = 1_000
SMALL_BATCHES, SMALL_ITEMS = 20, 200
TARGET_P99_MS = 50.0
BATCHES = """
INSERT INTO batches BY NAME
SELECT nextval('batch_numbers') AS batch_no, format('batch_{}_{:07d}', $mark, n) AS batch_id,
    if(n % $every = 0, $small, $big) AS customer_id, if(n % $every = 0, $few, $per_batch) AS total_items,
    '{}' AS options, 60 AS priority, 259200 AS retention_seconds,
    now()::TIMESTAMP - to_hours(1) + to_milliseconds(n) AS created_at, now()::TIMESTAMP + to_days(3) AS expires_at,
    0 AS pending, 0 AS unleased, 0 AS running, if(n % $every = 0, $few, $per_batch) AS succeeded, 0 AS failed,
    0 AS cancelled, 'completed' AS status, now()::TIMESTAMP AS completed_at
FROM range(1, $batches + 1) r(n)
"""
ITEMS = """
INSERT INTO items BY NAME
SELECT format('item_{}_{:03d}', b.batch_id, n) AS item_id, b.batch_no, b.batch_id, b.customer_id,
    'file_' || b.batch_id AS file_id, n AS position, b.created_at, b.created_at + to_microseconds(n) AS updated_at,
    if(n % 50 = 7, 'failed', 'succeeded') AS status, 1 AS attempts, 1 AS lease_no, 0 AS lost_leases,
    3 AS page_count, 'res_' || md5(b.batch_id || n) AS result_id, 'fast 1' AS engine, 0.4 AS seconds,
    b.created_at AS started_at, b.created_at + to_microseconds(n) AS completed_at,
    format('document {}-{}.pdf', b.batch_no, n) AS source_name
FROM batches b, range(b.total_items) r(n)
ORDER BY b.batch_no, n
"""


@contextmanager
def filled(items: int) -> Iterator[tuple[DuckdbLedger, CustomerId, CustomerId]]:
    """A ledger that holds so many items of the big customer, with both customers."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        ledger = DuckdbLedger(Path(folder) / "ledger.duckdb")
        big, small = (ledger.accounts.ensure_customer(name).customer_id for name in ("big", "small"))
        per_batch = min(MOST_PER_BATCH, items // 100)
        batches = items // per_batch + SMALL_BATCHES

        def fill(tx: Transaction, _: None) -> None:
            values: dict[str, Parameter] = {
                "mark": random_part(),
                "every": batches // SMALL_BATCHES,
                "small": small,
                "big": big,
            }
            values |= {"few": SMALL_ITEMS // SMALL_BATCHES, "per_batch": per_batch, "batches": batches}
            tx.run(BATCHES, values)
            tx.run(ITEMS, {})

        ledger._store.writer.submit(each(fill), None)
        yield ledger, big, small
        ledger.close()


def queries(ledger: DuckdbLedger, customer_id: CustomerId) -> dict[str, ItemQuery]:
    """The pages that are read, by name; those with a cursor begin in the middle of what the customer has."""
    query = ItemQuery(customer_id=customer_id)
    batches = ledger.batches.of_customer(customer_id, limit=10_000)
    middle, later = batches[len(batches) // 2], batches[len(batches) // 4]
    place = ItemPlace(middle.created_at, ledger.batches.items(middle.batch_id, limit=1)[0].item_id)
    return {
        "newest first": query,
        "oldest first": replace(query, is_ascending=True),
        "newest first, from the middle": replace(query, after=place),
        "last changed first": replace(query, order=ItemOrder.UPDATED),
        "last changed first, from the middle": replace(query, order=ItemOrder.UPDATED, after=place),
        "failed": replace(query, statuses=[ItemStatus.FAILED]),
        "running (none)": replace(query, statuses=[ItemStatus.RUNNING]),
        "of one batch": replace(query, batch_id=middle.batch_id),
        "by name": replace(query, source_name=f"document {len(batches) // 2}-7.pdf"),
        "by a part of the name": replace(query, source_name_contains="-77"),
        "by a part of no name": replace(query, source_name_contains="invoice"),
        "created between": replace(
            query, created_from=middle.created_at, created_before=later.created_at + timedelta(microseconds=1)
        ),
    }


def measured(act: Callable[[], object]) -> dict[str, float]:
    wall, cpu = [], []
    act()
    for _ in range(TIMES):
        began, used = time.perf_counter(), time.process_time()
        act()
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    return {
        "p50_ms": round(statistics.median(wall), 1),
        "p99_ms": round(sorted(wall)[int(TIMES * 0.99)], 1),
        "cpu_ms": round(statistics.median(cpu), 1),
        "cpu_p99_ms": round(sorted(cpu)[int(TIMES * 0.99)], 1),
    }


def run(items: int) -> dict[str, dict[str, dict[str, float]]]:
    with filled(items) as (ledger, big, small):
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, customer_id in (("big customer", big), ("small customer", small)):
            found[name] = {
                what: measured(lambda query=query: ledger.batches.items_of_customer(query))  # type: ignore[misc]
                for what, query in queries(ledger, customer_id).items()
            }
            item_id = ledger.batches.items_of_customer(ItemQuery(customer_id=customer_id, limit=1))[0].item_id
            found[name]["one item by its id"] = measured(
                lambda customer_id=customer_id, item_id=item_id: ledger.batches.item_of_customer(customer_id, item_id)  # type: ignore[misc]
            )
            for what, figures in found[name].items():
                print(f"{items:>9} {name}, {what}: {figures}", flush=True)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    items: int = parser.parse_args().items
    figures = {"10000 items": run(10_000), f"{items} items": run(items), "target_p99_ms": TARGET_P99_MS}
    print(f"written to {write_scorecard('listing', figures)}")


if __name__ == "__main__":
    main()
