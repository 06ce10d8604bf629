"""What `fast` makes of the page pipeline: nothing is asked of any model."""

from octavo.engines.pages.engine import PagesEngine, PagesPolicy

# Measured: 150 MiB for a scanned page; pages of the largest size allowed take 150 MB for each copy of them.
FAST = PagesPolicy(name="fast", memory_bytes=512 * 1024**2)


def fast_engine() -> PagesEngine:
    """Return PyMuPDF's text layer and ruled tables; OCRmyPDF with Tesseract for pages that have no usable text."""
    return PagesEngine(FAST)
