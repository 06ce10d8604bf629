"""How the suite is spread over workers: whole modules, stacks shared, the longest first, waiting beside computing."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.architecture.checkout import ROOT
from tests.distribution import Distribution, Lengths, unit_of

ALL = Lengths.read()


class Node:
    """A worker of xdist that takes note of what it is given."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


class Config:
    """What the distribution asks of pytest's configuration."""

    class option:
        loadscopereorder = False

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def getvalue(self, _: str) -> list[str]:
        return [f"{self._workers}*popen"]


def scheduled(tests: list[str], workers: int) -> list[list[str]]:
    """Return what each of so many workers is given first."""
    made = Distribution(cast(pytest.Config, Config(workers)))
    nodes = [Node(f"gw{number}") for number in range(workers)]
    for node in nodes:
        made.add_node(node)
        made.add_node_collection(node, tests)
    made.schedule()
    return [[tests[index] for index in node.given] for node in nodes]


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/acceptance/test_chaos.py::test_a", "acceptance/test_chaos"),
        ("tests/unit/api/v1/test_files.py::test_a[x::y]", "v1/test_files"),
        ("tests/acceptance/test_sync.py::test_a@stack 1", "stack 1"),
        ("tests/acceptance/test_sync.py::test_a[a@b]@stack 1", "stack 1"),
        ("tests/unit/test_a.py::test_a[a@b]", "unit/test_a"),
    ],
)
def test_a_unit_is_a_module_or_a_group(nodeid: str, unit: str) -> None:
    assert unit_of(nodeid) == unit


def test_a_module_goes_to_one_worker() -> None:
    tests = [f"tests/unit/test_{module}.py::test_{number}" for module in "abc" for number in range(4)]
    given = scheduled(tests, 2)
    assert [len(worker) for worker in given] == [4, 4]
    assert [len({unit_of(test) for test in worker}) for worker in given] == [1, 1]


def test_waiting_units_go_beside_computing_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    waiting = [
        f"tests/acceptance/test_{name}.py::test_{number}"
        for name in ("chaos", "fleet", "upgrade")
        for number in range(4)
    ]
    computing = [f"tests/unit/test_{name}.py::test_{number}" for name in "abc" for number in range(4)]
    given = scheduled(waiting + computing, 4)
    units = [unit_of(worker[0]) for worker in given]
    assert [unit in ALL.waiting for unit in units] == [True, True, False, False]
    assert units[:2] == ["acceptance/test_fleet", "acceptance/test_chaos"], "the longest first"


def test_every_long_unit_is_there() -> None:
    modules = {unit_of(str(path.relative_to(ROOT))) for path in Path(ROOT, "tests").rglob("test_*.py")}
    named = {unit for unit in (*ALL.waiting, *ALL.computing) if not unit.startswith("stack ")}
    assert named <= modules, "a module has moved: name its new place in tests/budget.toml"
