"""Pictures of an office document: their bytes as browsers show them."""

import base64
import binascii
import io
from dataclasses import dataclass

from docling_core.types.doc.document import PictureItem
from PIL import Image, UnidentifiedImageError

from octavo.engines.contract import Limits
from octavo.engines.image_budget import ImageBudget

_AS_IS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, decoded as far as its header."""

    data: bytes
    mime: str
    width: int
    height: int


class Pictures:
    """Takes pictures out of a document as far as its limits go; `warnings` tell of the others."""

    def __init__(self, limits: Limits, min_pixels: int) -> None:
        self._budget = ImageBudget(limits)
        self._min_pixels = min_pixels
        self.warnings: list[str] = []
        self.images: list[bytes] = []

    def take(self, item: PictureItem) -> tuple[int, Picture] | None:
        """Return a picture and its number among the images; None for one that has no bytes, or too many."""
        data = _bytes_of(item)
        if data is None:
            return None
        try:
            found = self._opened(data)
        # Whatever Pillow raises of damaged bytes: its parsers raise nearly anything.
        except (
            UnidentifiedImageError,
            Image.DecompressionBombError,
            OSError,
            ValueError,
            SyntaxError,
            TypeError,
        ) as error:
            self.warnings.append(f"a picture was left out: {error}")
            return None
        if found is None:
            return None
        if not self._budget.take(len(found.data)):
            self.warnings.append(f"a picture was left out: {self._budget.bound}")
            return None
        self.images.append(found.data)
        return len(self.images) - 1, found

    def _opened(self, data: bytes) -> Picture | None:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if min(width, height) < self._min_pixels:
                return None
            if width * height > self._budget.max_pixels:
                raise ValueError(f"it has {width} x {height} pixels")
            if image.format in _AS_IS:
                return Picture(data, _AS_IS[image.format], width, height)
            encoded = io.BytesIO()
            image.convert("RGBA" if "A" in image.getbands() else "RGB").save(encoded, "PNG")
            return Picture(encoded.getvalue(), "image/png", width, height)


def _bytes_of(item: PictureItem) -> bytes | None:
    head, _, encoded = str(item.image.uri).partition(",") if item.image is not None else ("", "", "")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
