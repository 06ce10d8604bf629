"""Lines drawn in a page image: rules of tables, across and down, as boxes in pixels."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

from octavo.engines.scans.hocr import PixelBox
from octavo.engines.scans.thresholds import RulingThresholds

_RUN = re.compile(rb"\x01{3,}")


@dataclass(frozen=True, slots=True)
class Ruling:
    """Thin straight lines of an upright image, those across and those down it."""

    across: tuple[PixelBox, ...] = ()
    down: tuple[PixelBox, ...] = ()


def ruling(image: Image.Image, dpi: float, thresholds: RulingThresholds) -> Ruling:
    """Return the lines of a gray image; none where so much is dark that it is a photograph rather than a page."""
    across = _lines(image, dpi, thresholds)
    down = _lines(image.transpose(Image.Transpose.TRANSPOSE), dpi, thresholds)
    return Ruling(tuple(across), tuple((y0, x0, y1, x1) for x0, y0, x1, y1 in down))


def _lines(image: Image.Image, dpi: float, thresholds: RulingThresholds) -> list[PixelBox]:
    """Return the lines across an image: rows of blocks, each a pixel high, that are dark one after the other."""
    dark = image.reduce((thresholds.block_pixels, 1)).point(lambda value: value < thresholds.dark)
    width, cells = dark.width, dark.tobytes()
    pieces = [
        (y, run.start(), run.end())
        for y in range(dark.height)
        for run in _RUN.finditer(cells[y * width : (y + 1) * width])
    ]
    if len(pieces) > thresholds.max_pieces:
        return []
    thick = max(thresholds.min_thickness_pixels, thresholds.max_thickness_inches * dpi)
    return [
        box
        for rows in _joined(pieces)
        if (box := _box(image, rows, thresholds))[2] - box[0] >= thresholds.min_inches * dpi
        and box[3] - box[1] <= thick
        and _is_whole(image, box, thresholds)
    ]


def _joined(pieces: Sequence[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the pieces of each line: those on the same or the next row that touch."""
    open_lines: list[list[tuple[int, int, int]]] = []
    for piece in pieces:
        y, start, end = piece
        touched = [line for line in open_lines if any(a <= end and b >= start and y - r <= 1 for r, a, b in line[-4:])]
        yield from (line for line in open_lines if y - line[-1][0] > 1)
        open_lines = [line for line in open_lines if y - line[-1][0] <= 1 and line not in touched]
        open_lines.append([*sorted(part for line in touched for part in line), piece])
    yield from open_lines


def _box(image: Image.Image, rows: Sequence[tuple[int, int, int]], thresholds: RulingThresholds) -> PixelBox:
    """Return the box of a line, its ends to the pixel."""
    block = thresholds.block_pixels
    left_y, start, _ = min(rows, key=lambda row: row[1])
    right_y, _, end = max(rows, key=lambda row: row[2])
    # A line begins or ends somewhere in the first or last of its blocks, or in the one beyond that.
    x0, x1 = (start + 1) * block, (end - 1) * block
    while x0 > max(0, (start - 1) * block) and _is_dark(image, x0 - 1, left_y, thresholds):
        x0 -= 1
    while x1 < min(image.width, (end + 1) * block) and _is_dark(image, x1, right_y, thresholds):
        x1 += 1
    return float(x0), float(min(rows)[0]), float(x1), float(max(rows)[0] + 1)


def _is_whole(image: Image.Image, box: PixelBox, thresholds: RulingThresholds) -> bool:
    """Tell a line from a row of letters, which has gaps."""
    x0, y0, x1, y1 = map(int, box)
    strip = image.crop((x0, y0, x1, y1))
    darkest = strip.crop((0, 0, strip.width, 1))
    for y in range(1, strip.height):
        darkest = ImageChops.darker(darkest, strip.crop((0, y, strip.width, y + 1)))
    dark = sum(darkest.histogram()[: thresholds.light])
    return dark >= thresholds.whole_share * strip.width


def _is_dark(image: Image.Image, x: int, y: int, thresholds: RulingThresholds) -> bool:
    value = image.getpixel((x, y))
    return isinstance(value, int) and value < thresholds.light
