"""What is drawn on a page that tells of tables: lines across, lines down, shaded bands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage
from octavo.engines.pages.thresholds.tables import RuleThresholds


@dataclass(frozen=True, slots=True)
class Rules:
    """Boxes of thin lines `across` and `down`, and of filled `bands` about as high as a row of a table."""

    across: tuple[Box, ...] = ()
    down: tuple[Box, ...] = ()
    bands: tuple[Box, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.across or self.down or self.bands)

    def within(self, region: Box, thresholds: RuleThresholds) -> "Rules":
        """Return the rules that touch a region or run along its edge."""

        def near(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
            return tuple(box for box in boxes if _touches(box, region, thresholds))

        return Rules(near(self.across), near(self.down), near(self.bands))


def _touches(box: Box, region: Box, thresholds: RuleThresholds) -> bool:
    beside = box.x1 > region.x0 and box.x0 < region.x1
    return beside and box.y1 >= region.y0 - thresholds.max_thickness and box.y0 <= region.y1 + thresholds.max_thickness


def drawn_rules(page: PdfPage, thresholds: RuleThresholds) -> Rules:
    """Return the rules of a page, top to bottom; lines of tables are drawn as lines or as thin rectangles."""
    across: list[Box] = []
    down: list[Box] = []
    bands: list[Box] = []
    for drawing in page.get_cdrawings():
        filled = drawing.get("fill") is not None and not _is_white(drawing["fill"], thresholds)
        for box in _boxes(drawing["items"]):
            if box.height <= thresholds.max_thickness and box.width >= thresholds.min_length:
                across.append(box)
            elif box.width <= thresholds.max_thickness and box.height >= thresholds.min_band:
                down.append(box)
            elif (
                filled
                and thresholds.min_band <= box.height <= thresholds.max_band
                and box.width >= thresholds.min_length
            ):
                bands.append(box)
    return Rules(_sorted(across), _sorted(down), _sorted(bands))


def _sorted(boxes: Iterable[Box]) -> tuple[Box, ...]:
    return tuple(sorted(boxes, key=lambda box: (box.y0, box.x0)))


def _is_white(color: Iterable[float], thresholds: RuleThresholds) -> bool:
    return all(part > thresholds.white for part in color)


def _boxes(items: Iterable[tuple[Any, ...]]) -> Iterator[Box]:
    for item in items:
        if item[0] == "l":
            (x0, y0), (x1, y1) = item[1], item[2]
            yield _box(x0, y0, x1, y1)
        elif item[0] == "re":
            yield _box(*item[1])
        elif item[0] == "qu":
            xs, ys = zip(*item[1], strict=True)
            yield _box(min(xs), min(ys), max(xs), max(ys))


def _box(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
