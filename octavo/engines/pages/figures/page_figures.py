"""Embedded images of a PDF page as figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from octavo.documents import Box
from octavo.engines.contract import Limits
from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf
from octavo.engines.pages.draft import FigureDraft
from octavo.engines.pages.page_view import PageView
from octavo.engines.pages.roles.labels import LabelledRegion

_MIN_PIXELS, _MIN_POINTS = 16, 8.0
_BACKGROUND_COVER = 0.9
_RENDER_DPI = 200
_POINTS_PER_INCH = 72
_LEAST_DRAWN, _MOST_DRAWN, _DRAWN_DPI, _SAME_PICTURE = 40.0, 20, 144, 0.3
_MIME = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Placement:
    """An image as a page shows it: where, how many pixels it declares, whether its own bytes look so."""

    box: Box
    width: int
    height: int
    as_is: bool


class ImageBudget:
    """How many images and image bytes a document may still give."""

    def __init__(self, limits: Limits) -> None:
        self.max_pixels = limits.max_page_pixels
        self._count = limits.max_images
        # Half of what the owner takes in, since a figure's size is known only once it is made.
        self._bytes = limits.max_image_bytes // 2

    @property
    def bound(self) -> str:
        """What there is no room for any more."""
        return "there are too many" if self._count < 1 else "they have too many bytes"

    def take(self, size: int) -> bool:
        """Take one image of that many bytes out of the budget; False if there is no room."""
        if self._count < 1 or size > self._bytes:
            return False
        self._count -= 1
        self._bytes -= size
        return True


def placements(page: PdfPage, frame: Box) -> list[Placement]:
    """Return the images that a page of this size shows; no image is decoded."""
    return [
        Placement(
            box=Box(*pymupdf.Rect(info["bbox"]).normalize()).within(frame.width, frame.height),
            width=int(info["width"]),
            height=int(info["height"]),
            as_is=not info.get("has-mask") and _is_upright(info["transform"]),
        )
        for info in page.get_image_info()
        if not pymupdf.Rect(info["bbox"]).is_infinite
    ]


def cover_share(images: list[Placement], frame: Box) -> float:
    """Return the share of the page under images, at most 1; overlaps count twice."""
    return min(1.0, sum(image.box.area for image in images) / frame.area) if frame.area else 0.0


def figures(
    document: PdfDocument, view: PageView, images: list[Placement], budget: ImageBudget
) -> tuple[list[FigureDraft], list[str]]:
    """Return a page's figures, and a warning for each image that broke a limit."""
    if not images:
        return [], []
    page, area = view.page, view.frame.area
    embedded = page.get_images(full=True)
    drafts: list[FigureDraft] = []
    warnings: list[str] = []
    for image in images:
        if not _is_worth_it(image) or image.box.area > _BACKGROUND_COVER * area:
            continue
        if image.width * image.height > budget.max_pixels:
            warnings.append(f"an image of {image.width} x {image.height} pixels was left out")
            continue
        draft = _embedded(document, image, embedded) or _rendered(page, image)
        if draft is None:
            continue
        if not budget.take(len(draft.data)):
            warnings.append(f"further images were left out: {budget.bound}")
            break
        drafts.append(draft)
    return drafts, warnings


def drawn_figures(
    view: PageView, regions: Sequence[LabelledRegion], found: Sequence[FigureDraft], budget: ImageBudget
) -> list[FigureDraft]:
    """Return what a layout model takes for pictures and no image of the page covers: charts, drawings."""
    page, frame = view.page, view.frame
    drafts: list[FigureDraft] = []
    for region in regions:
        box = region.box.within(frame.width, frame.height)
        if region.label != "picture" or min(box.width, box.height) < _LEAST_DRAWN:
            continue
        if any(box.overlap(figure.box) > _SAME_PICTURE * min(box.area, figure.box.area) for figure in found):
            continue
        width, height = (round(side * _DRAWN_DPI / _POINTS_PER_INCH) for side in (box.width, box.height))
        draft = _rendered(page, Placement(box, width, height, as_is=False))
        if draft is None or len(drafts) == _MOST_DRAWN or not budget.take(len(draft.data)):
            break
        drafts.append(draft)
    return drafts


def _is_upright(transform: tuple[float, ...]) -> bool:
    a, b, c, d = transform[:4]
    return a > 0 and d > 0 and abs(b) < 0.01 * a and abs(c) < 0.01 * d


def _is_worth_it(image: Placement) -> bool:
    pixels = min(image.width, image.height)
    return pixels >= _MIN_PIXELS and min(image.box.width, image.box.height) >= _MIN_POINTS


def _embedded(document: PdfDocument, image: Placement, embedded: list[Any]) -> FigureDraft | None:
    """Return the image's own bytes if it is a plain PNG or JPEG and no other could be meant."""
    same = {entry[0]: entry for entry in embedded if entry[2:4] == (image.width, image.height)}
    if len(same) != 1 or not image.as_is:
        return None
    (xref,) = same
    if document.xref_get_key(xref, "Filter")[1].strip("[] ") != "/DCTDecode":
        return None
    extracted = document.extract_image(xref)
    mime = _MIME.get(extracted.get("ext", ""))
    if mime is None or extracted.get("cs-name", "") == "DeviceCMYK":
        return None
    return FigureDraft(image.box, mime, image.width, image.height, extracted["image"])


def _rendered(page: PdfPage, image: Placement) -> FigureDraft | None:
    """Return the image as the page shows it: masked, turned, in colours that browsers know."""
    own = _POINTS_PER_INCH * image.width / image.box.width
    dpi = max(_POINTS_PER_INCH, min(_RENDER_DPI, round(own)))
    pixels = page.get_pixmap(dpi=dpi, clip=pymupdf.Rect(image.box.as_tuple()), alpha=False)
    if pixels.width < 1 or pixels.height < 1:
        return None
    return FigureDraft(image.box, "image/png", pixels.width, pixels.height, pixels.tobytes("png"))
