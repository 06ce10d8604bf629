"""What `auto` makes of the page pipeline: the layout model is asked about pages that have more than plain prose."""

from typing import TYPE_CHECKING

from octavo.engines.layout import policy as layout
from octavo.engines.pages.engine import PagesEngine, PagesPolicy
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

if TYPE_CHECKING:
    from octavo.engines.pages.page_view import RegionDetector

_REVISION = "1"


def layout_model_where_needed(thresholds: PipelineThresholds) -> "RegionDetector":
    """Return the layout model, loaded, to be asked about doubtful pages only."""
    # Imported here, because the models belong in the fork server and its children alone.
    from octavo.engines.auto.page_selection import DoubtfulPages

    return DoubtfulPages(layout.layout_model(thresholds), thresholds)


AUTO = PagesPolicy(
    name="auto",
    memory_bytes=layout.MEMORY_BYTES,
    make_detector=layout_model_where_needed,
    revisions=(_REVISION, layout.REVISION),
    packages=layout.PACKAGES,
)


def auto_engine() -> PagesEngine:
    """Return the page pipeline with the layout model on the pages that gain by it."""
    return PagesEngine(AUTO)
