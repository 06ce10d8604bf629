"""The project's own samples, from file to rendered result."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from octavo.documents import Box
from octavo.engines.drawing import BODY, TITLE, Sheets
from octavo.extraction.extraction import Extraction
from octavo.identifiers import ResultId
from octavo.render.extract_page import render_extract_page
from octavo.render.figure_images import ImagesInMemory
from octavo.render.markdown import render_markdown
from octavo.samples import (
    LEFT_COLUMN,
    LETTER,
    RECEIPT,
    REPORT_CAPTION,
    REPORT_TABLE,
    REPORT_TITLE,
    RIGHT_COLUMN,
    make_report,
)
from tests.integration.extraction.conftest import Extract


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def share_found(truth: str, extraction: Extraction) -> float:
    read = set(words(" ".join(block.text for block in extraction.document.blocks)))
    wanted = words(truth)
    return sum(word in read for word in wanted) / len(wanted)


def test_headings_and_title_have_their_roles(report: Extraction) -> None:
    blocks = report.document.blocks
    assert [block.text for block in blocks if block.role == "title"] == [REPORT_TITLE]
    assert [block.text for block in blocks if block.role == "heading"] == [
        "1 Purpose",
        "2 Measurements",
        "3 Comparison",
    ]
    assert sum(block.role == "list_item" for block in blocks) == 3


def test_the_table_has_its_cells_and_its_span(report: Extraction) -> None:
    (table,) = report.document.tables
    assert (table.n_rows, table.n_cols) == (5, 3)
    assert table.cells[0].col_span == 3
    texts = [[cell.text for cell in row if cell] for row in table.grid()]
    assert texts == [list(row) for row in REPORT_TABLE]


def test_table_text_is_not_read_twice(report: Extraction) -> None:
    assert not any("North gauge" in block.text for block in report.document.blocks)


def test_the_figure_has_bytes_and_caption(report: Extraction) -> None:
    (figure,) = report.document.figures
    assert figure.caption == REPORT_CAPTION
    with Image.open(io.BytesIO(report.images[figure.image_index])) as image:
        assert image.size == (figure.width, figure.height)
        assert image.width / image.height == pytest.approx(2.0, rel=0.02)


def test_contents_of_a_page_stand_in_order_and_on_the_page(report: Extraction) -> None:
    for content in report.document.content():
        page = report.document.pages[content.page_no - 1]
        assert 0 <= content.bbox.x0 <= content.bbox.x1 <= page.width
        assert 0 <= content.bbox.y0 <= content.bbox.y1 <= page.height
    tops = [content.bbox.y0 for content in report.document.content() if content.page_no == 1]
    assert tops == sorted(tops)


def test_the_left_column_is_read_first_though_the_file_has_it_last(extract: Extract, samples: Path) -> None:
    text = render_markdown(extract(samples / "two-columns.pdf").document)
    flat = " ".join(text.split())
    places = [flat.index(part) for part in ("The Mill", *LEFT_COLUMN, *RIGHT_COLUMN)]
    assert places == sorted(places)


def test_a_scan_is_read_with_confidence(scan: Extraction) -> None:
    assert share_found(" ".join(LETTER), scan) > 0.95
    assert scan.document.pages[0].ocr
    assert all(block.confidence is not None for block in scan.document.blocks)
    assert max(block.confidence or 0 for block in scan.document.blocks) > 80


def test_the_image_of_a_scan_is_no_figure(scan: Extraction) -> None:
    assert scan.document.figures == ()


def test_boxes_of_a_skewed_scan_lie_over_the_ink(scan: Extraction, samples: Path) -> None:
    page = _ink(samples / "scan.pdf")
    for block in scan.document.blocks:
        for line in block.lines:
            assert _darkness(page, line.bbox) > 2.5 * _darkness(page, Box(0, 300, 595, 842))


def test_a_photograph_is_read(extract: Extract, samples: Path) -> None:
    photo = extract(samples / "photo.jpg")
    assert share_found(" ".join(RECEIPT), photo) > 0.9
    with Image.open(samples / "photo.jpg") as image:
        assert (photo.document.pages[0].width, photo.document.pages[0].height) == image.size


def test_native_text_has_no_confidence_and_its_boxes_lie_over_the_ink(report: Extraction, samples: Path) -> None:
    page = _ink(samples / "report.pdf")
    for block in report.document.blocks:
        if block.page_no == 1:
            assert block.confidence is None
            assert all(_darkness(page, line.bbox) > 0.02 for line in block.lines)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_page_is_read_upright_with_boxes_over_the_ink(extract: Extract, tmp_path: Path, degrees: int) -> None:
    # The page is drawn lying on its side and turned by its own rotation, as many programs write it.
    sheets = Sheets()
    page = sheets.page()
    page.text("Seven boats left the harbour before the fog came down.", BODY)
    sheets.turn(0, degrees)
    sheets.save(tmp_path / "turned.pdf")
    document = extract(tmp_path / "turned.pdf").document
    assert document.pages[0].rotation == degrees
    assert (document.pages[0].width > document.pages[0].height) == (degrees in (90, 270))
    (block,) = document.blocks
    assert _darkness(_ink(tmp_path / "turned.pdf"), block.bbox) > 0.02


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_scan_that_lies_on_its_side_is_turned_upright(extract: Extract, tmp_path: Path, degrees: int) -> None:
    sheets = Sheets()
    page = sheets.page()
    for paragraph in LETTER * 2:
        page.text(paragraph)
    image = sheets.pixels(0, 150).rotate(degrees, expand=True)
    image.save(tmp_path / "side.png", dpi=(150, 150))
    extraction = extract(tmp_path / "side.png")
    assert extraction.document.pages[0].rotation == degrees
    assert extraction.document.pages[0].height > extraction.document.pages[0].width
    assert share_found(" ".join(LETTER), extraction) > 0.95
    first = extraction.document.blocks[0]
    assert first.text.startswith("Dear")
    assert first.bbox.y0 == pytest.approx(75, abs=8)


def test_every_frame_of_a_tiff_is_a_page(extract: Extract, tmp_path: Path) -> None:
    frames = []
    for word in ("Monday", "Tuesday", "Wednesday"):
        sheets = Sheets()
        sheets.page().text(f"Harbour log of {word}", TITLE)
        frames.append(sheets.pixels(0, 100))
    frames[0].save(tmp_path / "log.tif", save_all=True, append_images=frames[1:], dpi=(100, 100))
    document = extract(tmp_path / "log.tif").document
    assert document.page_count == 3
    assert [block.text.split()[-1] for block in document.blocks] == ["Monday", "Tuesday", "Wednesday"]
    assert document.pages[0].width == pytest.approx(595, abs=2)


def test_one_broken_page_is_listed_and_the_others_are_read(extract: Extract, tmp_path: Path) -> None:
    make_report(tmp_path / "report.pdf")
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.count(b"/Count 2") == 1
    (tmp_path / "broken.pdf").write_bytes(pdf.replace(b"/Count 2", b"/Count 3"))
    document = extract(tmp_path / "broken.pdf").document
    assert [page.status for page in document.pages] == ["ok", "ok", "failed"]
    assert document.pages[2].error
    assert any("page 3" in warning for warning in document.warnings)
    assert document.blocks


def test_the_rendered_result_holds_text_table_and_image(report: Extraction) -> None:
    result = render_extract_page(
        report.document, ImagesInMemory(report.images), result_id=ResultId("result_1"), engine=report.engine
    )
    kinds = [chunk["chunk_type"] for chunk in result["chunks"]]
    assert kinds.count("table") == 1
    assert kinds.count("image") == 1
    assert result["chunks"][0]["page_content"] == REPORT_TITLE


def _ink(path: Path) -> Image.Image:
    """Return a picture of the first page as viewers show it, one pixel a point."""
    from octavo.engines.mupdf import pymupdf

    with pymupdf.open(path) as document:
        pixels = document[0].get_pixmap(dpi=72, colorspace=pymupdf.csGRAY)
        return Image.frombytes("L", (pixels.width, pixels.height), pixels.samples)


def _darkness(page: Image.Image, box: Box) -> float:
    """Return how dark the part of a page under a box is on average: 0 for white, 1 for black."""
    corners = tuple(map(round, (box.x0, box.y0, max(box.x1, box.x0 + 1), max(box.y1, box.y0 + 1))))
    part = page.crop((corners[0], corners[1], corners[2], corners[3])).point(lambda value: 255 - value)
    histogram = part.histogram()
    return sum(value * count for value, count in enumerate(histogram)) / (255 * part.width * part.height)
