"""What a layout model says of a page's parts, and which line lies in which part."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeGuard, get_args

from octavo.documents import Box
from octavo.engines.pages.text.lines import TextLine
from octavo.engines.pages.thresholds.roles import LabelThresholds

Label = Literal[
    "text",
    "title",
    "section-header",
    "list-item",
    "caption",
    "footnote",
    "formula",
    "page-header",
    "page-footer",
    "picture",
    "table",
]
_LABELS = frozenset(get_args(Label))


@dataclass(frozen=True, slots=True)
class LabelledRegion:
    """A part of a page: what it is, its box, and the boxes of the lines that make it up."""

    label: Label
    box: Box
    parts: tuple[Box, ...] = ()


def is_label(name: str) -> TypeGuard[Label]:
    """Tell whether a model's word for a part is one that is known here."""
    return name in _LABELS


def labelled(
    lines: Sequence[TextLine], regions: Sequence[LabelledRegion], thresholds: LabelThresholds
) -> list[TextLine]:
    """Return the lines, each with the label and the number of the region it lies in."""
    return [_labelled(line, regions, thresholds) for line in lines] if regions else list(lines)


def _labelled(line: TextLine, regions: Sequence[LabelledRegion], thresholds: LabelThresholds) -> TextLine:
    best, most = None, thresholds.min_overlap * line.box.area
    for number, region in enumerate(regions):
        if region.box.overlap(line.box) <= 0:
            continue
        shared = max((part.overlap(line.box) for part in region.parts), default=region.box.overlap(line.box))
        if shared > most:
            best, most = number, shared
    if best is None:
        return line
    return replace(line, label=regions[best].label, region=best)
