"""Images through the sandbox: every format is recognised, a hostile one ends in a listed code."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageFont

from octavo.errors import ExtractionFailed, UnsupportedInput
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


@pytest.mark.parametrize("extension", ["jpg", "png", "tiff", "webp", "heic"])
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


def test_each_frame_of_a_tiff_is_a_page(extract: Extract, tmp_path: Path) -> None:
    drawn().save(tmp_path / "fax.tiff", save_all=True, append_images=[drawn(), drawn().rotate(180)])
    document = extract(tmp_path / "fax.tiff").document
    assert document.page_count == 3
    assert [(block.page_no, block.text) for block in document.blocks[:2]] == [(1, WORDS), (2, WORDS)]


def test_of_a_heic_the_picture_that_it_calls_primary_is_the_page(extract: Extract, tmp_path: Path) -> None:
    made = pillow_heif.from_pillow(Image.new("RGB", (700, 240), "white"))
    made.add_from_pillow(drawn())
    made.save(tmp_path / "two.heic", primary_index=1)
    document = extract(tmp_path / "two.heic").document
    assert [block.text for block in document.blocks] == [WORDS]


def sized(extension: str, side: int) -> bytes:
    """Return a small image whose header claims so many pixels each way."""
    buffer = io.BytesIO()
    small = Image.new("L", (16, 16), 255)
    small.save(
        buffer, {"jpg": "JPEG", "tiff": "TIFF", "gif": "GIF", "bmp": "BMP", "png": "PNG", "heic": "HEIF"}[extension]
    )
    data = buffer.getvalue()
    match extension:
        case "jpg":
            place = data.index(b"\xff\xc0") + 5
            return data[:place] + side.to_bytes(2, "big") * 2 + data[place + 4 :]
        case "gif":
            return data[:6] + side.to_bytes(2, "little") * 2 + data[10:]
        case "bmp":
            return data[:18] + side.to_bytes(4, "little") * 2 + data[26:]
        case "png":
            head = b"IHDR" + side.to_bytes(4, "big") * 2 + data[24:29]
            return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]
        case "heic":
            place = data.index(b"ispe") + 8
            return data[:place] + side.to_bytes(4, "big") * 2 + data[place + 8 :]
        case _:
            for tag in (0x100, 0x101, 0x116):
                (mark,) = (found for kind in (3, 4) if (found := struct.pack("<HHI", tag, kind, 1)) in data)
                place = data.index(mark)
                data = data[:place] + struct.pack("<HHII", tag, 4, 1, side) + data[place + 12 :]
            return data


@pytest.mark.parametrize("extension", ["png", "jpg", "tiff", "heic", "gif", "bmp"])
def test_an_image_of_sixty_thousand_squared_is_not_decoded(extract: Extract, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"huge.{extension}"
    path.write_bytes(sized(extension, 60_000))
    with pytest.raises(ExtractionFailed, match=r"pixels|Image size"):
        extract(path)
