"""What the text layer shows of a page, and who can tell more about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.text.lines import TextLine


@dataclass(frozen=True, slots=True)
class PageView:
    """An upright page with its lines; `paths` is how many operators draw on it, `image_cover` a share of it.

    `frame` is the whole page: PyMuPDF makes it again whenever it is asked.
    """

    page: PdfPage
    frame: Box
    lines: Sequence[TextLine]
    paths: int
    image_cover: float

    @property
    def height(self) -> float:
        return self.frame.height


class RegionDetector(Protocol):
    """Tells what the parts of a page are: headings, tables, pictures, running heads."""

    def detect(self, view: PageView) -> Sequence[LabelledRegion]:
        """Return the regions of a page; none where there is nothing to tell."""


class NoRegions:
    """A detector that tells nothing of any page."""

    def detect(self, view: PageView) -> Sequence[LabelledRegion]:
        """Return no region."""
        return ()
