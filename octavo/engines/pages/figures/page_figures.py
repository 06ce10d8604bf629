"""Embedded images of a PDF page as figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from octavo.documents import Box
from octavo.engines.image_budget import ImageBudget
from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf
from octavo.engines.pages.draft import FigureDraft
from octavo.engines.pages.page_view import PageView
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.thresholds.figures import FigureThresholds

_POINTS_PER_INCH = 72
_MIME = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Placement:
    """An image as a page shows it: where, how many pixels it declares, whether its own bytes look so."""

    box: Box
    width: int
    height: int
    as_is: bool


def placements(page: PdfPage, frame: Box, thresholds: FigureThresholds) -> list[Placement]:
    """Return the images that a page of this size shows; no image is decoded."""
    return [
        Placement(
            box=Box(*pymupdf.Rect(info["bbox"]).normalize()).within(frame.width, frame.height),
            width=int(info["width"]),
            height=int(info["height"]),
            as_is=not info.get("has-mask") and _is_upright(info["transform"], thresholds),
        )
        for info in page.get_image_info()
        if not pymupdf.Rect(info["bbox"]).is_infinite
    ]


def cover_share(images: list[Placement], frame: Box) -> float:
    """Return the share of the page under images, at most 1; overlaps count twice."""
    return min(1.0, sum(image.box.area for image in images) / frame.area) if frame.area else 0.0


def figures(
    document: PdfDocument, view: PageView, images: list[Placement], budget: ImageBudget, thresholds: FigureThresholds
) -> tuple[list[FigureDraft], list[str]]:
    """Return a page's figures, and a warning for each image that broke a limit."""
    if not images:
        return [], []
    page, area = view.page, view.frame.area
    embedded = page.get_images(full=True)
    drafts: list[FigureDraft] = []
    warnings: list[str] = []
    for image in images:
        if not _is_worth_it(image, thresholds) or image.box.area > thresholds.background_cover * area:
            continue
        if image.width * image.height > budget.max_pixels:
            warnings.append(f"an image of {image.width} x {image.height} pixels was left out")
            continue
        draft = _embedded(document, image, embedded) or _rendered(page, image, thresholds)
        if draft is None:
            continue
        if not budget.take(len(draft.data)):
            warnings.append(f"further images were left out: {budget.bound}")
            break
        drafts.append(draft)
    return drafts, warnings


def drawn_figures(
    view: PageView,
    regions: Sequence[LabelledRegion],
    found: Sequence[FigureDraft],
    budget: ImageBudget,
    thresholds: FigureThresholds,
) -> list[FigureDraft]:
    """Return what a layout model takes for pictures and no image of the page covers: charts, drawings."""
    page, frame = view.page, view.frame
    drafts: list[FigureDraft] = []
    for region in regions:
        box = region.box.within(frame.width, frame.height)
        if region.label != "picture" or min(box.width, box.height) < thresholds.min_drawing:
            continue
        if any(box.overlap(figure.box) > thresholds.same_picture * min(box.area, figure.box.area) for figure in found):
            continue
        width, height = (round(side * thresholds.drawing_dpi / _POINTS_PER_INCH) for side in (box.width, box.height))
        draft = _rendered(page, Placement(box, width, height, as_is=False), thresholds)
        if draft is None or len(drafts) == thresholds.max_drawings or not budget.take(len(draft.data)):
            break
        drafts.append(draft)
    return drafts


def _is_upright(transform: tuple[float, ...], thresholds: FigureThresholds) -> bool:
    a, b, c, d = transform[:4]
    return a > 0 and d > 0 and abs(b) < thresholds.upright_tolerance * a and abs(c) < thresholds.upright_tolerance * d


def _is_worth_it(image: Placement, thresholds: FigureThresholds) -> bool:
    pixels = min(image.width, image.height)
    return pixels >= thresholds.min_pixels and min(image.box.width, image.box.height) >= thresholds.min_points


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


def _rendered(page: PdfPage, image: Placement, thresholds: FigureThresholds) -> FigureDraft | None:
    """Return the image as the page shows it: masked, turned, in colours that browsers know."""
    own = _POINTS_PER_INCH * image.width / image.box.width
    dpi = max(_POINTS_PER_INCH, min(thresholds.render_dpi, round(own)))
    pixels = page.get_pixmap(dpi=dpi, clip=pymupdf.Rect(image.box.as_tuple()), alpha=False)
    if pixels.width < 1 or pixels.height < 1:
        return None
    return FigureDraft(image.box, "image/png", pixels.width, pixels.height, pixels.tobytes("png"))
