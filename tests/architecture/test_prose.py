"""Prose fits its lines, and commands can be pasted from a clone."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, files, python_files, text_of

LONGEST_LINE = 120
PAGES = [path for path in files() if path.suffix == ".md" and (path.parts[0] == "docs" or len(path.parts) == 1)]
FENCED = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
DIRECTIVES = ("# noqa", "# type:", "# fmt:")
LINK = re.compile(r"\]\([^)]*\)|https?://\S+")
BARE_COMMAND = re.compile(r"^\s*(?:\w+=\S+ +)*octavo ", re.MULTILINE)
OTHER_SPELLING = re.compile(r"\$\{?(?:KEY|API|URL|API_KEY)\b|127\.0\.0\.1:8000/v1")


def prose_lines(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a page that are neither in a fence nor of a table."""
    in_fence = False
    for number, line in enumerate((text_of(page) or "").splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
        elif not in_fence and not line.startswith("|"):
            yield number, line


def is_too_long(line: str) -> bool:
    """Tell whether a line could be broken and is longer than it may be; links do not count."""
    text = LINK.sub("", line)
    return len(text) > LONGEST_LINE and " " in text.strip("- ")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_prose_of_a_page_fits_its_lines(page: Path) -> None:
    long = [number for number, line in prose_lines(page) if is_too_long(line)]
    assert not long, f"lines of {page} with more than {LONGEST_LINE} characters"


def test_docstrings_and_comments_fit_their_lines() -> None:
    long = [f"{path}:{number}" for path in python_files() for number in long_prose(ROOT / path)]
    assert not long


def long_prose(path: Path) -> Iterator[int]:
    """Yield the numbers of a Python file's lines whose comment or docstring is too long."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            is_comment = token.type == tokenize.COMMENT and not token.string.startswith(DIRECTIVES)
            if is_comment or token.string.startswith('"""'):
                for offset, line in enumerate(token.string.splitlines()):
                    if is_too_long(line if offset else " " * token.start[1] + line):
                        yield token.start[0] + offset


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_work_from_a_clone_and_variables_have_one_spelling(page: Path) -> None:
    for found in FENCED.finditer(text_of(page) or ""):
        if found["kind"] == "sh":
            bare = BARE_COMMAND.search(found["text"])
            assert bare is None, f"{page}: in a clone the command is .venv/bin/octavo"
            assert not OTHER_SPELLING.search(found["text"]), f"{page}: OCTAVO_URL and OCTAVO_KEY are the names"
