"""Thresholds of files: the loop over pages, how far content streams are decoded, what resolution is believed."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoopThresholds:
    """How many pages are taken together. Neither changes what is read."""

    pages_per_recognition: int = 8
    """Pages handed to OCRmyPDF in one call, whose start costs about as much as a page. By eye, not tuned;
    bench.documents (pages a second)."""
    pages_between_releases: int = 40
    """Pages after which PyMuPDF's caches are released. Measured: a thirtieth of the time of plain prose, for 0.4 to 1.3
    MB a page; bench.long_documents and bench.reading_speed."""


@dataclass(frozen=True, slots=True)
class ContentThresholds:
    """How far a content stream is looked at."""

    max_decoded_bytes: int = 1_000_000
    """Bytes that a stream with an unusual filter may decode to at worst. A bound on memory; bench.bombs."""
    worst_ratio: int = 100
    """Times its size that such a stream may decode to. A bound on memory; bench.bombs."""


@dataclass(frozen=True, slots=True)
class ImageFileThresholds:
    """What an image file says of its size on paper."""

    min_dpi: float = 50.0
    """Dots per inch: a lower resolution is not believed. By eye, not tuned;
    tests/integration/extraction/test_image_formats.py."""
    max_dpi: float = 2400.0
    """Dots per inch: a higher resolution is not believed. By eye, not tuned;
    tests/integration/extraction/test_image_formats.py."""
    paper_inches: float = 11.7
    """Inches: the longer side of the sheet that an image without a resolution is taken for, A4; no bench measures the
    accuracy of recognition."""
    min_guessed_dpi: float = 70.0
    """Dots per inch that are guessed at least. By eye, not tuned; no bench measures the accuracy of recognition."""


@dataclass(frozen=True, slots=True)
class FileThresholds:
    """All of files."""

    loop: LoopThresholds = field(default_factory=LoopThresholds)
    content: ContentThresholds = field(default_factory=ContentThresholds)
    images: ImageFileThresholds = field(default_factory=ImageFileThresholds)
