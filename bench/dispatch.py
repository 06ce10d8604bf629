"""How fast items go from pending to a result with the sleeping engine: `python -m bench.dispatch [--only NAME]`.

One stack, one customer, cap 8. Each run prints wall time against the ideal (items x seconds / cap), taken from
the ledger's own times: the first item's start to the last item's end.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.latency import stage
from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

CAP = 8
FILES = 200
"""Distinct files, so that items in work at the same time have distinct results."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One run: so many items of so many seconds each."""

    name: str
    items: int
    seconds: float


ARMS = (
    Arm("items of 5 s", 80, 5.0),
    Arm("items of 50 ms", 2_000, 0.05),
    Arm("items of no work", 10_000, 0.0),
)


def distinct_file(folder: Path, number: int) -> Path:
    path = folder / f"document {number}.txt"
    path.write_text(f"Line {number} for the sleeping engine.\n")
    return path


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def all_items(client: CustomerClient, batch_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Follow a batch to its end; returns it and each item as it was last seen."""
    seen: dict[str, dict[str, Any]] = {}
    last: dict[str, Any] = {}
    for last in client.follow(batch_id):
        seen.update({item["id"]: item for item in last["items"]})
    return last, list(seen.values())


def recorded_task_runs(stack: Running, batch_id: str) -> int:
    ui = httpx.get(f"{stack.url}/health", trust_env=False).json()["prefect_ui_url"]
    body = {"flow_runs": {"tags": {"all_": [f"batch:{batch_id}"]}}}
    return int(httpx.post(f"{ui}/api/task_runs/count", json=body, timeout=30, trust_env=False).json())


def settle(stack: Running, batch_id: str) -> tuple[int, float]:
    """Return how many task runs Prefect has recorded once the number stands still, and how long that took."""
    began, count, still = time.monotonic(), -1, 0
    while still < 5 and time.monotonic() - began < 120:
        found = recorded_task_runs(stack, batch_id)
        still = still + 1 if found == count else 0
        count = found
        time.sleep(1)
    return count, round(time.monotonic() - began - still, 1)


def run_arm(stack: Running, client: CustomerClient, file_ids: list[str], arm: Arm) -> dict[str, object]:
    before = Family.of(stack.pid).cpu_seconds
    batch = client.submit(
        (file_ids * arm.items)[: arm.items], engine=f"sleep:{arm.seconds}", idempotency_key=random_part()
    )
    ended, items = all_items(client, batch["id"])
    starts = sorted(moment(item["started_at"]) for item in items)
    ends = sorted(moment(item["completed_at"]) for item in items)
    wall = ends[-1] - starts[0]
    recorded, lag = settle(stack, batch["id"])
    after = Family.of(stack.pid).cpu_seconds
    handed_on = [next_start - end for end, next_start in zip(ends, starts[CAP:], strict=False)]
    ideal = arm.items * arm.seconds / CAP
    return {
        "items": arm.items,
        "succeeded": ended["counts"]["succeeded"],
        "wall_seconds": round(wall, 2),
        "ideal_seconds": round(ideal, 2),
        "wall_over_ideal": round(wall / ideal, 3) if ideal else None,
        "items_per_second": round(arm.items / wall, 1),
        "slot_to_next_item_p50_ms": round(statistics.median(handed_on) * 1000, 1) if handed_on else None,
        "task_runs_recorded": recorded,
        "recorded_after_seconds": lag,
        "cpu_seconds": {kind: round(after.get(kind, 0) - before.get(kind, 0), 1) for kind in after},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="part of an arm's name")
    only = parser.parse_args().only or ""
    figures: dict[str, object] = {}
    with (
        TemporaryDirectory() as folder,
        running_stack() as stack,
        CustomerClient(stack.url, stack.key("bench")) as client,
    ):
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(FILES)]
        run_arm(stack, client, file_ids, Arm("warm-up", 8, 0.05))
        for arm in ARMS:
            if only in arm.name:
                figures[arm.name] = run_arm(stack, client, file_ids, arm)
                print(f"{arm.name}: {figures[arm.name]}", flush=True)
    if not only:
        print(f"written to {write_scorecard('dispatch', figures)}")


if __name__ == "__main__":
    main()
