"""Drafts of pages become a `Document`: order, roles, captions, images."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from octavo.documents import Block, Document, Figure, Table
from octavo.engines.contract import Reading
from octavo.engines.fast.columns import Placed, columns
from octavo.engines.fast.draft import ContentDraft, FigureDraft, PageDraft, TableDraft
from octavo.engines.fast.lines import TextLine, rows
from octavo.engines.fast.paragraphs import Paragraph, paragraphs
from octavo.engines.fast.roles import Manuscript, cast, is_caption_of, survey


def in_order(lines: Sequence[TextLine], exhibits: Sequence[TableDraft | FigureDraft]) -> tuple[ContentDraft, ...]:
    """Put a page's lines, tables and figures in reading order, lines gathered into paragraphs."""
    placed = [Placed(line.box, len(line.text)) for line in lines]
    placed += [Placed(exhibit.box, 0) for exhibit in exhibits]
    contents: list[ContentDraft] = []
    for column in columns(placed):
        for is_line, members in groupby(column, key=lambda index: index < len(lines)):
            if is_line:
                contents += paragraphs(rows(lines[index] for index in members))
            else:
                contents += [exhibits[index - len(lines)] for index in members]
    return tuple(contents)


def assemble(pages: Sequence[PageDraft], warnings: Iterable[str], *, with_text: bool) -> Reading:
    """Return the document of all pages; without text only figures stay."""
    manuscript = survey(pages)
    images: dict[bytes, int] = {}
    blocks: list[Block] = []
    tables: list[Table] = []
    figures: list[Figure] = []
    for page in pages:
        for order, content in enumerate(page.contents):
            if isinstance(content, FigureDraft):
                index = images.setdefault(content.data, len(images))
                figures.append(_figure(content, page, order, index))
            elif with_text and isinstance(content, TableDraft):
                tables.append(_table(content, page, order))
            elif with_text and isinstance(content, Paragraph):
                blocks.append(_block(content, page, order, manuscript))
    document = Document(
        pages=tuple(page.page for page in pages),
        blocks=tuple(blocks),
        tables=tuple(tables),
        figures=tuple(figures),
        warnings=(*warnings, *(warning for page in pages for warning in page.warnings)),
    )
    return Reading(document, tuple(images))


def _block(paragraph: Paragraph, page: PageDraft, order: int, manuscript: Manuscript) -> Block:
    role = cast(paragraph, page, order, manuscript)
    text = "\n".join(row.text for row in paragraph.rows) if role.role == "code" else paragraph.text
    return Block(
        page_no=page.page.page_no,
        order=order,
        role=role.role,
        text=text,
        bbox=paragraph.place.within(page.page.width, page.page.height).rounded(),
        level=role.level,
        confidence=paragraph.confidence,
        lines=paragraph.lines(),
    )


def _table(table: TableDraft, page: PageDraft, order: int) -> Table:
    return Table(
        page_no=page.page.page_no,
        order=order,
        bbox=table.box.rounded(),
        n_rows=table.n_rows,
        n_cols=table.n_cols,
        cells=table.cells,
    )


def _figure(figure: FigureDraft, page: PageDraft, order: int, index: int) -> Figure:
    captions = [
        content.text
        for content in page.contents
        if isinstance(content, Paragraph) and is_caption_of(content.text, content.box, figure.box)
    ]
    return Figure(
        page_no=page.page.page_no,
        order=order,
        bbox=figure.box.rounded(),
        mime=figure.mime,
        width=figure.width,
        height=figure.height,
        image_index=index,
        caption=captions[0] if captions else None,
    )
