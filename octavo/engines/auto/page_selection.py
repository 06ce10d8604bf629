"""Which pages are worth a look by the layout model, told by what the text layer shows for next to nothing.

The model tells headings from other short lines, and what belongs to a picture or a margin. A page of plain
prose in one column has nothing of that, and a heading in larger type is one without asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from octavo.engines.auto.thresholds import PageSelectionThresholds
from octavo.engines.pages.order.columns import Placed, columns
from octavo.engines.pages.page_view import PageView, RegionDetector
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.text.lines import Row, TextLine, rows
from octavo.engines.pages.text.paragraphs import is_tabular
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds


@dataclass(frozen=True, slots=True)
class DoubtfulPages:
    """Asks another detector about the pages that need it."""

    detector: RegionDetector
    pipeline: PipelineThresholds
    thresholds: PageSelectionThresholds = field(default_factory=PageSelectionThresholds)

    def detect(self, view: PageView) -> Sequence[LabelledRegion]:
        """Return the regions of a doubtful page; none of any other."""
        return self.detector.detect(view) if self.needs_layout(view) else ()

    def needs_layout(self, view: PageView) -> bool:
        """Tell whether a page has columns, tabular rows, or short bold lines, or was recognised."""
        lines = [line for line in view.lines if line.upright]
        if sum(len(line.text) for line in lines) < self.thresholds.few_characters:
            return False
        if any(line.confidence is not None for line in lines):
            return True
        margin = self.thresholds.margin_share
        inner = [
            row
            for row in rows(lines, self.pipeline.text.rows)
            if margin * view.height < row.box.y0 < (1 - margin) * view.height
        ]
        is_tabular_page = any(is_tabular(row, self.pipeline.text.paragraphs) for row in inner)
        return is_tabular_page or self._has_doubtful_headings(inner, lines) or self._has_columns(lines)

    def _has_columns(self, lines: Sequence[TextLine]) -> bool:
        found = columns([Placed(line.box, len(line.text)) for line in lines], self.pipeline.order.columns)
        return sum(len(column) >= self.thresholds.min_column_lines for column in found) > 1

    def _has_doubtful_headings(self, inner: Sequence[Row], lines: Sequence[TextLine]) -> bool:
        """Tell whether single short lines are bold where most of the page is not."""
        bold = sum(len(line.text) for line in lines if line.bold)
        if 2 * bold > sum(len(line.text) for line in lines):
            return False
        measure = max((row.box.width for row in inner), default=0.0)
        return any(row.bold and row.box.width < self.thresholds.short_line * measure for row in inner)
