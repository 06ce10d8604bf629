"""Headers over groups of columns, and headers beside them that are as high."""

from collections.abc import Iterable, Sequence

from octavo.documents import Box
from octavo.engines.pages.tables.grid_columns import Column, home_of, overlap
from octavo.engines.pages.tables.segments import Segment
from octavo.engines.pages.thresholds.tables import GridHeaderThresholds, TableThresholds


def col_places_of(
    segments: Sequence[Segment], columns: Sequence[Column], wide: Iterable[int], thresholds: GridHeaderThresholds
) -> dict[int, tuple[int, int]]:
    """Return for each segment its first column and how many it covers."""
    places = {index: (number, 1) for number, column in enumerate(columns) for index in column.members}
    for index in wide:
        box = segments[index].box
        under = [number for number, column in enumerate(columns) if _covers(column, box, thresholds)]
        first = under[0] if under else home_of(box, columns)
        places[index] = (first, max(1, len(under)))
    return places


def _covers(column: Column, box: Box, thresholds: GridHeaderThresholds) -> bool:
    middle = (column.x0 + column.x1) / 2
    return box.x0 <= middle <= box.x1 or overlap(column, box) > thresholds.covers * (column.x1 - column.x0)


def count_group_rows(
    row_places: dict[int, tuple[int, int]],
    col_places: dict[int, tuple[int, int]],
    n_rows: int,
    n_cols: int,
    thresholds: TableThresholds,
) -> int:
    """Return how many rows stand above the first row that is filled: headers over groups of columns."""
    filled: dict[int, set[int]] = {row: set() for row in range(n_rows)}
    for index, (row, _) in row_places.items():
        first, span = col_places[index]
        filled[row] |= set(range(first, first + span))
    for row in range(min(thresholds.headers.max_group_rows + 1, n_rows - 1)):
        if len(filled[row]) >= thresholds.columns.full_row * n_cols:
            return row
    return 0


def widened_headers(
    segments: Sequence[Segment],
    columns: Sequence[Column],
    row_places: dict[int, tuple[int, int]],
    col_places: dict[int, tuple[int, int]],
    group_rows: int,
    thresholds: GridHeaderThresholds,
) -> dict[int, tuple[int, int]]:
    """Widen the headers that stand centred over several columns, where nothing else stands in their row."""
    wider: dict[int, tuple[int, int]] = {}
    for row in range(group_rows):
        here = {i: col_places[i] for i, (first, span) in row_places.items() if first <= row < first + span}
        filled = {col for first, span in here.values() for col in range(first, first + span)}
        for index, (first, span) in here.items():
            if row_places[index] == (row, 1) and sum(place[0] == first for place in here.values()) == 1:
                free = filled - set(range(first, first + span))
                wider[index] = _centred_span(segments[index].box, first, first + span, columns, free, thresholds)
    return wider


def heightened_headers(
    row_places: dict[int, tuple[int, int]], col_places: dict[int, tuple[int, int]], group_rows: int
) -> dict[int, tuple[int, int]]:
    """Heighten the headers that have their column for themselves, beside headers in several rows."""
    heads = [i for i, (row, _) in row_places.items() if row <= group_rows]
    taller: dict[int, tuple[int, int]] = {}
    for col in {first for first, span in col_places.values() if span == 1}:
        here = [i for i in heads if col_places[i][0] <= col < sum(col_places[i])]
        if group_rows and len({row_places[i] for i in here}) == 1 and all(col_places[i] == (col, 1) for i in here):
            taller |= dict.fromkeys(here, (0, group_rows + 1))
    return taller


def _centred_span(
    box: Box, first: int, end: int, columns: Sequence[Column], taken: set[int], thresholds: GridHeaderThresholds
) -> tuple[int, int]:
    left = first
    while left > 0 and left - 1 not in taken:
        left -= 1
    right = end
    while right < len(columns) and right not in taken:
        right += 1
    middle = (box.x0 + box.x1) / 2

    def off(span: tuple[int, int]) -> float:
        x0, x1 = columns[span[0]].x0, columns[span[1] - 1].x1
        return abs((x0 + x1) / 2 - middle) / (x1 - x0)

    spans = [(a, b) for a in range(left, first + 1) for b in range(end, right + 1)]
    centred = [span for span in spans if off(span) <= thresholds.centred]
    if not taken and centred:
        # Alone in its row, it stands over as many columns as it can.
        closest = min(map(off, centred))
        best = max(
            (span for span in centred if off(span) <= closest + thresholds.tie), key=lambda span: span[1] - span[0]
        )
    elif off((first, end)) <= thresholds.centred or not centred:
        best = (first, end)
    else:
        best = min(centred, key=lambda span: (round(off(span), 2), span[0] - span[1]))
    return best[0], best[1] - best[0]
