"""Tables without a line around every cell: where they are, and what their rows, columns and cells are."""

import pytest

from tests.integration.engines.drawn import Drawing, grid, texts

PLANETS = [["Planet", "Moons", "Radius"], ["Mars", "2", "3390"], ["Jupiter", "97", "69911"], ["Saturn", "274", "58232"]]
MOON = ["Luna", "0", "1737"]
XS = [72.0, 220.0, 330.0]


@pytest.fixture
def drawing() -> Drawing:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 6)
    return drawing


def booktabs(drawing: Drawing, y: float = 200) -> float:
    """Draw the planets between three lines."""
    drawing.rule(68, 420, y)
    drawing.rows(PLANETS[:1], XS, y + 13)
    drawing.rule(68, 420, y + 20)
    bottom = drawing.rows(PLANETS[1:], XS, y + 34)
    drawing.rule(68, 420, bottom - 8)
    return bottom


def test_a_table_between_three_lines_is_found(drawing: Drawing) -> None:
    booktabs(drawing)
    document = drawing.read()
    assert grid(document) == PLANETS
    assert [cell.is_header for cell in document.tables[0].cells] == [True] * 3 + [False] * 9


def test_a_table_of_shaded_rows_is_found(drawing: Drawing) -> None:
    for index in (0, 2):
        drawing.band(68, 200 + 18 * index, 420, 218 + 18 * index)
    drawing.rows(PLANETS, XS, 212, step=18)
    assert grid(drawing.read()) == PLANETS


def test_a_table_with_nothing_drawn_is_found_by_its_numbers(drawing: Drawing) -> None:
    drawing.rows(PLANETS, XS, 212)
    assert grid(drawing.read()) == PLANETS


def test_a_ruled_table_keeps_its_cells(drawing: Drawing) -> None:
    drawing.lattice(PLANETS, [68.0, 200.0, 300.0, 420.0], 200)
    assert grid(drawing.read()) == PLANETS


def test_a_header_at_the_left_and_numbers_at_the_right_are_one_column(drawing: Drawing) -> None:
    drawing.rule(68, 500, 200)
    for x, name in zip((72, 200, 350), PLANETS[0], strict=True):
        drawing.text(x, 213, name)
    drawing.rule(68, 500, 220)
    for index, row in enumerate(PLANETS[1:]):
        y = 234 + 16 * index
        drawing.text(72, y, row[0])
        drawing.right(340, y, row[1])
        drawing.right(496, y, row[2])
    drawing.rule(68, 500, 276)
    assert grid(drawing.read()) == PLANETS


def test_lines_of_one_cell_are_joined_and_rows_are_not(drawing: Drawing) -> None:
    drawing.rule(68, 500, 200)
    drawing.rows([["Name", "Seats"]], [72, 300], 213)
    drawing.rule(68, 500, 220)
    y = 236.0
    for first, second, number in (("House of", "Representatives", "202"), ("Provincial", "board", "626")):
        drawing.text(72, y, first)
        drawing.text(300, y + 6, number)
        drawing.text(72, y + 12, second)
        y += 34
    drawing.text(72, y, "Senate")
    drawing.text(300, y, "24")
    drawing.rule(68, 500, y + 8)
    assert grid(drawing.read()) == [
        ["Name", "Seats"],
        ["House of Representatives", "202"],
        ["Provincial board", "626"],
        ["Senate", "24"],
    ]


def test_a_header_centred_over_columns_spans_them(drawing: Drawing) -> None:
    drawing.rule(68, 500, 200)
    drawing.text(262, 212, "Enrolled")
    drawing.rows([["School", "Boys", "Girls"]], [72, 200, 340], 226)
    drawing.rule(68, 500, 232)
    drawing.rows([["North", "12", "15"], ["South", "31", "27"], ["West", "8", "9"]], [72, 204, 344], 246)
    drawing.rule(68, 500, 288)
    (table,) = drawing.read().tables
    (header,) = [cell for cell in table.cells if cell.text == "Enrolled"]
    assert (header.row, header.col, header.col_span) == (0, 1, 2)


def test_lines_that_leave_all_rows_in_one_cell_do_not_make_the_grid(drawing: Drawing) -> None:
    for y in (200, 220, 290):
        drawing.rule(68, 420, y)
    for x in (68, 200, 310, 420):
        drawing.page.draw_line((x, 200), (x, 290), width=0.8)
    drawing.rows(PLANETS[:1], [72, 204, 314], 213)
    drawing.rows(PLANETS[1:], [72, 204, 314], 236)
    assert grid(drawing.read()) == PLANETS


def test_the_lines_of_a_chart_are_no_table(drawing: Drawing) -> None:
    for index in range(6):
        drawing.rule(100, 400, 200 + 30 * index)
        drawing.page.draw_line((100 + 60 * index, 200), (100 + 60 * index, 350), width=0.8)
    drawing.text(230, 262, "41%")
    drawing.text(290, 292, "12%")
    assert not drawing.read().tables


def test_prose_in_two_columns_between_lines_is_no_table() -> None:
    drawing = Drawing()
    drawing.rule(60, 535, 60)
    for x in (60, 310):
        drawing.prose(x, 80, 225, 40)
    drawing.rule(60, 535, 600)
    assert not drawing.read().tables


def test_a_table_of_contents_is_no_table() -> None:
    drawing = Drawing()
    for index in range(8):
        drawing.text(72, 100 + 16 * index, f"Chapter {index + 1} . . . . . . . . . . . . . . . . . . . . . .")
        drawing.right(520, 100 + 16 * index, str(12 * index + 3))
    assert not drawing.read().tables


def test_words_of_a_table_are_not_repeated_in_the_text(drawing: Drawing) -> None:
    booktabs(drawing)
    document = drawing.read()
    assert not any("Jupiter" in text for text in texts(document, ("paragraph", "heading", "list_item")))


def over_two_pages(header_again: bool) -> Drawing:
    drawing = Drawing()
    xs = [68.0, 200.0, 300.0, 420.0]
    drawing.prose(68, 80, 440, 30)
    drawing.lattice(PLANETS[:3], xs, 700)
    drawing.new_page()
    drawing.lattice([PLANETS[0], *PLANETS[3:], MOON] if header_again else [*PLANETS[3:], MOON], xs, 60)
    drawing.prose(68, 200, 440, 8)
    return drawing


@pytest.mark.parametrize("header_again", [True, False])
def test_a_table_over_a_page_break_is_one_table_without_a_second_header(header_again: bool) -> None:
    (table,) = over_two_pages(header_again).read().tables
    assert table.merged_from_pages == (1, 2)
    assert [cell.text for cell in table.cells if cell.col == 0] == ["Planet", "Mars", "Jupiter", "Saturn", "Luna"]
    assert [cell.page_no for cell in table.cells if cell.col == 0] == [1, 1, 1, 2, 2]


def test_tables_with_other_columns_are_not_joined() -> None:
    drawing = Drawing()
    drawing.prose(68, 80, 440, 30)
    drawing.lattice(PLANETS, [68.0, 200.0, 300.0, 420.0], 700)
    drawing.new_page()
    drawing.lattice(PLANETS, [68.0, 150.0, 380.0, 500.0], 60)
    assert [table.merged_from_pages for table in drawing.read().tables] == [(), ()]
