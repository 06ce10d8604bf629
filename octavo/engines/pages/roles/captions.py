"""Captions: which paragraphs are some, and which figure or table each is tied to."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from octavo.documents import Box
from octavo.engines.pages.draft import ContentDraft, FigureDraft, TableDraft
from octavo.engines.pages.text.paragraphs import Paragraph

_NEAR = 40.0
_CAPTION = re.compile(r"^(?:(?P<table>table|tab\.|tabelle)|figure|fig\.|chart|abbildung|abb\.|plate|map)\s*\d+", re.I)

Exhibit = TableDraft | FigureDraft


@dataclass(frozen=True, slots=True)
class _Tie:
    """A caption and an exhibit that stand near each other, by their places on the page; `gap` in points.

    `strange` counts what speaks against it: 1 if the caption does not say what it is of, 2 if it says another kind.
    """

    caption: int
    exhibit: int
    strange: int
    gap: float


def begins_caption(text: str) -> bool:
    """Tell whether a text begins as captions do: with a word for what it is of, and its number."""
    return bool(_CAPTION.match(text))


def beside_exhibit(box: Box, contents: Iterable[ContentDraft]) -> bool:
    """Tell whether a figure or table stands close above or below a box, or around it."""
    return any(_near(box, content.box) for content in contents if isinstance(content, Exhibit))


def captions(contents: Sequence[ContentDraft]) -> dict[int, str]:
    """Return the captions of a page by the places of their figures and tables in `contents`.

    A caption belongs to one exhibit and an exhibit has one caption: the nearest of the kind that the caption names,
    of any kind only where there is none of that. A caption with one exhibit to choose from goes before one with two.
    """
    ties = [tie for place, content in enumerate(contents) for tie in _ties(place, content, contents)]
    tied: dict[int, str] = {}
    while ties:
        choices = Counter(tie.caption for tie in ties)
        best = min(ties, key=lambda tie: (tie.strange, choices[tie.caption], tie.gap))
        caption = contents[best.caption]
        if isinstance(caption, Paragraph):
            tied[best.exhibit] = caption.text
        ties = [tie for tie in ties if tie.caption != best.caption and tie.exhibit != best.exhibit]
    return tied


def _ties(place: int, content: ContentDraft, contents: Sequence[ContentDraft]) -> list[_Tie]:
    """Return the exhibits that a paragraph may be the caption of; none if it is no caption."""
    if not isinstance(content, Paragraph):
        return []
    begins = _CAPTION.match(content.text)
    if begins is None and content.label != "caption":
        return []
    named = None if begins is None else TableDraft if begins["table"] else FigureDraft
    near = [
        _Tie(place, other, _strange(exhibit, named), _gap(content.box, exhibit.box))
        for other, exhibit in enumerate(contents)
        if isinstance(exhibit, Exhibit) and _near(content.box, exhibit.box)
    ]
    least = min((tie.strange for tie in near), default=0)
    return [tie for tie in near if tie.strange == least]


def _strange(exhibit: Exhibit, named: type[Exhibit] | None) -> int:
    if named is None:
        return 1
    return 0 if isinstance(exhibit, named) else 2


def _near(box: Box, exhibit: Box) -> bool:
    shared = min(box.x1, exhibit.x1) - max(box.x0, exhibit.x0)
    return shared > 0 and _gap(box, exhibit) < _NEAR


def _gap(box: Box, exhibit: Box) -> float:
    return max(exhibit.y0 - box.y1, box.y0 - exhibit.y1)
