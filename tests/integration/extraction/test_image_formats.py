"""Images through the sandbox: every format is recognised, a hostile one ends in a listed code."""

import struct
from contextlib import suppress
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageFont

from octavo.errors import DocumentError, ExtractionFailed, UnsupportedInput
from tests.integration.extraction.conftest import Extract

WORDS = "The sheet was damped"
FORMATS = ("png", "jpg", "tiff", "webp", "heic", "gif", "bmp")
pillow_heif.register_heif_opener()


def drawn() -> Image.Image:
    image = Image.new("RGB", (700, 240), "white")
    ImageDraw.Draw(image).text((40, 90), WORDS, font=ImageFont.load_default(48), fill="black")
    return image


@pytest.mark.parametrize("extension", FORMATS)
def test_an_image_of_this_format_is_recognised(extract: Extract, tmp_path: Path, extension: str) -> None:
    drawn().save(tmp_path / f"page.{extension}")
    document = extract(tmp_path / f"page.{extension}").document
    assert [block.text for block in document.blocks] == [WORDS]
    assert document.pages[0].ocr


@pytest.mark.parametrize("extension", ["gif", "webp"])
def test_of_an_animation_the_first_frame_is_the_page(extract: Extract, tmp_path: Path, extension: str) -> None:
    others = [Image.new("RGB", (700, 240), "white"), drawn()]
    drawn().save(tmp_path / f"moving.{extension}", save_all=True, append_images=others)
    document = extract(tmp_path / f"moving.{extension}").document
    assert document.page_count == 1
    assert [block.text for block in document.blocks] == [WORDS]


@pytest.mark.parametrize("extension", ["webp", "heic"])
def test_an_image_is_turned_as_it_says(extract: Extract, tmp_path: Path, extension: str) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    drawn().rotate(90, expand=True).save(tmp_path / f"turned.{extension}", exif=turned.tobytes())
    document = extract(tmp_path / f"turned.{extension}").document
    assert [block.text for block in document.blocks] == [WORDS]


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_an_image_that_was_cut_off_ends_in_a_result_or_a_code(
    extract: Extract, tmp_path: Path, extension: str, share: float
) -> None:
    path = tmp_path / f"cut.{extension}"
    drawn().save(path)
    path.write_bytes(path.read_bytes()[: max(16, int(path.stat().st_size * share))])
    with suppress(ExtractionFailed, UnsupportedInput):
        assert extract(path).document.page_count == 1


def test_a_bitmap_of_sixty_thousand_squared_is_not_decoded(extract: Extract, tmp_path: Path) -> None:
    head = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    shape = struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 2835, 2835, 0, 0)
    (tmp_path / "huge.bmp").write_bytes(head + shape)
    with pytest.raises(DocumentError, match="pixels"):
        extract(tmp_path / "huge.bmp")
