"""Plain text as paragraphs, and as items where its lines begin with the marks of a list. Nothing of it is markup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_MARK = re.compile(r"^\s{0,8}(?:(?P<bullet>[-*+\u2022\u2013])|(?P<number>\d{1,3}[.)]))\s+(?=\S)")

_BLANK_LINES = re.compile(r"\n\s*\n")
"""All of them together say no more than one."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, or one item of a list: `text` without its bullet, but with its number."""

    role: Literal["paragraph", "list_item"]
    text: str
    is_numbered: bool = False


def passages(text: str, full_line: int) -> Iterator[Passage]:
    """Yield the passages of a text; an empty line ends one, and so do a line that was not full and a list's mark.

    A line of `full_line` characters is full.
    """
    lines: list[str] = []
    for line in [*_BLANK_LINES.sub("\n\n", text).splitlines(), ""]:
        if lines and (not line.strip() or _MARK.match(line) or _is_ended(lines, line, full_line)):
            yield _passage(lines)
            lines = []
        if line.strip():
            lines.append(line)


def _is_ended(lines: list[str], line: str, full_line: int) -> bool:
    if _MARK.match(lines[0]) and line[:1].isspace():
        return False  # an item continues below its own first word
    return len(lines[-1].rstrip()) < full_line


def _passage(lines: list[str]) -> Passage:
    mark = _MARK.match(lines[0])
    words = " ".join(" ".join(lines).split())
    if mark is None:
        return Passage("paragraph", words)
    if mark["bullet"]:
        return Passage("list_item", words[1:].lstrip())
    return Passage("list_item", words, is_numbered=True)
