"""A document with one of everything, and text that tries to break out of what it is written into."""

from octavo.documents import Block, Box, Cell, Document, Figure, Page, Role, Table

BOX = Box(72, 90, 200, 104)
HOSTILE = '<script>alert("x")</script> & | *b* [l](javascript:x)'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def block(order: int, role: Role, text: str, *, level: int | None = None, page_no: int = 1) -> Block:
    return Block(page_no, order, role, text, BOX, level=level)


def one_of_everything() -> Document:
    cells = (
        Cell("Mean", 0, 0, 1, BOX, col_span=2, is_header=True),
        Cell("a|b", 1, 0, 1, BOX, confidence=91.5),
        Cell(HOSTILE, 1, 1, 1, BOX),
    )
    return Document(
        pages=(Page(1, 595, 842), Page(2, 0, 0, status="failed", error="<broken>"), Page(3, 842, 595, 90, True)),
        blocks=(
            block(0, "title", "The Title"),
            block(1, "heading", "Part", level=2),
            block(2, "paragraph", HOSTILE),
            block(3, "list_item", "\u2022 one"),
            block(4, "list_item", "2) two"),
            block(6, "caption", "Figure 1. A bar."),
            block(8, "code", "if a:\n```\n    b"),
            block(9, "page_number", "17"),
            block(10, "paragraph", "# not a heading"),
            block(11, "paragraph", "1. not a list"),
            Block(3, 0, "paragraph", "read by machine", BOX, confidence=88.5),
        ),
        tables=(Table(1, 7, BOX, 2, 2, cells, merged_from_pages=(1, 3)),),
        figures=(Figure(1, 5, BOX, "image/png", 40, 20, 0, "Figure 1. A bar."),),
        warnings=("page 2 could not be read",),
    )
