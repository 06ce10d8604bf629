"""What a stack leaves on disk: `python -m bench.disk [--items N] [--batch N]`.

Items of no work go through a stack in batches; after each batch the bytes of Prefect's database, the ledger, the
objects and the logs are noted. Then everything is pruned, the same number goes through again to see that the room is
used again, and at last the stack is started anew, which gives back what is free. Events are kept for a minute here,
so that there is something to prune; the bounds are those of `docs/explain/growth.md`.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.dispatch import all_items, distinct_file, settle
from bench.latency import stage
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

FILES = 200
KEEP_SECONDS = 60
SETTINGS = {"OCTAVO_PREFECT__KEEP_EVENTS_DAYS": str(KEEP_SECONDS / 86400)}
PRUNE_SECONDS = 180.0
MIB = 1024 * 1024
BOUNDS = {
    "prefect_kib_per_task_run": 60,
    "prefect_kib_besides": 8192,
    "ledger_kib_per_1000_items": 1200,
    "logs_bytes": 4 * 2 * 20 * MIB,
}
"""What `docs/explain/growth.md` says, with a margin; `besides` is SQLite's log, which keeps its largest size."""


def sizes(data: Path) -> dict[str, int]:
    """Return the bytes of each part of a data directory."""
    parts = {
        "prefect": data.glob("prefect/prefect.db*"),
        "prefect_other": (path for path in data.glob("prefect/**/*") if not path.name.startswith("prefect.db")),
        "ledger": data.glob("ledger.duckdb*"),
        "objects": data.glob("objects/**/*"),
        "logs": data.glob("logs/*"),
    }
    return {name: sum(_bytes(path) for path in paths) for name, paths in parts.items()}


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


class Prefect:
    """The stack's Prefect, as an operator uses it."""

    def __init__(self, stack: Running) -> None:
        self._http = stack.prefect()

    def count(self, what: str, body: object = None) -> int:
        """Return how many rows of a kind there are."""
        return int(self._http.post(f"/{what}/count", json=body or {}).json())

    def events(self) -> int:
        """Return how many events are kept."""
        answer = self._http.post("/events/filter", json={"limit": 1, "filter": {}}).json()
        return int(answer["total"])

    def rows(self) -> dict[str, int]:
        """Return the rows that grow."""
        return {
            "flow_runs": self.count("flow_runs"),
            "task_runs": self.count("task_runs"),
            "artifacts": self.count("artifacts"),
            "events": self.events(),
        }

    def prune(self) -> dict[str, Any]:
        """Run the flow `prune` so that it keeps nothing; return its last state."""
        deployment = self._http.get("/deployments/name/prune/prune").json()["id"]
        body = {"parameters": {"keep_runs_days": 0}}
        run = self._http.post(f"/deployments/{deployment}/create_flow_run", json=body).json()["id"]
        limit = time.monotonic() + PRUNE_SECONDS
        while time.monotonic() < limit:
            state: dict[str, Any] = self._http.get(f"/flow_runs/{run}").json()["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED"):
                return state
            time.sleep(0.5)
        raise TimeoutError(f"the pruning did not end within {PRUNE_SECONDS:.0f} s")


def fill(stack: Running, client: CustomerClient, file_ids: list[str], items: int) -> dict[str, object]:
    """Run a batch without work; return how long it took and what is on disk afterwards."""
    began = time.monotonic()
    batch = client.submit((file_ids * items)[:items], engine="sleep:0", idempotency_key=random_part())
    ended, _ = all_items(client, batch["id"])
    seconds = round(time.monotonic() - began, 1)
    recorded, _ = settle(stack, batch["id"])
    found = {"succeeded": ended["counts"]["succeeded"], "seconds": seconds, "task_runs": recorded}
    return found | {"bytes": sizes(stack.data)}


def prune(stack: Running) -> dict[str, object]:
    """Prune, wait until the events are gone as well, and return what is left."""
    prefect = Prefect(stack)
    before, began = prefect.rows(), time.monotonic()
    state = prefect.prune()
    seconds = round(time.monotonic() - began, 1)
    while prefect.events() > before["events"] // 10 and time.monotonic() - began < KEEP_SECONDS + PRUNE_SECONDS:
        time.sleep(1)
    return {
        "told": f"{state['name']}: {state['message']}",
        "seconds": seconds,
        "rows_before": before,
        "rows_after": prefect.rows(),
        "bytes": sizes(stack.data),
    }


def per_1000(before: dict[str, int], after: dict[str, int], items: int) -> dict[str, float]:
    """Return how many KiB each part has grown by per 1,000 items."""
    return {name: round((after[name] - before[name]) / 1024 / (items / 1000), 1) for name in after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=10_000)
    arguments = parser.parse_args()
    items, size = arguments.items, min(arguments.batch, arguments.items)
    steps: list[dict[str, Any]] = []

    def note(what: str, found: dict[str, Any]) -> None:
        steps.append({"what": what} | found)
        print(f"{what:<34} {found}", flush=True)

    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with running_stack(data, **SETTINGS) as stack, CustomerClient(stack.url, stack.key("bench")) as client:
            file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(FILES)]
            fill(stack, client, file_ids, 50)
            note("before", {"bytes": sizes(data)})
            for number in range(items // size):
                note(f"after {size * (number + 1)} items", fill(stack, client, file_ids, size))
            grown = per_1000(steps[0]["bytes"], steps[-1]["bytes"], items)
            full, task_runs = steps[-1]["bytes"], sum(step["task_runs"] for step in steps if "task_runs" in step)
            note("pruned", prune(stack))
            for number in range(items // size):
                note(f"after {items + size * (number + 1)} items", fill(stack, client, file_ids, size))
            again = per_1000(full, steps[-1]["bytes"], items)
            note("pruned again", prune(stack))
        with running_stack(data, **SETTINGS):
            note("started anew", {"bytes": sizes(data)})
    holds = {
        "prefect": grown["prefect"] * items / 1000
        <= BOUNDS["prefect_kib_per_task_run"] * task_runs + BOUNDS["prefect_kib_besides"],
        "prefect_room_is_used_again": again["prefect"] <= 0.2 * grown["prefect"],
        "ledger": max(grown["ledger"], again["ledger"]) <= BOUNDS["ledger_kib_per_1000_items"],
        "logs": steps[-1]["bytes"]["logs"] <= BOUNDS["logs_bytes"],
        "events_and_runs_are_pruned": all(
            step["rows_after"][kind] <= 0.1 * max(1, step["rows_before"][kind]) + 30
            for step in steps
            if "rows_after" in step
            for kind in ("flow_runs", "task_runs", "artifacts", "events")
        ),
    }
    figures: dict[str, object] = {
        "items": 2 * items,
        "kib_per_1000_items": grown,
        "kib_per_1000_items_after_pruning": again,
        "bounds": BOUNDS,
        "holds": holds,
        "steps": steps,
    }
    for name in ("kib_per_1000_items", "kib_per_1000_items_after_pruning", "holds"):
        print(f"{name:<34} {figures[name]}")
    if items >= 50_000:
        print(f"written to {write_scorecard('disk', figures)}")


if __name__ == "__main__":
    main()
