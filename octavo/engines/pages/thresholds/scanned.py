"""Thresholds of pages that are recognised: the image for the OCR program, and its answer as a page."""

from dataclasses import dataclass, field

from octavo.engines.scans.thresholds import RecognitionThresholds, RulingThresholds


@dataclass(frozen=True, slots=True)
class HandoffThresholds:
    """How finely a page is rendered for recognition."""

    dpi: int = 200
    """Dots per inch: pages are rendered at least as finely. By eye, not tuned; no bench measures the accuracy of
    recognition."""
    max_dpi: int = 300
    """Dots per inch: pages are rendered no finer, as Tesseract's makers recommend. By eye, not tuned; no bench measures
    the accuracy of recognition."""
    coarse_dpi: int = 150
    """Dots per inch: a coarser image is made larger, to `dpi`. By eye, not tuned; no bench measures the accuracy of
    recognition."""
    max_pixels: int = 20_000_000
    """Pixels of one image for recognition. A bound on memory and time; bench.bombs."""
    same_size: float = 0.2
    """Of the page's usual size: measured sizes that differ less are the usual one. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    ascender_to_descender: float = 0.95
    """In font sizes: the height that Tesseract measures. Of the usual book faces;
    tests/integration/engines/test_scans.py."""


@dataclass(frozen=True, slots=True)
class SearchablePageThresholds:
    """The recognised page as a PDF page: its image, its lines, its words."""

    shown_dpi: int = 108
    """Dots per inch of the image that the layout model sees; it draws at 72. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    max_shown_pixels: int = 8_000_000
    """Pixels of that image: four times a page of A4 at that resolution. A bound on memory; bench.bombs."""
    ascender: float = 0.95
    """In font sizes: where letters end above the base line, as fonts say it.
    tests/integration/engines/test_scans.py."""
    descender: float = 0.25
    """In font sizes: where letters end below the base line, as fonts say it.
    tests/integration/engines/test_scans.py."""
    hanging: float = 0.21
    """In font sizes: where g and y end below the base line. tests/integration/engines/test_scans.py."""
    edge: float = 0.1
    """Of a word's height, or width: a line closer to its edge does not run through it. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    at_rule: float = 4.0
    """Points: a stroke at a word's end as close to a line down is that line. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    written_share: float = 0.5
    """Of its length: a line that runs through words for more is part of them. By eye, not tuned;
    tests/integration/engines/test_scans.py."""
    min_word_width: float = 0.1
    """Points: a word is set at least as wide. Only keeps boxes from being empty."""
    line_width: float = 0.7
    """Points: how thick lines are drawn. Any width below `RuleThresholds.max_thickness` does."""


@dataclass(frozen=True, slots=True)
class ScannedThresholds:
    """All of pages that are recognised."""

    handoff: HandoffThresholds = field(default_factory=HandoffThresholds)
    page: SearchablePageThresholds = field(default_factory=SearchablePageThresholds)
    recognition: RecognitionThresholds = field(default_factory=RecognitionThresholds)
    ruling: RulingThresholds = field(default_factory=RulingThresholds)
