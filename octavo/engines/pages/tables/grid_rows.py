"""Rows of a table: what is drawn across divides them; else the lines of one cell stand closer than two rows do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from octavo.documents import Box
from octavo.engines.pages.tables.grid_columns import Column
from octavo.engines.pages.tables.grid_lines import shared_height
from octavo.engines.pages.tables.segments import Segment
from octavo.engines.pages.text.lines import cover
from octavo.engines.pages.thresholds.tables import GridRowThresholds, TableThresholds


def blocks_of(
    segments: Sequence[Segment],
    bands: Sequence[int],
    columns: Sequence[Column],
    cuts: Sequence[float],
    thresholds: TableThresholds,
) -> list[tuple[int, ...]]:
    """Return the segments of each cell: those of a column that follow each other closely."""
    leading = _leading(segments, bands, columns, cuts, thresholds)
    full = full_bands(bands, columns, thresholds)
    blocks: list[tuple[int, ...]] = []
    for column in columns:
        run: list[int] = []
        for index in sorted(column.members, key=lambda i: segments[i].middle):
            in_head = bool(cuts) and segments[index].middle < cuts[0] and bands[index] not in full
            allowed = max(leading, thresholds.rows.head_leading) if in_head else leading
            if run and _is_apart(segments[run[-1]].box, segments[index].box, cuts, allowed, thresholds.rows):
                blocks.append(tuple(run))
                run = []
            run.append(index)
        if run:
            blocks.append(tuple(run))
    return blocks


def _is_apart(above: Box, below: Box, cuts: Sequence[float], leading: float, thresholds: GridRowThresholds) -> bool:
    if shared_height(above, below) > thresholds.same_line:
        return False
    return _is_cut(above, below, cuts) or _gap(above, below) > leading


def rows_of(
    segments: Sequence[Segment], blocks: Sequence[tuple[int, ...]], cuts: Sequence[float], thresholds: GridRowThresholds
) -> tuple[tuple[tuple[float, float], ...], dict[int, tuple[int, int]]]:
    """Return top and bottom of each row, and for each segment its row and how many rows its cell covers."""
    boxes = [cover(segments[i].box for i in block) for block in blocks]
    rows: list[tuple[Box, list[int]]] = []
    tall: list[int] = []
    for number in sorted(range(len(blocks)), key=lambda n: boxes[n].height):
        touched = [row for row in rows if _same_row(row[0], boxes[number], cuts, thresholds)]
        if sum(len(members) > 1 for _, members in touched) > 1:
            tall.append(number)
            continue
        for row in touched:
            rows.remove(row)
        whole = cover([boxes[number], *(box for box, _ in touched)])
        rows.append((whole, [number, *(member for _, members in touched for member in members)]))
    rows.sort(key=lambda row: (row[0].y0 + row[0].y1) / 2)
    places: dict[int, tuple[int, int]] = {}
    for position, (_, members) in enumerate(rows):
        places |= {index: (position, 1) for member in members for index in blocks[member]}
    for number in tall:
        over = [position for position, row in enumerate(rows) if _same_row(row[0], boxes[number], cuts, thresholds)]
        places |= dict.fromkeys(blocks[number], (over[0], over[-1] - over[0] + 1))
    return tuple((box.y0, box.y1) for box, _ in rows), places


def _same_row(row: Box, block: Box, cuts: Sequence[float], thresholds: GridRowThresholds) -> bool:
    shared = min(row.y1, block.y1) - max(row.y0, block.y0)
    if shared <= thresholds.same_row * min(row.height, block.height):
        return False
    above, below = sorted((row, block), key=lambda box: box.y0 + box.y1)
    return not any(
        above.y1 - thresholds.cut_margin * above.height < cut < below.y0 + thresholds.cut_margin * below.height
        for cut in cuts
    )


def _gap(above: Box, below: Box) -> float:
    """Return the space between two lines in units of their height."""
    return (below.y0 - above.y1) / max(1e-6, min(above.height, below.height))


def _is_cut(above: Box, below: Box, cuts: Sequence[float]) -> bool:
    return any((above.y0 + above.y1) / 2 < cut < (below.y0 + below.y1) / 2 for cut in cuts)


def _leading(
    segments: Sequence[Segment],
    bands: Sequence[int],
    columns: Sequence[Column],
    cuts: Sequence[float],
    thresholds: TableThresholds,
) -> float:
    """Return the largest gap that lines of one cell have, in units of their height; -1 if every line is a row."""
    steps = list(_steps(segments, bands, columns, cuts))
    if not steps:
        return -1.0
    full = full_bands(bands, columns, thresholds)
    if _divides_every_row(cuts, segments, bands, full, thresholds.rows):
        return float("inf")
    small = min(step.gap for step in steps)
    near = [step for step in steps if step.gap <= small + thresholds.rows.near_leading]
    broken = sum(goes_on(segments[step.above].text, segments[step.below].text) for step in near)
    if broken > thresholds.rows.broken_share * len(near):
        return small + thresholds.rows.near_leading
    rowlike = sum({bands[step.above], bands[step.below]} <= full for step in near)
    if 2 * rowlike > len(near) or small > thresholds.rows.max_leading:
        return -1.0
    far = [step.gap for step in steps if step.gap > small + thresholds.rows.near_leading]
    if not far:
        return -1.0 if rowlike else small + thresholds.rows.near_leading
    return small + thresholds.rows.near_leading if median(far) - small >= thresholds.rows.clear_step else -1.0


@dataclass(frozen=True, slots=True)
class _Step:
    above: int
    below: int
    gap: float


def _steps(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[Column], cuts: Sequence[float]
) -> Iterator[_Step]:
    """Yield the steps from each segment to the next one below it, where nothing is drawn between them."""
    for column in columns:
        members = sorted(column.members, key=lambda i: segments[i].middle)
        for above, below in pairwise(members):
            if bands[above] != bands[below] and not _is_cut(segments[above].box, segments[below].box, cuts):
                yield _Step(above, below, _gap(segments[above].box, segments[below].box))


def full_bands(bands: Sequence[int], columns: Sequence[Column], thresholds: TableThresholds) -> set[int]:
    """Return the lines that look like a whole row: the first column and most others have something there."""
    filled = Counter(band for column in columns for band in {bands[i] for i in column.members})
    key = {bands[i] for i in columns[0].members}
    return {
        band
        for band, count in filled.items()
        if band in key and count >= max(thresholds.rows.min_full_columns, thresholds.columns.full_row * len(columns))
    }


def goes_on(above: str, below: str) -> bool:
    """Tell whether a line looks like the middle of a sentence that the line above began."""
    return below[:1].islower() or above.endswith((",", "-", "/"))


def _divides_every_row(
    cuts: Sequence[float],
    segments: Sequence[Segment],
    bands: Sequence[int],
    full: set[int],
    thresholds: GridRowThresholds,
) -> bool:
    """Tell whether lines or bands divide all rows: then they are more than a header's and the ends'."""
    if len(cuts) < thresholds.min_cuts:
        return False
    middles: dict[int, float] = {band: segment.middle for segment, band in zip(segments, bands, strict=True)}
    between = Counter(sum(cut < middles[band] for cut in cuts) for band in full)
    crowded = sum(count > 1 for count in between.values())
    return (
        crowded <= thresholds.crowded_share * len(between) and max(between.values(), default=0) < thresholds.max_crowded
    )
