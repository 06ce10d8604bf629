"""How long a poll takes while a large batch runs: `python -m bench.polling [--items N]`.

`GET /v1/batches/{id}?limit=100&cursor=...` every tenth of a second with a cursor that goes on, from the
moment the batch is there to its end. First one customer with one batch, then two with one each.
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import distinct_texts, upload
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

FILES = 200
PAUSE_SECONDS = 0.1
TARGET_P99_MS = 60.0


@dataclass(frozen=True, slots=True)
class Polled:
    """One batch, polled from its start to its end."""

    milliseconds: list[float]
    items_per_second: float


def poll(url: str, key: str, batch_id: str) -> Polled:
    took: list[float] = []
    parameters: dict[str, str | int] = {"limit": 100}
    with httpx.Client(base_url=url, headers={"X-API-KEY": key}, trust_env=False, timeout=60) as client:
        while True:
            began = time.perf_counter()
            answer = client.get(f"/v1/batches/{batch_id}", params=parameters)
            took.append((time.perf_counter() - began) * 1000)
            found = answer.raise_for_status().json()
            if found["completed_at"] is not None:
                start, end = (datetime.fromisoformat(found[name]) for name in ("started_at", "completed_at"))
                rate = sum(found["counts"].values()) / max((end - start).total_seconds(), 0.001)
                return Polled(took, round(rate, 1))
            parameters["cursor"] = found["next_cursor"]
            time.sleep(PAUSE_SECONDS)


def run(stack: Running, folder: Path, customers: int, items: int, engine: str) -> dict[str, object]:
    keys = [stack.key(f"polling {customers} {number}") for number in range(customers)]
    batches = []
    for number, key in enumerate(keys):
        with CustomerClient(stack.url, key) as client:
            file_ids = upload(client, distinct_texts(folder / f"{customers}-{number}", FILES))
            batches.append((client, key, (file_ids * (items // FILES + 1))[:items]))
    with ThreadPoolExecutor(customers) as pool:

        def go(key: str, file_ids: list[str]) -> Polled:
            with CustomerClient(stack.url, key) as client:
                batch = client.submit(file_ids, engine=engine, idempotency_key=random_part())
            return poll(stack.url, key, batch["id"])

        polled = list(pool.map(lambda one: go(one[1], one[2]), batches))
    took = sorted(one for each in polled for one in each.milliseconds)
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return {
        "customers": customers,
        "items_per_batch": items,
        "items_per_second": [each.items_per_second for each in polled],
        "polls": len(took),
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "max_ms": round(took[-1], 1),
        "target_p99_ms": TARGET_P99_MS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--engine", default="sleep:0.05")
    arguments = parser.parse_args()
    figures = {}
    with TemporaryDirectory() as folder, running_stack() as stack:
        for customers in (1, 2):
            name = f"{customers} customer{'s' if customers > 1 else ''}"
            figures[name] = run(stack, Path(folder), customers, arguments.items, arguments.engine)
            print(f"{name}: {figures[name]}", flush=True)
    print(f"written to {write_scorecard('polling', figures)}")


if __name__ == "__main__":
    main()
