"""Whether any process grows with the work it has done: `python -m bench.memory [--items N] [--no-work]`.

Small documents go through one stack, batch after batch. Every few seconds the resident memory of each process is noted
beside the number of items done; after a warm-up a straight line is laid through it. Our own processes may grow by at
most 1 MB per 1,000 items; how Prefect's and the storage server grow is told beside them. With `--no-work` the items
touch neither storage nor an engine (`bench.idle_worker`): enough of them, then, to see whether the line levels off.
"""

import argparse
import contextlib
import statistics
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.idle_worker import idle_worker
from bench.processes import members, parent_of, resident_kib
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import one_page_pdfs, upload
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

FILES = 200
BATCH_ITEMS = 2000
IDLE_BATCH_ITEMS = 10_000
FIFTHS = 5
CUSTOMERS = 2
OURS = ("supervisor", "api", "worker", "fork_server", "children")
LOOK_SECONDS = 2.0
TARGET_MB = 1.0
"""Growth per 1,000 items."""


@dataclass
class Watch:
    """Samples of (items done, MB) by kind of process; `done` is counted by whoever follows the batches."""

    pid: int
    done: int = 0
    samples: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.is_over.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Record what every kind holds; of the children, which come and go, the largest counts."""
        family = dict(members(self.pid))
        found: dict[str, float] = defaultdict(float)
        for pid, kind in family.items():
            held = resident_kib(pid) / 1024
            if kind == "extraction" and family.get(parent_of(pid)) == "extraction":
                found["children"] = max(found["children"], held)
            else:
                found["fork_server" if kind == "extraction" else kind] += held
        for kind, held in found.items():
            self.samples[kind].append((self.done, held))

    def by_fifths(self, kind: str, items: int) -> list[float]:
        """Return MB per 1,000 items in each fifth of the items: a line that levels off has smaller ones at its end."""
        slopes = []
        for fifth in range(FIFTHS):
            first, last = items * fifth // FIFTHS, items * (fifth + 1) // FIFTHS
            found = [(done, held) for done, held in self.samples[kind] if first <= done <= last]
            if len({done for done, _ in found}) > 1:
                line = statistics.linear_regression([done for done, _ in found], [held for _, held in found])
                slopes.append(round(line.slope * 1000, 3))
        return slopes

    def growth(self, kind: str, warm_up: int) -> dict[str, float]:
        """Return where a kind began, where it ended, and MB per 1,000 items on the line between."""
        after = [(done, held) for done, held in self.samples[kind] if done >= warm_up]
        if len({done for done, _ in after}) < 2:
            return {}
        line = statistics.linear_regression([done for done, _ in after], [held for _, held in after])
        return {
            "first_mb": round(after[0][1], 1),
            "last_mb": round(after[-1][1], 1),
            "mb_per_1000_items": round(line.slope * 1000, 3),
        }


def follow(client: CustomerClient, watch: Watch, lock: threading.Lock, file_ids: list[str]) -> None:
    batch = client.submit(file_ids, engine=None, idempotency_key=random_part())
    before = 0
    for found in client.follow(batch["id"]):
        ended = sum(found["counts"][status] for status in ("succeeded", "failed", "cancelled"))
        with lock:
            watch.done += ended - before
        before = ended
    assert found["counts"]["succeeded"] == len(file_ids), found["counts"]


def work(stack: Running, watch: Watch, items: int, folder: Path, *, batch_items: int = BATCH_ITEMS) -> float:
    """Process a number of items of two customers at once; return the seconds it took."""
    paths = one_page_pdfs(folder, min(FILES, items // CUSTOMERS))
    lock = threading.Lock()

    def one_customer(number: int) -> None:
        with CustomerClient(stack.url, stack.key(f"memory {number}")) as client:
            file_ids = upload(client, paths)
            left = items // CUSTOMERS
            while left > 0:
                size = min(left, batch_items)
                follow(client, watch, lock, (file_ids * (size // len(file_ids) + 1))[:size])
                left -= size

    began = time.monotonic()
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        list(pool.map(one_customer, range(CUSTOMERS)))
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--warm-up", type=float, default=0.2, help="share of the items before measuring begins")
    parser.add_argument("--no-work", action="store_true", help="items that touch neither storage nor an engine")
    arguments = parser.parse_args()
    is_idle: bool = arguments.no_work
    with (
        TemporaryDirectory() as folder,
        running_stack(None, **({"OCTAVO_WORKER__COUNT": "0"} if is_idle else {})) as stack,
        idle_worker(stack) if is_idle else contextlib.nullcontext(),
    ):
        watch = Watch(stack.pid)
        watching = threading.Thread(target=watch.run)
        watching.start()
        try:
            batch_items = IDLE_BATCH_ITEMS if is_idle else BATCH_ITEMS
            seconds = work(stack, watch, arguments.items, Path(folder), batch_items=batch_items)
        finally:
            watch.is_over.set()
            watching.join()
    growth = {kind: watch.growth(kind, int(arguments.items * arguments.warm_up)) for kind in sorted(watch.samples)}
    figures = {
        "items": watch.done,
        "seconds": round(seconds, 1),
        "items_per_second": round(watch.done / seconds, 1),
        "ours": {kind: growth[kind] for kind in OURS if kind in growth},
        "others": {kind: found for kind, found in growth.items() if kind not in OURS},
        "mb_per_1000_items_by_fifths": {kind: watch.by_fifths(kind, watch.done) for kind in OURS if kind in growth},
        "target_mb_per_1000_items": TARGET_MB,
        "over_target": [kind for kind in OURS if growth.get(kind, {}).get("mb_per_1000_items", 0) > TARGET_MB],
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"written to {write_scorecard('memory-no-work' if is_idle else 'memory', figures)}")


if __name__ == "__main__":
    main()
