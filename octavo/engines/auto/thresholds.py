"""Thresholds of the choice of pages that the layout model is asked about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageSelectionThresholds:
    """When a page is doubtful.

    The rule as a whole was chosen on the 100 sample pages (ADR 0028): it asks about 71 of them.
    """

    few_characters: int = 250
    """Characters: a page with fewer is not asked about. Chosen on the 100 sample pages; bench.quality (MHS, speed)."""
    margin_share: float = 0.08
    """Of the page's height: what stands in this strip is not looked at. By eye, not tuned; bench.quality (speed)."""
    short_line: float = 0.75
    """Of the widest row: a shorter bold one may be a heading. By eye, not tuned; bench.quality (MHS, speed)."""
    min_column_lines: int = 3
    """Lines: a column has at least as many. By eye, not tuned; bench.quality (MHS, speed)."""
