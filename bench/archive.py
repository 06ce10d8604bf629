"""What the archive costs: `python -m bench.archive [--items N] [--others N]`.

A batch is worked off through the ledger alone, as fast as it goes, once without and once with an archive
in an embedded S3 server, looked after every second. CPU is that of the archive's own thread.
"""

import argparse
import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.ledger import OUTCOME, ready_files, submit
from bench.scorecard import write_scorecard
from octavo.archive.reading import ArchiveReader
from octavo.archive.writing import ArchiveWriter
from octavo.batches import Batch
from octavo.directory import DataDirectory
from octavo.identifiers import RunId, WorkerId
from octavo.ledger.contract import ClaimRequest, Report, ReportKind
from octavo.ledger.duckdb import DuckdbLedger
from octavo.objects import embedded
from octavo.objects.s3 import S3Objects, S3Settings
from octavo.settings import read_settings
from octavo.supervisor.alone import running
from octavo.supervisor.stack import Stack

CAP = 8
PERIOD_SECONDS = 1.0


@contextlib.contextmanager
def storage(directory: DataDirectory) -> Iterator[S3Objects]:
    stack = Stack(read_settings(directory.path), directory)
    spec = stack.storage_alone()
    assert spec is not None
    own = embedded.load_or_create_keys(directory.storage_keys)
    url = stack.addresses.storage_url
    with running(spec, directory.children):
        objects = S3Objects(S3Settings(url, url, "octavo", own.access_key, own.secret_key, "us-east-1"))
        objects.ensure_bucket()
        yield objects


def work_off(ledger: DuckdbLedger, batch: Batch) -> float:
    """Let every item succeed, eight slices of ten at a time; return the seconds it took."""
    begun = time.perf_counter()
    request = ClaimRequest(
        batch_id=batch.batch_id, run_id=RunId("bench"), worker_id=WorkerId("bench/1"), slots=CAP, slice_items=10
    )
    while slices := ledger.work.claim(request).slices:
        items = [item for piece in slices for item in piece.items]
        ledger.work.report(
            [Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no) for item in items]
        )
        ledger.work.report(
            [
                Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=OUTCOME)
                for item in items
            ]
        )
    return time.perf_counter() - begun


class Looking:
    """Runs the archive every second in a thread of its own, and adds up the cost."""

    def __init__(self, writer: ArchiveWriter) -> None:
        self._writer = writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.cpu_seconds = 0.0
        self.longest = 0.0

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            self.look()

    def look(self) -> None:
        cpu, begun = time.thread_time(), time.perf_counter()
        self._writer.look()
        self.cpu_seconds += time.thread_time() - cpu
        self.longest = max(self.longest, time.perf_counter() - begun)

    def __enter__(self) -> "Looking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()


def idle_look_ms(writer: ArchiveWriter) -> float:
    took = []
    for _ in range(50):
        begun = time.thread_time()
        writer.look()
        took.append((time.thread_time() - begun) * 1000)
    return round(sorted(took)[25], 2)


def measure(folder: Path, items: int, others: int) -> dict[str, Any]:
    directory = DataDirectory(folder)
    directory.prepare()
    ledger = DuckdbLedger(directory.ledger)
    customer = ledger.accounts.ensure_customer("bench")
    with storage(directory) as objects:
        without = items / work_off(ledger, submit(ledger, customer, ready_files(ledger, customer, items)))
        writer = ArchiveWriter(ledger, objects)
        writer.look()
        with Looking(writer) as looking:
            batch = submit(ledger, customer, ready_files(ledger, customer, items))
            with_it = items / work_off(ledger, batch)
        for _ in range(others // 10_000):
            submit(ledger, customer, ready_files(ledger, customer, 10_000))
        begun = time.perf_counter()
        writer.look()
        caught_up = time.perf_counter() - begun
        idle = idle_look_ms(writer)
        ledger.close()
        begun = time.perf_counter()
        anew = DuckdbLedger(folder / "anew.duckdb")
        anew.archive.restore(ArchiveReader(objects).parts(), generation=1)
        anew.close()
    return {
        "items": items,
        "items_per_second_without": round(without),
        "items_per_second_with": round(with_it),
        "archive_cpu_seconds": round(looking.cpu_seconds, 2),
        "longest_look_seconds": round(looking.longest, 2),
        "other_items": others,
        "catching_up_with_them_seconds": round(caught_up, 2),
        "look_without_news_cpu_ms": idle,
        "rebuild_seconds": round(time.perf_counter() - begun, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the archive.")
    parser.add_argument("--items", type=int, default=10_000, help="items of the batch that is worked off")
    parser.add_argument("--others", type=int, default=1_000_000, help="further pending items in the ledger")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.items, given.others)
    for name, figure in figures.items():
        print(f"| {name} | {figure} |")
    write_scorecard("archive", figures)


if __name__ == "__main__":
    main()
