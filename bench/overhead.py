"""What the service adds to the engine's own work: `python -m bench.overhead [--items N] [--rounds N]`.

Pages per second through the whole service, from the batch's creation to its end, against a bare process pool that calls
the same engine on local files. Both in turn, on the same machine in the same minutes; the ratio of the medians counts.
With the fast engine the pool has as many processes as the worker has children; with an engine of half a second a
page, which waits, it has as many as the customer has lanes.
"""

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import distinct_texts, one_page_pdfs, upload
from octavo.batches import DEFAULT_ITEM_CAP
from octavo.client.customer import CustomerClient
from octavo.engines.contract import ExtractOptions, Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.identifiers import random_part

WARM_UP = 32


@dataclass(frozen=True, slots=True)
class Arm:
    """One engine: how many documents, in how many processes, and the least share of the bare speed."""

    name: str
    engine: str
    processes: int
    target: float


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
            Source(path, filename=path.name), ExtractOptions(engine=engine), Limits(), _Silent(), Path(folder)
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
    with (
        CustomerClient(stack.url, stack.key(f"overhead {arm.engine}")) as client,
        ProcessPoolExecutor(arm.processes, mp_context=get_context("forkserver")) as pool,
    ):
        file_ids = upload(client, paths)
        bare(pool, arm.engine, paths[:WARM_UP])
        through_service(client, arm.engine, file_ids[:WARM_UP])
        for _ in range(rounds):
            bares.append(bare(pool, arm.engine, paths))
            services.append(through_service(client, arm.engine, file_ids))
    ratio = statistics.median(services) / statistics.median(bares)
    return {
        "documents": len(paths),
        "pool_processes": arm.processes,
        "bare_pages_per_second": [round(rate, 1) for rate in bares],
        "service_pages_per_second": [round(rate, 1) for rate in services],
        "ratio": round(ratio, 3),
        "target": arm.target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000, help="documents, for each engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of an arm's name")
    arguments = parser.parse_args()
    arms = (
        Arm("fast engine", "fast", os.cpu_count() or 1, 0.5),
        Arm("engine of 0.5 s a page", "sleep:0.5", DEFAULT_ITEM_CAP, 0.95),
    )
    figures = {}
    with TemporaryDirectory() as folder, running_stack() as stack:
        for arm in arms:
            if arguments.only not in arm.name:
                continue
            waits = arm.engine.startswith("sleep")
            count = arguments.items
            paths = (distinct_texts if waits else one_page_pdfs)(Path(folder) / arm.engine, count)
            figures[arm.name] = run(stack, arm, paths, arguments.rounds)
            print(f"{arm.name}: {figures[arm.name]}", flush=True)
    if not arguments.only:
        print(f"written to {write_scorecard('overhead', figures)}")


if __name__ == "__main__":
    main()
