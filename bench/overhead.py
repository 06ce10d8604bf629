"""What the service adds to the engine's own work: `python -m bench.overhead [--items N] [--rounds N]`.

Pages per second through the whole service, from the batch's creation to its end, against a bare process pool that calls
the same engine on local files. Both in turn, on the same machine in the same minutes; the ratio of the medians counts.
With the fast engine the pool has as many processes as the worker has children; with an engine of half a second a
page, which waits, it has as many as the customer has slots.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import copies_of, distinct_texts, full_page_pdfs, one_page_pdfs, upload
from octavo.batches import DEFAULT_ITEM_CAP
from octavo.client.customer import CustomerClient
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.identifiers import random_part
from octavo.parse_options import ParseOptions

WARM_UP = 32


class Draw(Protocol):
    """Creates a number of documents in a folder."""

    def __call__(self, folder: Path, *, count: int) -> list[Path]: ...


@dataclass(frozen=True, slots=True)
class Arm:
    """One engine: how many documents, in how many processes, and the lowest accepted share of the bare speed."""

    name: str
    engine: str
    processes: int
    target: float | None
    draw: Draw


class _Silent:
    def counted(self, pages: int) -> None:
        pass

    def working(self, pages: int) -> None:
        pass


_registry = EngineRegistry.installed(test_engines=True)


def read_one(engine: str, path: Path) -> int:
    """Read one document in this process, as a child of a bare pool does; returns its pages."""
    with TemporaryDirectory() as folder:
        reading = _registry.resolve(engine).extract(
            Source(path, filename=path.name), ParseOptions(engine=engine), Limits(), _Silent(), Path(folder)
        )
    return reading.document.page_count


def bare(pool: ProcessPoolExecutor, engine: str, paths: list[Path]) -> float:
    """Return pages per second of the pool."""
    began = time.perf_counter()
    pages = sum(pool.map(read_one, [engine] * len(paths), paths, chunksize=1))
    return pages / (time.perf_counter() - began)


def through_service(client: CustomerClient, engine: str, file_ids: list[str]) -> float:
    """Return pages per second of the service."""
    batch = client.submit(file_ids, engine=engine, idempotency_key=random_part())
    last = batch
    pages = 0
    for last in client.follow(batch["id"]):
        pages += sum(item["page_count"] or 0 for item in last["items"] if item["status"] == "succeeded")
    assert last["counts"]["succeeded"] == len(file_ids), last["counts"]
    created, completed = (datetime.fromisoformat(last[name]) for name in ("created_at", "completed_at"))
    return pages / (completed - created).total_seconds()


def run(stack: Running, arm: Arm, paths: list[Path], rounds: int) -> dict[str, object]:
    bares, services = [], []
    spent: dict[str, float] = {}
    with (
        CustomerClient(stack.url, stack.key(f"overhead {arm.engine}")) as client,
        ProcessPoolExecutor(arm.processes, mp_context=get_context("forkserver")) as pool,
    ):
        file_ids = upload(client, paths)
        bare(pool, arm.engine, paths[:WARM_UP])
        through_service(client, arm.engine, file_ids[:WARM_UP])
        for _ in range(rounds):
            bares.append(bare(pool, arm.engine, paths))
            before = Family.of(stack.pid).cpu_seconds
            services.append(through_service(client, arm.engine, file_ids))
            for kind, seconds in Family.of(stack.pid).cpu_seconds.items():
                spent[kind] = spent.get(kind, 0.0) + seconds - before.get(kind, 0.0)
    ratio = statistics.median(services) / statistics.median(bares)
    return {
        "documents": len(paths),
        "pool_processes": arm.processes,
        "bare_pages_per_second": [round(rate, 1) for rate in bares],
        "service_pages_per_second": [round(rate, 1) for rate in services],
        "ratio": round(ratio, 3),
        "target": arm.target,
        "cpu_ms_per_document": {
            kind: round(1000 * seconds / (len(paths) * rounds), 2) for kind, seconds in spent.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000, help="documents, for each engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of an arm's name")
    parser.add_argument("--data", type=Path, help="a folder with PDFs of one page, for one more arm")
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    arms = [
        Arm("fast engine, full pages", "fast", cores, 0.5, full_page_pdfs),
        Arm("fast engine, letters", "fast", cores, None, one_page_pdfs),
        Arm("engine of 0.5 s a page", "sleep:0.5", DEFAULT_ITEM_CAP, 0.95, distinct_texts),
    ]
    if arguments.data is not None:
        originals = sorted(arguments.data.rglob("*.pdf"))
        arms.append(Arm("fast engine, given pages", "fast", cores, 0.5, partial(copies_of, originals=originals)))
    figures = {}
    with TemporaryDirectory() as folder, running_stack() as stack:
        for number, arm in enumerate(arms):
            if arguments.only not in arm.name:
                continue
            paths = arm.draw(Path(folder) / str(number), count=arguments.items)
            figures[arm.name] = run(stack, arm, paths, arguments.rounds)
            print(f"{arm.name}: {figures[arm.name]}", flush=True)
    if not arguments.only:
        print(f"written to {write_scorecard('overhead', figures)}")


if __name__ == "__main__":
    main()
