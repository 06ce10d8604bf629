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
from octavo.engines.pages.thresholds.tables import RegionThresholds, TableThresholds

_NUMBER = re.compile(r"^[^\w]*[\d][\d.,\s%\u2013-]*\W*$")
_LEADERS = re.compile(r"(?:\.\s?){4,}|\u2026{2,}|_{4,}")


def ruled_regions(segments: Sequence[Segment], rules: Rules, thresholds: TableThresholds) -> list[Box]:
    """Return the regions between lines of one length, with columns of text between them."""
    regions: list[Box] = []
    for group in _of_one_length(
        [rule for rule in joined_rules(rules.across, thresholds.lines) if rule.width >= thresholds.regions.min_width],
        thresholds.regions,
    ):
        run: list[Box] = []
        head: Box | None = None
        for above, below in pairwise(_without_doubles(group, thresholds.regions)):
            kind = _between(segments, above, below, thresholds)
            if kind == "table" or (run and kind == "sparse"):
                run = run or [head or above]
                run.append(below)
            else:
                regions += _region(run, segments, thresholds)
                run = []
            # A header over all columns has a line of its own below it.
            head = above if kind == "sparse" and not run else None
        regions += _region(run, segments, thresholds)
    return regions


def shaded_regions(segments: Sequence[Segment], rules: Rules, thresholds: TableThresholds) -> list[Box]:
    """Return the regions of shaded bands of one length, with the unshaded row that may end them."""
    regions: list[Box] = []
    for group in _of_one_length(_joined_bands(rules.bands, thresholds.regions), thresholds.regions):
        run = [group[0]] if group else []
        for band in group[1:]:
            if band.y0 - run[-1].y1 > thresholds.regions.row_gap * max(band.height, run[-1].height):
                regions += _shaded(run, segments, thresholds)
                run = []
            run.append(band)
        regions += _shaded(run, segments, thresholds)
    return regions


def aligned_regions(segments: Sequence[Segment], thresholds: TableThresholds) -> list[Box]:
    """Return the regions of rows whose pieces stand over one another, with nothing drawn around them."""
    regions: list[Box] = []
    run: list[list[Segment]] = []
    for row in text_rows(segments, thresholds.lines):
        is_row = len(row) > 1 and not any(_LEADERS.search(segment.text) for segment in row)
        near = not run or _gap(run[-1], row) <= thresholds.regions.row_gap * row[0].box.height
        if is_row and near:
            run.append(row)
            continue
        regions += _aligned(run, thresholds.regions)
        run = [row] if is_row else []
    return [*regions, *_aligned(run, thresholds.regions)]


def is_number(segment: Segment) -> bool:
    """Tell whether a piece of text is a number, with or without a unit or a sign."""
    return bool(_NUMBER.match(segment.text))


def is_table(grid: Grid, box: Box, thresholds: RegionThresholds, *, drawn: bool) -> bool:
    """Tell whether the grid found in a region is a table's; `drawn` if lines or bands mark the region."""
    n_rows, n_cols = len(grid.rows), len(grid.columns)
    if n_cols < 2:
        return (
            drawn
            and n_rows >= thresholds.min_list_rows
            and len(grid.segments) == n_rows
            and _is_short(grid.segments, box, thresholds)
        )
    if n_rows < 2:
        return False
    body = [place for place in grid.places if place.row >= grid.head_rows]
    if body and sum(place.col_span > 1 for place in body) > thresholds.max_wide * len(body):
        return False
    filled = {(place.row, place.col) for place in grid.places}
    if len(filled) < thresholds.min_fill * n_rows * n_cols:
        return False
    return not _is_prose(grid, box, thresholds) if not drawn else True


def _is_prose(grid: Grid, box: Box, thresholds: RegionThresholds) -> bool:
    texts = [segment.text for segment in grid.segments]
    widths = [
        median(s.box.width for s, place in zip(grid.segments, grid.places, strict=True) if place.col == col)
        for col in range(len(grid.columns))
        if any(place.col == col for place in grid.places)
    ]
    return fmean(map(len, texts)) > thresholds.prose_characters and sum(widths) > thresholds.prose_fill * box.width


def _is_short(segments: Sequence[Segment], box: Box, thresholds: RegionThresholds) -> bool:
    return all(segment.box.width < thresholds.list_width * box.width for segment in segments)


def _of_one_length(boxes: Sequence[Box], thresholds: RegionThresholds) -> list[list[Box]]:
    groups: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.y0):
        for group in groups:
            if abs(group[-1].x0 - box.x0) < thresholds.same_edge and abs(group[-1].x1 - box.x1) < thresholds.same_edge:
                group.append(box)
                break
        else:
            groups.append([box])
    return [group for group in groups if len(group) > 1]


def _without_doubles(group: Sequence[Box], thresholds: RegionThresholds) -> list[Box]:
    """Take two lines that stand close for one."""
    return [
        rule
        for rule, after in zip(group, (*group[1:], None), strict=True)
        if after is None or _apart(rule, after, thresholds)
    ]


def _apart(rule: Box, after: Box, thresholds: RegionThresholds) -> bool:
    return after.y0 - rule.y0 > thresholds.double_line


def _joined_bands(bands: Sequence[Box], thresholds: RegionThresholds) -> list[Box]:
    whole: list[Box] = []
    for band in sorted(bands, key=lambda box: (round(box.y0), box.x0)):
        last = whole[-1] if whole else None
        if (
            last
            and abs(last.y0 - band.y0) < thresholds.piece_height
            and abs(last.y1 - band.y1) < thresholds.piece_height
            and band.x0 <= last.x1 + thresholds.piece_gap
        ):
            whole[-1] = last.union(band)
        else:
            whole.append(band)
    return [band for band in whole if band.width >= thresholds.min_width]


def _inside(segments: Sequence[Segment], region: Box, thresholds: RegionThresholds) -> list[Segment]:
    return [
        segment
        for segment in segments
        if region.y0 <= segment.middle <= region.y1
        and region.x0 - thresholds.margin <= (segment.box.x0 + segment.box.x1) / 2 <= region.x1 + thresholds.margin
    ]


def _between(segments: Sequence[Segment], above: Box, below: Box, thresholds: TableThresholds) -> str:
    region = Box(min(above.x0, below.x0), above.y0, max(above.x1, below.x1), below.y1)
    inside = _inside(segments, region, thresholds.regions)
    if not inside:
        return "empty"
    lines = text_rows(inside, thresholds.lines)
    if 2 * sum(_is_broken(line, region.width, thresholds.regions) for line in lines) >= len(lines):
        return "table"
    return (
        "sparse" if all(segment.box.width < thresholds.regions.narrow * region.width for segment in inside) else "prose"
    )


def _is_broken(line: Sequence[Segment], measure: float, thresholds: RegionThresholds) -> bool:
    """Tell a row of cells from a line of prose whose spaces are wide."""
    return len(line) > 1 and not _fills(line, measure, thresholds)


def _fills(line: Sequence[Segment], measure: float, thresholds: RegionThresholds) -> bool:
    width = max(segment.box.x1 for segment in line) - min(segment.box.x0 for segment in line)
    filled = sum(segment.box.width for segment in line) >= thresholds.prose_line * width
    return filled and width >= thresholds.prose_line * measure


def _region(run: Sequence[Box], segments: Sequence[Segment], thresholds: TableThresholds) -> Iterator[Box]:
    if len(run) < 2:
        return
    box = cover(run)
    first = text_rows(
        _inside(segments, Box(box.x0, run[0].y0, box.x1, run[1].y1), thresholds.regions), thresholds.lines
    )
    # Without a line under its header it needs rows enough, and must not be prose in columns.
    has_head = len(run) > 2 and len(first) <= thresholds.regions.max_head_lines
    if has_head or (
        len(first) >= 3 and fmean(len(s.text) for line in first for s in line) <= thresholds.regions.prose_characters
    ):
        yield box


def _shaded(run: Sequence[Box], segments: Sequence[Segment], thresholds: TableThresholds) -> Iterator[Box]:
    if len(run) < 2 or any(not _inside(segments, band, thresholds.regions) for band in run):
        return
    box = cover(run)
    lines = text_rows(_inside(segments, box, thresholds.regions), thresholds.lines)
    if 2 * sum(_fills(line, box.width, thresholds.regions) for line in lines) > len(lines):
        return
    height = median(band.height for band in run)
    apart = any(b.y0 - a.y1 > thresholds.regions.band_gap * height for a, b in pairwise(run))
    after = Box(box.x0, box.y1, box.x1, box.y1 + thresholds.regions.row_below * height)
    if apart and (below := _inside(segments, after, thresholds.regions)):
        box = box.union(Box(box.x0, box.y1, box.x1, max(segment.box.y1 for segment in below)))
    yield box


def _gap(above: Sequence[Segment], below: Sequence[Segment]) -> float:
    return min(segment.box.y0 for segment in below) - max(segment.box.y1 for segment in above)


def _aligned(run: Sequence[Sequence[Segment]], thresholds: RegionThresholds) -> Iterator[Box]:
    if len(run) < thresholds.min_aligned_rows:
        return
    pieces = [segment for row in run for segment in row]
    if median(len(row) for row in run) > 2:
        short = fmean(len(segment.text) for segment in pieces) <= thresholds.prose_characters
        fits = short or sum(map(is_number, pieces)) >= thresholds.some_numbers * len(pieces)
    else:
        # Two columns may be two texts side by side: a table has words on the left and numbers on the right.
        fits = sum(is_number(row[-1]) and not is_number(row[0]) for row in run) >= thresholds.mostly_numbers * len(run)
    if fits:
        yield cover(segment.box for segment in pieces)
