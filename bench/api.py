"""How fast `/v1` answers: `python -m bench.api [--files N] [--items N]`.

Staging with eight clients, bulk staging, batches of files that are known to be uploaded and of files that are looked
for in storage, and one poll in a ledger with many items stored beside. No worker runs: what is measured is the API.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.stored_items import fill
from octavo import cursors
from octavo.directory import DataDirectory
from octavo.identifiers import BatchId
from octavo.timestamps import now

CLIENTS = 8
POLLS = 400
FEW_ITEMS = 10_000
QUIET_SHARE = 0.05
"""Share of one core below which the API is idle."""
QUIET_LOOKS = 3
LONGEST_QUIETING_SECONDS = 1200.0
Json = dict[str, Any]


@dataclass
class Customer:
    """One customer's view of a stack, and what the API spends on it."""

    stack: Running
    key: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.stack.url,
            headers={"X-API-KEY": self.key},
            trust_env=False,
            timeout=120,
            limits=httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS),
        )

    def post(self, path: str, body: object) -> Json:
        found: Json = self.http.post(path, json=body).raise_for_status().json()
        return found

    def measured(self, act: Callable[[], object], times: int, clients: int = 1) -> Json:
        """Do something repeatedly and concurrently; return latencies in ms and the API's CPU for each in ms."""

        def timed(_: int) -> float:
            began = time.perf_counter()
            act()
            return (time.perf_counter() - began) * 1000

        spent = cpu_seconds(self.stack)
        with ThreadPoolExecutor(clients) as pool:
            took = sorted(pool.map(timed, range(times)))
        spent = cpu_seconds(self.stack) - spent
        cuts = statistics.quantiles(took * 2, n=100, method="inclusive")
        return {
            "n": times,
            "p50_ms": round(statistics.median(took), 1),
            "p99_ms": round(cuts[98], 1),
            "max_ms": round(took[-1], 1),
            "api_cpu_ms_each": round(spent / times * 1000, 2),
        }


def cpu_seconds(stack: Running) -> float:
    return Family.of(stack.pid).cpu_seconds.get("api", 0.0)


def wait_until_quiet(stack: Running) -> None:
    """Wait until the API has finished its background work, such as archiving."""
    limit = time.monotonic() + LONGEST_QUIETING_SECONDS
    quiet = 0
    while quiet < QUIET_LOOKS:
        if time.monotonic() > limit:
            raise TimeoutError("the API does not come to rest")
        began, spent = time.monotonic(), cpu_seconds(stack)
        time.sleep(2)
        share = (cpu_seconds(stack) - spent) / (time.monotonic() - began)
        quiet = quiet + 1 if share < QUIET_SHARE else 0


def entries(count: int) -> Json:
    return {
        "files": [
            {"filename": f"scan {number:05}.pdf", "content_type": "application/pdf", "size_bytes": 5}
            for number in range(count)
        ]
    }


def upload(staged: Json) -> list[str]:
    """PUT five bytes to each address; return the ids."""
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    with httpx.Client(trust_env=False, timeout=60, limits=limits) as storage, ThreadPoolExecutor(CLIENTS) as pool:
        list(
            pool.map(lambda row: storage.put(row["upload"]["url"], content=b"bytes").raise_for_status(), staged["data"])
        )
    return [row["id"] for row in staged["data"]]


def batch_of(customer: Customer, file_ids: list[str]) -> None:
    """Submit a batch and cancel it, so that the next one meets the same ledger; the cancel is not measured."""
    made = customer.post("/v1/batches", {"source": {"file_ids": file_ids}})
    leftovers.append(made["id"])


leftovers: list[str] = []


def clear_away(customer: Customer) -> None:
    for batch_id in leftovers:
        customer.post(f"/v1/batches/{batch_id}/cancel", {})
    leftovers.clear()


def submitting(files: int) -> Json:
    """Measure staging and submitting on a fresh stack."""
    figures: Json = {}
    with running_stack(OCTAVO_WORKER__COUNT="0") as stack:
        customer = Customer(stack, stack.key("api bench"))
        one = {"filename": "scan.pdf", "size_bytes": 5}
        customer.measured(lambda: customer.post("/v1/files", one), 100, CLIENTS)
        figures["stage one file, 8 clients"] = customer.measured(
            lambda: customer.post("/v1/files", one), 2000, CLIENTS
        ) | {"target_p99_ms": 50}
        show(figures)
        many = entries(files)
        figures[f"stage {files} files in bulk"] = customer.measured(
            lambda: customer.post("/v1/files/bulk", many), 5
        ) | {"target_max_ms": 4000}
        show(figures)
        took, ids = list[Json](), list[str]()
        for _ in range(3):
            ids = upload(customer.post("/v1/files/bulk", many))
            took.append(customer.measured(lambda ids=ids: batch_of(customer, ids), 1))  # type: ignore[misc]
            clear_away(customer)
        figures[f"batch of {files} files looked for in storage"] = joined(took) | {"target_max_ms": 4000}
        show(figures)
        took = []
        for _ in range(6):
            took.append(customer.measured(lambda: batch_of(customer, ids), 5))
            clear_away(customer)
        figures[f"batch of {files} ready files"] = joined(took) | {"target_p50_ms": 300, "target_p99_ms": 1500}
        show(figures)
    return figures


def joined(took: list[Json]) -> Json:
    """Return one measurement out of several: few, so that the greatest stands for the 99th percentile."""
    return {
        "n": sum(one["n"] for one in took),
        "p50_ms": statistics.median(one["p50_ms"] for one in took),
        "max_ms": max(one["max_ms"] for one in took),
        "api_cpu_ms_each": statistics.median(one["api_cpu_ms_each"] for one in took),
    }


def polling(items: int) -> Json:
    """Measure a poll that finds 100 changed items, and one that finds none, with many items stored."""
    with tempfile.TemporaryDirectory(prefix="octavo-bench-") as folder:
        data = Path(folder) / "data"
        DataDirectory(data).prepare()
        began = time.monotonic()
        stored = fill(DataDirectory(data).ledger, items)
        print(f"{items} items stored in {time.monotonic() - began:.0f} s", flush=True)
        with running_stack(data, OCTAVO_WORKER__COUNT="0") as stack:
            wait_until_quiet(stack)
            customer = Customer(stack, stored.key)
            batch_id = stored.batch_ids[len(stored.batch_ids) // 2]
            half = middle_of(customer, batch_id)
            return {
                "changed": customer.measured(lambda: poll(customer, batch_id, half), POLLS),
                "unchanged": customer.measured(lambda: poll(customer, batch_id, last(batch_id)), POLLS),
            }


def poll(customer: Customer, batch_id: BatchId, cursor: str) -> Json:
    answer = customer.http.get(f"/v1/batches/{batch_id}", params={"limit": 100, "cursor": cursor})
    found: Json = answer.raise_for_status().json()
    return found


def middle_of(customer: Customer, batch_id: BatchId) -> str:
    """Return a cursor from the middle of a batch."""
    page: Json = customer.http.get(f"/v1/batches/{batch_id}", params={"limit": 500}).raise_for_status().json()
    for _ in range(page["total_items"] // 1000):
        page = poll(customer, batch_id, page["next_cursor"])
    return str(page["next_cursor"])


def last(batch_id: BatchId) -> str:
    return cursors.encode(batch_id, now(), "")


def show(figures: Json) -> None:
    name = list(figures)[-1]
    print(f"{name}: {figures[name]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="files of a batch")
    parser.add_argument("--items", type=int, default=1_000_000, help="items stored beside, at most")
    arguments = parser.parse_args()
    figures = submitting(arguments.files)
    few, many = polling(FEW_ITEMS), polling(arguments.items)
    for kind in few:
        figures[f"poll, 100 {kind} items" if kind == "changed" else "poll, nothing changed"] = {
            f"{FEW_ITEMS} items stored": few[kind],
            f"{arguments.items} items stored": many[kind],
            "ratio_of_p50": round(many[kind]["p50_ms"] / few[kind]["p50_ms"], 2),
            "ratio_of_cpu": round(many[kind]["api_cpu_ms_each"] / few[kind]["api_cpu_ms_each"], 2),
            "target_p99_ms": 50,
            "target_ratio": 1.5,
        }
        show(figures)
    print(f"written to {write_scorecard('api', figures)}")


if __name__ == "__main__":
    main()
