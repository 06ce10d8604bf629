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
from octavo.engines.pages.tables.segments import Segment, Word, segment_of
from octavo.engines.pages.text.lines import TextLine, side_by_side
from octavo.engines.pages.text.paragraphs import joined
from octavo.engines.pages.thresholds.tables import LineThresholds, RuledTableThresholds, TableThresholds


def page_tables(
    view: PageView,
    pieces: Callable[[], list[Segment]],
    page_no: int,
    thresholds: TableThresholds,
    labelled: Sequence[LabelledRegion] = (),
) -> list[TableDraft]:
    """Return the tables of a page; `pieces` gives the segments of its text where they are needed.

    Lines around every cell come first, then lines, bands and a model, which only say where a table is.
    """
    page, paths = view.page, view.paths
    if not paths and not labelled and not _has_rows(view.lines, thresholds.ruled):
        return []
    segments = pieces()
    rules = drawn_rules(page, thresholds.rules) if 0 < paths <= thresholds.ruled.max_paths else Rules()
    ruled = _ruled_tables(page, page_no, segments, paths, thresholds)
    charts = [draft.box for draft in ruled if _is_chart(draft, thresholds.ruled)]
    found = [_refined(draft, segments, rules, thresholds) for draft in ruled if draft.box not in charts]
    apart = [s for s in segments if not any(_holds(table.box, s.box, thresholds.ruled) for table in found)]
    for region, drawn in _regions(apart, rules, labelled, thresholds):
        if not any(region.overlap(box) > 0 for box in (*charts, *(table.box for table in found))):
            draft = _table_within(region, apart, rules, page_no, thresholds, drawn=drawn)
            found += [draft] if draft is not None else []
    return sorted(found, key=lambda draft: draft.box.y0)


def _has_rows(lines: Sequence[TextLine], thresholds: RuledTableThresholds) -> bool:
    """Tell whether enough lines stand side by side for a table without rules."""
    heights = Counter([round(line.middle / thresholds.row_height) for line in lines])
    if len(lines) - len(heights) < thresholds.min_rows:
        return False
    return sum(count > 1 for count in heights.values()) >= thresholds.min_rows


def _ruled_tables(
    page: PdfPage, page_no: int, segments: Sequence[Segment], paths: int, thresholds: TableThresholds
) -> list[TableDraft]:
    if paths < thresholds.ruled.min_paths:
        return []
    # Without `use_layout=False` this would run the layout model and trust it alone.
    found = page.find_tables(strategy="lines_strict", use_layout=False).tables
    drafts = [draft for table in found if (draft := _draft(table, page_no, segments, thresholds)) is not None]
    return sorted(drafts, key=lambda draft: draft.box.y0)


def _refined(draft: TableDraft, segments: Sequence[Segment], rules: Rules, thresholds: TableThresholds) -> TableDraft:
    """Return the table by the alignment of its words, where the lines leave several rows or columns in one cell."""
    rows = list(_cell_segments(draft, segments, thresholds.ruled))
    if not _holds_columns(rows, thresholds) and not any(_holds_rows(row, thresholds) for row in rows):
        return draft
    page_no = draft.cells[0].page_no
    return _table_within(draft.box, segments, rules, page_no, thresholds, drawn=True) or draft


def _cell_segments(
    draft: TableDraft, segments: Sequence[Segment], thresholds: RuledTableThresholds
) -> Iterator[list[list[Segment]]]:
    """Yield for each row what stands in each of its cells."""
    inside = [segment for segment in segments if _holds(draft.box, segment.box, thresholds)]
    for row in range(draft.n_rows):
        cells = [cell for cell in draft.cells if cell.row == row]
        yield [[segment for segment in inside if _holds(cell.bbox, segment.box, thresholds)] for cell in cells]


def _holds_columns(rows: Sequence[Sequence[Sequence[Segment]]], thresholds: TableThresholds) -> bool:
    """Tell whether single cells hold numbers side by side, line after line."""
    lines = [line for row in rows for cell in row for line in text_rows(cell, thresholds.lines) if len(line) > 1]
    pieces = [segment for line in lines for segment in line]
    return len(lines) > 1 and sum(map(is_number, pieces)) >= thresholds.ruled.number_share * len(pieces)


def _holds_rows(row: Sequence[Sequence[Segment]], thresholds: TableThresholds) -> bool:
    """Tell whether a row's cells hold several rows each: as many short lines in most of them."""
    lines = [text_rows(cell, thresholds.lines) for cell in row]
    tall = [cell for cell in lines if len(cell) >= thresholds.ruled.crowded_lines]
    if len(tall) < 2 or 2 * len(tall) < sum(bool(cell) for cell in lines):
        return False
    texts = [line[0].text for cell in tall for line in cell]
    broken = sum(goes_on(a, b) for a, b in pairwise(texts))
    return broken <= thresholds.ruled.broken_share * len(texts) and sum(
        map(len, texts)
    ) <= thresholds.ruled.short_characters * len(texts)


def _is_chart(draft: TableDraft, thresholds: RuledTableThresholds) -> bool:
    """Tell the lines of a chart from a table: hardly anything stands between them, not even a header."""
    filled = {(cell.row, cell.col) for cell in draft.cells if cell.text}
    if len(draft.cells) < thresholds.chart_cells or len(filled) >= thresholds.chart_fill * len(draft.cells):
        return False
    head = sum(row == 0 for row, _ in filled) / max(1, sum(cell.row == 0 for cell in draft.cells))
    stub = sum(col == 0 for _, col in filled) / max(1, sum(cell.col == 0 for cell in draft.cells))
    return max(head, stub) < thresholds.chart_edge_fill


def outside(
    lines: Iterable[TextLine], tables: Sequence[TableDraft], thresholds: RuledTableThresholds
) -> list[TextLine]:
    """Return the lines whose middle lies in none of the tables."""
    return [line for line in lines if not any(_holds(table.box, line.box, thresholds) for table in tables)]


def _table_within(
    region: Box, segments: Sequence[Segment], rules: Rules, page_no: int, thresholds: TableThresholds, *, drawn: bool
) -> TableDraft | None:
    """Return the table whose words are aligned within a region; None if it is none."""
    inside = [segment for segment in segments if _holds(region, segment.box, thresholds.ruled)]
    grid = aligned_grid(inside, rules.within(region, thresholds.rules), thresholds)
    if grid is None or not is_table(grid, region, thresholds.regions, drawn=drawn):
        return None
    return table_draft_of(grid, region, page_no, thresholds.lines)


def _regions(
    segments: Sequence[Segment], rules: Rules, labelled: Sequence[LabelledRegion], thresholds: TableThresholds
) -> Iterator[tuple[Box, bool]]:
    """Yield regions, each with whether there is more to it than words that stand over one another."""
    for region in (*ruled_regions(segments, rules, thresholds), *shaded_regions(segments, rules, thresholds)):
        yield region, True
    for part in labelled:
        if part.label == "table":
            yield part.box, True
    if not labelled:
        for region in aligned_regions(segments, thresholds):
            yield region, False


def _draft(
    table: PdfTable, page_no: int, segments: Sequence[Segment], thresholds: TableThresholds
) -> TableDraft | None:
    boxes = [Box(*map(float, cell)) for cell in table.cells if cell is not None]
    if not thresholds.ruled.min_cells <= len(boxes) <= thresholds.ruled.max_cells:
        return None
    top, bottom = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    words = [box for s in segments if top < s.middle < bottom for box, _ in s.words]
    xs = _without_double_rules(
        _edges((x for box in boxes for x in (box.x0, box.x1)), thresholds.ruled), words, thresholds.ruled
    )
    ys = _edges((y for box in boxes for y in (box.y0, box.y1)), thresholds.ruled)
    n_rows, n_cols = len(ys) - 1, len(xs) - 1
    if n_rows < 1 or n_cols < 1 or n_rows * n_cols < thresholds.ruled.min_places:
        return None
    whole = Box(xs[0], ys[0], xs[-1], ys[-1])
    inside = [word for segment in segments if segment.box.overlap(whole) > 0 for word in segment.words]
    if not any(_holds(whole, box, thresholds.ruled) for box, _ in inside):
        return None
    boxes = [
        box for box in boxes if _nearest(xs, box.x0) != _nearest(xs, box.x1) or box.width > thresholds.ruled.double_line
    ]
    cells = tuple(
        _cell(box, xs, ys, inside, page_no, thresholds.lines) for box in sorted(boxes, key=lambda b: (b.y0, b.x0))
    )
    if not _fits(cells, n_rows, n_cols):
        return None
    return TableDraft(whole, n_rows, n_cols, cells)


def _edges(positions: Iterable[float], thresholds: RuledTableThresholds) -> list[float]:
    edges: list[float] = []
    for position in sorted(positions):
        if not edges or position - edges[-1] > thresholds.same_edge:
            edges.append(position)
    return edges


def _without_double_rules(
    edges: Sequence[float], words: Sequence[Box], thresholds: RuledTableThresholds
) -> list[float]:
    """Take two edges that stand close with nothing between them for one."""
    kept = list(edges[:1])
    for edge in edges[1:]:
        close = edge - kept[-1] < thresholds.double_line and len(kept) > 1
        if not close or any(kept[-1] < (word.x0 + word.x1) / 2 < edge for word in words):
            kept.append(edge)
    return kept


def _nearest(edges: Sequence[float], position: float) -> int:
    return min(range(len(edges)), key=lambda index: abs(edges[index] - position))


def _cell(
    box: Box, xs: Sequence[float], ys: Sequence[float], words: Sequence[Word], page_no: int, thresholds: LineThresholds
) -> Cell:
    row, col = _nearest(ys, box.y0), _nearest(xs, box.x0)
    within = text_rows([segment_of([word]) for word in words if _in(box, word[0])], thresholds)
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


def _holds(outer: Box, inner: Box, thresholds: RuledTableThresholds) -> bool:
    x, y = (inner.x0 + inner.x1) / 2, (inner.y0 + inner.y1) / 2
    return (
        outer.x0 - thresholds.margin <= x <= outer.x1 + thresholds.margin
        and outer.y0 - thresholds.margin <= y <= outer.y1 + thresholds.margin
    )
