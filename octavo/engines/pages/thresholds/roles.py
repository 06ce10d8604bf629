"""Thresholds of roles: headings, running heads, footnotes, captions, and the labels of a layout model."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ParagraphRoleThresholds:
    """Which paragraph is a heading, a running head, a footnote. Heading F1 on the 100 sample pages went from 0.54 to
    0.70 with the rules of capitals and numbers."""

    larger: float = 1.12
    """In body sizes: type as large is a heading's. By eye, not tuned; bench.quality (MHS)."""
    scan_larger: float = 1.25
    """In body sizes: the same of recognised text, whose sizes are rough. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    title_larger: float = 1.6
    """In body sizes: a title is at least as large. By eye, not tuned; bench.quality (MHS)."""
    smaller: float = 0.88
    """In body sizes: a footnote is at most as large. By eye, not tuned; bench.quality (NID)."""
    max_heading_rows: int = 4
    """Rows of a heading. By eye, not tuned; bench.quality (MHS)."""
    max_heading_characters: int = 240
    """Characters of a heading. By eye, not tuned; bench.quality (MHS)."""
    max_bold_rows: int = 2
    """Rows of a heading that is only bold. By eye, not tuned; bench.quality (MHS)."""
    max_bold_characters: int = 110
    """Characters of a heading that is only bold. By eye, not tuned; bench.quality (MHS)."""
    max_plain_characters: int = 80
    """Characters of a heading that only capitals or a number tell. Chosen on the 100 sample pages; bench.quality
    (MHS)."""
    min_plain_size: float = 0.82
    """In body sizes: a heading that only capitals or a number tell is not smaller. By eye, not tuned; bench.quality
    (MHS)."""
    min_bold_size: float = 0.55
    """In body sizes: a heading that is only bold is not smaller. By eye, not tuned; bench.quality (MHS)."""
    min_heading_characters: int = 2
    """Characters: a shorter text is no heading. By eye, not tuned; bench.quality (MHS)."""
    margin_share: float = 0.08
    """Of the page's height: the strip at head and foot that running heads stand in. By eye, not tuned; bench.quality
    (MHS)."""
    foot_share: float = 0.3
    """Of the page's height: footnotes stand in the lowest part of this size. By eye, not tuned; bench.quality (NID)."""
    max_level: int = 6
    """Levels of headings, as HTML and Markdown have them. bench.quality (MHS)."""
    min_repeats: int = 2
    """Pages: a running head stands on at least as many. By eye, not tuned; tests/unit/engines/test_reading_order.py."""
    max_pages_per_repeat: int = 3
    """Pages: a running head stands on at least one in so many. By eye, not tuned;
    tests/unit/engines/test_reading_order.py."""
    default_size: float = 10.0
    """Points: the body size of a document without text. bench.quality does not reach it."""


@dataclass(frozen=True, slots=True)
class CaptionThresholds:
    """Which caption belongs to which figure or table. No bench has truth for it;
    tests/integration/engines/test_captions.py does."""

    near: float = 40.0
    """Points: a caption stands closer to what it is of. By eye, not tuned."""


@dataclass(frozen=True, slots=True)
class LabelThresholds:
    """Which line lies in which part that a layout model has found."""

    min_overlap: float = 0.3
    """Of the line's area: a line that shares less with every part lies in none. By eye, not tuned; bench.quality (MHS)
    of `layout`."""


@dataclass(frozen=True, slots=True)
class RoleThresholds:
    """All of roles."""

    paragraphs: ParagraphRoleThresholds = field(default_factory=ParagraphRoleThresholds)
    captions: CaptionThresholds = field(default_factory=CaptionThresholds)
    labels: LabelThresholds = field(default_factory=LabelThresholds)
