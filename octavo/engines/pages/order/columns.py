"""Reading order of a page: its columns, found by the gutters between them. Geometry only.

A gutter is a vertical strip that few lines cross, with prose on both sides. The lines that cross it
(titles, wide tables) cut the page into bands; in a band the left side is read before the right. Both
sides are searched again for gutters of their own. Without a gutter, rows are read top to bottom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from octavo.documents import Box
from octavo.engines.pages.thresholds.order import ColumnThresholds


@dataclass(frozen=True, slots=True)
class Placed:
    """Something to be put in order: its box, and how many characters it has (0 for tables, figures)."""

    box: Box
    characters: int

    @property
    def middle(self) -> float:
        return (self.box.y0 + self.box.y1) / 2


@dataclass(frozen=True, slots=True)
class _Split:
    crossing: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def columns(placed: Sequence[Placed], thresholds: ColumnThresholds) -> list[list[int]]:
    """Return the indices of `placed` as columns in reading order, each from top to bottom."""
    members = tuple(range(len(placed)))
    if not _may_have_columns(placed, thresholds):
        return [_downwards(placed, members)] if members else []
    return _columns(placed, members, thresholds.max_depth, thresholds)


def _may_have_columns(placed: Sequence[Placed], thresholds: ColumnThresholds) -> bool:
    """Tell whether lines enough begin so far from the left that they could be another column: most pages have none."""
    left = min((item.box.x0 for item in placed), default=0.0)
    right = max((item.box.x1 for item in placed), default=0.0)
    inner = left + thresholds.min_shift * (right - left)
    return sum(item.box.x0 > inner for item in placed) >= thresholds.min_lines


def _downwards(placed: Sequence[Placed], members: tuple[int, ...]) -> list[int]:
    return sorted(members, key=lambda i: (placed[i].middle, placed[i].box.x0))


def _columns(
    placed: Sequence[Placed], members: tuple[int, ...], depth: int, thresholds: ColumnThresholds
) -> list[list[int]]:
    if not members:
        return []
    split = _best_split(placed, members, thresholds) if depth else None
    if split is None:
        return _stacked(placed, members, depth, thresholds)
    ordered: list[list[int]] = []
    top = float("-inf")
    for separator in (*sorted(split.crossing, key=lambda i: placed[i].middle), None):
        bottom = float("inf") if separator is None else placed[separator].middle
        for side in (split.left, split.right):
            band = tuple(i for i in side if top <= placed[i].middle < bottom)
            ordered += _columns(placed, band, depth - 1, thresholds)
        if separator is not None:
            if ordered and ordered[-1] and ordered[-1][-1] in split.crossing:
                ordered[-1].append(separator)
            else:
                ordered.append([separator])
        top = bottom
    return ordered


def _stacked(
    placed: Sequence[Placed], members: tuple[int, ...], depth: int, thresholds: ColumnThresholds
) -> list[list[int]]:
    """Look for columns above and below the widest gap; where there are none, it is one column after all."""
    whole = [_downwards(placed, members)]
    cut = _widest_gap(placed, members, thresholds) if depth else None
    if cut is None:
        return whole
    above = _columns(placed, tuple(i for i in members if placed[i].box.y1 <= cut), depth - 1, thresholds)
    below = _columns(placed, tuple(i for i in members if placed[i].box.y1 > cut), depth - 1, thresholds)
    return whole if len(above) == len(below) == 1 else above + below


def _widest_gap(placed: Sequence[Placed], members: tuple[int, ...], thresholds: ColumnThresholds) -> float | None:
    """Return the height of the widest empty strip across all members, None if there is none worth it."""
    if len(members) < 2 * thresholds.min_lines:
        return None
    boxes = sorted((placed[i].box for i in members), key=lambda box: box.y0)
    least = thresholds.min_gap * median(box.height for box in boxes)
    widest, cut, bottom = least, None, boxes[0].y1
    for box in boxes[1:]:
        if box.y0 - bottom > widest:
            widest, cut = box.y0 - bottom, (box.y0 + bottom) / 2
        bottom = max(bottom, box.y1)
    return cut


def _best_split(placed: Sequence[Placed], members: tuple[int, ...], thresholds: ColumnThresholds) -> _Split | None:
    texts = [i for i in members if placed[i].characters]
    if len(texts) < 2 * thresholds.min_lines:
        return None
    least = thresholds.min_gutter * median(placed[i].box.height for i in texts)
    allowed = thresholds.max_crossing_share * len(texts)
    found: list[tuple[int, float, _Split]] = []
    # Neighbours widen into the same strip.
    for x0, x1, crossings in dict.fromkeys(_strips(placed, texts)):
        if x1 - x0 >= least and crossings <= allowed:
            split = _split(placed, members, x0, x1)
            if (
                _is_prose(placed, split.left, thresholds)
                and _is_prose(placed, split.right, thresholds)
                and _abreast(placed, split, thresholds)
            ):
                found.append((crossings, x0 - x1, split))
    return min(found, key=lambda candidate: candidate[:2])[2] if found else None


def _strips(placed: Sequence[Placed], texts: list[int]) -> list[tuple[float, float, int]]:
    """Return the strips between line edges, each widened, with the number of lines that cross it."""
    edges = sorted({x for i in texts for x in (placed[i].box.x0, placed[i].box.x1)})
    starts = sorted(placed[i].box.x0 for i in texts)
    ends = sorted(placed[i].box.x1 for i in texts)
    strips: list[tuple[float, float, int]] = []
    started = ended = 0
    for x0, x1 in pairwise(edges):
        while started < len(starts) and starts[started] <= x0:
            started += 1
        while ended < len(ends) and ends[ended] <= x0:
            ended += 1
        strips.append((x0, x1, started - ended))
    return [_widened(strips, index) for index in range(1, len(strips) - 1)]


def _widened(strips: list[tuple[float, float, int]], index: int) -> tuple[float, float, int]:
    """Return a strip with its neighbours on both sides as long as no more lines cross them."""
    x0, x1, crossings = strips[index]
    below = index - 1
    while below >= 0 and strips[below][2] <= crossings:
        x0 = strips[below][0]
        below -= 1
    above = index + 1
    while above < len(strips) and strips[above][2] <= crossings:
        x1 = strips[above][1]
        above += 1
    return x0, x1, crossings


def _split(placed: Sequence[Placed], members: tuple[int, ...], x0: float, x1: float) -> _Split:
    """Sort members by a gutter; one that merely sticks out into it belongs to the side it comes from."""
    crossing = tuple(i for i in members if placed[i].box.x0 < x0 and placed[i].box.x1 > x1)
    crossed = set(crossing)
    aside = [i for i in members if i not in crossed]
    middle = (x0 + x1) / 2
    return _Split(
        crossing=crossing,
        left=tuple(i for i in aside if placed[i].box.x0 + placed[i].box.x1 <= 2 * middle),
        right=tuple(i for i in aside if placed[i].box.x0 + placed[i].box.x1 > 2 * middle),
    )


def _is_prose(placed: Sequence[Placed], side: tuple[int, ...], thresholds: ColumnThresholds) -> bool:
    """Tell columns of text from columns of a table: lines are long, and many about as long as the longest."""
    texts = [placed[i] for i in side if placed[i].characters]
    if len(texts) < thresholds.min_lines or median(text.characters for text in texts) < thresholds.min_characters:
        return False
    measure = max(text.box.width for text in texts)
    full = sum(text.box.width >= thresholds.full_line * measure for text in texts)
    return full >= thresholds.min_full_share * len(texts)


def _abreast(placed: Sequence[Placed], split: _Split, thresholds: ColumnThresholds) -> bool:
    """Columns stand beside each other: they share a good part of the shorter one's height."""
    tops = [min(placed[i].box.y0 for i in side) for side in (split.left, split.right)]
    bottoms = [max(placed[i].box.y1 for i in side) for side in (split.left, split.right)]
    heights = [bottom - top for top, bottom in zip(tops, bottoms, strict=True)]
    return min(bottoms) - max(tops) >= thresholds.min_abreast_share * min(heights)
