"""How much faster two workers are than one: `python -m bench.workers [--items N] [--seconds S]`.

The sleeping engine, one customer with cap 16, workers of 8 slots. In one run: a stack with one worker, then a
stack with two; each prints wall time from the ledger's own times, and how many runs the batch had.
"""

import argparse
import subprocess
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.dispatch import all_items, distinct_file, moment
from bench.latency import stage
from bench.scorecard import write_scorecard
from bench.service import OCTAVO, Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

CAP = 16
SLOTS = 8
CUSTOMER = "bench"


def raise_cap(stack: Running) -> None:
    command = [str(OCTAVO), "customers", "set", CUSTOMER, "--cap", str(CAP), "--data", str(stack.data)]
    subprocess.run(command, check=True, capture_output=True)


def run_names(stack: Running, batch_id: str) -> list[str]:
    """Return the end states of the batch's flow runs, once all have ended."""
    wanted = {"flow_runs": {"tags": {"all_": [f"batch:{batch_id}"]}}, "sort": "NAME_ASC"}
    limit = time.monotonic() + 60
    while True:
        with stack.prefect() as prefect:
            found = prefect.post("/flow_runs/filter", json=wanted).json()
        if all(run["state"]["type"] in ("COMPLETED", "CRASHED", "CANCELLED", "FAILED") for run in found):
            return [run["state"]["name"] for run in found]
        if time.monotonic() > limit:
            raise TimeoutError(f"flow runs of {batch_id} have not ended")
        time.sleep(0.5)


def run_batch(stack: Running, client: CustomerClient, file_ids: list[str], seconds: float) -> dict[str, object]:
    batch = client.submit(file_ids, engine=f"sleep:{seconds}", idempotency_key=random_part())
    ended, items = all_items(client, batch["id"])
    starts = sorted(moment(item["started_at"]) for item in items)
    ends = sorted(moment(item["completed_at"]) for item in items)
    changes = sorted([(start, 1) for start in starts] + [(end, -1) for end in ends])
    in_work, most = 0, 0
    for _, change in changes:
        in_work += change
        most = max(most, in_work)
    wall = ends[-1] - starts[0]
    return {
        "items": len(items),
        "succeeded": ended["counts"]["succeeded"],
        "wall_seconds": round(wall, 2),
        "items_per_second": round(len(items) / wall, 2),
        "most_in_work": most,
        "runs": dict(Counter(run_names(stack, batch["id"]))),
    }


def measure(workers: int, items: int, seconds: float) -> dict[str, object]:
    settings = {"OCTAVO_WORKER__COUNT": str(workers), "OCTAVO_WORKER__SLOTS": str(SLOTS)}
    with (
        TemporaryDirectory() as folder,
        running_stack(None, **settings) as stack,
        CustomerClient(stack.url, stack.key(CUSTOMER)) as client,
    ):
        raise_cap(stack)
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(items)]
        run_batch(stack, client, file_ids[:CAP], 0.05)  # each worker's first run pays for imports
        return run_batch(stack, client, file_ids, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=240)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    figures: dict[str, object] = {"cap": CAP, "slots": SLOTS, "seconds_per_item": arguments.seconds}
    walls = []
    for workers in (1, 2):
        found = measure(workers, arguments.items, arguments.seconds)
        walls.append(float(str(found["wall_seconds"])))
        ideal = arguments.items * arguments.seconds / min(CAP, workers * SLOTS)
        figures[f"{workers} workers"] = found | {"wall_over_ideal": round(walls[-1] / ideal, 3)}
        print(f"{workers} workers: {figures[f'{workers} workers']}", flush=True)
    figures["speed_up"] = round(walls[0] / walls[1], 2)
    print(f"two workers against one: {figures['speed_up']}x")
    print(f"written to {write_scorecard('workers', figures)}")


if __name__ == "__main__":
    main()
