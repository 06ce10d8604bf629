"""What it costs that a child serves one customer, or one document: `python -m bench.child_scope [--documents N]`.

Small PDFs through the sandbox alone, without a service: of one customer, of 20 customers mixed, and with a child for
every document; in turn, in the same minutes. Documents a second, and the processor time of all processes.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from bench.small_documents import full_page_pdfs, one_page_pdfs
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.pool import ChildScope
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions

CUSTOMERS = 20
WAITING = 8
"""Threads that wait for each child, so that the next document is always there."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Of how many customers the documents are, and for what a child lives."""

    name: str
    customers: int
    child_scope: ChildScope


ARMS = (
    Arm("one customer", 1, "customer"),
    Arm("20 customers mixed", CUSTOMERS, "customer"),
    Arm("a child for each document", 1, "document"),
)


def cpu_seconds() -> float:
    """Return the processor time of this process and of all that have ended below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(arm: Arm, paths: list[Path]) -> tuple[float, float]:
    """Return documents a second, and milliseconds of processor time per document without those of the start."""
    children = os.cpu_count() or 1

    def read(number: int) -> None:
        customer = f"customer {number % arm.customers}"
        extractor.extract(Source(paths[number]), ParseOptions(engine="fast"), customer=customer)

    before = cpu_seconds()
    with Extractor(
        processes=children, limits=Limits(), registry=EngineRegistry(), child_scope=arm.child_scope
    ) as extractor:
        extractor.warm_up()
        began = time.perf_counter()
        with ThreadPoolExecutor(WAITING * children) as threads:
            list(threads.map(read, range(len(paths))))
        seconds = time.perf_counter() - began
    return len(paths) / seconds, 1000 * (cpu_seconds() - before - start_seconds()) / len(paths)


_start: list[float] = []


def start_seconds() -> float:
    """Return the processor time of a sandbox that starts and ends, measured once."""
    if not _start:
        before = cpu_seconds()
        with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:
            extractor.warm_up()
        _start.append(cpu_seconds() - before)
    return _start[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    kinds: dict[str, Callable[[Path, int], list[Path]]] = {"letters": one_page_pdfs, "full pages": full_page_pdfs}
    figures: dict[str, object] = {"customers": CUSTOMERS, "documents": arguments.documents}
    start_seconds()
    with TemporaryDirectory() as folder:
        for kind, draw in kinds.items():
            paths = draw(Path(folder) / kind, arguments.documents)
            found: dict[str, list[tuple[float, float]]] = {arm.name: [] for arm in ARMS}
            for _ in range(arguments.rounds):
                for arm in ARMS:
                    found[arm.name].append(measure(arm, paths))
            for name, rounds in found.items():
                figures[f"{kind}, {name}"] = {
                    "documents_per_second": round(statistics.median(rate for rate, _ in rounds), 1),
                    "cpu_ms_per_document": round(statistics.median(cpu for _, cpu in rounds), 1),
                }
                print(f"{kind}, {name}: {figures[f'{kind}, {name}']}", flush=True)
    print(f"written to {write_scorecard('child_scope', figures)}")


if __name__ == "__main__":
    main()
