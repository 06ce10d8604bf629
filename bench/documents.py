"""Real documents through the whole service: `python -m bench.documents --data DIR [--rounds N]`.

Submits every PDF and image below DIR/pages and DIR/receipts as one batch, several rounds, and prints how
the items ended, pages per second, and the number of processes and their memory after each round.
"""

import argparse
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import Family
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from octavo.client.customer import CustomerClient
from octavo.client.inputs import Input
from octavo.client.submission import Progress, submit

KINDS = {".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff"}
SILENT = Progress(lambda _: None, lambda _: None, lambda _: None, lambda _: None)


def find_documents(data: Path) -> list[Input]:
    folders = [data / "pages", data / "receipts"]
    found = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    return [Input(path, str(path.relative_to(data))) for path in found]


def one_round(stack: Running, key: str, inputs: list[Input], out: Path) -> dict[str, object]:
    began = time.monotonic()
    with CustomerClient(stack.url, key) as client:
        ends = submit(client, inputs, out, engine=None, progress=SILENT)
    seconds = time.monotonic() - began
    pages = sum(end.page_count or 0 for end in ends)
    family = Family.of(stack.pid)
    return {
        "documents": len(inputs),
        "ended": len(ends),
        "statuses": dict(Counter(end.status for end in ends)),
        "error_codes": dict(Counter(end.error["code"] for end in ends if end.error)),
        "pages": pages,
        "seconds": round(seconds, 1),
        "pages_per_second": round(pages / seconds, 2),
        "processes": family.count,
        "resident_mib": family.resident_mib,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with pages/ and receipts/")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    inputs = find_documents(arguments.data)
    with TemporaryDirectory() as out, running_stack() as stack:
        key = stack.key("bench")
        before = Family.of(stack.pid)
        rounds = [one_round(stack, key, inputs, Path(out)) for _ in range(arguments.rounds)]
    figures = {"processes_before": before.count, "resident_mib_before": before.resident_mib, "rounds": rounds}
    for number, found in enumerate(rounds, 1):
        print(f"round {number}: {found}")
    print(f"before: {before.count} processes, {before.resident_mib} MiB")
    print(f"written to {write_scorecard('documents', figures)}")


if __name__ == "__main__":
    main()
