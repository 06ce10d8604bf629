"""How long a batch waits for its first item: `python -m bench.latency`.

From the moment `POST /v1/batches` is sent to the moment the ledger has the batch's first item running.
One batch at a time on an idle stack (median of 10), then 8 batches at once (the last one's first item).
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from bench.service import running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

TRIALS = 10
AT_ONCE = 8
ENGINE = "sleep:0.2"
LIMIT_SECONDS = 120.0
TARGETS = {"median_seconds": 0.8, "last_of_8_seconds": 6.0}


def stage(client: CustomerClient, path: Path) -> str:
    staged = client.stage(path)
    client.upload(staged, path)
    return staged.file_id


def first_item_seconds(client: CustomerClient, file_ids: list[str]) -> float:
    """Submit, wait for the end, and return when the first item began, counted from the submission."""
    submitted = datetime.now(UTC)
    batch = client.submit(file_ids, engine=ENGINE, idempotency_key=random_part())
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        found = client.batch(batch["id"])
        if found["completed_at"] is not None:
            starts = [datetime.fromisoformat(item["started_at"]) for item in found["items"] if item["started_at"]]
            return (min(starts) - submitted).total_seconds()
        time.sleep(0.1)
    raise TimeoutError(f"batch {batch['id']} did not end")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with TemporaryDirectory() as folder, running_stack() as stack:
        path = Path(folder) / "document.txt"
        path.write_text("A line for the sleeping engine.\n")
        with CustomerClient(stack.url, stack.key("bench")) as client:
            file_id = stage(client, path)
            first_item_seconds(client, [file_id])  # the first run imports the flow
            time.sleep(3)
            singles = []
            for _ in range(TRIALS):
                singles.append(first_item_seconds(client, [file_id]))
                time.sleep(1)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                crowd = list(pool.map(lambda _: first_item_seconds(client, [file_id] * 4), range(AT_ONCE)))
    figures = {
        "one_at_a_time_seconds": [round(seconds, 3) for seconds in singles],
        "median_seconds": round(statistics.median(singles), 3),
        "eight_at_once_seconds": [round(seconds, 3) for seconds in sorted(crowd)],
        "last_of_8_seconds": round(max(crowd), 3),
        "targets": TARGETS,
    }
    for name, value in figures.items():
        print(f"{name:<24} {value}")
    print(f"written to {write_scorecard('latency', figures)}")


if __name__ == "__main__":
    main()
