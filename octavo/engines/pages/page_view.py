"""What the text layer shows of a page, and the kind of function that sees more in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.text.lines import TextLine


@dataclass(frozen=True, slots=True)
class Sight:
    """An upright page with its lines; `paths` is how many operators draw on it, `image_cover` a share of it.

    `frame` is the whole page: PyMuPDF makes it anew whenever it is asked.
    """

    page: PdfPage
    frame: Box
    lines: Sequence[TextLine]
    paths: int
    image_cover: float

    @property
    def height(self) -> float:
        return self.frame.height


Look = Callable[[Sight], Sequence[LabelledRegion]]
"""Tells what the parts of a page are; nothing where there is nothing to tell."""
