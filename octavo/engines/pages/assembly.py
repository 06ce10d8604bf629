"""Drafts of pages become a `Document`: order, roles, captions, images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from octavo.documents import Block, Box, Document, Figure, Table
from octavo.engines.contract import Reading
from octavo.engines.pages.draft import ContentDraft, FigureDraft, PageDraft, TableDraft
from octavo.engines.pages.order.columns import Placed, columns
from octavo.engines.pages.order.continuations import joined_tables, with_continuations
from octavo.engines.pages.roles.captions import captions
from octavo.engines.pages.roles.paragraph_roles import NOTE, DocumentStyle, document_style, role_of
from octavo.engines.pages.text.lines import TextLine, cover, rows, usual_size
from octavo.engines.pages.text.paragraphs import Paragraph, joined, paragraphs
from octavo.engines.pages.text.vocabulary import Vocabulary
from octavo.engines.pages.thresholds.order import FootnoteThresholds
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

_APART = frozenset({"page-header", "footnote", "page-footer", "picture"})


def in_order(
    lines: Sequence[TextLine], objects: Sequence[TableDraft | FigureDraft], thresholds: PipelineThresholds
) -> tuple[ContentDraft, ...]:
    """Put a page's lines, tables and figures in reading order, lines gathered into paragraphs.

    Running heads come first, footnotes and running feet last, wherever the columns end; the words of a
    picture stay together.
    """
    heads, notes, feet = (
        paragraphs(
            rows((line for line in lines if line.label == label), thresholds.text.rows), thresholds.text.paragraphs
        )
        for label in ("page-header", "footnote", "page-footer")
    )
    pictures = _pictures(lines, thresholds)
    body = [line for line in lines if line.label not in _APART]
    placed = [Placed(line.box, len(line.text)) for line in body]
    others: list[TableDraft | FigureDraft | _PictureWords] = [*objects, *pictures]
    placed += [Placed(other.box, 0) for other in others]
    usual = usual_size(body)
    contents: list[ContentDraft] = [*heads]
    for column in columns(placed, thresholds.order.columns):
        found: list[ContentDraft] = []
        for is_line, members in groupby(column, key=lambda index: index < len(body)):
            if is_line:
                found += paragraphs(
                    rows((body[index] for index in members), thresholds.text.rows), thresholds.text.paragraphs
                )
                continue
            for other in (others[index - len(body)] for index in members):
                found += other.paragraphs if isinstance(other, _PictureWords) else [other]
        first_note = _first_note(found, usual, thresholds.order.footnotes)
        contents += found[:first_note]
        notes += [content for content in found[first_note:] if isinstance(content, Paragraph)]
    return (*contents, *notes, *feet)


def _first_note(column: Sequence[ContentDraft], usual: float, thresholds: FootnoteThresholds) -> int:
    """Return where the footnotes of a column begin: at its foot, in smaller type, led by a mark.

    What stands close above the first mark, as small, is the end of the previous page's last note.
    """
    small = len(column)
    while small > 0 and _is_small(column[small - 1], usual, thresholds):
        small -= 1
    marked = [n for n in range(max(small, 1), len(column)) if _is_marked(column[n])]
    if not marked:
        return len(column)
    first = marked[0]
    while first > max(small, 1) and column[first].box.y0 - column[first - 1].box.y1 < thresholds.max_gap * usual:
        first -= 1
    return first


def _is_marked(content: ContentDraft) -> bool:
    return isinstance(content, Paragraph) and bool(NOTE.match(content.text))


def _is_small(content: ContentDraft, usual: float, thresholds: FootnoteThresholds) -> bool:
    return isinstance(content, Paragraph) and content.upright and content.size <= thresholds.max_size * usual


@dataclass(frozen=True, slots=True)
class _PictureWords:
    """The words of one picture."""

    box: Box
    paragraphs: tuple[Paragraph, ...]


def _pictures(lines: Sequence[TextLine], thresholds: PipelineThresholds) -> list[_PictureWords]:
    by_region: dict[int | None, list[TextLine]] = {}
    for line in lines:
        if line.label == "picture":
            by_region.setdefault(line.region, []).append(line)
    return [
        _PictureWords(cover(line.box for line in inside), tuple(_in_columns(inside, thresholds)))
        for inside in by_region.values()
    ]


def _in_columns(lines: Sequence[TextLine], thresholds: PipelineThresholds) -> Iterator[Paragraph]:
    for column in columns([Placed(line.box, len(line.text)) for line in lines], thresholds.order.columns):
        yield from paragraphs(
            rows((lines[index] for index in column), thresholds.text.rows), thresholds.text.paragraphs
        )


def assemble(pages: Sequence[PageDraft], warnings: Iterable[str], thresholds: PipelineThresholds) -> Reading:
    """Return the document of all pages."""
    pages, merged = joined_tables(pages, thresholds.order.continuations)
    style = document_style(pages, thresholds)
    words = Vocabulary(pages)
    images: dict[bytes, int] = {}
    blocks: list[Block] = []
    tables: list[Table] = []
    figures: list[Figure] = []
    for page in pages:
        matched = captions(page.contents, thresholds.roles.captions)
        for order, content in enumerate(page.contents):
            if isinstance(content, FigureDraft):
                index = images.setdefault(content.data, len(images))
                figures.append(_figure(content, page, order, index, matched.get(order)))
            elif isinstance(content, TableDraft):
                joined_from = merged.get((page.page.page_no, order), ())
                tables.append(_table(content, page, order, joined_from, matched.get(order)))
            elif isinstance(content, Paragraph):
                blocks.append(_block(content, page, order, style, words, thresholds))
    document = Document(
        pages=tuple(page.page for page in pages),
        blocks=with_continuations(blocks, thresholds.order.continuations),
        tables=tuple(tables),
        figures=tuple(figures),
        warnings=(*warnings, *(warning for page in pages for warning in page.warnings)),
    )
    return Reading(document, tuple(images))


def _block(
    paragraph: Paragraph,
    page: PageDraft,
    order: int,
    style: DocumentStyle,
    words: Vocabulary,
    thresholds: PipelineThresholds,
) -> Block:
    role = role_of(paragraph, page, order, style, thresholds)
    lines = [row.text for row in paragraph.rows]
    broken = any(line.endswith("-") for line in lines[:-1])
    text = "\n".join(lines) if role.role == "code" else joined(lines, words) if broken else paragraph.text
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


def _table(table: TableDraft, page: PageDraft, order: int, merged: tuple[int, ...], caption: str | None) -> Table:
    return Table(
        page_no=page.page.page_no,
        order=order,
        bbox=table.box.rounded(),
        n_rows=table.n_rows,
        n_cols=table.n_cols,
        cells=table.cells,
        merged_from_pages=merged,
        caption=caption,
    )


def _figure(figure: FigureDraft, page: PageDraft, order: int, index: int, caption: str | None) -> Figure:
    return Figure(
        page_no=page.page.page_no,
        order=order,
        bbox=figure.box.rounded(),
        mime=figure.mime,
        width=figure.width,
        height=figure.height,
        image_index=index,
        caption=caption,
    )
