"""What it costs to show customers' slots in Prefect: `python -m bench.customer_slots [--rounds N] [--scale PART]`.

The same items go through stacks that differ in one setting, one stack at a time, in turn (A, B, C, A, B, C, ...):
slots shown in Prefect's concurrency limit (the default), nothing shown, and Prefect's tag limit on every
task run. One customer, cap 8, the sleeping engine; the rate is taken from the ledger's own times.
"""

import argparse
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.dispatch import all_items, distinct_file, moment
from bench.latency import stage
from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

VARIANTS: dict[str, dict[str, str]] = {
    "slots shown": {},
    "nothing shown": {"OCTAVO_PREFECT__LANE_SLOTS": "false"},
    "tag limit": {"OCTAVO_PREFECT__LANE_SLOTS": "false", "OCTAVO_PREFECT__TAG_LIMITS": "true"},
}
REFERENCE = "nothing shown"


@dataclass(frozen=True, slots=True)
class Arm:
    """A number of items of a given length."""

    name: str
    items: int
    seconds: float


ARMS = (Arm("items of 50 ms", 2_000, 0.05), Arm("items of 1 s", 80, 1.0))
DEAR = {"tag limit": 0.1}
"""Variants so slow that they are given a part of the items."""
LIMIT_PERCENT = 3.0
FILES = 100


def measure(stack: Running, client: CustomerClient, file_ids: list[str], arm: Arm) -> tuple[float, float]:
    """Return the items per second of one batch, and the CPU-seconds per 1,000 items of the whole stack."""
    before = sum(Family.of(stack.pid).cpu_seconds.values())
    batch = client.submit(
        (file_ids * arm.items)[: arm.items], engine=f"sleep:{arm.seconds}", idempotency_key=random_part()
    )
    _, items = all_items(client, batch["id"])
    spent = sum(Family.of(stack.pid).cpu_seconds.values()) - before
    wall = max(moment(item["completed_at"]) for item in items) - min(moment(item["started_at"]) for item in items)
    return arm.items / wall, 1000 * spent / arm.items


def run_variant(name: str, scale: float) -> dict[str, tuple[float, float]]:
    """Return what each arm came to on a fresh stack of this variant."""
    found = {}
    with (
        TemporaryDirectory() as folder,
        running_stack(None, **VARIANTS[name]) as stack,
        CustomerClient(stack.url, stack.key("bench")) as client,
    ):
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(FILES)]
        # Twice: the second learns how long the first ones took, and slices them.
        for _ in range(2):
            measure(stack, client, file_ids, Arm("warm-up", 40, 0.05))
        for arm in ARMS:
            items = max(24, round(arm.items * scale * DEAR.get(name, 1.0)))
            found[arm.name] = measure(stack, client, file_ids, Arm(arm.name, items, arm.seconds))
            rate, cpu = found[arm.name]
            print(f"  {name:<14} {arm.name:<15} {rate:7.2f} items/s  {cpu:7.1f} CPU-s per 1,000", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the items, for a try")
    arguments = parser.parse_args()
    rates: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    cpus: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", flush=True)
        for variant in VARIANTS:
            for arm, (rate, cpu) in run_variant(variant, arguments.scale).items():
                rates[arm][variant].append(round(rate, 2))
                cpus[arm][variant].append(round(cpu, 1))
    figures: dict[str, object] = {}
    for arm, by_variant in rates.items():
        medians = {variant: statistics.median(found) for variant, found in by_variant.items()}
        cost = {name: round(100 * (1 - rate / medians[REFERENCE]), 1) for name, rate in medians.items()}
        figures[arm] = {
            "items_per_second": dict(by_variant),
            "median_items_per_second": medians,
            "cost_percent_of_throughput": cost,
            "median_cpu_seconds_per_1000_items": {
                variant: statistics.median(found) for variant, found in cpus[arm].items()
            },
            "shown_slots_within_3_percent": cost["slots shown"] <= LIMIT_PERCENT,
        }
        print(f"{arm}: {figures[arm]}")
    if arguments.scale == 1.0:
        print(f"written to {write_scorecard('customer_slots', figures)}")


if __name__ == "__main__":
    main()
