"""How the suite is spread over pytest-xdist's workers: waiting modules beside computing ones, the longest first.

What one worker is given at a time is a unit: the tests of a module, or of all modules that share a stack.
`tests/budget.toml` says which units are long, and whether they wait or compute.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

BUDGET = Path(__file__).with_name("budget.toml")
SECONDS_OF_A_TEST = 0.1
"""What a test of a unit takes that the table does not name."""
SECONDS_ON_A_STACK = 3.0
"""The same of a test that uses a whole stack."""
STACKS = 2
"""So many workers keep a whole stack for the tests that need one; each start takes half a minute of a core."""


def share_stacks(items: Iterable[pytest.Item]) -> None:
    """Mark the modules that use the session's stack, so that a few workers get them all, each as much as the others."""
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    lengths = Lengths.read()
    sharing = {
        path: lengths.seconds(unit_of(found[0].nodeid), len(found), each=SECONDS_ON_A_STACK)
        for path, found in modules.items()
        if any(map(_uses_the_stack, found))
    }
    loads = dict.fromkeys(range(1, STACKS + 1), 0.0)
    for path in sorted(sharing, key=lambda path: (-sharing[path], path)):
        stack = min(loads, key=lambda number: loads[number])
        loads[stack] += sharing[path]
        for item in modules[path]:
            item.add_marker(pytest.mark.xdist_group(f"stack {stack}"))


def start_stack_before(item: pytest.Item) -> None:
    """Start the session's stack again where it was ended after another group on the same worker."""
    if _group(item) is not None:
        from tests.acceptance.stack import start_session_stack_again

        start_session_stack_again(item.config)


def end_stack_after(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the session's stack with the last test of its group: one that idles takes a tenth of a core."""
    if _group(item) is not None and _group(item) != _group(nextitem):
        from tests.acceptance.stack import end_session_stack

        end_session_stack(item.config)


def _group(item: pytest.Item | None) -> str | None:
    marker = None if item is None else item.get_closest_marker("xdist_group")
    return None if marker is None else str(marker.args[0])


def _uses_the_stack(item: pytest.Item) -> bool:
    if "stack" not in getattr(item, "fixturenames", ()):
        return False
    definitions = item._fixtureinfo.name2fixturedefs["stack"]  # type: ignore[attr-defined]
    return bool(definitions[-1].scope == "session")


def unit_of(nodeid: str) -> str:
    """Return the unit that a test belongs to: its group of xdist, else its module, like `acceptance/test_chaos`."""
    module, _, rest = nodeid.partition("::")
    group = rest.rpartition("]")[2].partition("@")[2]
    return group or "/".join(Path(module).with_suffix("").parts[-2:])


def workers() -> int:
    """Return how many workers fit: twice the cores, as tests wait for half of their time."""
    return 2 * (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of the long units."""

    waiting: Mapping[str, float]
    """Those that leave the processor idle for most of their time."""
    computing: Mapping[str, float]

    @staticmethod
    def read(path: Path = BUDGET) -> "Lengths":
        """Return what this table says."""
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Lengths(table["waiting"], table["computing"])

    def seconds(self, unit: str, tests: int, *, each: float = SECONDS_OF_A_TEST) -> float:
        """Return about how long a unit takes; one that is not named has so many tests, which take `each`."""
        return self.waiting.get(unit) or self.computing.get(unit) or tests * each


class Distribution(LoadScopeScheduling):
    """Gives each worker whole units; as many workers compute as there are cores, the others wait."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:  # noqa: ANN401 - xdist's own producer
        super().__init__(config, log)
        self._lengths = Lengths.read()
        self._most_waiting = max(1, self.numnodes - (os.cpu_count() or 1))

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._wanted(), last=False)
        super()._assign_work_unit(node)

    def _wanted(self) -> str:
        """Return the longest unit of the kind that is wanted now, of the other kind where none is left."""
        wants_waiting = self._waiting_now() < self._most_waiting

        def rank(unit: str) -> tuple[bool, float]:
            is_wanted = (unit in self._lengths.waiting) == wants_waiting
            return is_wanted, self._lengths.seconds(unit, len(self.workqueue[unit]))

        unit: str = max(self.workqueue, key=rank)
        return unit

    def _waiting_now(self) -> int:
        work = [item for node in self.assigned_work.values() for item in node.items()]
        return sum(unit in self._lengths.waiting and not all(tests.values()) for unit, tests in work)
