"""Draws small PDFs for one rule each, and has an engine read them in this process."""

import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from octavo.documents import Document
from octavo.engines.contract import Engine, Limits, Source
from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf
from octavo.engines.registry import EngineRegistry
from octavo.parse_options import ParseOptions

WIDTH, HEIGHT = 595.0, 842.0
# A page has as long as it takes: recognition that is cut short on a busy machine reads nothing.
LIMITS = Limits(page_seconds=600.0)
PROSE = (
    "Printing from movable type began with letters that were cut in steel and struck into copper. ",
    "The matrix so made was set in a mould, and lead was poured in by hand, letter by letter. ",
    "A sheet was damped before it went to press, since dry paper takes the ink unevenly. ",
    "Eight leaves were folded from one sheet, and the book that came of them had its name from that. ",
)


class Drawing:
    """A PDF being drawn."""

    def __init__(self) -> None:
        self.document: PdfDocument = pymupdf.open()
        self.page: PdfPage = self.new_page()

    def new_page(self, width: float = WIDTH, height: float = HEIGHT) -> PdfPage:
        self.page = self.document.new_page(width=width, height=height)
        return self.page

    def text(self, x: float, y: float, text: str, *, size: float = 10, font: str = "helv", rotate: int = 0) -> None:
        """Write one line; `y` is its base line."""
        self.page.insert_text((x, y), text, fontsize=size, fontname=font, rotate=rotate)

    def right(self, x: float, y: float, text: str, *, size: float = 10, font: str = "helv") -> None:
        """Write one line that ends at `x`."""
        self.text(x - pymupdf.get_text_length(text, font, size), y, text, size=size, font=font)

    def prose(self, x: float, y: float, width: float, lines: int, *, size: float = 10, font: str = "helv") -> float:
        """Fill lines of that width with sentences, and return the base line below them."""
        words = " ".join(PROSE * 20).split()
        for _ in range(lines):
            line = words.pop(0)
            while pymupdf.get_text_length(f"{line} {words[0]}", font, size) < width:
                line = f"{line} {words.pop(0)}"
            self.text(x, y, line, size=size, font=font)
            y += 1.25 * size
        return y

    def rule(self, x0: float, x1: float, y: float) -> None:
        self.page.draw_line((x0, y), (x1, y), width=0.8)

    def band(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.page.draw_rect((x0, y0, x1, y1), color=None, fill=(0.88, 0.9, 0.95))

    def rows(self, rows: Sequence[Sequence[str]], xs: Sequence[float], y: float, *, step: float = 16) -> float:
        """Write rows of cells, each from its column's left edge, and return the base line below them."""
        for row in rows:
            for x, cell in zip(xs, row, strict=True):
                self.text(x, y, cell)
            y += step
        return y

    def lattice(self, rows: Sequence[Sequence[str]], xs: Sequence[float], y: float, *, step: float = 18) -> float:
        """Draw a table with lines around every cell."""
        bottom = y + step * len(rows)
        for index in range(len(rows) + 1):
            self.rule(xs[0], xs[-1], y + index * step)
        for x in xs:
            self.page.draw_line((x, y), (x, bottom), width=0.8)
        self.rows(rows, [x + 4 for x in xs[:-1]], y + 0.7 * step, step=step)
        return bottom

    def scanned(self, degrees: float = 0.0, dpi: int = 200) -> "Drawing":
        """Return the same pages as images, as a scanner gives them; turned counter-clockwise by so much."""
        images = Drawing()
        images.document.delete_page(0)
        for page in self.document:
            pixels = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
            image = Image.frombytes("L", (pixels.width, pixels.height), pixels.samples)
            turned = image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor="white")
            buffer = io.BytesIO()
            turned.save(buffer, "JPEG", quality=80)
            images.new_page(page.rect.width, page.rect.height).insert_image(page.rect, stream=buffer.getvalue())
        return images

    def read(self, engine: str | Engine = "fast") -> Document:
        """Return what an engine makes of what was drawn."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "drawn.pdf"
            self.document.save(path, no_new_id=True)
            return read(engine, path)


def read(engine: str | Engine, path: Path) -> Document:
    """Return what an engine makes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        reader = EngineRegistry.installed().resolve(engine) if isinstance(engine, str) else engine
        return reader.extract(Source(path), ParseOptions(), LIMITS, _Silent(), Path(folder)).document


class _Silent:
    def counted(self, pages: int) -> None:
        pass

    def working(self, pages: int) -> None:
        pass


def grid(document: Document, index: int = 0) -> list[list[str]]:
    """Return the texts of a table, row by row; spanned places are empty."""
    return [[cell.text if cell else "" for cell in row] for row in document.tables[index].grid()]


def texts(document: Document, roles: Iterable[str] = ("paragraph",)) -> list[str]:
    """Return the texts of blocks with one of the roles, in order."""
    return [block.text for block in document.blocks if block.role in tuple(roles)]
