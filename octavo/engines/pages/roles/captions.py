"""Captions: which paragraphs are some, and which figure or table each is matched to."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from octavo.documents import Box
from octavo.engines.pages.draft import ContentDraft, FigureDraft, TableDraft
from octavo.engines.pages.text.paragraphs import Paragraph
from octavo.engines.pages.thresholds.roles import CaptionThresholds

_CAPTION = re.compile(r"^(?:(?P<table>table|tab\.|tabelle)|figure|fig\.|chart|abbildung|abb\.|plate|map)\s*\d+", re.I)

CaptionTarget = TableDraft | FigureDraft


@dataclass(frozen=True, slots=True)
class _Match:
    """A caption and a target that stand near each other, by their places on the page; `gap` in points.

    `mismatch` counts what speaks against it: 1 if the caption does not say what it is of, 2 if it says another kind.
    """

    caption: int
    target: int
    mismatch: int
    gap: float


def begins_caption(text: str) -> bool:
    """Tell whether a text begins as captions do: with a word for what it is of, and its number."""
    return bool(_CAPTION.match(text))


def beside_caption_target(box: Box, contents: Iterable[ContentDraft], thresholds: CaptionThresholds) -> bool:
    """Tell whether a figure or table stands close above or below a box, or around it."""
    return any(_near(box, content.box, thresholds) for content in contents if isinstance(content, CaptionTarget))


def captions(contents: Sequence[ContentDraft], thresholds: CaptionThresholds) -> dict[int, str]:
    """Return the captions of a page by the places of their figures and tables in `contents`.

    A caption belongs to one target and a target has one caption: the nearest of the kind that the caption names,
    of any kind only where there is none of that. A caption with one target to choose from goes before one with two.
    """
    matches = [
        match for place, content in enumerate(contents) for match in _matches(place, content, contents, thresholds)
    ]
    matched: dict[int, str] = {}
    while matches:
        choices = Counter(match.caption for match in matches)
        best = min(matches, key=lambda match: (match.mismatch, choices[match.caption], match.gap))
        caption = contents[best.caption]
        if isinstance(caption, Paragraph):
            matched[best.target] = caption.text
        matches = [match for match in matches if match.caption != best.caption and match.target != best.target]
    return matched


def _matches(
    place: int, content: ContentDraft, contents: Sequence[ContentDraft], thresholds: CaptionThresholds
) -> list[_Match]:
    """Return the targets that a paragraph may be the caption of; none if it is no caption."""
    if not isinstance(content, Paragraph):
        return []
    begins = _CAPTION.match(content.text)
    if begins is None and content.label != "caption":
        return []
    named = None if begins is None else TableDraft if begins["table"] else FigureDraft
    near = [
        _Match(place, other, _mismatch(target, named), _gap(content.box, target.box))
        for other, target in enumerate(contents)
        if isinstance(target, CaptionTarget) and _near(content.box, target.box, thresholds)
    ]
    least = min((match.mismatch for match in near), default=0)
    return [match for match in near if match.mismatch == least]


def _mismatch(target: CaptionTarget, named: type[CaptionTarget] | None) -> int:
    if named is None:
        return 1
    return 0 if isinstance(target, named) else 2


def _near(box: Box, target: Box, thresholds: CaptionThresholds) -> bool:
    shared = min(box.x1, target.x1) - max(box.x0, target.x0)
    return shared > 0 and _gap(box, target) < thresholds.near


def _gap(box: Box, target: Box) -> float:
    return max(target.y0 - box.y1, box.y0 - target.y1)
