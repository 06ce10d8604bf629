"""Lines in page images are found to the pixel; letters, pictures and thick bars are none."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from octavo.engines.scans.hocr import PixelBox
from octavo.engines.scans.ruling import ruling
from octavo.engines.scans.thresholds import RulingThresholds

DPI = 200.0


def sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (1000, 800), "white")
    return image, ImageDraw.Draw(image)


def near(found: PixelBox, box: PixelBox) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(found, box, strict=True))


@pytest.mark.parametrize("width", [1, 2, 4])
def test_lines_across_and_down_are_found_to_the_pixel(width: int) -> None:
    image, draw = sheet()
    draw.rectangle((101, 300, 850, 300 + width - 1), fill=40)
    draw.rectangle((500, 107, 500 + width - 1, 733), fill=40)
    found = ruling(image, DPI, RulingThresholds())
    (across,), (down,) = found.across, found.down
    assert near(across, (101, 300, 851, 300 + width))
    assert near(down, (500, 107, 500 + width, 734))


def test_a_line_that_slopes_a_little_is_one_line() -> None:
    image, draw = sheet()
    draw.line((100, 300, 900, 303), fill=0, width=3)
    (line,) = ruling(image, DPI, RulingThresholds()).across
    assert near((line[0], 0, line[2], 0), (100, 0, 901, 0))


def test_letters_are_no_lines() -> None:
    image, draw = sheet()
    for row in range(14):
        draw.text((60, 40 + 50 * row), "The heft of EIGHT LEAVES, Zwölf Bögen", fill=0, font=ImageFont.load_default(34))
    assert ruling(image, DPI, RulingThresholds()).across == ruling(image, DPI, RulingThresholds()).down == ()


def test_short_strokes_and_thick_bars_are_no_lines() -> None:
    image, draw = sheet()
    draw.rectangle((100, 100, 140, 102), fill=0)
    draw.rectangle((100, 200, 800, 230), fill=0)
    assert ruling(image, DPI, RulingThresholds()).across == ruling(image, DPI, RulingThresholds()).down == ()


def test_a_picture_that_is_dark_in_most_places_has_no_lines() -> None:
    image = Image.effect_noise((2400, 2400), 120).point(lambda value: value // 2)
    found = ruling(image, DPI, RulingThresholds())
    assert found.across == found.down == ()


def test_an_image_of_one_pixel_has_no_lines() -> None:
    assert ruling(Image.new("L", (1, 1), 0), DPI, RulingThresholds()).across == ()
