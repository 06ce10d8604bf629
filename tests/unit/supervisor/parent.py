"""A supervisor in a process of its own: python -m tests.unit.supervisor.parent FOLDER; `specs.json` says what to keep.

Every told line goes to stdout.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from octavo.supervisor.child import ChildSpec, Patience
from octavo.supervisor.supervisor import Supervisor

QUICK = Patience(first_pause=0.01, longest_pause=0.05, probe=0.01)


async def ready_at_once() -> bool:
    return True


def tell(name: str, what: str) -> None:
    print(name, what, flush=True)  # noqa: T201 - the lines are what the test reads


def main() -> None:
    folder = Path(sys.argv[1])
    specs = [
        ChildSpec(
            name=wanted["name"],
            command=tuple(wanted["command"]),
            environment=dict(os.environ),
            log=folder / f"{wanted['name']}.log",
            ready=ready_at_once,
            stop_seconds=wanted.get("stop_seconds", 5.0),
            stops_with=wanted.get("stops_with"),
        )
        for wanted in json.loads((folder / "specs.json").read_text())
    ]
    supervisor = Supervisor(specs, tell=tell, children_file=folder / "children.json", patience=QUICK)
    asyncio.run(supervisor.run())


if __name__ == "__main__":
    main()
