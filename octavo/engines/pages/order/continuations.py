"""What runs over the end of a column or a page: tables are joined, paragraphs are marked as continuing."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from octavo.documents import Block, Cell
from octavo.engines.pages.draft import ContentDraft, PageDraft, TableDraft
from octavo.engines.pages.text.paragraphs import Paragraph
from octavo.engines.pages.thresholds.order import ContinuationThresholds

_ENDED = re.compile(r"[.!?:;][\"'\u201d\u2019)\]\d]*$")
_HYPHEN = re.compile(r"[^\W\d_]-$")

Places = dict[tuple[int, int], tuple[int, ...]]
"""By page number and place on the page: which pages a table there was joined from."""


def joined_tables(pages: Sequence[PageDraft], thresholds: ContinuationThresholds) -> tuple[list[PageDraft], Places]:
    """Join each table that ends a page to the one with the same columns that begins the next.

    A header that is repeated is left out. Rows keep the number of the page they stand on.
    """
    drafts = list(pages)
    merged: Places = {}
    for index in reversed(range(len(drafts) - 1)):
        above, below = drafts[index], drafts[index + 1]
        last, first = _last(above, thresholds), _first(below, thresholds)
        if last is None or first is None or above.page.width != below.page.width:
            continue
        whole = _joined(above, last, below, first, thresholds)
        if whole is None:
            continue
        old = below.page.page_no, first
        merged[above.page.page_no, last] = (above.page.page_no, *merged.pop(old, (below.page.page_no,)))
        drafts[index] = _with(above, last, whole)
        drafts[index + 1] = _without(below, first)
        merged = {_moved(place, old): found for place, found in merged.items()}
    return drafts, merged


def _moved(place: tuple[int, int], removed: tuple[int, int]) -> tuple[int, int]:
    page_no, order = place
    return (page_no, order - 1) if page_no == removed[0] and order > removed[1] else place


def _with(page: PageDraft, index: int, table: TableDraft) -> PageDraft:
    contents = (*page.contents[:index], table, *page.contents[index + 1 :])
    return replace(page, contents=contents)


def _without(page: PageDraft, index: int) -> PageDraft:
    return replace(page, contents=(*page.contents[:index], *page.contents[index + 1 :]))


def _last(page: PageDraft, thresholds: ContinuationThresholds) -> int | None:
    """Return the place of the table that ends a page, whatever its foot holds."""
    for index in reversed(range(len(page.contents))):
        content = page.contents[index]
        if isinstance(content, TableDraft):
            return index if content.box.y1 > thresholds.min_table_end * page.page.height else None
        if not _is_marginal(content, page, thresholds):
            return None
    return None


def _first(page: PageDraft, thresholds: ContinuationThresholds) -> int | None:
    for index, content in enumerate(page.contents):
        if isinstance(content, TableDraft):
            return index if content.box.y0 < thresholds.max_table_start * page.page.height else None
        if not _is_marginal(content, page, thresholds):
            return None
    return None


def _is_marginal(content: ContentDraft, page: PageDraft, thresholds: ContinuationThresholds) -> bool:
    if not isinstance(content, Paragraph):
        return False
    if content.label in ("page-header", "page-footer", "footnote"):
        return True
    height = page.page.height
    return content.box.y1 < thresholds.margin_share * height or content.box.y0 > (1 - thresholds.margin_share) * height


def _joined(
    above: PageDraft, last: int, below: PageDraft, first: int, thresholds: ContinuationThresholds
) -> TableDraft | None:
    upper, lower = above.contents[last], below.contents[first]
    if not isinstance(upper, TableDraft) or not isinstance(lower, TableDraft):
        return None
    if upper.n_cols != lower.n_cols or not _same_columns(upper, lower, thresholds):
        return None
    repeated = _repeated_rows(upper, lower)
    if repeated == lower.n_rows:
        return None
    cells = tuple(
        replace(cell, row=cell.row - repeated + upper.n_rows, is_header=False)
        for cell in lower.cells
        if cell.row >= repeated
    )
    return replace(upper, n_rows=upper.n_rows + lower.n_rows - repeated, cells=(*upper.cells, *cells))


def _same_columns(upper: TableDraft, lower: TableDraft, thresholds: ContinuationThresholds) -> bool:
    edges = [_column_edges(table) for table in (upper, lower)]
    return all(abs(a - b) <= thresholds.same_edge for a, b in zip(*edges, strict=True))


def _column_edges(table: TableDraft) -> list[float]:
    starts = [table.box.x0] * table.n_cols
    for cell in table.cells:
        if cell.col_span == 1:
            starts[cell.col] = cell.bbox.x0
    return [*starts, table.box.x1]


def _repeated_rows(upper: TableDraft, lower: TableDraft) -> int:
    """Return how many rows at the top of the lower table are the header of the upper one again."""
    head = max((cell.row + cell.row_span for cell in upper.cells if cell.is_header), default=1)
    for count in range(min(head, lower.n_rows), 0, -1):
        if _texts(upper.cells, count) == _texts(lower.cells, count):
            return count
    return 0


def _texts(cells: Sequence[Cell], count: int) -> list[tuple[int, int, str]]:
    return sorted((cell.row, cell.col, cell.text) for cell in cells if cell.row < count)


def with_continuations(blocks: Sequence[Block], thresholds: ContinuationThresholds) -> tuple[Block, ...]:
    """Mark each paragraph that continues the previous one, in another column or on another page."""
    flowing = [index for index, block in enumerate(blocks) if block.role in ("paragraph", "list_item")]
    marked = list(blocks)
    for before, after in pairwise(flowing):
        if _goes_on(blocks[before], blocks[after], thresholds):
            marked[after] = replace(blocks[after], continues=True)
    return tuple(marked)


def _goes_on(before: Block, after: Block, thresholds: ContinuationThresholds) -> bool:
    if after.role != "paragraph" or not after.text[:1].islower() or len(before.text) < thresholds.min_characters:
        return False
    beside = after.bbox.x0 > (before.bbox.x0 + before.bbox.x1) / 2 and after.bbox.y0 < before.bbox.y1
    moved = after.page_no == before.page_no + 1 or (after.page_no == before.page_no and beside)
    return moved and (bool(_HYPHEN.search(before.text)) or not _ENDED.search(before.text))
