"""Pages as images, drawn in a real child: boxes of the result lie on what they say, and bad input has a code."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from octavo.documents import Document, Page
from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.mupdf import pymupdf
from octavo.engines.registry import EngineRegistry
from octavo.errors import ExtractionFailed, UnsupportedInput
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions

WORDS = "The sheet was damped before it went to press"
LIMITS = replace(Limits(), max_page_pixels=4_000_000)
WIDTH = 800
SECONDS = 30.0
pillow_heif.register_heif_opener()


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry()) as made:
        yield made


def of(page: Page, width: int = WIDTH) -> PageToRender:
    return PageToRender(page.page_no, width, max(1, round(width * page.height / page.width)), page.rotation)


def image_of(extractor: Extractor, path: Path, page: Page, width: int = WIDTH) -> Image.Image:
    data = extractor.render_page(Source(path, filename=path.name), of(page, width), seconds=SECONDS)
    return Image.open(io.BytesIO(data)).convert("RGB")


def read(extractor: Extractor, path: Path) -> Document:
    return extractor.extract(Source(path, filename=path.name), ParseOptions(engine="fast")).document


def ink_outside(image: Image.Image, document: Document, page_no: int = 1, margin: float = 3.0) -> int:
    """Return how many dark pixels lie in none of the boxes of a page's lines, after checking that each has some."""
    page = document.pages[page_no - 1]
    scale = image.width / page.width
    gray = image.convert("L").point(lambda value: 255 if value < 128 else 0)
    lines = [line.bbox for block in document.blocks if block.page_no == page_no for line in block.lines]
    assert lines
    for box in lines:
        corners = (box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin)
        pixels = tuple(round(corner * scale) for corner in corners)
        assert gray.crop((pixels[0], pixels[1], pixels[2], pixels[3])).getbbox() is not None
        gray.paste(0, (pixels[0], pixels[1], pixels[2], pixels[3]))
    return gray.histogram()[255]


def written(path: Path, *, rotation: int = 0, crop: tuple[float, ...] | None = None) -> Path:
    document = pymupdf.open()
    page = document.new_page(width=600, height=800)
    for row in range(3):
        page.insert_text((150, 300 + 40 * row), WORDS, fontsize=14)
    if crop is not None:
        page.set_cropbox(pymupdf.Rect(crop))
    page.set_rotation(rotation)
    document.save(path)
    return path


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_lie_on_the_text_of_a_rotated_page(extractor: Extractor, tmp_path: Path, rotation: int) -> None:
    path = written(tmp_path / "page.pdf", rotation=rotation)
    document = read(extractor, path)
    page = document.pages[0]
    assert (page.width, page.height) == ((800, 600) if rotation in (90, 270) else (600, 800))
    image = image_of(extractor, path, page)
    assert image.size == (WIDTH, round(WIDTH * page.height / page.width))
    assert ink_outside(image, document) == 0


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_lie_on_the_text_of_a_page_that_is_cropped_and_turned(
    extractor: Extractor, tmp_path: Path, rotation: int
) -> None:
    path = written(tmp_path / "page.pdf", rotation=rotation, crop=(100, 150, 550, 707))
    document = read(extractor, path)
    page = document.pages[0]
    assert (page.width, page.height) == ((557, 450) if rotation in (90, 270) else (450, 557))
    assert sum(block.text.count(WORDS) for block in document.blocks) == 3, "nothing of it is lost"
    image = image_of(extractor, path, page)
    assert image.size == (WIDTH, round(WIDTH * page.height / page.width))
    assert ink_outside(image, document) == 0
    with pymupdf.open(path) as shown:
        displayed = shown[0].get_pixmap(matrix=pymupdf.Matrix(WIDTH / page.width, image.height / page.height))
    differing = ImageChops.difference(
        Image.frombytes("RGB", (displayed.width, displayed.height), displayed.samples).resize(image.size),
        image.convert("RGB"),
    )
    assert sum(differing.convert("L").histogram()[128:]) < 100, "it is drawn as a viewer of PDF shows it"


def picture(size: tuple[int, int] = (900, 400), mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for row in range(3):
        draw.text((40, 60 + 90 * row), WORDS[:26], font=ImageFont.load_default(48), fill="black")
    return image.convert(mode)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_boxes_lie_on_the_text_of_a_scan_that_was_recognised_turned(
    extractor: Extractor, tmp_path: Path, turn: int
) -> None:
    scan = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(scan)
    for row in range(24):
        draw.text((110, 140 + 60 * row), WORDS, font=ImageFont.load_default(40), fill="black")
    path = tmp_path / "scan.png"
    scan.rotate(turn, expand=True).save(path, dpi=(150, 150))
    document = read(extractor, path)
    page = document.pages[0]
    assert (page.ocr, page.rotation) == (True, turn)
    assert ink_outside(image_of(extractor, path, page), document) == 0


@pytest.mark.parametrize("turn", [0, 90])
def test_a_scan_in_a_pdf_stands_as_it_was_recognised(extractor: Extractor, tmp_path: Path, turn: int) -> None:
    scan = Image.new("L", (1240, 1754), "white")
    draw = ImageDraw.Draw(scan)
    for row in range(24):
        draw.text((110, 140 + 60 * row), WORDS, font=ImageFont.load_default(40), fill="black")
    path = tmp_path / "scan.pdf"
    scan.rotate(turn, expand=True).save(path, resolution=150)
    document = read(extractor, path)
    assert (document.pages[0].ocr, document.pages[0].rotation) == (True, turn)
    assert ink_outside(image_of(extractor, path, document.pages[0]), document) == 0


def darkest_and_lightest(image: Image.Image) -> tuple[int, int]:
    values = [value for value, count in enumerate(image.convert("L").histogram()) if count]
    return values[0], values[-1]


@pytest.mark.parametrize("extension", ["png", "jpg", "tiff", "webp", "heic", "gif", "bmp"])
def test_every_image_format_has_page_images(extractor: Extractor, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"page.{extension}"
    picture().save(path)
    image = image_of(extractor, path, Page(1, 900.0, 400.0))
    assert image.size == (800, 356)
    assert darkest_and_lightest(image)[0] < 100


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I", "F", "I;16"])
def test_every_mode_of_pixels_is_drawn(extractor: Extractor, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "page.tiff"
    (picture(mode="I").convert("I;16") if mode == "I;16" else picture(mode=mode)).save(path)
    low, high = darkest_and_lightest(image_of(extractor, path, Page(1, 900.0, 400.0)))
    assert (low < 100, high > 200) == (True, True)


def test_a_picture_that_says_how_it_is_turned_is_turned(extractor: Extractor, tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    path = tmp_path / "turned.jpg"
    picture().rotate(90, expand=True).save(path, exif=turned.tobytes())
    page = read(extractor, path).pages[0]
    assert page.rotation == 90
    assert image_of(extractor, path, page).size == (800, 356)


def test_each_page_of_a_tiff_is_its_own(extractor: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    Image.new("RGB", (80, 60), "red").save(path, save_all=True, append_images=[Image.new("RGB", (60, 80), "blue")])
    assert image_of(extractor, path, Page(1, 80.0, 60.0)).getpixel((9, 9)) == (255, 0, 0)
    assert image_of(extractor, path, Page(2, 60.0, 80.0)).getpixel((9, 9)) == (0, 0, 255)
    with pytest.raises(ExtractionFailed):
        image_of(extractor, path, Page(3, 60.0, 80.0))


@pytest.mark.parametrize("name", ["page.md", "page.csv", "page.html"])
def test_a_format_without_pages_has_no_page_images(extractor: Extractor, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("<html><body><p>words</p></body></html>" if name.endswith("html") else "words,words\n1,2\n")
    with pytest.raises(UnsupportedInput, match="no page images"):
        image_of(extractor, path, Page(1, 600.0, 800.0))


@pytest.mark.parametrize("data", [b"%PDF-1.7 nothing of it is true", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)])
def test_a_damaged_file_has_a_code(extractor: Extractor, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(ExtractionFailed):
        image_of(extractor, path, Page(1, 600.0, 800.0))


def test_a_locked_file_has_a_code(extractor: Extractor, tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page()
    document.save(tmp_path / "locked.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y")
    with pytest.raises(ExtractionFailed, match="password"):
        image_of(extractor, tmp_path / "locked.pdf", Page(1, 600.0, 800.0))


def test_a_page_past_the_last_one_has_a_code(extractor: Extractor, tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed):
        image_of(extractor, written(tmp_path / "page.pdf"), Page(2, 600.0, 800.0))


def test_a_page_of_too_many_pixels_is_refused(extractor: Extractor, tmp_path: Path) -> None:
    path = written(tmp_path / "page.pdf")
    with pytest.raises(ExtractionFailed, match="pixels"):
        image_of(extractor, path, Page(1, 10.0, 14_000.0))
    Image.new("L", (4000, 1001)).save(tmp_path / "large.png")
    with pytest.raises(ExtractionFailed, match="pixels"):
        image_of(extractor, tmp_path / "large.png", Page(1, 4000.0, 1001.0))


def endless(path: Path) -> Path:
    """Write a page that draws a form which draws another one ten times, and so on: 10^12 marks."""
    depth = 12
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>"]
    objects.append("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</XObject<</F 5 0 R>>>>/Contents 4 0 R>>")
    objects.append("<</Length 5>>stream\n/F Do\nendstream")
    for level in range(depth):
        inner = f"/Resources<</XObject<</F {6 + level} 0 R>>>>" if level < depth - 1 else ""
        body = "/F Do\n" * 10 if level < depth - 1 else "0 0 500 500 re f\n"
        objects.append(
            f"<</Type/XObject/Subtype/Form/BBox[0 0 600 800]{inner}/Length {len(body)}>>stream\n{body}endstream"
        )
    data = "%PDF-1.7\n" + "".join(f"{number} 0 obj {text}\nendobj\n" for number, text in enumerate(objects, 1))
    path.write_text(data + "trailer<</Root 1 0 R>>\n")
    return path


def test_a_drawing_ends_with_its_time(extractor: Extractor, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ExtractionFailed, match="longer than 1 s"):
        extractor.render_page(Source(endless(tmp_path / "page.pdf")), PageToRender(1, 400, 533, 0), seconds=1.0)
    assert time.monotonic() - began < 120, "to its own end it would take days"
    assert image_of(extractor, written(tmp_path / "next.pdf"), Page(1, 600.0, 800.0)).size == (800, 1067)
