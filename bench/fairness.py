"""Who gets the slots: `python -m bench.fairness`.

Two batches of one customer, items of 2 s: their shares of the first three quarters of the work. Then another
customer submits ten items while the first one has 10,000 waiting: how long until its first item starts.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.dispatch import distinct_file, moment
from bench.latency import stage
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

ITEMS = 60
WAITING = 10_000
NEWCOMER_TRIALS = 5


def ended_items(client: CustomerClient, batch_id: str) -> list[float]:
    """Follow a batch to its end; return when each item ended."""
    seen: dict[str, float] = {}
    for found in client.follow(batch_id):
        seen |= {item["id"]: moment(item["completed_at"]) for item in found["items"] if item["completed_at"]}
    return sorted(seen.values())


def shares(client: CustomerClient, file_ids: list[str]) -> dict[str, object]:
    batches = [
        client.submit((file_ids * ITEMS)[:ITEMS], engine="sleep:2", idempotency_key=random_part())["id"]
        for _ in range(2)
    ]
    ends = [ended_items(client, batch_id) for batch_id in batches]
    middle = sorted(ends[0] + ends[1])[2 * ITEMS * 3 // 4]
    done = [sum(end <= middle for end in of) for of in ends]
    return {
        "items_each": ITEMS,
        "done_at_three_quarters": done,
        "shares_differ_by_percent": round(100 * abs(done[0] - done[1]) / sum(done), 1),
        "target": "shares differ by <= 10 %",
    }


def first_start(client: CustomerClient, file_ids: list[str]) -> float:
    """Submit ten items and return the seconds until the first has started."""
    batch = client.submit(file_ids[:10], engine="sleep:0.05", idempotency_key=random_part())
    found = batch
    starts: list[float] = []
    for found in client.follow(batch["id"]):
        starts += [moment(item["started_at"]) for item in found["items"] if item["started_at"]]
    return min(starts) - moment(batch["created_at"])


def newcomer(stack: Running, crowd: CustomerClient, file_ids: list[str], folder: Path) -> dict[str, object]:
    waiting = crowd.submit((file_ids * WAITING)[:WAITING], engine="sleep:0.2", idempotency_key=random_part())
    with CustomerClient(stack.url, stack.key("newcomer")) as client:
        own = [stage(client, distinct_file(folder, 1000 + number)) for number in range(10)]
        seconds = [round(first_start(client, own), 3) for _ in range(NEWCOMER_TRIALS)]
    left = crowd.batch(waiting["id"])["counts"]["pending"]
    return {
        "waiting_items_of_the_other": left,
        "first_item_after_seconds": seconds,
        "worst_seconds": max(seconds),
        "target": "first item of the newcomer <= 1 s after its submit",
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with (
        TemporaryDirectory() as folder,
        running_stack() as stack,
        CustomerClient(stack.url, stack.key("crowd")) as client,
    ):
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(200)]
        ended_items(client, client.submit(file_ids[:8], engine="sleep:0.1", idempotency_key=random_part())["id"])
        figures = {
            "two batches of one customer": shares(client, file_ids),
            "a newcomer beside 10,000 waiting": newcomer(stack, client, file_ids, Path(folder)),
        }
    for name, found in figures.items():
        print(f"{name}: {found}")
    print(f"written to {write_scorecard('fairness', figures)}")


if __name__ == "__main__":
    main()
