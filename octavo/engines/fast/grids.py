"""The grid of a table without a line around every cell, read off how its words are aligned.

Columns first: pieces of text that stand over one another are one column, unless two pieces of one line
say otherwise. Then rows: lines and bands that are drawn across divide them; between those, the lines of
one cell stand closer together than two rows do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from octavo.documents import Box, Cell
from octavo.engines.fast.draft import TableDraft
from octavo.engines.fast.lines import cover
from octavo.engines.fast.paragraphs import joined
from octavo.engines.fast.rules import Rules
from octavo.engines.fast.segments import Segment

_OVERLAP = 0.1
_RIGHT_ALIGNED = 2.5
_ACROSS_SHARE = 0.5
_CLEAR_STEP, _NEAR_LEADING = 0.3, 0.12
_SHARED_HEIGHT = 0.25
_MAX_SEGMENTS = 3_000


@dataclass
class _Column:
    """Segments over one another, and what they cover from left to right."""

    x0: float
    x1: float
    members: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grid:
    """Segments in rows and columns; `spans` tells how many columns a segment covers where it is not one."""

    columns: tuple[tuple[float, float], ...]
    rows: tuple[tuple[float, float], ...]
    places: tuple[tuple[int, int, int], ...]
    """For each segment its row, its column and how many columns it covers."""


def aligned_grid(segments: Sequence[Segment], rules: Rules) -> Grid | None:
    """Return the grid in which the segments of a table stand; None if they stand in none."""
    if not 2 <= len(segments) <= _MAX_SEGMENTS:
        return None
    bands = _bands(segments)
    cuts = _cuts(segments, rules)
    columns, wide = _columns(segments, bands)
    columns = _with_headers_merged(columns, segments, bands, cuts)
    if not columns:
        return None
    rows = _rows(segments, bands, columns, cuts)
    places = _places(segments, columns, wide, rows)
    edges = tuple((column.x0, column.x1) for column in columns)
    return Grid(edges, tuple(rows), places)


def drafted(grid: Grid, segments: Sequence[Segment], box: Box, page_no: int) -> TableDraft:
    """Return the table of a grid; its first row counts as its header."""
    by_place: dict[tuple[int, int], list[tuple[Segment, int]]] = {}
    for segment, (row, col, span) in zip(segments, grid.places, strict=True):
        by_place.setdefault((row, col), []).append((segment, span))
    xs = _edges([column[0] for column in grid.columns], [column[1] for column in grid.columns], box.x0, box.x1)
    ys = _edges([row[0] for row in grid.rows], [row[1] for row in grid.rows], box.y0, box.y1)
    n_rows, n_cols = len(grid.rows), len(grid.columns)
    cells: list[Cell] = []
    for row in range(n_rows):
        col = 0
        while col < n_cols:
            found = by_place.get((row, col), [])
            span = max((span for _, span in found), default=1)
            covered = [part for c in range(col, col + span) for part, _ in by_place.get((row, c), [])]
            cells.append(
                Cell(
                    text=_text(covered),
                    row=row,
                    col=col,
                    page_no=page_no,
                    bbox=Box(xs[col], ys[row], xs[col + span], ys[row + 1]).rounded(),
                    col_span=span,
                    is_header=row == 0,
                )
            )
            col += span
    return TableDraft(box, n_rows, n_cols, tuple(cells))


def _edges(starts: Sequence[float], ends: Sequence[float], first: float, last: float) -> list[float]:
    inner = [(end + start) / 2 for end, start in zip(ends, starts[1:], strict=False)]
    edges = [first]
    for edge in (*inner, last):
        edges.append(max(edge, edges[-1]))
    return edges


def _text(segments: Sequence[Segment]) -> str:
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.middle):
        if lines and _shared_height(lines[-1][0].box, segment.box) > 0.5:
            lines[-1].append(segment)
        else:
            lines.append([segment])
    return joined([" ".join(s.text for s in sorted(line, key=lambda s: s.box.x0)) for line in lines])


def _bands(segments: Sequence[Segment]) -> list[int]:
    """Return for each segment the number of its text line, counted from the top."""
    order = sorted(range(len(segments)), key=lambda i: (segments[i].middle, segments[i].box.x0))
    bands = [0] * len(segments)
    number, first = -1, None
    for index in order:
        if first is None or _shared_height(segments[first].box, segments[index].box) <= 0.5:
            number, first = number + 1, index
        bands[index] = number
    return bands


def _shared_height(a: Box, b: Box) -> float:
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared / max(1e-6, min(a.height, b.height))


def _cuts(segments: Sequence[Segment], rules: Rules) -> list[float]:
    """Return the heights at which a line, or the edge of a band, runs across most of the table."""
    box = cover(segment.box for segment in segments)
    heights: list[float] = [rule.y0 for rule in _joined_rules(rules.across) if _runs_across(rule, box)]
    for band in rules.bands:
        if _runs_across(band, box) and band.height < 0.7 * box.height:
            heights += [band.y0, band.y1]
    cuts: list[float] = []
    for height in sorted(heights):
        inside = box.y0 + 1 < height < box.y1 - 1
        through = any(s.box.y0 + 0.3 * s.box.height < height < s.box.y1 - 0.3 * s.box.height for s in segments)
        if inside and not through and (not cuts or height - cuts[-1] > 2):
            cuts.append(height)
    return cuts


def _joined_rules(rules: Sequence[Box]) -> list[Box]:
    """Join the pieces of one line: tables draw them cell by cell."""
    whole: list[Box] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.y0), rule.x0)):
        if whole and abs(whole[-1].y0 - rule.y0) < 1.5 and rule.x0 <= whole[-1].x1 + 3:
            whole[-1] = whole[-1].union(rule)
        else:
            whole.append(rule)
    return whole


def _runs_across(rule: Box, box: Box) -> bool:
    return min(rule.x1, box.x1) - max(rule.x0, box.x0) > _ACROSS_SHARE * box.width


def _columns(segments: Sequence[Segment], bands: Sequence[int]) -> tuple[list[_Column], list[int]]:
    """Return the columns, left to right, and the segments that reach over more than one."""
    columns: list[_Column] = []
    wide: list[int] = []
    for index in sorted(range(len(segments)), key=lambda i: segments[i].box.width):
        box = segments[index].box
        touched = [column for column in columns if _overlap(column, box) > _OVERLAP * min(box.width, 20.0)]
        if any(_stand_abreast(a, b, bands) for a, b in pairwise(sorted(touched, key=lambda c: c.x0))):
            wide.append(index)
            continue
        whole = _Column(box.x0, box.x1, [index])
        for column in touched:
            whole.x0, whole.x1 = min(whole.x0, column.x0), max(whole.x1, column.x1)
            whole.members += column.members
            columns.remove(column)
        columns.append(whole)
    return sorted(columns, key=lambda column: column.x0), wide


def _overlap(column: _Column, box: Box) -> float:
    return min(column.x1, box.x1) - max(column.x0, box.x0)


def _stand_abreast(a: _Column, b: _Column, bands: Sequence[int]) -> bool:
    common = {bands[i] for i in a.members} & {bands[i] for i in b.members}
    return len(common) >= max(1, 0.25 * min(len(a.members), len(b.members)))


def _with_headers_merged(
    columns: list[_Column], segments: Sequence[Segment], bands: Sequence[int], cuts: Sequence[float]
) -> list[_Column]:
    """Join a header to the numbers that stand at the right of its column, where the two do not overlap."""
    if len(columns) < 2:
        return columns
    top = min(segment.box.y0 for segment in segments)
    head_end = cuts[0] if cuts else None
    first_band = [i for i in range(len(segments)) if bands[i] == 0]
    heads = {i for i in range(len(segments)) if segments[i].box.y1 <= head_end + 1} if head_end else set(first_band)
    if not heads or len(heads) == len(segments):
        heads = set(first_band)
    del top
    merged = [columns[0]]
    for column in columns[1:]:
        left = merged[-1]
        if _is_headless_right(column, segments, heads) and _only_heads(left, heads, bands, column):
            left.x1 = column.x1
            left.members += column.members
        else:
            merged.append(column)
    return merged


def _is_headless_right(column: _Column, segments: Sequence[Segment], heads: set[int]) -> bool:
    if any(i in heads for i in column.members):
        return False
    ends = [segments[i].box.x1 for i in column.members]
    return max(ends) - min(ends) <= _RIGHT_ALIGNED


def _only_heads(left: _Column, heads: set[int], bands: Sequence[int], right: _Column) -> bool:
    """Tell whether the left one has a header, and nothing on the lines of the right one."""
    if not any(i in heads for i in left.members):
        return False
    return not {bands[i] for i in left.members} & {bands[i] for i in right.members}


def _rows(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[_Column], cuts: Sequence[float]
) -> list[tuple[float, float]]:
    """Return top and bottom of each row."""
    leading = _leading(segments, bands, columns, cuts)
    blocks: list[Box] = []
    for column in columns:
        members = sorted(column.members, key=lambda i: segments[i].middle)
        run: list[Box] = []
        for index in members:
            box = segments[index].box
            if run and (_is_cut(run[-1], box, cuts) or _gap(run[-1], box) > leading):
                blocks.append(cover(run))
                run = []
            run.append(box)
        if run:
            blocks.append(cover(run))
    placed = {i for column in columns for i in column.members}
    blocks += [segments[i].box for i in range(len(segments)) if i not in placed]
    return _components(blocks, cuts)


def _components(blocks: Sequence[Box], cuts: Sequence[float]) -> list[tuple[float, float]]:
    rows: list[list[float]] = []
    for block in sorted(blocks, key=lambda box: (box.y0 + box.y1) / 2):
        if rows:
            top, bottom = rows[-1]
            shared = min(bottom, block.y1) - max(top, block.y0)
            least = _SHARED_HEIGHT * min(bottom - top, block.height)
            cut = any(top < c < block.y1 and bottom - 1 <= c <= block.y0 + 1 for c in cuts)
            if shared > least and not cut:
                rows[-1] = [min(top, block.y0), max(bottom, block.y1)]
                while len(rows) > 1 and rows[-1][0] < rows[-2][1] - least:
                    last = rows.pop()
                    rows[-1] = [min(rows[-1][0], last[0]), max(rows[-1][1], last[1])]
                continue
        rows.append([block.y0, block.y1])
    return [(top, bottom) for top, bottom in rows]


def _gap(above: Box, below: Box) -> float:
    """Return the space between two lines in units of their height."""
    return (below.y0 - above.y1) / max(1e-6, min(above.height, below.height))


def _is_cut(above: Box, below: Box, cuts: Sequence[float]) -> bool:
    return any((above.y0 + above.y1) / 2 < cut < (below.y0 + below.y1) / 2 for cut in cuts)


def _leading(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[_Column], cuts: Sequence[float]
) -> float:
    """Return the largest gap that lines of one cell have, in units of their height; -1 if a line is a row."""
    key = {bands[i] for i in columns[0].members}
    filled = Counter(bands[i] for column in columns for i in column.members)
    gaps: list[float] = []
    rowlike: list[float] = []
    for column in columns:
        members = sorted(column.members, key=lambda i: segments[i].middle)
        for a, b in pairwise(members):
            if bands[a] == bands[b] or _is_cut(segments[a].box, segments[b].box, cuts):
                continue
            gap = _gap(segments[a].box, segments[b].box)
            gaps.append(gap)
            full = {bands[a], bands[b]} <= key and min(filled[bands[a]], filled[bands[b]]) > 1
            if full:
                rowlike.append(gap)
    if not gaps:
        return -1.0
    if _divides_every_row(cuts, segments):
        return float("inf")
    small = min(gaps)
    near = [gap for gap in gaps if gap <= small + _NEAR_LEADING]
    rows = [gap for gap in rowlike if gap <= small + _NEAR_LEADING]
    others = [gap for gap in gaps if gap > small + _NEAR_LEADING]
    if 2 * len(rows) > len(near):
        return -1.0
    if not others:
        return -1.0 if rowlike else small + _NEAR_LEADING
    return small + _NEAR_LEADING if min(others) - small >= _NEAR_LEADING or median(others) - small >= _CLEAR_STEP else -1.0


def _divides_every_row(cuts: Sequence[float], segments: Sequence[Segment]) -> bool:
    """Tell whether lines or bands divide all rows: then they are more than a header's and the ends'."""
    if len(cuts) < 3:
        return False
    box = cover(segment.box for segment in segments)
    heights = [b - a for a, b in pairwise((box.y0, *cuts, box.y1))]
    return max(heights) < 0.5 * box.height


def _places(
    segments: Sequence[Segment], columns: Sequence[_Column], wide: Iterable[int], rows: Sequence[tuple[float, float]]
) -> tuple[tuple[int, int, int], ...]:
    places: dict[int, tuple[int, int, int]] = {}
    for number, column in enumerate(columns):
        for index in column.members:
            places[index] = (_row_of(segments[index].box, rows), number, 1)
    for index in wide:
        box = segments[index].box
        under = [number for number, column in enumerate(columns) if _covers(column, box)]
        first = under[0] if under else min(range(len(columns)), key=lambda n: abs(columns[n].x0 - box.x0))
        places[index] = (_row_of(box, rows), first, max(1, len(under)))
    return tuple(places[index] for index in range(len(segments)))


def _covers(column: _Column, box: Box) -> bool:
    middle = (column.x0 + column.x1) / 2
    return box.x0 <= middle <= box.x1 or _overlap(column, box) > 0.5 * (column.x1 - column.x0)


def _row_of(box: Box, rows: Sequence[tuple[float, float]]) -> int:
    middle = (box.y0 + box.y1) / 2
    return min(range(len(rows)), key=lambda n: max(rows[n][0] - middle, middle - rows[n][1], 0.0))
