"""What sync extractions and batches do to each other: `python -m bench.sync [--items N] [--calls N]`.

Documents sent to `POST /v1/extract/file` one after the other: on an idle stack, and while another customer's batch
keeps every place of the workers busy. And that batch's speed: alone, beside one such caller, and beside so many at
once as a customer may be. All documents are different full pages; everything reads with the default engine.
"""

import argparse
import itertools
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import full_page_pdfs, upload
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

WARM_UP = 8
MANY = 8


@dataclass
class Callers:
    """Callers that each send one document after the other until told to stop or until enough were sent."""

    url: str
    key: str
    paths: Iterator[Path]
    most: int | None = None
    milliseconds: list[float] = field(default_factory=list)
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """Send until it is over; runs in a thread of its own."""
        with httpx.Client(base_url=self.url, headers={"X-API-KEY": self.key}, trust_env=False, timeout=400) as client:
            while not self._stop.is_set() and (self.most is None or len(self.milliseconds) < self.most):
                data = next(self.paths).read_bytes()
                began = time.perf_counter()
                answer = client.post("/v1/extract/file", files={"file": ("page.pdf", data)})
                if answer.status_code == 429:
                    self.refused += 1
                    continue
                answer.raise_for_status()
                self.milliseconds.append((time.perf_counter() - began) * 1000)

    @contextmanager
    def calling(self, count: int) -> Iterator[None]:
        """Let several of them call while the body runs."""
        threads = [threading.Thread(target=self.send) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def figures(self) -> dict[str, object]:
        """Return how long the calls took."""
        cuts = statistics.quantiles(self.milliseconds, n=100, method="inclusive")
        return {
            "calls": len(self.milliseconds),
            "refused": self.refused,
            "p50_ms": round(cuts[49], 1),
            "p99_ms": round(cuts[98], 1),
        }


def batch_rate(client: CustomerClient, file_ids: list[str]) -> float:
    """Run a batch to its end; return its items per second."""
    batch = client.submit(file_ids, engine="auto", idempotency_key=random_part())
    (last,) = deque(client.follow(batch["id"]), maxlen=1)
    assert last["counts"]["succeeded"] == len(file_ids), last["counts"]
    created, completed = (datetime.fromisoformat(last[name]) for name in ("created_at", "completed_at"))
    return len(file_ids) / (completed - created).total_seconds()


def measure(stack: Running, paths: list[Path], items: int, calls: int) -> dict[str, object]:
    key = stack.key("caller")
    sent = itertools.cycle(paths[: len(paths) - 3 * items])
    idle = Callers(stack.url, key, sent, most=calls)
    with CustomerClient(stack.url, stack.key("crowd")) as client:
        file_ids = upload(client, paths[len(paths) - 3 * items :])
        batch_rate(client, file_ids[:WARM_UP])
        Callers(stack.url, key, sent, most=WARM_UP).send()
        idle.send()
        alone = batch_rate(client, file_ids[:items])
        one, many = Callers(stack.url, key, sent), Callers(stack.url, key, sent)
        with one.calling(1):
            beside_one = batch_rate(client, file_ids[items : 2 * items])
        with many.calling(MANY):
            beside_many = batch_rate(client, file_ids[2 * items :])
    return {
        "calls, idle": idle.figures(),
        "calls, one caller beside a batch": one.figures(),
        f"calls, {MANY} callers beside a batch": many.figures(),
        "batch": {
            "items": items,
            "items_per_second_alone": round(alone, 1),
            "share_beside_one_caller": round(beside_one / alone, 2),
            f"share_beside_{MANY}_callers": round(beside_many / alone, 2),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=400, help="documents of each of the three batches")
    parser.add_argument("--calls", type=int, default=100, help="calls on the idle stack")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, running_stack() as stack:
        paths = full_page_pdfs(Path(folder), 3 * arguments.items + arguments.calls)
        figures = measure(stack, paths, arguments.items, arguments.calls)
    for name, found in figures.items():
        print(f"{name}: {found}")
    print(f"written to {write_scorecard('sync', figures)}")


if __name__ == "__main__":
    main()
