"""Speed and size of extraction on this machine: pages a second, what the sandbox costs, memory.

    python -m bench.extraction --data DIR [--processes N] [--out SCORECARD.json]

DIR holds PDF files, read one after the other by as many threads as there are children.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from octavo.engines.contract import Limits, Source
from octavo.engines.fast.policy import fast_engine
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions


class Silent:
    """Receives an engine's progress when it runs in this process."""

    def counted(self, pages: int) -> None: ...

    def working(self, pages: int) -> None: ...


def in_process(files: list[Path]) -> tuple[int, float]:
    engine = fast_engine()
    engine.preload()
    started, pages = time.monotonic(), 0
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            reading = engine.extract(Source(path), ParseOptions(), Limits(), Silent(), Path(folder))
            pages += reading.document.page_count
    return pages, time.monotonic() - started


def sandboxed(files: list[Path], extractor: Extractor, threads: int) -> tuple[int, float]:
    started = time.monotonic()
    with ThreadPoolExecutor(threads) as executor:
        documents = executor.map(lambda path: extractor.extract(Source(path), ParseOptions()).document, files)
        return sum(document.page_count for document in documents), time.monotonic() - started


def overhead_ms(threads: int) -> float:
    """Return the milliseconds that an empty document costs in the sandbox."""
    rounds = 300
    with (
        tempfile.NamedTemporaryFile() as file,
        Extractor(processes=threads, limits=Limits(), registry=EngineRegistry(TEST_ENGINES)) as extractor,
    ):
        file.write(b"nothing")
        file.flush()
        extractor.warm_up()
        started = time.monotonic()
        for _ in range(rounds):
            extractor.extract(Source(Path(file.name)), ParseOptions(engine="failing"))
        return (time.monotonic() - started) / rounds * 1000


def memory_mb(pid: int) -> dict[str, float]:
    """Return resident and proportional memory of a process (Linux)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    return {"rss": round(sizes["Rss"], 1), "pss": round(sizes["Pss"], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    files = sorted(arguments.data.glob("*.pdf"))
    with Extractor(processes=arguments.processes, limits=Limits(), registry=EngineRegistry()) as extractor:
        started = time.monotonic()
        extractor.warm_up()
        warm = time.monotonic() - started
        pages, seconds = sandboxed(files, extractor, arguments.processes)
        fork_server = extractor.fork_server_pid
        assert fork_server is not None
        tree = Path(f"/proc/{fork_server}/task/{fork_server}/children").read_text().split()
        memory = {"fork_server": memory_mb(fork_server), "children": [memory_mb(int(pid)) for pid in tree]}
    direct_pages, direct_seconds = in_process(files)
    summary = {
        "documents": len(files),
        "pages": pages,
        "processes": arguments.processes,
        "warm_up_seconds": round(warm, 2),
        "sandboxed_pages_per_second": round(pages / seconds, 1),
        "in_process_pages_per_second": round(direct_pages / direct_seconds, 1),
        "sandbox_overhead_ms_per_document": round(overhead_ms(arguments.processes), 2),
        "memory_mb": memory,
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(summary, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(summary, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
