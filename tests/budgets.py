"""What each group of tests took, beside what it may take (`tests/budget.toml`)."""

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

BUDGET = Path(__file__).with_name("budget.toml")
SLOWEST = 5
"""So many tests are named of a group that took too long."""


class Budgets:
    """Adds up the seconds of tests by group, set-up and tear-down included; a group is a folder of `tests/`."""

    def __init__(self, allowed: Mapping[str, float]) -> None:
        self._allowed = allowed
        self._taken: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    @staticmethod
    def read(path: Path = BUDGET) -> "Budgets":
        """Return the budgets of this file, with nothing taken yet."""
        return Budgets(tomllib.loads(path.read_text(encoding="utf-8"))["budget"])

    def add(self, nodeid: str, seconds: float) -> None:
        """Count a phase of a test."""
        group = next(iter(PurePath(nodeid).parts[1:]), "")
        self._taken[group][nodeid] += seconds

    def lines(self) -> Iterator[str]:
        """Yield a line for each group that has run."""
        for group, tests in sorted(self._taken.items()):
            allowed = self._allowed.get(group)
            of = "" if allowed is None else f" of {allowed:.0f}"
            yield f"{group}: {len(tests)} tests, {sum(tests.values()):.0f}{of} s"

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each group over its budget, with its slowest tests."""
        for group, tests in sorted(self._taken.items()):
            taken = sum(tests.values())
            if taken > self._allowed.get(group, float("inf")):
                slowest = sorted(tests, key=lambda test: -tests[test])[:SLOWEST]
                named = "".join(f"\n  {tests[test]:.1f} s {test}" for test in slowest)
                yield f"{group} took {taken:.0f} s of {self._allowed[group]:.0f} s; its slowest tests:{named}"
