"""A page as an image for people, of exactly the box its text is in. Runs in a sandboxed child.

It takes the steps the readers take, so that what is rendered stands where they say that it stands.
"""

from pathlib import Path

from PIL import Image, ImageOps

from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.detect import detect
from octavo.engines.mupdf import PDF_ERRORS, PdfPage, pymupdf
from octavo.engines.pages.files.images import IMAGE_ERRORS, go_to_frame, on_white, opened_image, stated_rotation
from octavo.engines.pages.files.pdf import UnreadablePdf, opened_pdf, upright
from octavo.errors import ExtractionFailed, UnsupportedInput

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Clockwise, as pages count; Pillow turns the other way."""
_MAX_REASON = 200


def render(source: Source, wanted: PageToRender, limits: Limits) -> bytes:
    """Return a page as a PNG of exactly the size that is wanted.

    Raises `UnsupportedInput` for a format without page images, `ExtractionFailed` for a page that cannot be rendered.
    """
    if wanted.width * wanted.height > limits.max_page_pixels:
        raise ExtractionFailed(f"{wanted.width} x {wanted.height} pixels are more than is allowed")
    kind = detect(source)
    try:
        if kind == "pdf":
            return _pdf_page(source.path, wanted)
        if kind == "image":
            return _frame(source.path, wanted, limits)
    except UnreadablePdf as error:
        raise ExtractionFailed(str(error)) from error
    except (*PDF_ERRORS, *IMAGE_ERRORS) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the process, not of the bytes: the child tells which limit it was
        reason = " ".join(str(error).split())[:_MAX_REASON] or type(error).__name__
        raise ExtractionFailed(f"page {wanted.page_no} is damaged: {reason}") from error
    raise UnsupportedInput(f"a document of the kind {kind} has no page images, only PDF and image files have")


def _pdf_page(path: Path, wanted: PageToRender) -> bytes:
    with opened_pdf(path) as document:
        page: PdfPage = document.load_page(wanted.page_no - 1)
        rotation = int(page.rotation) % 360
        page = upright(document, page)
        if turn := (wanted.rotation - rotation) % 360:
            page.set_rotation(turn)
            page = upright(document, page)
        matrix = pymupdf.Matrix(wanted.width / page.rect.width, wanted.height / page.rect.height)
        pixels = page.get_pixmap(matrix=matrix, alpha=False)
        if (pixels.width, pixels.height) != (wanted.width, wanted.height):
            pixels = pymupdf.Pixmap(pixels, wanted.width, wanted.height)
        return bytes(pixels.tobytes("png"))


def _frame(path: Path, wanted: PageToRender, limits: Limits) -> bytes:
    with opened_image(path, limits) as image:
        go_to_frame(image, wanted.page_no, limits)
        turn = (wanted.rotation - stated_rotation(image)) % 360
        shown = _in_colour(ImageOps.exif_transpose(image))
    size = (wanted.height, wanted.width) if turn in (90, 270) else (wanted.width, wanted.height)
    shown = shown.resize(size, Image.Resampling.LANCZOS)
    if turn:
        shown = shown.transpose(_TURNS[turn])
    out = path.with_name("page.png")
    shown.save(out, "PNG")
    return out.read_bytes()


def _in_colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return on_white(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
