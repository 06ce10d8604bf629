"""Where on a page there may be a table whose cells are not all ruled.

Three signs: lines of one length over one another with columns of text between them; shaded bands of one
length; rows of short pieces of text that stand over one another. Prose in columns shows the first and the
third too, so that each region is looked at once more when its grid is known (`is_table`).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median

from octavo.documents import Box
from octavo.engines.pages.tables.grid import Grid
from octavo.engines.pages.tables.grid_lines import joined_rules, text_rows
from octavo.engines.pages.tables.rules import Rules
from octavo.engines.pages.tables.segments import Segment
from octavo.engines.pages.text.lines import cover

_SAME_EDGE, _DOUBLE = 6.0, 5.0
_LEAST_WIDTH = 60.0
_NARROW = 0.5
_PROSE_FILL, _PROSE_CHARACTERS = 0.8, 22
_PROSE_LINE = 0.88
_LEAST_FILL = 0.25
_MOST_WIDE = 0.4
_HEAD_LINES = 5
_ROW_GAP = 2.2
_SOME_NUMBERS, _MOSTLY = 0.3, 0.7
_NUMBER = re.compile(r"^[^\w]*[\d][\d.,\s%\u2013-]*\W*$")
_LEADERS = re.compile(r"(?:\.\s?){4,}|\u2026{2,}|_{4,}")


def ruled_regions(segments: Sequence[Segment], rules: Rules) -> list[Box]:
    """Return the regions between lines of one length, with columns of text between them."""
    regions: list[Box] = []
    for group in _of_one_length([rule for rule in joined_rules(rules.across) if rule.width >= _LEAST_WIDTH]):
        run: list[Box] = []
        head: Box | None = None
        for above, below in pairwise(_without_doubles(group)):
            kind = _between(segments, above, below)
            if kind == "table" or (run and kind == "sparse"):
                run = run or [head or above]
                run.append(below)
            else:
                regions += _region(run, segments)
                run = []
            # A header over all columns has a line of its own below it.
            head = above if kind == "sparse" and not run else None
        regions += _region(run, segments)
    return regions


def shaded_regions(segments: Sequence[Segment], rules: Rules) -> list[Box]:
    """Return the regions of shaded bands of one length, with the unshaded row that may end them."""
    regions: list[Box] = []
    for group in _of_one_length(_joined_bands(rules.bands)):
        run = [group[0]] if group else []
        for band in group[1:]:
            if band.y0 - run[-1].y1 > _ROW_GAP * max(band.height, run[-1].height):
                regions += _shaded(run, segments)
                run = []
            run.append(band)
        regions += _shaded(run, segments)
    return regions


def aligned_regions(segments: Sequence[Segment]) -> list[Box]:
    """Return the regions of rows whose pieces stand over one another, with nothing drawn around them."""
    regions: list[Box] = []
    run: list[list[Segment]] = []
    for row in text_rows(segments):
        is_row = len(row) > 1 and not any(_LEADERS.search(segment.text) for segment in row)
        near = not run or _gap(run[-1], row) <= _ROW_GAP * row[0].box.height
        if is_row and near:
            run.append(row)
            continue
        regions += _aligned(run)
        run = [row] if is_row else []
    return [*regions, *_aligned(run)]


def is_number(segment: Segment) -> bool:
    """Tell whether a piece of text is a number, with or without a unit or a sign."""
    return bool(_NUMBER.match(segment.text))


def is_table(grid: Grid, box: Box, *, drawn: bool) -> bool:
    """Tell whether the grid found in a region is a table's; `drawn` if lines or bands mark the region."""
    n_rows, n_cols = len(grid.rows), len(grid.columns)
    if n_cols < 2:
        return drawn and n_rows >= 3 and len(grid.segments) == n_rows and _is_short(grid.segments, box)
    if n_rows < 2:
        return False
    body = [place for place in grid.places if place.row >= grid.head_rows]
    if body and sum(place.col_span > 1 for place in body) > _MOST_WIDE * len(body):
        return False
    filled = {(place.row, place.col) for place in grid.places}
    if len(filled) < _LEAST_FILL * n_rows * n_cols:
        return False
    return not _is_prose(grid, box) if not drawn else True


def _is_prose(grid: Grid, box: Box) -> bool:
    texts = [segment.text for segment in grid.segments]
    widths = [
        median(s.box.width for s, place in zip(grid.segments, grid.places, strict=True) if place.col == col)
        for col in range(len(grid.columns))
        if any(place.col == col for place in grid.places)
    ]
    return fmean(map(len, texts)) > _PROSE_CHARACTERS and sum(widths) > _PROSE_FILL * box.width


def _is_short(segments: Sequence[Segment], box: Box) -> bool:
    return all(segment.box.width < 0.9 * box.width for segment in segments)


def _of_one_length(boxes: Sequence[Box]) -> list[list[Box]]:
    groups: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.y0):
        for group in groups:
            if abs(group[-1].x0 - box.x0) < _SAME_EDGE and abs(group[-1].x1 - box.x1) < _SAME_EDGE:
                group.append(box)
                break
        else:
            groups.append([box])
    return [group for group in groups if len(group) > 1]


def _without_doubles(group: Sequence[Box]) -> list[Box]:
    """Take two lines that stand close for one."""
    return [rule for rule, after in zip(group, (*group[1:], None), strict=True) if after is None or _apart(rule, after)]


def _apart(rule: Box, after: Box) -> bool:
    return after.y0 - rule.y0 > _DOUBLE


def _joined_bands(bands: Sequence[Box]) -> list[Box]:
    whole: list[Box] = []
    for band in sorted(bands, key=lambda box: (round(box.y0), box.x0)):
        last = whole[-1] if whole else None
        if last and abs(last.y0 - band.y0) < 1.5 and abs(last.y1 - band.y1) < 1.5 and band.x0 <= last.x1 + 3:
            whole[-1] = last.union(band)
        else:
            whole.append(band)
    return [band for band in whole if band.width >= _LEAST_WIDTH]


def _inside(segments: Sequence[Segment], region: Box) -> list[Segment]:
    return [
        segment
        for segment in segments
        if region.y0 <= segment.middle <= region.y1
        and region.x0 - 2 <= (segment.box.x0 + segment.box.x1) / 2 <= region.x1 + 2
    ]


def _between(segments: Sequence[Segment], above: Box, below: Box) -> str:
    region = Box(min(above.x0, below.x0), above.y0, max(above.x1, below.x1), below.y1)
    inside = _inside(segments, region)
    if not inside:
        return "empty"
    lines = text_rows(inside)
    if 2 * sum(_is_broken(line, region.width) for line in lines) >= len(lines):
        return "table"
    return "sparse" if all(segment.box.width < _NARROW * region.width for segment in inside) else "prose"


def _is_broken(line: Sequence[Segment], measure: float) -> bool:
    """Tell a row of cells from a line of prose whose spaces are wide."""
    return len(line) > 1 and not _fills(line, measure)


def _fills(line: Sequence[Segment], measure: float) -> bool:
    width = max(segment.box.x1 for segment in line) - min(segment.box.x0 for segment in line)
    filled = sum(segment.box.width for segment in line) >= _PROSE_LINE * width
    return filled and width >= _PROSE_LINE * measure


def _region(run: Sequence[Box], segments: Sequence[Segment]) -> Iterator[Box]:
    if len(run) < 2:
        return
    box = cover(run)
    first = text_rows(_inside(segments, Box(box.x0, run[0].y0, box.x1, run[1].y1)))
    # Without a line under its header it needs rows enough, and must not be prose in columns.
    has_head = len(run) > 2 and len(first) <= _HEAD_LINES
    if has_head or (len(first) >= 3 and fmean(len(s.text) for line in first for s in line) <= _PROSE_CHARACTERS):
        yield box


def _shaded(run: Sequence[Box], segments: Sequence[Segment]) -> Iterator[Box]:
    if len(run) < 2 or any(not _inside(segments, band) for band in run):
        return
    box = cover(run)
    lines = text_rows(_inside(segments, box))
    if 2 * sum(_fills(line, box.width) for line in lines) > len(lines):
        return
    height = median(band.height for band in run)
    apart = any(b.y0 - a.y1 > 0.5 * height for a, b in pairwise(run))
    after = Box(box.x0, box.y1, box.x1, box.y1 + 1.1 * height)
    if apart and (below := _inside(segments, after)):
        box = box.union(Box(box.x0, box.y1, box.x1, max(segment.box.y1 for segment in below)))
    yield box


def _gap(above: Sequence[Segment], below: Sequence[Segment]) -> float:
    return min(segment.box.y0 for segment in below) - max(segment.box.y1 for segment in above)


def _aligned(run: Sequence[Sequence[Segment]]) -> Iterator[Box]:
    if len(run) < 3:
        return
    pieces = [segment for row in run for segment in row]
    if median(len(row) for row in run) > 2:
        short = fmean(len(segment.text) for segment in pieces) <= _PROSE_CHARACTERS
        fits = short or sum(map(is_number, pieces)) >= _SOME_NUMBERS * len(pieces)
    else:
        # Two columns may be two texts side by side: a table has words on the left and numbers on the right.
        fits = sum(is_number(row[-1]) and not is_number(row[0]) for row in run) >= _MOSTLY * len(run)
    if fits:
        yield cover(segment.box for segment in pieces)
