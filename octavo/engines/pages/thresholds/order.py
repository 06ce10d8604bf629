"""Thresholds of the reading order: columns, footnotes, and what continues over a page's end."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ColumnThresholds:
    """Where columns are. Reading order on the 100 sample pages went from 0.967 to 0.981 with the rule of the widest
    gap."""

    min_lines: int = 3
    """Lines: a column has at least as many. By eye, not tuned; bench.quality (NID)."""
    min_gutter: float = 0.5
    """In median line heights: a gutter is at least as wide. By eye, not tuned; bench.quality (NID)."""
    max_crossing_share: float = 0.6
    """Of the lines: a gutter that more cross is none. By eye, not tuned; bench.quality (NID)."""
    min_characters: int = 12
    """Characters of the median line: columns of shorter lines are a table's. By eye, not tuned; bench.quality (NID)."""
    full_line: float = 0.7
    """Of the longest line: a line as long is full. By eye, not tuned; bench.quality (NID)."""
    min_full_share: float = 0.35
    """Of the lines: with fewer full ones the columns are a table's. By eye, not tuned; bench.quality (NID)."""
    min_gap: float = 0.4
    """In median line heights: a wider strip without text parts what is above from what is below. Chosen on the 100
    sample pages; bench.quality (NID)."""
    max_depth: int = 12
    """Columns within columns that are looked for. A bound on time; bench.bombs."""
    min_shift: float = 0.1
    """Of the width of all lines: only lines that begin farther right can be another column. It saves time only;
    bench.reading_speed."""
    min_abreast_share: float = 0.3
    """Of the shorter column's height: columns beside each other share at least as much. By eye, not tuned;
    bench.quality (NID)."""


@dataclass(frozen=True, slots=True)
class FootnoteThresholds:
    """What stands at the foot of a column in smaller type."""

    max_size: float = 0.92
    """Of the usual font size: a footnote is not larger. By eye, not tuned; bench.quality (NID)."""
    max_gap: float = 0.5
    """In usual font sizes: what stands closer above the first note is the end of the previous page's last. By eye, not
    tuned; bench.quality (NID)."""


@dataclass(frozen=True, slots=True)
class ContinuationThresholds:
    """What continues in the next column or on the next page. No bench has truth for it;
    tests/integration/engines/test_tables.py and test_text.py do."""

    same_edge: float = 8.0
    """Points: columns of two tables whose edges lie closer are the same. By eye, not tuned;
    tests/integration/engines/test_tables.py."""
    margin_share: float = 0.1
    """Of the page's height: what stands in this strip does not part a table from its next page. By eye, not tuned."""
    min_table_end: float = 0.6
    """Of the page's height: a table that continues ends below. By eye, not tuned."""
    max_table_start: float = 0.4
    """Of the page's height: a table that went on begins above. By eye, not tuned."""
    min_characters: int = 40
    """Characters: a shorter paragraph does not continue. By eye, not tuned."""


@dataclass(frozen=True, slots=True)
class OrderThresholds:
    """All of the reading order."""

    columns: ColumnThresholds = field(default_factory=ColumnThresholds)
    footnotes: FootnoteThresholds = field(default_factory=FootnoteThresholds)
    continuations: ContinuationThresholds = field(default_factory=ContinuationThresholds)
