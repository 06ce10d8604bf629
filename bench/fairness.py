"""Who gets the slots: `python -m bench.fairness`.

Two batches of one customer, items of 2 s: their shares of the first three quarters of the work. Then another
customer submits ten items while the first one has 10,000 waiting: how long until its first item starts.

Then with documents that are really read, on two children: one customer has 24 slow ones, others send small ones one
after the other. How long they wait for a child, with and without a place for newcomers, and where memory is scarce.
"""

import argparse
import contextlib
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.dispatch import distinct_file, moment
from bench.latency import stage
from bench.scorecard import figures_of, write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import PROSE, copies_of, one_page_pdfs, upload
from octavo.client.customer import CustomerClient
from octavo.engines.drawing import HEADING, Sheets
from octavo.identifiers import random_part

ITEMS = 60
WAITING = 10_000
NEWCOMER_TRIALS = 5
SLOW_DOCUMENTS = 24
SLOW_PAGES = 300
"""Some seconds of a child."""
MEANWHILE = 2
"""Children, and so slow documents in progress."""
MEBI = 1024**2


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


def slow_pdfs(folder: Path, pages: int) -> list[Path]:
    """Draw PDFs that take a child many seconds: so many full pages each."""
    sheets = Sheets()
    for number in range(pages):
        page = sheets.page()
        page.text(f"Part {number}", HEADING)
        for _ in range(3):
            page.text(PROSE)
    sheets.save(folder / "slow.pdf")
    return copies_of(folder / "slow", [folder / "slow.pdf"], SLOW_DOCUMENTS)


def running(client: CustomerClient, batch_id: str) -> list[dict[str, Any]]:
    """Return the items of a batch that are read at this moment."""
    return [item for item in client.batch(batch_id)["items"] if item["status"] == "running"]


def ended(client: CustomerClient, batch_id: str) -> list[dict[str, Any]]:
    """Return the items of a batch that have ended by now."""
    return [item for item in client.batch(batch_id)["items"] if item["completed_at"]]


def wait_seconds(client: CustomerClient, path: Path, engine: str) -> tuple[float, float]:
    """Submit one file; return when that was, and the seconds until its reading began."""
    batch = client.submit([stage(client, path)], engine=engine, idempotency_key=random_part())
    for found in client.follow(batch["id"]):
        for item in found["items"]:
            if item["started_at"]:
                created = moment(batch["created_at"])
                return created, moment(item["started_at"]) - created
    raise AssertionError("the item never began")


def beside_slow(
    slow: list[Path], small: list[Path], askers: dict[str, tuple[str, int]], **settings: str
) -> dict[str, object]:
    """Have one customer's slow documents read, and others' small ones beside them, one after the other.

    `askers` are customers with the engine they ask for and how many files they send.
    """
    small, items = small.copy(), list[dict[str, Any]]()
    waits: list[tuple[str, float, float]] = []
    with (
        running_stack(None, OCTAVO_WORKER__PROCESSES="2", **settings) as stack,
        CustomerClient(stack.url, stack.key("slow")) as crowd,
        contextlib.ExitStack() as at_end,
    ):
        clients = {name: at_end.enter_context(CustomerClient(stack.url, stack.key(name))) for name in askers}
        for name, (engine, _) in askers.items():
            wait_seconds(clients[name], small.pop(), engine)
        batch = crowd.submit(upload(crowd, slow), engine="fast", idempotency_key=random_part())
        for _ in crowd.follow(batch["id"]):
            if len(running(crowd, batch["id"])) == MEANWHILE:
                break
        for name, (engine, files) in askers.items():
            waits += [(name, *wait_seconds(clients[name], small.pop(), engine)) for _ in range(files)]
        last = max(asked + waited for _, asked, waited in waits)
        # The documents that were in progress must have ended for their rest to be known.
        for _ in crowd.follow(batch["id"]):
            items = ended(crowd, batch["id"])
            if sum(moment(item["completed_at"]) > last for item in items) >= MEANWHILE:
                break
    return told(items, waits)


def told(items: list[dict[str, Any]], waits: list[tuple[str, float, float]]) -> dict[str, object]:
    spans = [(moment(item["started_at"]), moment(item["completed_at"])) for item in items]
    figures: dict[str, object] = {
        "slow_documents": SLOW_DOCUMENTS,
        "seconds_of_a_slow_document": round(statistics.median(end - begun for begun, end in spans), 1),
    }
    for name in dict.fromkeys(name for name, _, _ in waits):
        own = [(asked, waited) for one, asked, waited in waits if one == name]
        rests = [sorted(end - asked for begun, end in spans if begun <= asked < end) for asked, _ in own]
        figures[name] = {
            "waited_seconds": [round(waited, 2) for _, waited in own],
            "rest_of_shortest_running_seconds": [round(rest[0], 2) for rest in rests if rest],
            "rest_of_longest_running_seconds": [round(rest[-1], 2) for rest in rests if rest],
        }
    return figures


def sleeping() -> dict[str, object]:
    with (
        TemporaryDirectory() as folder,
        running_stack() as stack,
        CustomerClient(stack.url, stack.key("crowd")) as client,
    ):
        file_ids = [stage(client, distinct_file(Path(folder), number)) for number in range(200)]
        ended_items(client, client.submit(file_ids[:8], engine="sleep:0.1", idempotency_key=random_part())["id"])
        return {
            "two batches of one customer": shares(client, file_ids),
            "a newcomer beside 10,000 waiting": newcomer(stack, client, file_ids, Path(folder)),
        }


def reading() -> dict[str, object]:
    newcomers = "OCTAVO_WORKER__NEWCOMER_PROCESSES"
    memory = {"OCTAVO_WORKER__MEMORY_BYTES": str(1024 * MEBI)}
    pages, layout = {"one-page files": ("fast", 3)}, {"layout, 640 MiB": ("layout", 1)}
    arms: dict[str, tuple[dict[str, tuple[str, int]], dict[str, str]]] = {
        "slow documents of another": (pages, {}),
        "slow documents of another, no place for newcomers": (pages, {newcomers: "0"}),
        "slow documents of another, memory for two": (layout | pages, memory),
    }
    with TemporaryDirectory() as folder:
        slow, small = slow_pdfs(Path(folder), SLOW_PAGES), one_page_pdfs(Path(folder) / "small", 50)
        figures: dict[str, object] = {}
        for name, (askers, settings) in arms.items():
            figures[name] = beside_slow(slow, small, askers, **settings)
            print(f"{name}: {figures[name]}", flush=True)
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="measure one part and keep the other's figures")
    arguments = parser.parse_args()
    figures = figures_of("fairness")
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            figures |= part()
    for name, found in figures.items():
        print(f"{name}: {found}")
    print(f"written to {write_scorecard('fairness', figures)}")


PARTS: dict[str, Callable[[], dict[str, object]]] = {"sleeping": sleeping, "reading": reading}

if __name__ == "__main__":
    main()
