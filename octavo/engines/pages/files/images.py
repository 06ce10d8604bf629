"""Image files: opened, counted, and each page put aside for recognition.

TIFF alone has pages; of any other the first frame is the page.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps

from octavo.documents import Page
from octavo.engines.contract import Limits
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.files.pdf import failed_page
from octavo.engines.pages.scanned.handoff import ScannedPage, save_scan
from octavo.engines.pages.thresholds.files import ImageFileThresholds
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.errors import ExtractionFailed, PageLimitExceeded

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "HEIF", "GIF", "BMP")
IMAGE_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What damaged input makes Pillow raise; running out of memory is not among them."""
_POINTS_PER_INCH = 72
_ORIENTATION_TAG = 0x0112
_CLOCKWISE = {3: 180, 6: 90, 8: 270}

pillow_heif.register_heif_opener(thumbnails=False)


@dataclass
class ImageReader:
    """Reads the frames of one open image."""

    image: Image.Image
    limits: Limits
    folder: Path
    thresholds: PipelineThresholds

    def read(self, page_no: int) -> PageDraft | ScannedPage:
        """Decode a frame for recognition; one that cannot be decoded, or is too large, is a failed page."""
        try:
            go_to_frame(self.image, page_no, self.limits)
            return self._read(page_no)
        except IMAGE_ERRORS as error:
            return failed_page(page_no, error)

    def _read(self, page_no: int) -> ScannedPage:
        resolution = _resolution(self.image, self.thresholds.files.images)
        rotation = stated_rotation(self.image)
        upright = on_white(ImageOps.exif_transpose(self.image))
        scale = _POINTS_PER_INCH / resolution if resolution else 1.0
        page = Page(page_no, upright.width * scale, upright.height * scale, rotation=rotation)
        # The OCR program wants to know how large letters may be: a sheet of paper is a good guess.
        paper = self.thresholds.files.images
        dpi = resolution or max(paper.min_guessed_dpi, max(upright.size) / paper.paper_inches)
        path = self.folder / f"page-{page_no:06d}.png"
        return ScannedPage(page, save_scan(upright, path, dpi, self.thresholds.scanned.handoff))


@contextmanager
def opened_image(path: Path, limits: Limits) -> Iterator[Image.Image]:
    """Open an image. Raises `ExtractionFailed` if it is damaged."""
    # The limit is checked frame by frame; this keeps Pillow from warning at half of it.
    Image.MAX_IMAGE_PIXELS = limits.max_page_pixels
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ExtractionFailed("the image has more pixels than is allowed") from error
    except IMAGE_ERRORS as error:
        raise ExtractionFailed("the image is damaged") from error
    with image:
        yield image


def go_to_frame(image: Image.Image, page_no: int, limits: Limits) -> None:
    """Have an image show one of its pages. Raises one of `IMAGE_ERRORS`, `ValueError` for too many pixels."""
    # Only TIFF has pages; the picture that HEIC opens with is the one it calls primary, not always the first.
    if image.format == "TIFF":
        image.seek(page_no - 1)
    if image.width * image.height > limits.max_page_pixels:
        raise ValueError(f"{image.width} x {image.height} pixels are more than is allowed")


def stated_rotation(image: Image.Image) -> int:
    """Return how far, clockwise, the file says that the image is to be turned."""
    return _CLOCKWISE.get(image.getexif().get(_ORIENTATION_TAG, 1), 0)


def frame_count(image: Image.Image, limits: Limits) -> int:
    """Return the number of frames; only TIFF has pages, an animation is one picture.

    Raises `PageLimitExceeded` without looking further than the limit, `ExtractionFailed` for a damaged file.
    """
    if image.format != "TIFF":
        return 1
    count = 1
    try:
        # One by one: told to go beyond the end, Pillow counts wrongly.
        while count <= limits.max_pages:
            image.seek(count)
            count += 1
    except EOFError:
        image.seek(0)
        return count
    except IMAGE_ERRORS as error:
        raise ExtractionFailed("the image is damaged: its pages cannot be counted") from error
    raise PageLimitExceeded(f"the document has more than {limits.max_pages} pages")


def _resolution(image: Image.Image, thresholds: ImageFileThresholds) -> float | None:
    """Return the dots per inch that the file states, if they can be true."""
    stated = image.info.get("dpi")
    if not isinstance(stated, tuple) or image.info.get("resolution_unit", 2) == 1:
        return None
    dpi = float(stated[0])
    return dpi if math.isfinite(dpi) and thresholds.min_dpi <= dpi <= thresholds.max_dpi else None


def on_white(image: Image.Image) -> Image.Image:
    """Return an image in gray, of any mode, on white where it is transparent."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        # More than 8 bits a pixel: Pillow's own conversion would cut instead of scale.
        low, high = image.getextrema()
        span = float(high) - float(low) or 1.0  # type: ignore[arg-type]  # one band, so plain numbers
        return image.point(lambda value: (value - low) * (255.0 / span)).convert("L")
    return image.convert("L")
