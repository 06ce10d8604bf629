"""The budgets of the test suite: a group over its own is told with its slowest tests."""

from tests.budgets import Budgets


def test_a_group_over_its_budget_is_told_with_its_slowest_tests() -> None:
    budgets = Budgets({"unit": 1.0, "contract": 10.0})
    for number in range(8):
        budgets.add(f"tests/unit/test_a.py::test_{number}", number / 10)
    budgets.add("tests/contract/test_b.py::test_b", 9.0)
    (warning,) = budgets.warnings()
    told, *slowest = warning.splitlines()
    assert told == "unit took 3 s of 1 s; its slowest tests:"
    assert slowest == [f"  0.{number} s tests/unit/test_a.py::test_{number}" for number in (7, 6, 5, 4, 3)]
    assert list(budgets.lines()) == ["contract: 1 tests, 9 of 10 s", "unit: 8 tests, 3 of 1 s"]


def test_the_phases_of_a_test_are_added_up() -> None:
    budgets = Budgets({"unit": 1.0})
    for seconds in (0.4, 0.4):
        budgets.add("tests/unit/test_a.py::test_a", seconds)
    assert list(budgets.lines()) == ["unit: 1 tests, 1 of 1 s"]
    assert not list(budgets.warnings())


def test_every_group_has_a_budget_and_a_group_without_one_is_never_over_it() -> None:
    budgets = Budgets.read()
    assert set(budgets._allowed) >= {"unit", "contract", "integration", "acceptance", "architecture", "engines_bad"}
    budgets.add("tests/other/test_a.py::test_a", 1e6)
    assert not list(budgets.warnings())
