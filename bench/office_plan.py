"""What a made-up office document holds, whatever format it is written in: headings, lists, tables with spans.

Every text has a word of its own that stands nowhere else, so that it can be told whether the text came out once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, 1 being the highest."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list; `depth` from 0, `number` where its list is numbered."""

    text: str
    depth: int = 0
    number: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell of a table: its lines, its place and how many places it covers."""

    lines: tuple[str, ...]
    row: int
    col: int
    row_span: int = 1
    col_span: int = 1


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """A table whose first row is its header."""

    n_rows: int
    n_cols: int
    cells: tuple[PlannedCell, ...]

    def at(self, row: int, col: int) -> PlannedCell | None:
        """Return the cell that begins at a place."""
        return next((cell for cell in self.cells if (cell.row, cell.col) == (row, col)), None)

    def covers(self, row: int, col: int) -> bool:
        """Tell whether a place belongs to a cell that begins elsewhere."""
        return any(
            cell.row <= row < cell.row + cell.row_span
            and cell.col <= col < cell.col + cell.col_span
            and (cell.row, cell.col) != (row, col)
            for cell in self.cells
        )


Part = Heading | Paragraph | Item | PlannedTable


@dataclass(slots=True)
class Words:
    """Produces texts that each end in a unique word."""

    used: int = field(default=0)

    def text(self, phrase: str) -> str:
        self.used += 1
        return f"{phrase} qz{self.used:03d}x"


def plan() -> list[Part]:
    """Return the parts of a document in reading order."""
    words = Words()
    parts: list[Part] = [
        Heading(1, words.text("On the making of type")),
        Paragraph(words.text("Letters were cut first")),
    ]
    for chapter in range(2):
        parts += [
            Heading(2, words.text("A chapter")),
            Paragraph(words.text("Ink & paper < press > \u201cquoted\u201d, 50 %, na\u00efve")),
            *_bullets(words),
            Heading(3, words.text("A section")),
            *_steps(words),
            _table(words, merged=True),
            Paragraph(words.text("\u0411\u0443\u043a\u0432\u044b \u0438\u0437 \u0441\u0442\u0430\u043b\u0438")),
        ]
        if chapter:
            parts += [_table(words, merged=False), Paragraph(words.text("\u6d3b\u5b57"))]
    return parts


def _bullets(words: Words) -> Iterator[Item]:
    for text, depth in (("Punches", 0), ("of steel", 1), ("of brass", 1), ("Matrices", 0), ("Moulds", 0)):
        yield Item(words.text(text), depth)


def _steps(words: Words) -> Iterator[Item]:
    for number, text in enumerate(("Damp the sheet", "Ink the forme", "Pull the bar"), 1):
        yield Item(words.text(text), number=number)


def _table(words: Words, *, merged: bool) -> PlannedTable:
    """Return four rows of three; merged: a header over two columns, a first column over two rows."""
    spans = {(0, 1): (1, 2), (1, 0): (2, 1)} if merged else {}
    cells: list[PlannedCell] = []
    for row in range(4):
        for col in range(3):
            if (merged and (row, col) in ((0, 2), (2, 0))) or (not merged and (row, col) == (2, 1)):
                continue
            row_span, col_span = spans.get((row, col), (1, 1))
            lines = [words.text("Head" if row == 0 else "12.50" if col == 2 else "Cell")]
            if (row, col) == (3, 1):
                lines.append(words.text("second line"))
            cells.append(PlannedCell(tuple(lines), row, col, row_span, col_span))
    return PlannedTable(4, 3, tuple(cells))


def sections(parts: Sequence[Part]) -> list[list[Part]]:
    """Return the parts cut before each heading."""
    found: list[list[Part]] = []
    for part in parts:
        if isinstance(part, Heading) or not found:
            found.append([])
        found[-1].append(part)
    return found


def texts(parts: list[Part]) -> list[str]:
    """Return all texts, a cell's lines one by one, in reading order."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, PlannedTable):
            found += [line for cell in part.cells for line in cell.lines]
        else:
            found.append(part.text)
    return found
