"""The kill test: `python -m bench.chaos --data DIR [--kills N]`.

The documents below DIR go through the service twice: once in peace, once while every few seconds one process,
chosen at random among API, worker, extraction child, Prefect server and storage server, is killed with -9. With no
manual step every item must end as it did in peace, with its result readable, and be billed once.
"""

import argparse
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.documents import SILENT, find_documents
from bench.processes import Family, members
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.client.submission import Input, ItemEnd, submit
from octavo.identifiers import CustomerId
from octavo.ledger.duckdb import DuckdbLedger

VICTIMS = ("api", "worker", "extraction", "prefect", "storage")


@dataclass
class Killer:
    """Kills one process of the stack every few seconds until it is told to stop, or has killed enough."""

    stack: Running
    kills: int
    dice: random.Random
    seconds: tuple[float, float]
    done: Counter[str] = field(default_factory=Counter)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while self.done.total() < self.kills and not self.enough.wait(self.dice.uniform(*self.seconds)):
            victims = [(pid, kind) for pid, kind in members(self.stack.pid) if kind in VICTIMS]
            if not victims:
                continue
            kind = self.dice.choice(sorted({kind for _, kind in victims}))
            pid = self.dice.choice([pid for pid, found in victims if found == kind])
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.done[kind] += 1
            print(f"  killed {kind} {pid}", flush=True)


def go_through(stack: Running, inputs: list[Input], out: Path, customer: str) -> tuple[list[ItemEnd], float]:
    began = time.monotonic()
    with CustomerClient(stack.url, stack.key(customer)) as client:
        ends = submit(client, inputs, out, engine=None, progress=SILENT)
    return ends, round(time.monotonic() - began, 1)


def outcomes(ends: list[ItemEnd]) -> dict[str, str]:
    return {end.input.name: end.error["code"] if end.error else end.status for end in ends}


def billed_pages(data: Path) -> dict[str, int]:
    """Return the usage by customer, out of the ledger of a stack that has ended."""
    ledger = DuckdbLedger(data / "ledger.duckdb")
    found = {customer.name: ledger.pages_used(CustomerId(customer.customer_id)) for customer in ledger.customers()}
    ledger.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with pages/ and receipts/")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pause", type=float, nargs=2, default=(2.0, 8.0), help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    inputs = find_documents(arguments.data)
    with TemporaryDirectory() as folder:
        out, kept = Path(folder) / "out", Path(folder) / "data"
        with running_stack(data=kept) as stack:
            peace, peace_seconds = go_through(stack, inputs, out / "peace", "peace")
            killer = Killer(stack, arguments.kills, random.Random(arguments.seed), tuple(arguments.pause))
            thread = threading.Thread(target=killer.run)
            thread.start()
            rounds: list[tuple[list[ItemEnd], float]] = []
            while thread.is_alive():
                rounds.append(go_through(stack, inputs, out / f"war-{len(rounds)}", "war"))
                print(f"round {len(rounds)}: {Counter(outcomes(rounds[-1][0]).values())}", flush=True)
            killer.enough.set()
            thread.join()
            family = Family.of(stack.pid)
        billed = billed_pages(kept)
    war = [end for ends, _ in rounds for end in ends]
    different = [
        (name, outcome, outcomes(peace)[name])
        for ends, _ in rounds
        for name, outcome in outcomes(ends).items()
        if outcome != outcomes(peace)[name]
    ]
    figures = {
        "documents": len(inputs),
        "rounds_under_kills": len(rounds),
        "kills": dict(killer.done),
        "seconds_in_peace": peace_seconds,
        "seconds_under_kills": [seconds for _, seconds in rounds],
        "items": len(war),
        "items_that_ended_otherwise": different,
        "internal_errors": sum(
            outcome == "internal_error" for ends, _ in rounds for outcome in outcomes(ends).values()
        ),
        "pages_succeeded": sum(end.page_count or 0 for end in war),
        "pages_billed": billed["war"],
        "processes_at_the_end": family.count,
    }
    print(json.dumps(figures, indent=1))
    print(f"written to {write_scorecard('chaos', figures)}")


if __name__ == "__main__":
    main()
