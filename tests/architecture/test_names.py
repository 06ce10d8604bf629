"""Public names use the glossary's words: what was renamed for good does not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOMS, python_files, text_of

RETIRED_WORDS = {
    "cast", "courier", "doomed", "drawer", "dying", "errand", "lane", "lanes", "manuscript", "nursery", "outlook",
    "presence", "sight", "verdict", "workbench",
}  # fmt: skip
"""Words that stand in no public name: each had a meaning that only this project gave it."""
RETIRED_NAMES = {
    "Caller", "Course", "Drawings", "Held", "Look", "News", "PageCare", "ResultGate", "Rings", "TakenRuns", "Tell",
    "Waits", "bench", "caller", "calls", "course", "drawings", "gate", "hear", "held", "news", "note_gone",
    "ring", "stand", "step_back", "taken", "waits", "was_away", "written",
}  # fmt: skip
"""Whole names of modules, classes and functions that were given up; their words are fine in other names."""
WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def test_public_names_use_no_retired_word() -> None:
    assert [name for path in python_files(*ROOMS) for name in retired_names(path)] == []


def retired_names(path: Path) -> Iterator[str]:
    """Yield the module, classes and functions of a file that a retired word is in."""
    names = [part.removesuffix(".py") for part in path.parts[1:]]
    names += [
        node.name
        for node in ast.walk(ast.parse(text_of(path) or ""))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for name in names:
        if not name.startswith("_") and (name in RETIRED_NAMES or RETIRED_WORDS & set(words(name))):
            yield f"{path}: {name}"


def words(name: str) -> list[str]:
    """Return the words of a name in camel or snake case, in lower case."""
    return [word.lower() for word in WORD.findall(name)]


@pytest.mark.parametrize(
    ("name", "parted"),
    [("HeldSlots", ["held", "slots"]), ("open_lane", ["open", "lane"]), ("JSONLines", ["json", "lines"])],
)
def test_a_name_is_parted_into_its_words(name: str, parted: list[str]) -> None:
    assert words(name) == parted
