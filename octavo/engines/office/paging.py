"""Pages for what has none: slides and sheets are pages, flowing text has one for every 3,000 characters."""

from collections.abc import Sequence
from dataclasses import replace

from octavo.documents import Block, Content, Document, Figure, Page, Table
from octavo.engines.office.assembly import Placed

CHARACTERS_PER_PAGE = 3000


def size_of(content: Content) -> int:
    """Return how many characters a content has."""
    match content:
        case Block():
            return len(content.text)
        case Table():
            return sum(len(cell.text) for cell in content.cells)
        case Figure():
            return 0


def flowing(contents: Sequence[Placed], warnings: Sequence[str]) -> Document:
    """Return a document whose pages are counted by its characters; a content is on the page where it begins."""
    before, placed = 0, []
    for one in contents:
        placed.append((one.content, before // CHARACTERS_PER_PAGE + 1))
        before += size_of(one.content)
    count = max(1, -(-before // CHARACTERS_PER_PAGE), *(page_no for _, page_no in placed), 1)
    return _document([Page(number, 0.0, 0.0) for number in range(1, count + 1)], placed, warnings)


def on_pages(pages: Sequence[Page], contents: Sequence[Placed], warnings: Sequence[str]) -> Document:
    """Return a document with these pages; what says no page is where the content before it is."""
    placed, page_no = [], 1
    for one in contents:
        page_no = min(max(one.page_no or page_no, page_no), len(pages))
        placed.append((one.content, page_no))
    return _document(pages, placed, warnings)


def _document(pages: Sequence[Page], placed: Sequence[tuple[Content, int]], warnings: Sequence[str]) -> Document:
    blocks: list[Block] = []
    tables: list[Table] = []
    figures: list[Figure] = []
    orders = dict.fromkeys(range(1, len(pages) + 1), 0)
    for content, page_no in placed:
        order, orders[page_no] = orders[page_no], orders[page_no] + 1
        match content:
            case Block():
                blocks.append(replace(content, page_no=page_no, order=order))
            case Table():
                cells = tuple(replace(cell, page_no=page_no) for cell in content.cells)
                tables.append(replace(content, page_no=page_no, order=order, cells=cells))
            case Figure():
                figures.append(replace(content, page_no=page_no, order=order))
    return Document(tuple(pages), tuple(blocks), tuple(tables), tuple(figures), tuple(warnings))
