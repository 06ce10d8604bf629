"""Speed and memory of the DuckDB ledger: `python -m bench.ledger [--items N]`.

Prints a table row per measurement. A cycle is what a worker does with one item: claim it, begin
it, finish it, each a call and a commit of its own (shared with whoever writes at that moment).
"""

import argparse
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from octavo.batch_options import BatchOptions
from octavo.batches import Batch, Customer, FileStatus, NewBatch, NewItem, StagedFile
from octavo.identifiers import FileId, ResultId, RunId, WorkerId, new_batch_id, new_file_id
from octavo.ledger.contract import ClaimRequest, ItemCursor, Report, ReportKind
from octavo.ledger.duckdb import DuckdbLedger
from octavo.outcomes import Succeeded

OUTCOME = Succeeded(page_count=2, result_id=ResultId("result"), sha256="0" * 64, engine="none 1", seconds=0.1)
SECONDS = 5.0


def ready_files(ledger: DuckdbLedger, customer: Customer, count: int) -> list[FileId]:
    moment = datetime.now(UTC)
    files = [
        StagedFile(
            file_id=new_file_id(),
            customer_id=customer.customer_id,
            status=FileStatus.READY,
            filename=f"document {number}.pdf",
            content_type="application/pdf",
            size_bytes=100_000,
            sha256=None,
            object_key=f"files/{number}",
            created_at=moment,
            expires_at=moment + timedelta(days=3),
        )
        for number in range(count)
    ]
    ledger.files.add(files)
    return [file.file_id for file in files]


def submit(ledger: DuckdbLedger, customer: Customer, file_ids: list[FileId]) -> Batch:
    order = NewBatch(
        batch_id=new_batch_id(),
        customer_id=customer.customer_id,
        items=NewItem.of_files(file_ids),
        engine=None,
        options=BatchOptions(),
        metadata=None,
    )
    return ledger.batches.create(order)[0]


def timed(act: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        took.append((time.perf_counter() - begun) * 1000)
    return took


def show(what: str, took: list[float]) -> None:
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"| {what} | p50 {statistics.median(took):.1f} ms | p99 {p99:.1f} ms | n {len(took)} |")


def cycles(ledger: DuckdbLedger, threads: int) -> None:
    """Process batches in several threads, four per customer, for some seconds."""
    took: list[float] = []
    stop = time.perf_counter() + SECONDS
    customers = [ledger.accounts.ensure_customer(f"cycles {number}") for number in range(max(1, threads // 4))]
    batches = [submit(ledger, one, ready_files(ledger, one, 10_000)) for one in customers]

    def work(number: int) -> None:
        batch = batches[number % len(batches)]
        request = ClaimRequest(
            batch_id=batch.batch_id, run_id=RunId(f"run {number}"), worker_id=WorkerId("bench/1"), slots=1
        )
        while (begun := time.perf_counter()) < stop:
            (one,) = ledger.work.claim(request).slices
            for item in one.items:
                word = Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no)
                ledger.work.report([word])
                word = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=OUTCOME)
                assert ledger.work.report([word])[0].accepted
            took.append((time.perf_counter() - begun) * 1000)

    stop = time.perf_counter() + SECONDS
    cpu = time.process_time()
    working = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    cpu = (time.process_time() - cpu) / len(took) * 1000
    print(f"| cycles, {threads} threads | {len(took) / SECONDS:.0f}/s | {cpu:.1f} ms of CPU each | |")
    show(f"cycle, {threads} threads", took)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the DuckDB ledger.")
    parser.add_argument("--items", type=int, default=100_000, help="other items in the ledger")
    items: int = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder:
        ledger = DuckdbLedger(Path(folder) / "ledger.duckdb")
        customer = ledger.accounts.ensure_customer("bench")
        for threads in (8, 32):
            cycles(ledger, threads)
        staged = [ready_files(ledger, customer, 10_000) for _ in range(max(3, items // 10_000))]
        batches: list[Batch] = []
        fresh = iter(staged)
        show(
            "create_batch, 10,000 files",
            timed(lambda: batches.append(submit(ledger, customer, next(fresh))), len(staged)),
        )
        batch = batches[len(batches) // 2]
        show("items, first 100 of 10,000", timed(lambda: ledger.batches.items(batch.batch_id), 100))
        last = ledger.batches.items(batch.batch_id, limit=10_000)[-1]
        after = ItemCursor(last.updated_at, last.item_id)
        show("items, nothing new", timed(lambda: ledger.batches.items(batch.batch_id, after=after), 100))
        show("batch", timed(lambda: ledger.batches.get(customer.customer_id, batch.batch_id), 100))
        show("cancel_batch, 10,000 pending", timed(lambda: cancel(ledger, batches.pop()), 3))
        for threads in (8, 32):
            cycles(ledger, threads)
        ledger.close()
        size = sum(entry.stat().st_size for entry in Path(folder).iterdir())
        print(f"| file | {size / 1e6:.0f} MB | | |")
    print(f"| memory, at most | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB | | |")


def cancel(ledger: DuckdbLedger, batch: Batch) -> None:
    ledger.batches.cancel(batch.customer_id, batch.batch_id)


if __name__ == "__main__":
    main()
