"""The numbers in the rules of text recognition, one record for each stage; the rules are given them.

A field says its unit, where its value comes from, and which bench or test would notice if it were wrong. None of them
was chosen on a set of pages with a known truth: *by eye* means on single documents.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HocrThresholds:
    """How lines of hOCR are understood."""

    min_slope_words: int = 4
    """Words: the base line of a shorter line says nothing of the page's slope. By eye, not tuned; test_scans.py."""
    upended: float = 1.5
    """Times its width: a line that is higher runs up or down the page. By eye, not tuned; test_scans.py."""
    upended_characters: int = 3
    """Characters: a shorter line may be high without being turned. By eye, not tuned; test_scans.py."""


@dataclass(frozen=True, slots=True)
class RulingThresholds:
    """Which dark pixels are drawn lines. By eye, not tuned; tests/unit/engines/test_ruling.py and test_scans.py."""

    block_pixels: int = 12
    """Pixels along a line that are looked at together."""
    dark: int = 150
    """Gray, of 255: the mean of a block of a line is darker."""
    light: int = 190
    """Gray, of 255: a single pixel of a line is darker."""
    whole_share: float = 0.93
    """Of its length: a line is dark over as much; letters in a row have gaps."""
    min_inches: float = 0.3
    """Inches: a shorter line is none of a table."""
    max_thickness_inches: float = 0.035
    """Inches: a thicker line is a bar."""
    min_thickness_pixels: float = 4.0
    """Pixels: a line may be as thick at any resolution."""
    max_pieces: int = 4_000
    """Rows of dark blocks: with more the page is a photograph. A bound on time; bench.bombs."""


@dataclass(frozen=True, slots=True)
class RecognitionThresholds:
    """When a page is read again, with more effort or straightened."""

    poor_confidence: float = 70.0
    """Of 100: a page with less is tried again with more effort. By eye, not tuned; no bench measures the accuracy of
    recognition."""
    poor_characters: int = 20
    """Characters: a page with fewer is tried again. By eye, not tuned; no bench measures the accuracy of
    recognition."""
    junk_confidence: float = 25.0
    """Of 100: a line with less is no text. By eye, not tuned; no bench measures the accuracy of recognition."""
    skewed_degrees: float = 0.3
    """Degrees: beyond, words are moved onto straight lines. By eye, not tuned; test_scans.py."""
    badly_skewed_degrees: float = 2.5
    """Degrees: beyond, the image is straightened and read again. Measured: below, Tesseract reads sloping lines as well
    as straight ones (equal word F1); bench.documents."""
    max_skewed_degrees: float = 20.0
    """Degrees: beyond, it is not the page that slopes. By eye, not tuned; test_scans.py."""
    not_much_worse: float = 0.8
    """Of the score: a page that was turned upright is preferred if it scores more. By eye, not tuned; test_scans.py."""
    min_rotation_confidence: float = 2.0
    """Tesseract's confidence, from which a page is turned; OCRmyPDF has 14. By eye, not tuned; test_scans.py."""
    time_share: float = 0.6
    """Of a page's time: Tesseract has as much, so that a slow page takes no others along; bench.bombs."""
    max_orientation_seconds: float = 20.0
    """Seconds to tell a page's orientation. A bound on time; bench.bombs."""
    hocr: HocrThresholds = field(default_factory=HocrThresholds)
