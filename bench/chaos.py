"""The kill test: `python -m bench.chaos [--data DIR] [--kills N] [--items N]`.

A batch of mixed documents goes through the service in peace, then while every few seconds one process, chosen at
random among API, worker, extraction child, Prefect server and storage server, is killed with -9, or now and
then stopped for a while. With no manual step every item must end as it did in peace, with its result readable, and be
billed once; nothing may be left over. A batch that ends before there were enough kills is followed by another.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.aftermath import as_figures, books, left_on_disk, settle
from bench.documents import SILENT
from bench.killer import Blows, Killer, belonging_to
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.client.inputs import Input
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import submit
from octavo.samples import make_samples

FOLDERS = ("pages", "receipts", "tables", "broken", "office")
TRUTH = (".json", ".xml", ".csv", ".expected.md", ".txt")
"""Files next to the documents that describe their content."""


def find_documents(data: Path) -> list[Path]:
    """Return the documents below the folders of `data`, without the files that hold the truth about them."""
    found = [path for name in FOLDERS for path in sorted((data / name).rglob("*")) if path.is_file()]
    return [path for path in found if not path.name.endswith(TRUTH) and path.parent.name != "truth"]


def drawn_documents(folder: Path) -> list[Path]:
    """Draw the project's own samples, some of which fail."""
    return make_samples(folder)


def mixed(documents: list[Path], items: int, dice: random.Random) -> list[Input]:
    """Return a number of inputs in random order, each document about equally often."""
    many = (documents * (items // len(documents) + 1))[:items]
    dice.shuffle(many)
    return [Input(path, f"{number:05}-{path.parent.name}-{path.name}") for number, path in enumerate(many)]


def go_through(stack: Running, inputs: list[Input], out: Path, customer: str) -> tuple[list[ItemEnd], float]:
    began = time.monotonic()
    with CustomerClient(stack.url, stack.key(customer)) as client:
        ends = submit(client, inputs, out, engine=None, progress=SILENT)
    return ends, round(time.monotonic() - began, 1)


def outcome(end: ItemEnd) -> str:
    return str(end.error["code"]) if end.error else end.status


Ending = tuple[str, int | None, int | None]


def by_document(ends: list[ItemEnd]) -> dict[Path, set[Ending]]:
    """Return how each document ended, with its pages and chunks; more than one way is a finding."""
    found: dict[Path, set[Ending]] = {}
    for end in ends:
        found.setdefault(end.input.path, set()).add((outcome(end), end.page_count, end.chunk_count))
    return found


def unreadable(ends: list[ItemEnd]) -> list[str]:
    """Return items that succeeded and whose result could not be fetched and parsed."""
    return [end.input.name for end in ends if end.status == "succeeded" and end.result is None]


def endings(ends: list[ItemEnd]) -> dict[str, int]:
    return dict(sorted(Counter(outcome(end) for end in ends).items()))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help=f"folder with some of {', '.join(FOLDERS)}; drawn samples without it")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--pause", type=float, nargs=2, default=(5.0, 20.0), help="seconds between two blows")
    parser.add_argument("--stop-share", type=float, default=1 / 6, help="share of blows that stop instead of killing")
    parser.add_argument("--stop-seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short-reference", action="store_true", help="in peace, each document goes through once")
    parser.add_argument("--scorecard", default="chaos", help="name of the scorecard")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    dice = random.Random(arguments.seed)
    blows = Blows(arguments.kills, tuple(arguments.pause), arguments.stop_share, arguments.stop_seconds)
    with TemporaryDirectory(prefix="octavo-chaos-") as folder:
        base, kept, temporary = Path(folder), Path(folder) / "data", Path(folder) / "tmp"
        temporary.mkdir()
        documents = find_documents(arguments.data) if arguments.data else drawn_documents(base / "documents")
        inputs = mixed(documents, arguments.items, dice)
        calm = mixed(documents, len(documents), dice) if arguments.short_reference else inputs
        with running_stack(data=kept, TMPDIR=str(temporary)) as stack:
            peace, peace_seconds = go_through(stack, calm, base / "peace", "peace")
            print(f"in peace: {peace_seconds} s, {endings(peace)}", flush=True)
            killer = Killer(stack.pid, blows, dice, tell=lambda line: print(line, flush=True))
            killer.start()
            try:
                rounds: list[tuple[list[ItemEnd], float]] = []
                while not rounds or killer.goes_on:
                    rounds.append(go_through(stack, inputs, base / f"war-{len(rounds)}", "war"))
                    print(f"batch {len(rounds)}: {rounds[-1][1]} s, {endings(rounds[-1][0])}", flush=True)
            finally:
                killer.end()
            left = settle(kept, temporary, stack.pid, stack.url)
        left |= {
            "processes_after_the_end": list(belonging_to(kept).values()),
            "files_after_the_end": left_on_disk(kept, temporary, is_running=False),
        }
        ledger = books(kept, "war")
    war = [end for ends, _ in rounds for end in ends]
    expected = by_document(peace)
    different = [
        f"{path.name}: {sorted(ways, key=str)}, in peace {sorted(expected[path], key=str)}"
        for path, ways in by_document(war).items()
        if ways != expected[path]
    ]
    figures: dict[str, object] = {
        "documents": len(documents),
        "items_per_batch": len(inputs),
        "batches_under_kills": len(rounds),
        "kills": dict(killer.kills),
        "kills_in_all": killer.kills.total(),
        "stops": dict(killer.stops),
        "stop_seconds": blows.stop_seconds,
        "seconds_in_peace": peace_seconds,
        "items_in_peace": len(peace),
        "seconds_under_kills": [seconds for _, seconds in rounds],
        "items": len(war),
        "endings": endings(war),
        "items_that_ended_otherwise": different,
        "internal_errors": sum(outcome(end) == "internal_error" for end in war),
        "results_not_readable": unreadable(war),
        "ledger": as_figures(ledger),
        "left_over": left,
    }
    print(json.dumps(figures, indent=1))
    print(f"written to {write_scorecard(arguments.scorecard, figures)}")
    is_good = not (different or figures["results_not_readable"] or ledger.problems or left_overs(left))
    print("everything is as it should be" if is_good else "SOMETHING IS WRONG, see above")
    return 0 if is_good else 1


def left_overs(left: dict[str, object]) -> bool:
    return any(value for name, value in left.items() if name != "after_seconds")


if __name__ == "__main__":
    sys.exit(main())
