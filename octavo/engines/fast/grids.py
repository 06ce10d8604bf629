"""The grid of a table without a line around every cell, read off how its words are aligned.

Columns first: pieces of text that stand over one another are one column, unless two pieces of one line
say otherwise. Then rows: lines and bands that are drawn across divide them; between those, the lines of
one cell stand closer together than two rows do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from octavo.documents import Box, Cell
from octavo.engines.fast.draft import TableDraft
from octavo.engines.fast.lines import cover, side_by_side
from octavo.engines.fast.paragraphs import joined
from octavo.engines.fast.rules import Rules
from octavo.engines.fast.segments import Segment, segment_of, split_at_wide_spaces

_OVERLAP = 0.1
_RIGHT_ALIGNED, _NEAR_HEIGHTS = 2.5, 1.5
_CENTRED, _CROWDED, _MOST_GROUP_ROWS, _TIE = 0.12, 4, 3, 0.03
_ACROSS_SHARE = 0.5
_CLEAR_STEP, _NEAR_LEADING = 0.3, 0.12
_BROKEN_SHARE, _FULL_ROW, _HEAD_LEADING = 0.25, 0.7, 0.25
_MOST_LEADING = 0.6
_SHARED_HEIGHT = 0.25
_MAX_SEGMENTS = 3_000


@dataclass
class _Column:
    """Segments over one another, and what they cover from left to right."""

    x0: float
    x1: float
    members: list[int] = field(default_factory=list)


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


def aligned_grid(segments: Sequence[Segment], rules: Rules) -> Grid | None:
    """Return the grid in which the segments of a table stand; None if they stand in none."""
    if not 2 <= len(segments) <= _MAX_SEGMENTS:
        return None
    return _grid(segments, rules)


def _grid(segments: Sequence[Segment], rules: Rules) -> Grid | None:
    bands = _bands(segments)
    cuts = _cuts(segments, rules)
    columns, wide = _columns(segments, bands)
    split = [part for i, segment in enumerate(segments) for part in _parts(segment, i in wide, columns)]
    if len(split) > len(segments):
        return _grid(split, rules)
    columns = _with_headers_merged(columns, segments, bands, cuts)
    if not columns:
        return None
    columns, between = _without_group_headers(columns, bands)
    wide = [index for index in (*wide, *between) if not _fits_one(index, segments[index].box, columns)]
    blocks = _blocks(segments, bands, columns, cuts) + [(index,) for index in wide]
    rows, row_places = _rows(segments, blocks, cuts)
    col_places = _col_places(segments, columns, wide)
    group_rows = _group_rows(row_places, col_places, len(rows), len(columns))
    col_places |= _group_headers(segments, columns, row_places, col_places, group_rows)
    row_places |= _tall_headers(row_places, col_places, group_rows)
    places = tuple(
        Place(row_places[i][0], col_places[i][0], row_places[i][1], col_places[i][1]) for i in range(len(segments))
    )
    edges = tuple((column.x0, column.x1) for column in columns)
    return Grid(edges, rows, tuple(segments), places, group_rows + 1)


def _parts(segment: Segment, is_wide: bool, columns: Sequence[_Column]) -> list[Segment]:
    """Split a segment over several columns that is really several cells close together."""
    if not is_wide:
        return [segment]
    parts = split_at_wide_spaces(segment)
    under = [[n for n, column in enumerate(columns) if _overlap(column, part.box) > 0] for part in parts]
    taken = [number for numbers in under for number in numbers]
    if len(parts) > 1 and len(set(taken)) == len(taken):
        return parts
    homes = [_home(box, columns) for box, _ in segment.words]
    reached = sorted(set(homes))
    if len(reached) < _CROWDED or homes != sorted(homes) or len(reached) != reached[-1] - reached[0] + 1:
        return [segment]
    return [
        segment_of([word for word, place in zip(segment.words, homes, strict=True) if place == home])
        for home in reached
    ]


def _home(box: Box, columns: Sequence[_Column]) -> int:
    middle = (box.x0 + box.x1) / 2
    return min(range(len(columns)), key=lambda n: max(columns[n].x0 - middle, middle - columns[n].x1))


def drafted(grid: Grid, box: Box, page_no: int) -> TableDraft:
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
            text=_text(contents.get(place, [])),
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


def _text(segments: Sequence[Segment]) -> str:
    return joined([side_by_side([segment.text for segment in line]) for line in text_rows(segments)])


def text_rows(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Return segments as lines of text, top to bottom, each from left to right."""
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.middle):
        if lines and _shared_height(lines[-1][0].box, segment.box) > 0.5:
            lines[-1].append(segment)
        else:
            lines.append([segment])
    return [sorted(line, key=lambda segment: segment.box.x0) for line in lines]


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
    heights: list[float] = [rule.y0 for rule in joined_rules(rules.across) if _runs_across(rule, box)]
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


def joined_rules(rules: Sequence[Box]) -> list[Box]:
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


def _without_group_headers(columns: list[_Column], bands: Sequence[int]) -> tuple[list[_Column], list[int]]:
    """Take out what stands between two columns, above the first line that is full: a header over both."""
    filled = Counter(band for column in columns for band in {bands[i] for i in column.members})
    full = [band for band, count in filled.items() if count >= _FULL_ROW * len(columns)]
    first = min(full, default=0)
    above = [column for column in columns[1:-1] if all(bands[i] < first for i in column.members)]
    kept = [column for column in columns if column not in above]
    return kept, [index for column in above for index in column.members]


def _fits_one(index: int, box: Box, columns: Sequence[_Column]) -> bool:
    """Put a segment into its column if it reaches over no other one, now that columns were joined."""
    touched = [column for column in columns if _overlap(column, box) > 0]
    if len(touched) == 1:
        touched[0].members.append(index)
    return len(touched) == 1


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
    head_end = cuts[0] if cuts else None
    first_band = [i for i in range(len(segments)) if bands[i] == 0]
    heads = {i for i in range(len(segments)) if segments[i].box.y1 <= head_end + 1} if head_end else set(first_band)
    if not heads or len(heads) == len(segments):
        heads = set(first_band)
    merged = [columns[0]]
    for column in columns[1:]:
        left = merged[-1]
        if _is_one_column(left, column, segments, heads, bands):
            left.x1 = column.x1
            left.members += column.members
        else:
            merged.append(column)
    return merged


def _is_one_column(
    left: _Column, right: _Column, segments: Sequence[Segment], heads: set[int], bands: Sequence[int]
) -> bool:
    has_head = [any(i in heads for i in column.members) for column in (left, right)]
    has_body = [any(i not in heads for i in column.members) for column in (left, right)]
    near = right.x0 - left.x1 <= _NEAR_HEIGHTS * median(segments[i].box.height for i in right.members)
    if has_head == [True, True]:
        # A header of two words, set far apart.
        ends = [segments[i].box.x1 for i in left.members if bands[i] == bands[right.members[0]]]
        close = bool(ends) and right.x0 - max(ends) <= _NEAR_HEIGHTS * segments[right.members[0]].box.height
        return has_body == [True, False] and len(right.members) == 1 and close
    if {bands[i] for i in left.members} & {bands[i] for i in right.members}:
        return False
    if has_head == [False, False]:
        return near
    return has_head[0] and _is_right_aligned(right, segments)


def _is_right_aligned(column: _Column, segments: Sequence[Segment]) -> bool:
    ends = [segments[i].box.x1 for i in column.members]
    return max(ends) - min(ends) <= _RIGHT_ALIGNED


def _blocks(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[_Column], cuts: Sequence[float]
) -> list[tuple[int, ...]]:
    """Return the segments of each cell: those of a column that follow each other closely."""
    leading = _leading(segments, bands, columns, cuts)
    full = _full_bands(bands, columns)
    blocks: list[tuple[int, ...]] = []
    for column in columns:
        run: list[int] = []
        for index in sorted(column.members, key=lambda i: segments[i].middle):
            in_head = bool(cuts) and segments[index].middle < cuts[0] and bands[index] not in full
            allowed = max(leading, _HEAD_LEADING) if in_head else leading
            if run and _is_apart(segments[run[-1]].box, segments[index].box, cuts, allowed):
                blocks.append(tuple(run))
                run = []
            run.append(index)
        if run:
            blocks.append(tuple(run))
    return blocks


def _is_apart(above: Box, below: Box, cuts: Sequence[float], leading: float) -> bool:
    if _shared_height(above, below) > 0.5:
        return False
    return _is_cut(above, below, cuts) or _gap(above, below) > leading


def _rows(
    segments: Sequence[Segment], blocks: Sequence[tuple[int, ...]], cuts: Sequence[float]
) -> tuple[tuple[tuple[float, float], ...], dict[int, tuple[int, int]]]:
    """Return top and bottom of each row, and for each segment its row and how many rows its cell covers."""
    boxes = [cover(segments[i].box for i in block) for block in blocks]
    rows: list[tuple[Box, list[int]]] = []
    tall: list[int] = []
    for number in sorted(range(len(blocks)), key=lambda n: boxes[n].height):
        touched = [row for row in rows if _same_row(row[0], boxes[number], cuts)]
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
        over = [position for position, row in enumerate(rows) if _same_row(row[0], boxes[number], cuts)]
        places |= dict.fromkeys(blocks[number], (over[0], over[-1] - over[0] + 1))
    return tuple((box.y0, box.y1) for box, _ in rows), places


def _same_row(row: Box, block: Box, cuts: Sequence[float]) -> bool:
    shared = min(row.y1, block.y1) - max(row.y0, block.y0)
    if shared <= _SHARED_HEIGHT * min(row.height, block.height):
        return False
    above, below = sorted((row, block), key=lambda box: box.y0 + box.y1)
    return not any(above.y1 - 0.3 * above.height < cut < below.y0 + 0.3 * below.height for cut in cuts)


def _gap(above: Box, below: Box) -> float:
    """Return the space between two lines in units of their height."""
    return (below.y0 - above.y1) / max(1e-6, min(above.height, below.height))


def _is_cut(above: Box, below: Box, cuts: Sequence[float]) -> bool:
    return any((above.y0 + above.y1) / 2 < cut < (below.y0 + below.y1) / 2 for cut in cuts)


def _leading(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[_Column], cuts: Sequence[float]
) -> float:
    """Return the largest gap that lines of one cell have, in units of their height; -1 if every line is a row."""
    steps = list(_steps(segments, bands, columns, cuts))
    if not steps:
        return -1.0
    full = _full_bands(bands, columns)
    if _divides_every_row(cuts, segments, bands, full):
        return float("inf")
    small = min(step.gap for step in steps)
    near = [step for step in steps if step.gap <= small + _NEAR_LEADING]
    broken = sum(goes_on(segments[step.above].text, segments[step.below].text) for step in near)
    if broken > _BROKEN_SHARE * len(near):
        return small + _NEAR_LEADING
    rowlike = sum({bands[step.above], bands[step.below]} <= full for step in near)
    if 2 * rowlike > len(near) or small > _MOST_LEADING:
        return -1.0
    far = [step.gap for step in steps if step.gap > small + _NEAR_LEADING]
    if not far:
        return -1.0 if rowlike else small + _NEAR_LEADING
    return small + _NEAR_LEADING if median(far) - small >= _CLEAR_STEP else -1.0


@dataclass(frozen=True, slots=True)
class _Step:
    above: int
    below: int
    gap: float


def _steps(
    segments: Sequence[Segment], bands: Sequence[int], columns: Sequence[_Column], cuts: Sequence[float]
) -> Iterator[_Step]:
    """Yield the steps from each segment to the next one below it, where nothing is drawn between them."""
    for column in columns:
        members = sorted(column.members, key=lambda i: segments[i].middle)
        for above, below in pairwise(members):
            if bands[above] != bands[below] and not _is_cut(segments[above].box, segments[below].box, cuts):
                yield _Step(above, below, _gap(segments[above].box, segments[below].box))


def _full_bands(bands: Sequence[int], columns: Sequence[_Column]) -> set[int]:
    """Return the lines that look like a whole row: the first column and most others have something there."""
    filled = Counter(band for column in columns for band in {bands[i] for i in column.members})
    key = {bands[i] for i in columns[0].members}
    return {band for band, count in filled.items() if band in key and count >= max(2, _FULL_ROW * len(columns))}


def goes_on(above: str, below: str) -> bool:
    """Tell whether a line looks like the middle of a sentence that the line above began."""
    return below[:1].islower() or above.endswith((",", "-", "/"))


def _divides_every_row(
    cuts: Sequence[float], segments: Sequence[Segment], bands: Sequence[int], full: set[int]
) -> bool:
    """Tell whether lines or bands divide all rows: then they are more than a header's and the ends'."""
    if len(cuts) < 3:
        return False
    middles: dict[int, float] = {band: segment.middle for segment, band in zip(segments, bands, strict=True)}
    between = Counter(sum(cut < middles[band] for cut in cuts) for band in full)
    crowded = sum(count > 1 for count in between.values())
    return crowded <= 0.25 * len(between) and max(between.values(), default=0) < 3


def _col_places(
    segments: Sequence[Segment], columns: Sequence[_Column], wide: Iterable[int]
) -> dict[int, tuple[int, int]]:
    """Return for each segment its first column and how many it covers."""
    places = {index: (number, 1) for number, column in enumerate(columns) for index in column.members}
    for index in wide:
        box = segments[index].box
        under = [number for number, column in enumerate(columns) if _covers(column, box)]
        first = under[0] if under else _home(box, columns)
        places[index] = (first, max(1, len(under)))
    return places


def _group_rows(
    row_places: dict[int, tuple[int, int]], col_places: dict[int, tuple[int, int]], n_rows: int, n_cols: int
) -> int:
    """Return how many rows stand above the first row that is filled: headers over groups of columns."""
    filled: dict[int, set[int]] = {row: set() for row in range(n_rows)}
    for index, (row, _) in row_places.items():
        first, span = col_places[index]
        filled[row] |= set(range(first, first + span))
    for row in range(min(_MOST_GROUP_ROWS + 1, n_rows - 1)):
        if len(filled[row]) >= _FULL_ROW * n_cols:
            return row
    return 0


def _group_headers(
    segments: Sequence[Segment],
    columns: Sequence[_Column],
    row_places: dict[int, tuple[int, int]],
    col_places: dict[int, tuple[int, int]],
    group_rows: int,
) -> dict[int, tuple[int, int]]:
    """Widen the headers that stand centred over several columns, where nothing else stands in their row."""
    wider: dict[int, tuple[int, int]] = {}
    for row in range(group_rows):
        here = {i: col_places[i] for i, (first, span) in row_places.items() if first <= row < first + span}
        filled = {col for first, span in here.values() for col in range(first, first + span)}
        for index, (first, span) in here.items():
            if row_places[index] == (row, 1) and sum(place[0] == first for place in here.values()) == 1:
                free = filled - set(range(first, first + span))
                wider[index] = _centred_span(segments[index].box, first, first + span, columns, free)
    return wider


def _tall_headers(
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


def _centred_span(box: Box, first: int, end: int, columns: Sequence[_Column], taken: set[int]) -> tuple[int, int]:
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
    centred = [span for span in spans if off(span) <= _CENTRED]
    if not taken and centred:
        # Alone in its row, it stands over as many columns as it can.
        closest = min(map(off, centred))
        best = max((span for span in centred if off(span) <= closest + _TIE), key=lambda span: span[1] - span[0])
    elif off((first, end)) <= _CENTRED or not centred:
        best = (first, end)
    else:
        best = min(centred, key=lambda span: (round(off(span), 2), span[0] - span[1]))
    return best[0], best[1] - best[0]


def _covers(column: _Column, box: Box) -> bool:
    middle = (column.x0 + column.x1) / 2
    return box.x0 <= middle <= box.x1 or _overlap(column, box) > 0.5 * (column.x1 - column.x0)
