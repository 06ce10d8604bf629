"""Columns of a table: pieces of text over one another are one, unless two pieces of one line say otherwise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from octavo.documents import Box
from octavo.engines.pages.tables.segments import Segment
from octavo.engines.pages.thresholds.tables import GridColumnThresholds


@dataclass
class Column:
    """Segments over one another, and what they cover from left to right."""

    x0: float
    x1: float
    members: list[int] = field(default_factory=list)


def columns_of(
    segments: Sequence[Segment], bands: Sequence[int], thresholds: GridColumnThresholds
) -> tuple[list[Column], list[int]]:
    """Return the columns, left to right, and the segments that reach over more than one."""
    columns: list[Column] = []
    wide: list[int] = []
    for index in sorted(range(len(segments)), key=lambda i: segments[i].box.width):
        box = segments[index].box
        touched = [
            column
            for column in columns
            if overlap(column, box) > thresholds.overlap * min(box.width, thresholds.overlap_width)
        ]
        if any(_stand_abreast(a, b, bands, thresholds) for a, b in pairwise(sorted(touched, key=lambda c: c.x0))):
            wide.append(index)
            continue
        whole = Column(box.x0, box.x1, [index])
        for column in touched:
            whole.x0, whole.x1 = min(whole.x0, column.x0), max(whole.x1, column.x1)
            whole.members += column.members
            columns.remove(column)
        columns.append(whole)
    return sorted(columns, key=lambda column: column.x0), wide


def without_group_headers(
    columns: list[Column], bands: Sequence[int], thresholds: GridColumnThresholds
) -> tuple[list[Column], list[int]]:
    """Take out what stands between two columns, above the first line that is full: a header over both."""
    filled = Counter(band for column in columns for band in {bands[i] for i in column.members})
    full = [band for band, count in filled.items() if count >= thresholds.full_row * len(columns)]
    first = min(full, default=0)
    above = [column for column in columns[1:-1] if all(bands[i] < first for i in column.members)]
    kept = [column for column in columns if column not in above]
    return kept, [index for column in above for index in column.members]


def fits_one(index: int, box: Box, columns: Sequence[Column]) -> bool:
    """Put a segment into its column if it reaches over no other one, now that columns were joined."""
    touched = [column for column in columns if overlap(column, box) > 0]
    if len(touched) == 1:
        touched[0].members.append(index)
    return len(touched) == 1


def overlap(column: Column, box: Box) -> float:
    """Return by how much a box reaches into a column, in points; less than 0 is the gap between them."""
    return min(column.x1, box.x1) - max(column.x0, box.x0)


def _stand_abreast(a: Column, b: Column, bands: Sequence[int], thresholds: GridColumnThresholds) -> bool:
    common = {bands[i] for i in a.members} & {bands[i] for i in b.members}
    return len(common) >= max(1, thresholds.abreast * min(len(a.members), len(b.members)))


def with_headers_merged(
    columns: list[Column],
    segments: Sequence[Segment],
    bands: Sequence[int],
    cuts: Sequence[float],
    thresholds: GridColumnThresholds,
) -> list[Column]:
    """Join a header to the numbers that stand at the right of its column, where the two do not overlap."""
    if len(columns) < 2:
        return columns
    head_end = cuts[0] if cuts else None
    first_band = [i for i in range(len(segments)) if bands[i] == 0]
    heads = (
        {i for i in range(len(segments)) if segments[i].box.y1 <= head_end + thresholds.head_margin}
        if head_end
        else set(first_band)
    )
    if not heads or len(heads) == len(segments):
        heads = set(first_band)
    merged = [columns[0]]
    for column in columns[1:]:
        left = merged[-1]
        if _is_one_column(left, column, segments, heads, bands, thresholds):
            left.x1 = column.x1
            left.members += column.members
        else:
            merged.append(column)
    return merged


def _is_one_column(
    left: Column,
    right: Column,
    segments: Sequence[Segment],
    heads: set[int],
    bands: Sequence[int],
    thresholds: GridColumnThresholds,
) -> bool:
    has_head = [any(i in heads for i in column.members) for column in (left, right)]
    has_body = [any(i not in heads for i in column.members) for column in (left, right)]
    near = right.x0 - left.x1 <= thresholds.near * median(segments[i].box.height for i in right.members)
    if has_head == [True, True]:
        # A header of two words, set far apart.
        ends = [segments[i].box.x1 for i in left.members if bands[i] == bands[right.members[0]]]
        close = bool(ends) and right.x0 - max(ends) <= thresholds.near * segments[right.members[0]].box.height
        return has_body == [True, False] and len(right.members) == 1 and close
    if {bands[i] for i in left.members} & {bands[i] for i in right.members}:
        return False
    if has_head == [False, False]:
        return near
    return has_head[0] and _is_right_aligned(right, segments, thresholds)


def _is_right_aligned(column: Column, segments: Sequence[Segment], thresholds: GridColumnThresholds) -> bool:
    ends = [segments[i].box.x1 for i in column.members]
    return max(ends) - min(ends) <= thresholds.right_aligned


def home_of(box: Box, columns: Sequence[Column]) -> int:
    """Return the number of the column nearest to the middle of a box."""
    middle = (box.x0 + box.x1) / 2
    return min(range(len(columns)), key=lambda n: max(columns[n].x0 - middle, middle - columns[n].x1))
