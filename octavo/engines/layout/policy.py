"""What `layout` makes of the page pipeline: PyMuPDF's layout model is asked about every page."""

from typing import TYPE_CHECKING

from octavo.engines.pages.engine import PagesEngine, PagesPolicy
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

if TYPE_CHECKING:
    from octavo.engines.pages.page_view import RegionDetector

REVISION = "1"
PACKAGES = ("onnxruntime",)
# Measured: 330 MiB for a page of 1,500 lines, beyond what the models take once for all children.
MEMORY_BYTES = 640 * 1024**2


def layout_model(_: PipelineThresholds) -> "RegionDetector":
    """Return the layout model, loaded."""
    # Imported here, because the models belong in the fork server and its children alone.
    from octavo.engines.layout.model import LayoutModel

    return LayoutModel.loaded()


LAYOUT = PagesPolicy(
    name="layout", memory_bytes=MEMORY_BYTES, make_detector=layout_model, revisions=(REVISION,), packages=PACKAGES
)


def layout_engine() -> PagesEngine:
    """Return the page pipeline with the layout model on every page that has text."""
    return PagesEngine(LAYOUT)
