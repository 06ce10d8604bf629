"""Draws the sample documents of `octavo.samples`: pages with PyMuPDF, scans and photographs with Pillow.

The same version of the libraries draws the same bytes, except where a password brings in chance.
"""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf

A4 = (595.0, 842.0)
_POINTS_PER_INCH = 72
_LEADING = 1.35
_SEED = 8


@dataclass(frozen=True, slots=True)
class Style:
    """A font of the PDF standard set and its size in points."""

    font: str
    size: float


TITLE = Style("hebo", 22)
HEADING = Style("hebo", 14)
BODY = Style("tiro", 11)
SMALL = Style("helv", 8)


class Sheets:
    """A PDF being drawn, page by page, from the top down."""

    def __init__(self) -> None:
        self._document: PdfDocument = pymupdf.open()

    def page(self) -> "Sheet":
        """Add an A4 page."""
        self._document.new_page(width=A4[0], height=A4[1])
        return Sheet(self._document, len(self._document) - 1)

    def save(self, path: Path, *, password: str | None = None) -> None:
        """Write the PDF; with a password it cannot be opened without."""
        encryption = pymupdf.PDF_ENCRYPT_AES_256 if password else pymupdf.PDF_ENCRYPT_NONE
        self._document.save(
            path, no_new_id=True, deflate=True, encryption=encryption, user_pw=password, owner_pw=password
        )

    def pixels(self, index: int, dpi: int) -> Image.Image:
        """Return a page as an image."""
        pixels = self._document[index].get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
        return Image.frombytes("L", (pixels.width, pixels.height), pixels.samples)

    def turn(self, index: int, degrees: int) -> None:
        """Have viewers show a page turned clockwise; what is drawn on it stays as it is."""
        self._document[index].set_rotation(degrees)


class Sheet:
    """One page: text runs down a column until there is no room."""

    def __init__(self, document: PdfDocument, index: int) -> None:
        self._document = document
        self._index = index
        self.y = 72.0

    @property
    def _page(self) -> PdfPage:
        # Requested again each time: adding a page makes page objects made before it useless.
        return self._document[self._index]

    def text(self, text: str, style: Style = BODY, *, x: float = 72.0, width: float = 451.0) -> None:
        """Set a text in lines no wider than `width` and move down past it."""
        for line in self._broken(text, style, width):
            self.y += style.size * _LEADING
            self._page.insert_text((x, self.y), line, fontname=style.font, fontsize=style.size)
        self.y += style.size * 0.7

    def at(self, x: float, y: float, text: str, style: Style = BODY) -> None:
        """Set one line at a place."""
        self._page.insert_text((x, y), text, fontname=style.font, fontsize=style.size)

    def table(self, rows: Sequence[Sequence[str]], widths: Sequence[float], *, span_first: bool) -> None:
        """Draw a ruled table; with `span_first` the first row is one cell across all columns."""
        height = 20.0
        left, top = 72.0, self.y + 6
        for number, row in enumerate(rows):
            x, y = left, top + number * height
            cells = [sum(widths)] if span_first and number == 0 else widths
            for text, width in zip(row, cells, strict=True):
                self._page.draw_rect((x, y, x + width, y + height), color=(0, 0, 0), width=0.8)
                font = "hebo" if number == 0 else "helv"
                self._page.insert_text((x + 5, y + 14), text, fontname=font, fontsize=10)
                x += width
        self.y = top + len(rows) * height + 12

    def image(self, data: bytes, width: float, height: float) -> None:
        """Place an image and move down past it."""
        self._page.insert_image((72, self.y, 72 + width, self.y + height), stream=data)
        self.y += height + 4

    def _broken(self, text: str, style: Style, width: float) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if pymupdf.get_text_length(longer, fontname=style.font, fontsize=style.size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines


def bar_chart(values: Sequence[float]) -> bytes:
    """Return a PNG of bars, 480 by 240 pixels."""
    image = Image.new("RGB", (480, 240), "white")
    draw = ImageDraw.Draw(image)
    step = 440 // len(values)
    for number, value in enumerate(values):
        x = 20 + number * step
        draw.rectangle((x, 220 - round(200 * value), x + step - 12, 220), fill=(58, 96, 150))
    draw.line((10, 220, 470, 220), fill="black", width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def scanned(image: Image.Image, degrees: float) -> Image.Image:
    """Return a page as a flatbed scanner gives it: a little askew, a little soft, with some grain."""
    turned = image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)
    return _with_grain(turned.filter(ImageFilter.GaussianBlur(0.5)), 0.05)


def photographed(image: Image.Image) -> Image.Image:
    """Return a page as a telephone sees it: in perspective, lit from one side, with grain."""
    width, height = image.size
    far = 0.03 * width
    # Corners of the page from the upper left, counter-clockwise; beyond the page lies white.
    corners = (-far, 0.0, 0.0, height, width, height * 1.01, width + far, 0.0)
    tilted = image.transform(
        image.size, Image.Transform.QUAD, corners, resample=Image.Resampling.BICUBIC, fillcolor=255
    )
    # From full light at one side to less than half of it at the other.
    gradient = Image.linear_gradient("L").rotate(90).resize(image.size)
    light = gradient.point(lambda value: 110 + value * 145 // 255)
    return _with_grain(ImageChops.multiply(tilted, light).filter(ImageFilter.GaussianBlur(0.6)), 0.08)


def save_as_scan(image: Image.Image, path: Path, dpi: int) -> None:
    """Write a PDF whose only page is an image."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    document = pymupdf.open()
    scale = _POINTS_PER_INCH / dpi
    page = document.new_page(width=image.width * scale, height=image.height * scale)
    page.insert_image(page.rect, stream=buffer.getvalue())
    document.save(path, no_new_id=True)


def _with_grain(image: Image.Image, strength: float) -> Image.Image:
    grain = Image.frombytes("L", image.size, random.Random(_SEED).randbytes(image.width * image.height))  # noqa: S311
    return Image.blend(image, grain, strength)
