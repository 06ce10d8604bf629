"""Which pages `auto` shows to the layout model: those with more than plain prose, and no others."""

from dataclasses import replace

from octavo.documents import Box
from octavo.engines.auto.page_selection import DoubtfulPages
from octavo.engines.mupdf import PdfPage, pymupdf
from octavo.engines.pages.page_view import NoRegions, PageView
from octavo.engines.pages.text.lines import TextLine
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

DOUBTFUL = DoubtfulPages(NoRegions(), PipelineThresholds())


def page() -> PdfPage:
    document = pymupdf.open()
    return document.new_page(width=600, height=800)


def line(text: str, x: float, y: float, *, width: float = 400, size: float = 10, bold: bool = False) -> TextLine:
    return TextLine(text, Box(x, y, x + width, y + 1.2 * size), size, bold=bold)


def prose(x: float = 72, width: float = 400) -> list[TextLine]:
    return [line("A line of prose that fills its column to the end.", x, 100 + 12 * n, width=width) for n in range(40)]


def needs(*lines: TextLine) -> bool:
    drawn = page()
    try:
        return DOUBTFUL.needs_layout(PageView(drawn, Box(0, 0, 600, 800), lines, 0, 0.0))
    finally:
        drawn.parent.close()


def test_plain_prose_needs_no_model() -> None:
    assert not needs(*prose())


def test_a_page_that_was_recognised_shows_no_weights_and_is_doubtful() -> None:
    assert needs(*[replace(each, confidence=90.0) for each in prose()])


def test_a_heading_in_larger_type_needs_no_model() -> None:
    assert not needs(line("Of type", 72, 80, width=90, size=16), *prose())


def test_a_page_with_a_few_words_needs_no_model() -> None:
    assert not needs(line("Invoice", 72, 80, width=60, bold=True), line("Total 12.00", 300, 80, width=90))


def test_a_short_bold_line_may_be_a_heading() -> None:
    assert needs(line("Of type", 72, 80, width=60, bold=True), *prose())


def test_a_page_in_bold_throughout_is_not_doubtful_for_that() -> None:
    assert not needs(*[line(each.text, each.box.x0, each.box.y0, bold=True) for each in prose()])


def test_columns_are_shown_to_the_model() -> None:
    assert needs(*prose(60, 220), *prose(310, 220))


def test_rows_of_cells_are_shown_to_the_model() -> None:
    assert needs(*prose(), line("Boys", 72, 600, width=30), line("12", 300, 600, width=12))


def test_a_running_head_alone_is_not() -> None:
    assert not needs(line("Author", 72, 30, width=40, bold=True), line("17", 500, 30, width=12), *prose())
