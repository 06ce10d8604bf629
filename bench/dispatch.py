"""How fast items go from pending to a result with the sleeping engine: `python -m bench.dispatch [--only NAME]`.

One stack, one customer, cap 8. Each run prints wall time against the ideal (items x seconds / cap), taken from
the ledger's own times: the first item's start to the last item's end. The last arm is dispatch alone: a worker
of its own whose items touch neither storage nor an engine (`bench.idle_worker`).
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.idle_worker import idle_worker
from bench.latency import stage
from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

CAP = 8
FILES = 200
"""Distinct files, so that concurrent items have distinct results."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One run: a number of items of a given length, and the target."""

    name: str
    items: int
    seconds: float
    target: str
    is_idle: bool = False


ARMS = (
    Arm("items of 5 s", 80, 5.0, "wall_over_ideal <= 1.03"),
    Arm("items of 1 s", 320, 1.0, "slot_to_next_item_p99_ms <= 50"),
    Arm("items of 50 ms", 2_000, 0.05, "items_per_second >= 120 (ideal 160)"),
    Arm("items of no work, stored", 10_000, 0.0, "reported: each item is one GET and two PUTs"),
    Arm("items of no work", 10_000, 0.0, "wall_seconds <= 10, recorded_after_seconds <= 10", is_idle=True),
)


def distinct_file(folder: Path, number: int) -> Path:
    path = folder / f"document {number}.txt"
    path.write_text(f"Line {number} for the sleeping engine.\n")
    return path


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def all_items(client: CustomerClient, batch_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Follow a batch to its end; return it and each item as last seen."""
    seen: dict[str, dict[str, Any]] = {}
    last: dict[str, Any] = {}
    for last in client.follow(batch_id):
        seen.update({item["id"]: item for item in last["items"]})
    return last, list(seen.values())


def recorded_task_runs(stack: Running, batch_id: str) -> int:
    body = {"flow_runs": {"tags": {"all_": [f"batch:{batch_id}"]}}}
    with stack.prefect() as prefect:
        return int(prefect.post("/task_runs/count", json=body).json())


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
    handed_on = sorted(next_start - end for end, next_start in zip(ends, starts[CAP:], strict=False))
    ideal = arm.items * arm.seconds / CAP
    return {
        "items": arm.items,
        "succeeded": ended["counts"]["succeeded"],
        "wall_seconds": round(wall, 2),
        "ideal_seconds": round(ideal, 2),
        "wall_over_ideal": round(wall / ideal, 3) if ideal else None,
        "items_per_second": round(arm.items / wall, 1),
        "slot_to_next_item_p50_ms": round(statistics.median(handed_on) * 1000, 1),
        "slot_to_next_item_p99_ms": round(handed_on[int(len(handed_on) * 0.99)] * 1000, 1),
        "task_runs_recorded": recorded,
        "recorded_after_seconds": lag,
        "target": arm.target,
        "cpu_seconds": {kind: round(after.get(kind, 0) - before.get(kind, 0), 1) for kind in after},
    }


def run_arms(arms: Sequence[Arm]) -> dict[str, object]:
    """Run arms of one kind on a stack of their own."""
    figures: dict[str, object] = {}
    is_idle = arms[0].is_idle
    settings = {"OCTAVO_WORKER__COUNT": "0"} if is_idle else {}
    with (
        TemporaryDirectory() as folder,
        running_stack(None, **settings) as stack,
        idle_worker(stack) if is_idle else contextlib.nullcontext(),
        CustomerClient(stack.url, stack.key("bench")) as client,
    ):
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(FILES)]
        run_arm(stack, client, file_ids, Arm("warm-up", 32, 0.05, ""))
        for arm in arms:
            figures[arm.name] = run_arm(stack, client, file_ids, arm)
            print(f"{arm.name}: {figures[arm.name]}", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="part of an arm's name")
    only = parser.parse_args().only or ""
    figures: dict[str, object] = {}
    for is_idle in (False, True):
        arms = [arm for arm in ARMS if arm.is_idle is is_idle and only in arm.name]
        if arms:
            figures |= run_arms(arms)
    if not only:
        print(f"written to {write_scorecard('dispatch', figures)}")


if __name__ == "__main__":
    main()
