"""Which pages are worth a look by the layout model, told by what the text layer shows for next to nothing.

The model tells headings from other short lines, and what belongs to a picture or a margin. A page of plain
prose in one column has nothing of that, and a heading in larger type is one without asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from octavo.engines.pages.order.columns import Placed, columns
from octavo.engines.pages.page_view import PageView, RegionDetector
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.text.lines import Row, TextLine, rows
from octavo.engines.pages.text.paragraphs import is_tabular

FEW_CHARACTERS = 250
MARGIN = 0.08
SHORT = 0.75


@dataclass(frozen=True, slots=True)
class DoubtfulPages:
    """Asks another detector about the pages that need it."""

    detector: RegionDetector

    def detect(self, view: PageView) -> Sequence[LabelledRegion]:
        """Return the regions of a doubtful page; none of any other."""
        return self.detector.detect(view) if needs_layout(view) else ()


def needs_layout(view: PageView) -> bool:
    """Tell whether a page has columns, tabular rows, or short bold lines that may be headings, or was recognised."""
    lines = [line for line in view.lines if line.upright]
    if sum(len(line.text) for line in lines) < FEW_CHARACTERS:
        return False
    if any(line.confidence is not None for line in lines):
        return True
    inner = [row for row in rows(lines) if MARGIN * view.height < row.box.y0 < (1 - MARGIN) * view.height]
    return any(map(is_tabular, inner)) or _has_doubtful_headings(inner, lines) or _has_columns(lines)


def _has_columns(lines: Sequence[TextLine]) -> bool:
    found = columns([Placed(line.box, len(line.text)) for line in lines])
    return sum(len(column) > 2 for column in found) > 1


def _has_doubtful_headings(inner: Sequence[Row], lines: Sequence[TextLine]) -> bool:
    """Tell whether single short lines are bold where most of the page is not."""
    bold = sum(len(line.text) for line in lines if line.bold)
    if 2 * bold > sum(len(line.text) for line in lines):
        return False
    measure = max((row.box.width for row in inner), default=0.0)
    return any(row.bold and row.box.width < SHORT * measure for row in inner)
