"""The model of an extracted document, from which every rendering is made.

Coordinates: points, origin top-left, in the upright frame, that is after the page's own rotation and
after any orientation correction (`Page.rotation` is the total rotation applied). Blocks, tables and
figures of a page share one reading order: `order` counts from 0 and is unique within a page.

Values are frozen and validate themselves when created, so a `Document` read from a child process's JSON
is as trustworthy as one built here: `Document.from_json` refuses everything else.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

SCHEMA_VERSION = 1
"""Changes when older stored documents can no longer be read."""

Role = Literal[
    "title",
    "heading",
    "paragraph",
    "list_item",
    "caption",
    "header",
    "footer",
    "page_number",
    "footnote",
    "formula",
    "code",
]
ROLES: tuple[Role, ...] = get_args(Role)

PageStatus = Literal["ok", "failed"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
_MAX_HEADING_LEVEL = 6
_MAX_PLACES = 1_000_000


class InvalidDocument(ValueError):
    """The values are not a valid document."""


def _require(claim: bool, message: str) -> None:
    if not claim:
        raise InvalidDocument(message)


def _check_confidence(confidence: float | None) -> None:
    _require(confidence is None or 0 <= confidence <= 100, "confidence must lie within 0..100")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in points, origin top-left: `x0 <= x1`, `y0 <= y1`, all finite."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        # A page has hundreds of boxes: two comparisons decide the usual case.
        if -math.inf < self.x0 <= self.x1 < math.inf and -math.inf < self.y0 <= self.y1 < math.inf:
            return
        _require(all(map(math.isfinite, self.as_tuple())), "a box has finite coordinates")
        _require(self.x1 >= self.x0, "a box has its right edge left of its left edge")
        _require(self.y1 >= self.y0, "a box has its bottom edge above its top edge")

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return `(x0, y0, x1, y1)`."""
        return self.x0, self.y0, self.x1, self.y1

    def union(self, other: "Box") -> "Box":
        """Return the smallest box that covers both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def overlap(self, other: "Box") -> float:
        """Return the area shared with `other`, in square points."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return width * height if width > 0 and height > 0 else 0.0

    def within(self, width: float, height: float) -> "Box":
        """Return the box cut to a page of that size; a box outside the page collapses onto its edge."""
        x0, x1 = (min(max(x, 0.0), width) for x in (self.x0, self.x1))
        y0, y1 = (min(max(y, 0.0), height) for y in (self.y0, self.y1))
        return Box(x0, y0, x1, y1)

    def rounded(self) -> "Box":
        """Return the box rounded to hundredths of a point, which is finer than any printer."""
        return Box(round(self.x0, 2), round(self.y0, 2), round(self.x1, 2), round(self.y1, 2))


NO_BOX = Box(0.0, 0.0, 0.0, 0.0)
"""The box of content without a position (formats without pages)."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its number from 1, its upright size in points, and whether it could be read."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    page_no: int
    width: float
    height: float
    rotation: int = 0
    ocr: bool = False
    status: PageStatus = "ok"
    error: str | None = None

    def __post_init__(self) -> None:
        _require(self.page_no >= 1, "pages count from 1")
        _require(math.isfinite(self.width) and self.width >= 0, "a page has a width")
        _require(math.isfinite(self.height) and self.height >= 0, "a page has a height")
        _require(self.rotation in (0, 90, 180, 270), "rotation is 0, 90, 180 or 270 degrees clockwise")
        _require((self.status == "failed") == (self.error is not None), "failed pages say why, others do not")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a block: its text and its box."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    text: str
    bbox: Box


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text with one role. Headings have a `level` (1..6), recognised text a `confidence`.

    `continues` marks a paragraph that continues the previous one across a column or page break.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    page_no: int
    order: int
    role: Role
    text: str
    bbox: Box
    level: int | None = None
    confidence: float | None = None
    lines: tuple[Line, ...] = ()
    continues: bool = False

    def __post_init__(self) -> None:
        _require(self.order >= 0, "reading order counts from 0")
        _require((self.role == "heading") == (self.level is not None), "headings have a level, others none")
        _require(self.level is None or 1 <= self.level <= _MAX_HEADING_LEVEL, "heading levels are 1 to 6")
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Cell:
    """A table cell at `row`, `col` (from 0) that covers `row_span` by `col_span` grid places."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    text: str
    row: int
    col: int
    page_no: int
    bbox: Box
    row_span: int = 1
    col_span: int = 1
    confidence: float | None = None
    is_header: bool = False

    def __post_init__(self) -> None:
        _require(self.row >= 0 and self.col >= 0, "cells count from 0")
        _require(self.row_span >= 1 and self.col_span >= 1, "a cell covers at least one place")
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Table:
    """A grid of cells, no two of which cover the same place; `merged_from_pages` if it was joined.

    The text of `caption` is also in the document, as a block.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    page_no: int
    order: int
    bbox: Box
    n_rows: int
    n_cols: int
    cells: tuple[Cell, ...]
    merged_from_pages: tuple[int, ...] = ()
    caption: str | None = None

    def __post_init__(self) -> None:
        _require(self.order >= 0, "reading order counts from 0")
        _require(self.n_rows >= 1 and self.n_cols >= 1, "a table has a row and a column")
        _require(self.n_rows * self.n_cols <= _MAX_PLACES, "a table has at most a million places")
        taken: set[tuple[int, int]] = set()
        for cell in self.cells:
            _require(cell.row + cell.row_span <= self.n_rows, "a cell reaches below its table")
            _require(cell.col + cell.col_span <= self.n_cols, "a cell reaches right of its table")
            places = {
                (row, col)
                for row in range(cell.row, cell.row + cell.row_span)
                for col in range(cell.col, cell.col + cell.col_span)
            }
            _require(taken.isdisjoint(places), "two cells cover the same place")
            taken |= places
        pages = self.merged_from_pages
        _require(list(pages) == sorted(set(pages)), "joined pages ascend")

    def grid(self) -> list[list[Cell | None]]:
        """Return rows of cells; a spanning cell is at its first place, its other places are None."""
        rows: list[list[Cell | None]] = [[None] * self.n_cols for _ in range(self.n_rows)]
        for cell in self.cells:
            rows[cell.row][cell.col] = cell
        return rows


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture: its position, and which of the extraction's images (`image_index`) holds its bytes.

    The text of `caption` is also in the document, as a block.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    page_no: int
    order: int
    bbox: Box
    mime: str
    width: int
    height: int
    image_index: int
    caption: str | None = None

    def __post_init__(self) -> None:
        _require(self.order >= 0, "reading order counts from 0")
        _require(self.width >= 1 and self.height >= 1, "an image has pixels")
        _require(self.image_index >= 0, "images count from 0")
        _require(self.mime.startswith("image/"), "a figure is an image")


Content = Block | Table | Figure


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: pages in order, and their content."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    pages: tuple[Page, ...]
    blocks: tuple[Block, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    warnings: tuple[str, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)

    def __post_init__(self) -> None:
        _require(self.schema_version == SCHEMA_VERSION, f"schema version {self.schema_version} is unknown")
        _require(
            [page.page_no for page in self.pages] == list(range(1, len(self.pages) + 1)),
            "pages are numbered 1, 2, 3 and so on",
        )
        positions: set[tuple[int, int]] = set()
        everything: tuple[Content, ...] = (*self.blocks, *self.tables, *self.figures)
        for content in everything:
            _require(1 <= content.page_no <= len(self.pages), "content stands on a page of the document")
            position = content.page_no, content.order
            _require(position not in positions, "two contents share a place in the reading order")
            positions.add(position)

    @property
    def page_count(self) -> int:
        return len(self.pages)

    def content(self) -> Iterator[Content]:
        """Yield blocks, tables and figures in reading order."""
        everything: tuple[Content, ...] = (*self.blocks, *self.tables, *self.figures)
        yield from sorted(everything, key=lambda content: (content.page_no, content.order))

    def to_json(self) -> str:
        """Return the document as JSON."""
        return _ADAPTER.dump_json(self).decode()

    @staticmethod
    def from_json(untrusted_json: bytes | str) -> "Document":
        """Read a document from JSON of any source.

        Raises `InvalidDocument` for unknown or missing keys, wrong types, inverted boxes, overlapping cells,
        numbers that are not finite, and other schema versions.
        """
        try:
            return _ADAPTER.validate_json(untrusted_json)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise InvalidDocument(f"{place}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class _Pages:
    pages: tuple[Page, ...]


_ADAPTER: TypeAdapter[Document] = TypeAdapter(Document)
_PAGES: TypeAdapter[_Pages] = TypeAdapter(_Pages)


def pages_of(document_json: bytes) -> tuple[Page, ...]:
    """Return only the pages of a stored document, at a fraction of the cost. Raises InvalidDocument."""
    try:
        return _PAGES.validate_json(document_json).pages
    except ValidationError as error:
        raise InvalidDocument(f"the pages cannot be read: {error.error_count()} errors") from error
