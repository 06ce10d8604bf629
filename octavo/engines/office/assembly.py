"""Docling's tree becomes contents in reading order, each with the page it says it is on."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from docling_core.types.doc.document import (
    CodeItem,
    ContentLayer,
    DocItem,
    DoclingDocument,
    FloatingItem,
    FormulaItem,
    GroupItem,
    ListGroup,
    ListItem,
    NodeItem,
    PictureItem,
    RichTableCell,
    SectionHeaderItem,
    TableItem,
    TextItem,
    TitleItem,
)
from docling_core.types.doc.labels import DocItemLabel, GroupLabel

from octavo.documents import NO_BOX, Block, Box, Cell, Content, Figure, Role, Table
from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.pictures import Pictures
from octavo.engines.office.source_text import SourceText
from octavo.engines.office.thresholds import OfficeThresholds

EMU_PER_POINT = 12_700
_ROLES: dict[str, Role] = {
    "caption": "caption",
    "footnote": "footnote",
    "page_header": "header",
    "page_footer": "footer",
    "formula": "formula",
    "code": "code",
}
_SHEET = "sheet: "
_SLIDE = re.compile(r"slide-(\d{1,5})")
_BREAK = re.compile(r"\s*<br\s*/?>\s*", re.IGNORECASE)
# In HTML, Markdown and their like `h1` is the title, so that what docling counts as level 1 is `h2`.
_BELOW_TITLE = frozenset({"html", "markdown", "epub", "eml", "msg"})
# Of these docling takes for furniture, too, whatever stands before the first heading.
_WEB = frozenset({"html", "epub", "msg"})


@dataclass(frozen=True, slots=True)
class Placed:
    """A content, and the page that the file says it is on; None for text that flows."""

    content: Content
    page_no: int | None


class Assembler:
    """Walks one document."""

    def __init__(
        self,
        document: DoclingDocument,
        kind: OfficeKind,
        source_text: SourceText,
        pictures: Pictures,
        thresholds: OfficeThresholds,
    ) -> None:
        self._document = document
        self._kind = kind
        self._source_text = source_text
        self._thresholds = thresholds
        self._pictures = pictures
        self._captions = {
            caption.cref for owner in (*document.pictures, *document.tables) for caption in owner.captions
        }

    def contents(self) -> Iterator[Placed]:
        """Yield what the document says, in reading order; running heads and feet first."""
        for text in self._document.texts:
            if text.content_layer == ContentLayer.FURNITURE and text.text.strip() and not self._is_read(text):
                yield self._block(text, "footer" if "footer" in self._name_above(text) else "header", text.text)
        yield from self._children(self._document.body)

    def _is_read(self, item: NodeItem) -> bool:
        """Tell whether an item is part of what is read from top to bottom."""
        if item.content_layer in (ContentLayer.BODY, ContentLayer.NOTES):
            return True
        if isinstance(item, TextItem) and item.label == DocItemLabel.FOOTNOTE:
            return True
        is_loose = self._kind in _WEB and item.content_layer == ContentLayer.FURNITURE
        # The title of the page, which no reader of it sees, and its foot.
        return is_loose and not isinstance(item, TitleItem) and "footer" not in self._names_above(item)

    def _names_above(self, item: NodeItem) -> Iterator[str]:
        while item.parent is not None:
            item = item.parent.resolve(self._document)
            if isinstance(item, GroupItem):
                yield item.name

    def _name_above(self, item: NodeItem) -> str:
        above = item.parent.resolve(self._document) if item.parent is not None else None
        return above.name if isinstance(above, GroupItem) else ""

    def _inner(self, node: NodeItem) -> list[NodeItem]:
        """Return what is below a node; captions are the business of what they belong to."""
        return [one.resolve(self._document) for one in node.children if one.cref not in self._captions]

    def _children(self, node: NodeItem) -> Iterator[Placed]:
        for inner in self._inner(node):
            yield from self._node(inner)

    def _node(self, item: NodeItem) -> Iterator[Placed]:
        if not self._is_read(item):
            return
        match item:
            case TableItem():
                yield from self._table(item)
            case PictureItem():
                yield from self._picture(item)
            case ListGroup():
                yield from self._list(item)
            case GroupItem(label=GroupLabel.INLINE):
                yield from self._text(item, "paragraph")
            case GroupItem():
                yield from self._group(item)
            case TitleItem():
                yield from self._text(item, "title")
            case SectionHeaderItem():
                yield from self._text(item, "heading", item.level + (self._kind in _BELOW_TITLE))
            case CodeItem() | FormulaItem() | TextItem():
                yield from self._text(item, _ROLES.get(item.label.value, "paragraph"))
            case _:
                yield from self._children(item)

    def _group(self, item: GroupItem) -> Iterator[Placed]:
        inside = list(self._children(item))
        name = _sheet_name(item)
        if name and inside:
            yield Placed(Block(1, 0, "heading", name, NO_BOX, level=1), inside[0].page_no)
        slide_no = slide_number(item)
        yield from inside if slide_no is None else (replace(one, page_no=slide_no) for one in inside)

    def _list(self, group: ListGroup) -> Iterator[Placed]:
        number = 0
        for item in self._inner(group):
            if isinstance(item, ListItem):
                number += 1
                yield from self._list_item(item, number)
            else:
                yield from self._node(item)

    def _list_item(self, item: ListItem, number: int) -> Iterator[Placed]:
        inner = self._inner(item)
        inline = [node for node in inner if _is_inline(node)]
        text = self._source_text.join([item.text, *(piece for node in inline for piece in self._pieces(node))])
        if text:
            mark = f"{item.marker if item.marker[:1].isdigit() else f'{number}.'} " if item.enumerated else ""
            yield self._block(item, "list_item", mark + text)
        for node in inner:
            if node not in inline:
                yield from self._node(node)

    def _text(self, item: NodeItem, role: Role, level: int | None = None) -> Iterator[Placed]:
        own = item.text if isinstance(item, TextItem) else ""
        inner = self._inner(item)
        # What is below a heading with words of its own is its section; without, its words.
        inline = [node for node in inner if _is_inline(node)] if not own.strip() else []
        if isinstance(item, GroupItem):
            inline = inner
        pieces = [own, *(piece for node in inline for piece in self._pieces(node))]
        text = own.strip("\n") if role == "code" else self._source_text.join(pieces)
        if text.strip():
            most = self._thresholds.max_heading_level
            yield self._block(item, role, text, None if level is None else min(max(level, 1), most))
        for node in inner:
            if node not in inline:
                yield from self._node(node)

    def _pieces(self, node: NodeItem) -> Iterator[str]:
        """Yield the pieces of text below a node, tables cell by cell."""
        if isinstance(node, TableItem):
            for cell in node.data.table_cells:
                yield self._cell_text(cell)
            return
        if isinstance(node, TextItem):
            yield node.text
        for reference in node.children:
            yield from self._pieces(reference.resolve(self._document))

    def _block(self, item: NodeItem, role: Role, text: str, level: int | None = None) -> Placed:
        page_no, box = self._place(item)
        return Placed(Block(1, 0, role, text, box, level=level), page_no)

    def _place(self, item: NodeItem) -> tuple[int | None, Box]:
        prov = item.prov[0] if isinstance(item, DocItem) and item.prov else None
        if prov is None:
            inside = [reference.resolve(self._document) for reference in item.children]
            return self._place(inside[0]) if isinstance(item, GroupItem) and inside else (None, NO_BOX)
        if self._kind != "pptx":
            return prov.page_no, NO_BOX
        edges = (edge / EMU_PER_POINT for edge in prov.bbox.as_tuple())
        x0, y0, x1, y1 = edges
        return prov.page_no, Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)).rounded()

    def _captions_of(self, item: FloatingItem) -> Iterator[Placed]:
        for caption in item.captions:
            found = caption.resolve(self._document)
            text = self._source_text.join(self._pieces(found))
            if text:
                yield replace(self._block(found, "caption", text), page_no=self._place(item)[0])

    def _picture(self, item: PictureItem) -> Iterator[Placed]:
        captions = list(self._captions_of(item))
        taken = self._pictures.take(item)
        if taken is not None:
            page_no, box = self._place(item)
            index, picture = taken
            figure = Figure(
                1, 0, box, picture.mime, picture.width, picture.height, index, caption=_first_text(captions)
            )
            yield Placed(figure, page_no)
        yield from captions
        yield from self._children(item)

    def _table(self, item: TableItem) -> Iterator[Placed]:
        captions = list(self._captions_of(item))
        yield from captions
        page_no, box = self._place(item)
        cells = [self._cell(cell, box) for cell in item.data.table_cells]
        most = self._thresholds.max_table_places
        for number, table in enumerate(cut(without_overlaps(cells, most), box, most)):
            yield Placed(replace(table, caption=_first_text(captions)) if number == 0 else table, page_no)

    def _cell(self, cell: Any, box: Box) -> Cell:  # noqa: ANN401 - a table cell of docling's, of two unrelated classes
        return Cell(
            text=self._cell_text(cell),
            row=cell.start_row_offset_idx,
            col=cell.start_col_offset_idx,
            page_no=1,
            bbox=NO_BOX,
            row_span=max(1, cell.end_row_offset_idx - cell.start_row_offset_idx),
            col_span=max(1, cell.end_col_offset_idx - cell.start_col_offset_idx),
            is_header=bool(cell.column_header or cell.row_header),
        )

    def _cell_text(self, cell: Any) -> str:  # noqa: ANN401 - as above
        if not isinstance(cell, RichTableCell):
            text = str(cell.text).strip()
            return _BREAK.sub("\n", text) if self._kind == "markdown" else text
        lines = [self._source_text.join(pieces) for pieces in self._lines(cell.ref.resolve(self._document))]
        return "\n".join(self._source_text.made_whole([line for line in lines if line]))

    def _lines(self, node: NodeItem) -> Iterator[list[str]]:
        """Yield the paragraphs below a cell, each as its pieces."""
        if isinstance(node, TextItem | TableItem) or _is_inline(node):
            yield list(self._pieces(node))
            return
        for reference in node.children:
            yield from self._lines(reference.resolve(self._document))


def _first_text(captions: Sequence[Placed]) -> str | None:
    return captions[0].content.text if captions and isinstance(captions[0].content, Block) else None


def _sheet_name(item: GroupItem) -> str:
    """Return the name of a sheet; empty for any other group."""
    if item.label == GroupLabel.SHEET:
        return item.name
    # So docling tells of OpenDocument's sheets.
    is_sheet = item.label == GroupLabel.SECTION and item.name.startswith(_SHEET)
    return item.name.removeprefix(_SHEET) if is_sheet else ""


def slide_number(item: GroupItem) -> int | None:
    """Return which slide a group is, from 1, where docling tells of slides by groups alone; None for any other."""
    found = _SLIDE.fullmatch(item.name) if item.label == GroupLabel.CHAPTER else None
    return int(found[1]) + 1 if found else None


def _is_inline(node: NodeItem) -> bool:
    return isinstance(node, GroupItem) and node.label == GroupLabel.INLINE


def without_overlaps(cells: Iterable[Cell], max_places: int) -> list[Cell]:
    """Return the cells, each with a place of its own: of two that claim one place the first keeps it."""
    taken: set[tuple[int, int]] = set()
    kept = []
    for cell in sorted(_believable(list(cells), max_places), key=lambda one: (one.row, one.col)):
        if (cell.row, cell.col) in taken:
            continue
        columns = range(cell.col, cell.col + cell.col_span)
        # Its first row is enough: whoever began further up and reaches below stands there, too.
        if any((cell.row, column) in taken for column in columns):
            cell, columns = replace(cell, row_span=1, col_span=1), range(cell.col, cell.col + 1)
        taken.update((row, column) for row in range(cell.row, cell.row + cell.row_span) for column in columns)
        kept.append(cell)
    return kept


def _believable(cells: list[Cell], max_places: int) -> list[Cell]:
    """Return the cells; where their spans claim more places than a table has, cut off where the last cell begins."""
    rows = max((cell.row + cell.row_span for cell in cells), default=0)
    columns = max((cell.col + cell.col_span for cell in cells), default=0)
    if rows * columns <= max_places:
        return cells
    rows, columns = max(cell.row for cell in cells) + 1, max(cell.col for cell in cells) + 1
    return [
        replace(cell, row_span=min(cell.row_span, rows - cell.row), col_span=min(cell.col_span, columns - cell.col))
        for cell in cells
    ]


def cut(cells: list[Cell], box: Box, max_places: int) -> Iterator[Table]:
    """Yield tables of these cells, cut between rows where one would have too many places."""
    if not cells:
        return
    columns = max(cell.col + cell.col_span for cell in cells)
    rows = max(1, max_places // columns)
    pieces: dict[int, list[Cell]] = {}
    for cell in cells:
        pieces.setdefault(cell.row // rows, []).append(cell)
    for number, members in sorted(pieces.items()):
        first = number * rows
        moved = [
            replace(cell, row=cell.row - first, row_span=min(cell.row_span, first + rows - cell.row))
            for cell in members
        ]
        n_rows = max(cell.row + cell.row_span for cell in moved)
        yield Table(1, 0, box, n_rows, columns, tuple(moved))
