"""The words of a document as they stand inside its lines, where no line end has broken them."""

import re
from collections.abc import Sequence
from functools import cached_property

from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.text.paragraphs import Paragraph

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


class Vocabulary:
    """Knows whether a word, in small letters, is in the document; gathered when first asked."""

    def __init__(self, pages: Sequence[PageDraft]) -> None:
        self._pages = pages

    def __contains__(self, word: object) -> bool:
        return word in self._words

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for line in self._lines() for word in _WORD.findall(line.lower()))

    def _lines(self) -> list[str]:
        lines: list[str] = []
        for page in self._pages:
            for content in page.contents:
                if isinstance(content, Paragraph):
                    rows = [row.text for row in content.rows]
                    after_break = [False, *(row.endswith("-") for row in rows[:-1])]
                    lines += [_whole(row, cut) for row, cut in zip(rows, after_break, strict=True)]
        return lines


def _whole(line: str, cut: bool) -> str:
    """Return a line without the ends of words that were broken."""
    words = line.split()
    if cut:
        words = words[1:]
    if line.endswith("-"):
        words = words[:-1]
    return " ".join(words)
