"""Pages that are images: they have tables, cells, headings and captions as pages with text have."""

import io
from pathlib import Path

import pytest
from PIL import Image

from octavo.documents import Document
from tests.integration.engines.drawn import HEIGHT, WIDTH, Drawing, grid, read, texts
from tests.integration.engines.test_models import report
from tests.integration.engines.test_tables import PLANETS, booktabs

XS = [72.0, 200.0, 320.0, 440.0]
OTHERS = [["Moon", "Planet", "Year"], ["Phobos", "Mars", "1877"], ["Europa", "Jupiter", "1610"]]


@pytest.fixture
def drawing() -> Drawing:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 6)
    return drawing


def test_a_ruled_table_of_a_scan_has_its_cells_with_confidence(drawing: Drawing) -> None:
    drawing.lattice(PLANETS, XS, 200)
    document = drawing.scanned().read()
    assert grid(document) == PLANETS
    assert document.pages[0].ocr
    assert all(cell.confidence is not None and cell.confidence > 60 for cell in document.tables[0].cells)


def test_what_stands_in_a_table_of_a_scan_is_not_read_twice(drawing: Drawing) -> None:
    drawing.lattice(PLANETS, XS, 200)
    assert not any("Jupiter" in block.text for block in drawing.scanned().read().blocks)


def test_a_table_of_a_scan_between_three_lines_is_found(drawing: Drawing) -> None:
    booktabs(drawing)
    assert grid(drawing.scanned().read()) == PLANETS


def test_tables_of_a_scan_with_lines_at_the_same_edges_stay_two(drawing: Drawing) -> None:
    bottom = drawing.lattice(PLANETS, XS, 200)
    drawing.prose(72, bottom + 30, 440, 3)
    drawing.lattice(OTHERS, XS, bottom + 90)
    document = drawing.scanned().read()
    assert [grid(document, index) for index in range(len(document.tables))] == [PLANETS, OTHERS]


def test_a_table_of_a_skewed_scan_is_found_and_lies_where_it_is_seen(drawing: Drawing) -> None:
    drawing.lattice(PLANETS, XS, 700)
    straight, skewed = drawing.scanned().read(), drawing.scanned(1.5).read()
    assert grid(skewed) == PLANETS
    # Left of and below the middle of the page, whatever is turned counter-clockwise moves down and to the right.
    assert middle(skewed)[0] > middle(straight)[0] + 3
    assert middle(skewed)[1] > middle(straight)[1] + 0.5


def middle(document: Document) -> tuple[float, float]:
    box = document.tables[0].bbox
    assert 0 <= box.x0 < box.x1 <= WIDTH
    assert 0 <= box.y0 < box.y1 <= HEIGHT
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def test_prose_of_a_scan_has_no_table(drawing: Drawing) -> None:
    drawing.prose(72, 200, 440, 20)
    assert drawing.scanned().read().tables == ()


def test_a_caption_of_a_scan_is_tied_to_its_table(drawing: Drawing) -> None:
    drawing.text(72, 196, "Table 1. Planets and their moons")
    drawing.lattice(PLANETS, XS, 208)
    (table,) = drawing.scanned().read().tables
    assert table.caption == "Table 1. Planets and their moons"


def test_a_picture_that_says_no_resolution_has_tables_and_headings(tmp_path: Path) -> None:
    drawing = report()
    drawing.lattice(PLANETS, XS, 520)
    path = tmp_path / "photo.png"
    Image.open(io.BytesIO(drawing.page.get_pixmap(dpi=250).tobytes("png"))).save(path)
    document = read("layout", path)
    assert document.pages[0].width > 3 * WIDTH
    assert grid(document) == PLANETS
    assert texts(document, ("title", "heading")) == ["3 Of the press", "3.1 Of the ink"]
    box = document.tables[0].bbox
    assert box.x0 == pytest.approx(XS[0] * 250 / 72, abs=8)
    assert box.y0 == pytest.approx(520 * 250 / 72, abs=8)


@pytest.mark.parametrize("engine", ["auto", "layout"])
def test_headings_of_a_scan_are_found_where_the_model_is_asked(engine: str) -> None:
    assert texts(report().scanned().read(engine), ("title", "heading")) == ["3 Of the press", "3.1 Of the ink"]
