"""Tables of a PDF page: those with lines around every cell, and those that are aligned."""

from collections.abc import Iterable, Iterator, Sequence

from octavo.documents import Box, Cell
from octavo.engines.fast.draft import TableDraft
from octavo.engines.fast.grids import aligned_grid, drafted
from octavo.engines.fast.labels import LabelledRegion
from octavo.engines.fast.lines import TextLine, rows
from octavo.engines.fast.paragraphs import joined
from octavo.engines.fast.regions import aligned_regions, is_table, ruled_regions, shaded_regions
from octavo.engines.fast.rules import Rules, drawn_rules
from octavo.engines.fast.segments import Segment, page_segments
from octavo.engines.mupdf import PdfPage, PdfTable

_MIN_PATHS = 4
_TOLERANCE = 2.0
_MAX_CELLS, _MAX_PATHS = 5_000, 4_000


def ruled_tables(page: PdfPage, page_no: int, lines: Sequence[TextLine], paths: int) -> list[TableDraft]:
    """Return the ruled tables of a page, top to bottom; `paths` is how many operators draw on it."""
    if paths < _MIN_PATHS:
        return []
    # Without `use_layout=False` this would run the layout model and trust it alone.
    found = page.find_tables(strategy="lines_strict", use_layout=False).tables
    drafts = [draft for table in found if (draft := _draft(table, page_no, lines)) is not None]
    return sorted(drafts, key=lambda draft: draft.box.y0)


def outside(lines: Iterable[TextLine], tables: Sequence[TableDraft]) -> list[TextLine]:
    """Return the lines whose middle lies in none of the tables."""
    return [line for line in lines if not any(_holds(table.box, line.box) for table in tables)]


def aligned_tables(
    page: PdfPage, page_no: int, paths: int, known: Sequence[TableDraft], labelled: Sequence[LabelledRegion]
) -> list[TableDraft]:
    """Return the tables beyond the `known` ones that lines, bands, a model or the alignment of words tell of."""
    rules = drawn_rules(page) if 0 < paths <= _MAX_PATHS else Rules()
    segments = [s for s in page_segments(page) if not any(_holds(table.box, s.box) for table in known)]
    found: list[TableDraft] = []
    for region, drawn in _regions(segments, rules, labelled):
        if any(region.overlap(table.box) > 0 for table in (*known, *found)):
            continue
        draft = table_within(region, segments, rules, page_no, drawn=drawn)
        if draft is not None:
            found.append(draft)
    return found


def table_within(
    region: Box, segments: Sequence[Segment], rules: Rules, page_no: int, *, drawn: bool
) -> TableDraft | None:
    """Return the table whose words are aligned within a region; None if it is none."""
    inside = [segment for segment in segments if _holds(region, segment.box)]
    grid = aligned_grid(inside, rules.within(region))
    if grid is None or not is_table(grid, region, drawn=drawn):
        return None
    return drafted(grid, region, page_no)


def _regions(
    segments: Sequence[Segment], rules: Rules, labelled: Sequence[LabelledRegion]
) -> Iterator[tuple[Box, bool]]:
    """Yield regions, each with whether there is more to it than words that stand over one another."""
    for region in (*ruled_regions(segments, rules), *shaded_regions(segments, rules)):
        yield region, True
    for part in labelled:
        if part.label == "table":
            yield part.box, True
    if not labelled:
        for region in aligned_regions(segments):
            yield region, False


def _draft(table: PdfTable, page_no: int, lines: Sequence[TextLine]) -> TableDraft | None:
    boxes = [Box(*map(float, cell)) for cell in table.cells if cell is not None]
    if not 2 <= len(boxes) <= _MAX_CELLS:
        return None
    xs = _edges(x for box in boxes for x in (box.x0, box.x1))
    ys = _edges(y for box in boxes for y in (box.y0, box.y1))
    n_rows, n_cols = len(ys) - 1, len(xs) - 1
    if n_rows < 1 or n_cols < 1 or n_rows * n_cols < 4:
        return None
    inside = [line for line in lines if _holds(Box(xs[0], ys[0], xs[-1], ys[-1]), line.box)]
    if not inside:
        return None
    cells = tuple(_cell(box, xs, ys, inside, page_no) for box in sorted(boxes, key=lambda b: (b.y0, b.x0)))
    if not _fits(cells, n_rows, n_cols):
        return None
    return TableDraft(Box(xs[0], ys[0], xs[-1], ys[-1]), n_rows, n_cols, cells)


def _edges(positions: Iterable[float]) -> list[float]:
    edges: list[float] = []
    for position in sorted(positions):
        if not edges or position - edges[-1] > _TOLERANCE:
            edges.append(position)
    return edges


def _nearest(edges: Sequence[float], position: float) -> int:
    return min(range(len(edges)), key=lambda index: abs(edges[index] - position))


def _cell(box: Box, xs: Sequence[float], ys: Sequence[float], lines: Sequence[TextLine], page_no: int) -> Cell:
    row, col = _nearest(ys, box.y0), _nearest(xs, box.x0)
    within = rows(line for line in lines if _holds(box, line.box))
    return Cell(
        text=joined([r.text for r in within]),
        row=row,
        col=col,
        page_no=page_no,
        bbox=box.rounded(),
        row_span=max(1, _nearest(ys, box.y1) - row),
        col_span=max(1, _nearest(xs, box.x1) - col),
        is_header=row == 0,
    )


def _fits(cells: Sequence[Cell], n_rows: int, n_cols: int) -> bool:
    places = [
        (row, col)
        for cell in cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    ]
    inside = all(row < n_rows and col < n_cols for row, col in places)
    return inside and len(set(places)) == len(places)


def _holds(outer: Box, inner: Box) -> bool:
    x, y = (inner.x0 + inner.x1) / 2, (inner.y0 + inner.y1) / 2
    return outer.x0 - 1 <= x <= outer.x1 + 1 and outer.y0 - 1 <= y <= outer.y1 + 1
