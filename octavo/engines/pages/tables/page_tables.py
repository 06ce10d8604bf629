"""Tables of a PDF page: those with lines around every cell, and those that are aligned."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from octavo.documents import Box, Cell
from octavo.engines.mupdf import PdfPage, PdfTable
from octavo.engines.pages.draft import TableDraft
from octavo.engines.pages.page_view import PageView
from octavo.engines.pages.roles.labels import LabelledRegion
from octavo.engines.pages.tables.grid import aligned_grid, table_draft_of
from octavo.engines.pages.tables.grid_lines import text_rows
from octavo.engines.pages.tables.grid_rows import goes_on
from octavo.engines.pages.tables.regions import aligned_regions, is_number, is_table, ruled_regions, shaded_regions
from octavo.engines.pages.tables.rules import Rules, drawn_rules
from octavo.engines.pages.text.lines import TextLine, side_by_side
from octavo.engines.pages.text.paragraphs import joined
from octavo.engines.pages.text.segments import Segment, Word, segment_of

_MIN_PATHS = 4
_LEAST_ROWS = 2
_TOLERANCE, _DOUBLE = 2.0, 10.0
_MAX_CELLS, _MAX_PATHS = 5_000, 4_000
_CROWDED_LINES, _BROKEN_SHARE, _SHORT, _NUMBERS = 3, 0.25, 25, 0.3
_CHART_CELLS, _CHART_FILL = 12, 0.25


def page_tables(
    view: PageView, pieces: Callable[[], list[Segment]], page_no: int, labelled: Sequence[LabelledRegion] = ()
) -> list[TableDraft]:
    """Return the tables of a page; `pieces` gives the segments of its text where they are needed.

    Lines around every cell come first, then lines, bands and a model, which only say where a table is.
    """
    page, paths = view.page, view.paths
    if not paths and not labelled and not _has_rows(view.lines):
        return []
    segments = pieces()
    rules = drawn_rules(page) if 0 < paths <= _MAX_PATHS else Rules()
    ruled = _ruled_tables(page, page_no, segments, paths)
    charts = [draft.box for draft in ruled if _is_chart(draft)]
    found = [_refined(draft, segments, rules) for draft in ruled if draft.box not in charts]
    apart = [s for s in segments if not any(_holds(table.box, s.box) for table in found)]
    for region, drawn in _regions(apart, rules, labelled):
        if not any(region.overlap(box) > 0 for box in (*charts, *(table.box for table in found))):
            draft = _table_within(region, apart, rules, page_no, drawn=drawn)
            found += [draft] if draft is not None else []
    return sorted(found, key=lambda draft: draft.box.y0)


def _has_rows(lines: Sequence[TextLine]) -> bool:
    """Tell whether enough lines stand side by side for a table without rules."""
    heights = Counter([round(line.middle / 3) for line in lines])
    if len(lines) - len(heights) < _LEAST_ROWS:
        return False
    return sum(count > 1 for count in heights.values()) >= _LEAST_ROWS


def _ruled_tables(page: PdfPage, page_no: int, segments: Sequence[Segment], paths: int) -> list[TableDraft]:
    if paths < _MIN_PATHS:
        return []
    # Without `use_layout=False` this would run the layout model and trust it alone.
    found = page.find_tables(strategy="lines_strict", use_layout=False).tables
    drafts = [draft for table in found if (draft := _draft(table, page_no, segments)) is not None]
    return sorted(drafts, key=lambda draft: draft.box.y0)


def _refined(draft: TableDraft, segments: Sequence[Segment], rules: Rules) -> TableDraft:
    """Return the table by the alignment of its words, where the lines leave several rows or columns in one cell."""
    rows = list(_cell_segments(draft, segments))
    if not _holds_columns(rows) and not any(_holds_rows(row) for row in rows):
        return draft
    page_no = draft.cells[0].page_no
    return _table_within(draft.box, segments, rules, page_no, drawn=True) or draft


def _cell_segments(draft: TableDraft, segments: Sequence[Segment]) -> Iterator[list[list[Segment]]]:
    """Yield for each row what stands in each of its cells."""
    inside = [segment for segment in segments if _holds(draft.box, segment.box)]
    for row in range(draft.n_rows):
        cells = [cell for cell in draft.cells if cell.row == row]
        yield [[segment for segment in inside if _holds(cell.bbox, segment.box)] for cell in cells]


def _holds_columns(rows: Sequence[Sequence[Sequence[Segment]]]) -> bool:
    """Tell whether single cells hold numbers side by side, line after line."""
    lines = [line for row in rows for cell in row for line in text_rows(cell) if len(line) > 1]
    pieces = [segment for line in lines for segment in line]
    return len(lines) > 1 and sum(map(is_number, pieces)) >= _NUMBERS * len(pieces)


def _holds_rows(row: Sequence[Sequence[Segment]]) -> bool:
    """Tell whether a row's cells hold several rows each: as many short lines in most of them."""
    lines = [text_rows(cell) for cell in row]
    tall = [cell for cell in lines if len(cell) >= _CROWDED_LINES]
    if len(tall) < 2 or 2 * len(tall) < sum(bool(cell) for cell in lines):
        return False
    texts = [line[0].text for cell in tall for line in cell]
    broken = sum(goes_on(a, b) for a, b in pairwise(texts))
    return broken <= _BROKEN_SHARE * len(texts) and sum(map(len, texts)) <= _SHORT * len(texts)


def _is_chart(draft: TableDraft) -> bool:
    """Tell the lines of a chart from a table: hardly anything stands between them, not even a header."""
    filled = {(cell.row, cell.col) for cell in draft.cells if cell.text}
    if len(draft.cells) < _CHART_CELLS or len(filled) >= _CHART_FILL * len(draft.cells):
        return False
    head = sum(row == 0 for row, _ in filled) / max(1, sum(cell.row == 0 for cell in draft.cells))
    stub = sum(col == 0 for _, col in filled) / max(1, sum(cell.col == 0 for cell in draft.cells))
    return max(head, stub) < 0.5


def outside(lines: Iterable[TextLine], tables: Sequence[TableDraft]) -> list[TextLine]:
    """Return the lines whose middle lies in none of the tables."""
    return [line for line in lines if not any(_holds(table.box, line.box) for table in tables)]


def _table_within(
    region: Box, segments: Sequence[Segment], rules: Rules, page_no: int, *, drawn: bool
) -> TableDraft | None:
    """Return the table whose words are aligned within a region; None if it is none."""
    inside = [segment for segment in segments if _holds(region, segment.box)]
    grid = aligned_grid(inside, rules.within(region))
    if grid is None or not is_table(grid, region, drawn=drawn):
        return None
    return table_draft_of(grid, region, page_no)


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


def _draft(table: PdfTable, page_no: int, segments: Sequence[Segment]) -> TableDraft | None:
    boxes = [Box(*map(float, cell)) for cell in table.cells if cell is not None]
    if not 2 <= len(boxes) <= _MAX_CELLS:
        return None
    top, bottom = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    words = [box for s in segments if top < s.middle < bottom for box, _ in s.words]
    xs = _without_double_rules(_edges(x for box in boxes for x in (box.x0, box.x1)), words)
    ys = _edges(y for box in boxes for y in (box.y0, box.y1))
    n_rows, n_cols = len(ys) - 1, len(xs) - 1
    if n_rows < 1 or n_cols < 1 or n_rows * n_cols < 4:
        return None
    whole = Box(xs[0], ys[0], xs[-1], ys[-1])
    inside = [word for segment in segments if segment.box.overlap(whole) > 0 for word in segment.words]
    if not any(_holds(whole, box) for box, _ in inside):
        return None
    boxes = [box for box in boxes if _nearest(xs, box.x0) != _nearest(xs, box.x1) or box.width > _DOUBLE]
    cells = tuple(_cell(box, xs, ys, inside, page_no) for box in sorted(boxes, key=lambda b: (b.y0, b.x0)))
    if not _fits(cells, n_rows, n_cols):
        return None
    return TableDraft(whole, n_rows, n_cols, cells)


def _edges(positions: Iterable[float]) -> list[float]:
    edges: list[float] = []
    for position in sorted(positions):
        if not edges or position - edges[-1] > _TOLERANCE:
            edges.append(position)
    return edges


def _without_double_rules(edges: Sequence[float], words: Sequence[Box]) -> list[float]:
    """Take two edges that stand close with nothing between them for one."""
    kept = list(edges[:1])
    for edge in edges[1:]:
        close = edge - kept[-1] < _DOUBLE and len(kept) > 1
        if not close or any(kept[-1] < (word.x0 + word.x1) / 2 < edge for word in words):
            kept.append(edge)
    return kept


def _nearest(edges: Sequence[float], position: float) -> int:
    return min(range(len(edges)), key=lambda index: abs(edges[index] - position))


def _cell(box: Box, xs: Sequence[float], ys: Sequence[float], words: Sequence[Word], page_no: int) -> Cell:
    row, col = _nearest(ys, box.y0), _nearest(xs, box.x0)
    within = text_rows([segment_of([word]) for word in words if _in(box, word[0])])
    return Cell(
        text=joined([side_by_side([segment.text for segment in line]) for line in within]),
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


def _in(cell: Box, word: Box) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return cell.x0 <= x < cell.x1 and cell.y0 <= y < cell.y1


def _holds(outer: Box, inner: Box) -> bool:
    x, y = (inner.x0 + inner.x1) / 2, (inner.y0 + inner.y1) / 2
    return outer.x0 - 1 <= x <= outer.x1 + 1 and outer.y0 - 1 <= y <= outer.y1 + 1
