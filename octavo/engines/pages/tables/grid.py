"""The grid of a table without a line around every cell, read off how its words are aligned.

Columns first (`grid_columns`), then rows (`grid_rows`), then which headers stand over several of either
(`grid_headers`); what is drawn and which words share a line is in `grid_lines`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from octavo.documents import Box, Cell
from octavo.engines.pages.draft import TableDraft
from octavo.engines.pages.tables.grid_columns import (
    Column,
    columns_of,
    fits_one,
    home_of,
    overlap,
    with_headers_merged,
    without_group_headers,
)
from octavo.engines.pages.tables.grid_headers import (
    col_places_of,
    count_group_rows,
    heightened_headers,
    widened_headers,
)
from octavo.engines.pages.tables.grid_lines import bands_of, cuts_of, text_rows
from octavo.engines.pages.tables.grid_rows import blocks_of, rows_of
from octavo.engines.pages.tables.rules import Rules
from octavo.engines.pages.tables.segments import Segment, segment_of, split_at_wide_spaces
from octavo.engines.pages.text.lines import side_by_side
from octavo.engines.pages.text.paragraphs import joined
from octavo.engines.pages.thresholds.tables import LineThresholds, TableThresholds


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment stands: its first row and column, and how many of each its cell covers."""

    row: int
    col: int
    row_span: int = 1
    col_span: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """Segments in rows and columns, with what each covers from top to bottom and from left to right."""

    columns: tuple[tuple[float, float], ...]
    rows: tuple[tuple[float, float], ...]
    segments: tuple[Segment, ...]
    places: tuple[Place, ...]
    """One for each segment."""
    head_rows: int


def aligned_grid(segments: Sequence[Segment], rules: Rules, thresholds: TableThresholds) -> Grid | None:
    """Return the grid in which the segments of a table stand; None if they stand in none."""
    if not 2 <= len(segments) <= thresholds.grid.max_segments:
        return None
    return _grid(segments, rules, thresholds)


def _grid(segments: Sequence[Segment], rules: Rules, thresholds: TableThresholds) -> Grid | None:
    bands = bands_of(segments, thresholds.lines)
    cuts = cuts_of(segments, rules, thresholds.lines)
    columns, wide = columns_of(segments, bands, thresholds.columns)
    split = [part for i, segment in enumerate(segments) for part in _parts(segment, i in wide, columns, thresholds)]
    if len(split) > len(segments):
        return _grid(split, rules, thresholds)
    columns = with_headers_merged(columns, segments, bands, cuts, thresholds.columns)
    if not columns:
        return None
    columns, between = without_group_headers(columns, bands, thresholds.columns)
    wide = [index for index in (*wide, *between) if not fits_one(index, segments[index].box, columns)]
    blocks = blocks_of(segments, bands, columns, cuts, thresholds) + [(index,) for index in wide]
    rows, row_places = rows_of(segments, blocks, cuts, thresholds.rows)
    col_places = col_places_of(segments, columns, wide, thresholds.headers)
    group_rows = count_group_rows(row_places, col_places, len(rows), len(columns), thresholds)
    col_places |= widened_headers(segments, columns, row_places, col_places, group_rows, thresholds.headers)
    row_places |= heightened_headers(row_places, col_places, group_rows)
    places = tuple(
        Place(row_places[i][0], col_places[i][0], row_places[i][1], col_places[i][1]) for i in range(len(segments))
    )
    edges = tuple((column.x0, column.x1) for column in columns)
    return Grid(edges, rows, tuple(segments), places, group_rows + 1)


def _parts(segment: Segment, is_wide: bool, columns: Sequence[Column], thresholds: TableThresholds) -> list[Segment]:
    """Split a segment over several columns that is really several cells close together."""
    if not is_wide:
        return [segment]
    parts = split_at_wide_spaces(segment, thresholds.segments)
    under = [[n for n, column in enumerate(columns) if overlap(column, part.box) > 0] for part in parts]
    taken = [number for numbers in under for number in numbers]
    if len(parts) > 1 and len(set(taken)) == len(taken):
        return parts
    homes = [home_of(box, columns) for box, _ in segment.words]
    reached = sorted(set(homes))
    if len(reached) < thresholds.grid.crowded or homes != sorted(homes) or len(reached) != reached[-1] - reached[0] + 1:
        return [segment]
    return [
        segment_of([word for word, place in zip(segment.words, homes, strict=True) if place == home])
        for home in reached
    ]


def table_draft_of(grid: Grid, box: Box, page_no: int, thresholds: LineThresholds) -> TableDraft:
    """Return the table of a grid."""
    starts, ends = zip(*grid.columns, strict=True)
    xs = _edges(starts, ends, box.x0, box.x1)
    tops, bottoms = zip(*grid.rows, strict=True)
    ys = _edges(tops, bottoms, box.y0, box.y1)
    shape = len(grid.rows), len(grid.columns)
    owners = _owners(grid.places, shape)
    contents: dict[Place, list[Segment]] = {}
    for segment, place in zip(grid.segments, grid.places, strict=True):
        contents.setdefault(owners[place.row, place.col], []).append(segment)
    cells = tuple(
        Cell(
            text=_text(contents.get(place, []), thresholds),
            row=place.row,
            col=place.col,
            page_no=page_no,
            bbox=Box(
                xs[place.col], ys[place.row], xs[place.col + place.col_span], ys[place.row + place.row_span]
            ).rounded(),
            row_span=place.row_span,
            col_span=place.col_span,
            is_header=place.row < grid.head_rows,
        )
        for place in sorted(set(owners.values()), key=lambda place: (place.row, place.col))
    )
    return TableDraft(box, *shape, cells)


def _owners(places: Sequence[Place], shape: tuple[int, int]) -> dict[tuple[int, int], Place]:
    """Return the cell that covers each place of the grid; the larger cell comes first, an overlap shrinks it."""
    owners: dict[tuple[int, int], Place] = {}
    taken = Counter((place.row, place.col) for place in set(places))
    for place in sorted(set(places), key=lambda place: -place.row_span * place.col_span):
        covered = [
            (row, col)
            for row in range(place.row, place.row + place.row_span)
            for col in range(place.col, place.col + place.col_span)
        ]
        free = all(spot not in owners and (spot == covered[0] or not taken[spot]) for spot in covered)
        whole = place if free else Place(place.row, place.col)
        for spot in covered if free else covered[:1]:
            owners.setdefault(spot, whole)
    for spot in ((row, col) for row in range(shape[0]) for col in range(shape[1])):
        owners.setdefault(spot, Place(*spot))
    return owners


def _edges(starts: Sequence[float], ends: Sequence[float], first: float, last: float) -> list[float]:
    inner = [(end + start) / 2 for end, start in zip(ends, starts[1:], strict=False)]
    edges = [first]
    for edge in (*inner, last):
        edges.append(max(edge, edges[-1]))
    return edges


def _text(segments: Sequence[Segment], thresholds: LineThresholds) -> str:
    return joined([side_by_side([segment.text for segment in line]) for line in text_rows(segments, thresholds)])
