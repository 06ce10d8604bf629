"""What is known of a page before the whole document is: its contents in order, roles still open."""

from dataclasses import dataclass, field

from octavo.documents import Box, Cell, Page
from octavo.engines.pages.text.paragraphs import Paragraph


@dataclass(frozen=True, slots=True)
class TableDraft:
    """A table without its place in the reading order."""

    box: Box
    n_rows: int
    n_cols: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class FigureDraft:
    """A figure without its place in the reading order, with the bytes of its image."""

    box: Box
    mime: str
    width: int
    height: int
    data: bytes


ContentDraft = Paragraph | TableDraft | FigureDraft


@dataclass(frozen=True, slots=True)
class PageDraft:
    """A page with its contents in reading order."""

    page: Page
    contents: tuple[ContentDraft, ...] = ()
    warnings: tuple[str, ...] = field(default=())
