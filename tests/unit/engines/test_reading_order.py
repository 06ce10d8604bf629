"""Columns, paragraphs and roles: geometry alone, no parser."""

from octavo.documents import Box, Page
from octavo.engines.pages.assembly import assemble, in_order
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.text.lines import TextLine, clean, rows
from octavo.engines.pages.text.paragraphs import joined, paragraphs
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

THRESHOLDS = PipelineThresholds()
PROSE = "a line of ordinary prose that fills its column"


def line(
    x: float, y: float, text: str = PROSE, *, width: float = 200, size: float = 10, bold: bool = False
) -> TextLine:
    return TextLine(text, Box(x, y, x + width, y + size * 1.2), size, bold=bold)


def column(x: float, count: int, prefix: str, *, top: float = 100) -> list[TextLine]:
    return [line(x, top + 12 * number, f"{prefix}{number} {PROSE}") for number in range(count)]


def read(lines: list[TextLine]) -> str:
    contents = in_order(lines, (), THRESHOLDS)
    pages = [PageDraft(Page(1, 600, 800), contents)]
    return " ".join(block.text for block in assemble(pages, (), THRESHOLDS).document.blocks)


def test_the_left_column_is_read_before_the_right() -> None:
    text = read(column(320, 6, "r") + column(60, 6, "l"))
    places = [text.index(f"{side}{number} ") for side in "lr" for number in range(6)]
    assert places == sorted(places)


def test_a_line_across_both_columns_parts_what_is_above_from_what_is_below() -> None:
    lines = column(60, 5, "a") + column(320, 5, "b") + column(60, 5, "c", top=300) + column(320, 5, "d", top=300)
    across = line(60, 250, "the heading between", width=460)
    text = read([*lines, across])
    assert [text.index(word) for word in ("a0", "b0", "heading", "c0", "d0")] == sorted(
        text.index(word) for word in ("a0", "b0", "heading", "c0", "d0")
    )


def test_three_columns_are_read_left_to_right() -> None:
    lines = [part for x, name in ((400, "z"), (40, "x"), (220, "y")) for part in column(x, 5, name)]
    narrow = [TextLine(part.text, Box(part.box.x0, part.box.y0, part.box.x0 + 150, part.box.y1), 10) for part in lines]
    text = read(narrow)
    assert text.index("x4") < text.index("y0") < text.index("y4") < text.index("z0")


def test_columns_of_figures_are_read_row_by_row() -> None:
    lines = [
        line(x, 100 + 14 * row, f"{row}.{col}", width=30) for row in range(5) for col, x in enumerate((60, 200, 340))
    ]
    assert read(lines).split() == [f"{row}.{col}" for row in range(5) for col in range(3)]


def test_a_gap_parts_paragraphs_and_a_hyphen_joins_words() -> None:
    close = [line(60, 100, "The measure-"), line(60, 112, "ments begin."), line(60, 150, "Another day.")]
    found = paragraphs(rows(close, THRESHOLDS.text.rows), THRESHOLDS.text.paragraphs)
    assert [paragraph.text for paragraph in found] == ["The measurements begin.", "Another day."]


def test_lines_that_end_early_on_purpose_stay_apart() -> None:
    lines = [line(60, 100, "Rye bread", width=50), line(60, 112, "Apple tart", width=55), line(60, 124)]
    assert len(paragraphs(rows(lines, THRESHOLDS.text.rows), THRESHOLDS.text.paragraphs)) == 3


def test_a_hyphen_before_a_capital_or_a_number_stays() -> None:
    assert joined(["North-", "South line", "1999-", "2001"]) == "North- South line 1999- 2001"


def test_text_that_cannot_be_stored_is_replaced() -> None:
    assert clean("a\x00b \ud800 c\td") == "a\ufffdb \ufffd c d"


def test_larger_and_bold_lines_are_headings_with_levels_by_size() -> None:
    lines = [
        line(60, 100, "Largest of all", size=18),
        line(60, 140, "Second", size=14, width=80),
        *column(60, 8, "p", top=170),
        line(60, 300, "Bold one", bold=True, width=60),
        *column(60, 8, "q", top=330),
    ]
    pages = [PageDraft(Page(1, 600, 800), in_order(lines, (), THRESHOLDS))]
    blocks = assemble(pages, (), THRESHOLDS).document.blocks
    assert [(block.role, block.level) for block in blocks if block.role != "paragraph"] == [
        ("title", None),
        ("heading", 2),
        ("heading", 3),
    ]


def test_what_every_page_repeats_in_its_margin_is_header_and_footer() -> None:
    def page(number: int) -> PageDraft:
        lines = [
            line(60, 30, "Annual report"),
            *column(60, 4, f"page{number}"),
            line(60, 770, f"{number}", width=10),
        ]
        return PageDraft(Page(number, 600, 800), in_order(lines, (), THRESHOLDS))

    blocks = assemble([page(1), page(2)], (), THRESHOLDS).document.blocks
    assert [block.role for block in blocks] == ["header", "paragraph", "page_number"] * 2
