"""Captions are linked to their figure or table, and stay in the text."""

import io

import pytest
from PIL import Image

from octavo.documents import Document
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown
from tests.integration.engines.drawn import Drawing, texts

ROWS = [["Planet", "Moons"], ["Mars", "2"], ["Jupiter", "97"]]
XS = [72.0, 220.0, 400.0]
ABOVE = 12
"""Points from the base line of a caption to the table below it, enough for what hangs below the line."""


@pytest.fixture
def drawing() -> Drawing:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 6)
    return drawing


def picture(drawing: Drawing, x0: float, y0: float, x1: float, y1: float) -> None:
    buffer = io.BytesIO()
    # Each in a gray of its own, since equal images are one.
    Image.new("L", (160, 120), int(x0 + y0) % 200).save(buffer, "PNG")
    drawing.page.insert_image((x0, y0, x1, y1), stream=buffer.getvalue())


def tied(document: Document) -> tuple[list[str | None], list[str | None]]:
    """Return the captions of the figures and those of the tables, in reading order."""
    return [figure.caption for figure in document.figures], [table.caption for table in document.tables]


@pytest.mark.parametrize("engine", ["fast", "auto", "layout"])
def test_a_caption_above_a_table_is_its_own_and_stays_a_block(drawing: Drawing, engine: str) -> None:
    drawing.text(72, 200, "Table 1. Planets and their moons")
    drawing.lattice(ROWS, XS, 200 + ABOVE)
    document = drawing.read(engine)
    assert tied(document) == ([], ["Table 1. Planets and their moons"])
    assert texts(document, ("caption",)) == ["Table 1. Planets and their moons"]


@pytest.mark.parametrize("caption", ["Tabelle 2: Planeten und ihre Monde", "TAB. 2 Planets", "Table 2"])
def test_a_caption_below_a_table_is_its_own(drawing: Drawing, caption: str) -> None:
    bottom = drawing.lattice(ROWS, XS, 200)
    drawing.text(72, bottom + 16, caption)
    assert tied(drawing.read()) == ([], [caption])


def test_a_table_without_a_caption_has_none(drawing: Drawing) -> None:
    drawing.lattice(ROWS, XS, 200)
    assert tied(drawing.read()) == ([], [None])


def test_a_caption_further_away_is_nobody_s(drawing: Drawing) -> None:
    drawing.text(72, 200, "Table 1. Planets and their moons")
    drawing.lattice(ROWS, XS, 260)
    assert tied(drawing.read()) == ([], [None])


def test_a_caption_goes_to_the_kind_it_names_although_the_other_is_nearer(drawing: Drawing) -> None:
    bottom = drawing.lattice(ROWS, XS, 200)
    drawing.text(72, bottom + 14, "Figure 4. A planet and its moon")
    picture(drawing, 72, bottom + 35, 232, bottom + 155)
    assert tied(drawing.read()) == (["Figure 4. A planet and its moon"], [None])


def test_between_a_figure_and_a_table_each_gets_its_own(drawing: Drawing) -> None:
    picture(drawing, 72, 200, 232, 320)
    drawing.text(72, 334, "Table 7. Planets and their moons")
    drawing.text(72, 362, "Figure 4. A planet and its moon")
    drawing.lattice(ROWS, XS, 362 + ABOVE)
    assert tied(drawing.read()) == (["Figure 4. A planet and its moon"], ["Table 7. Planets and their moons"])


def test_a_picture_of_a_table_has_the_table_s_caption(drawing: Drawing) -> None:
    drawing.text(72, 200, "Table 3. Planets, photographed")
    picture(drawing, 72, 210, 232, 330)
    assert tied(drawing.read()) == (["Table 3. Planets, photographed"], [])


def test_of_tables_one_below_the_other_each_has_the_caption_above_it(drawing: Drawing) -> None:
    y = 200.0
    for number in (1, 2, 3):
        # Nearer to the table before than to its own.
        drawing.text(72, y, f"Table {number}. Planets")
        y = drawing.lattice(ROWS, XS, y + 2 * ABOVE) + 12
    assert tied(drawing.read()) == ([], ["Table 1. Planets", "Table 2. Planets", "Table 3. Planets"])


def test_a_caption_belongs_to_one_figure_only(drawing: Drawing) -> None:
    picture(drawing, 72, 200, 232, 320)
    drawing.text(72, 334, "Figure 1. A planet")
    picture(drawing, 72, 350, 232, 470)
    assert tied(drawing.read()) == (["Figure 1. A planet", None], [])


def test_a_table_joined_over_a_page_break_keeps_the_caption_of_its_first_part() -> None:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 30)
    drawing.text(72, 690, "Table 5. Planets and their moons")
    drawing.lattice(ROWS, XS, 700)
    drawing.new_page()
    bottom = drawing.lattice([["Saturn", "274"], ["Luna", "0"]], XS, 60)
    drawing.text(72, bottom + 14, "Table 6. What comes after")
    (table,) = drawing.read().tables
    assert (table.merged_from_pages, table.caption) == ((1, 2), "Table 5. Planets and their moons")


def test_a_caption_is_shown_once(drawing: Drawing) -> None:
    drawing.text(72, 200, "Table 1. Planets and their moons")
    drawing.lattice(ROWS, XS, 200 + ABOVE)
    document = drawing.read()
    for rendered in (render_html(document), render_markdown(document)):
        assert rendered.count("Planets and their moons") == 1
