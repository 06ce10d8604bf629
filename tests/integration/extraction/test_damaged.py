"""Damage found by `bench.fuzz`: how it ends, and that no child of the sandbox dies of it."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from octavo.engines.contract import Limits, Source
from octavo.engines.mupdf import PdfDocument, PdfPage, pymupdf
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.files.pdf import PdfReader
from octavo.engines.pages.page_view import NoRegions
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.engines.registry import EngineRegistry
from octavo.errors import ExtractionFailed
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions

Read = Callable[[bytes], Extraction]


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:
        yield extractor


@pytest.fixture
def read(extractor: Extractor, tmp_path: Path) -> Iterator[Read]:
    def read(data: bytes) -> Extraction:
        path = tmp_path / "document"
        path.write_bytes(data)
        return extractor.extract(Source(path), ParseOptions())

    yield read
    assert extractor.child_failures == {}


def test_a_tiff_whose_second_page_says_no_width_is_damaged(read: Read) -> None:
    buffer = io.BytesIO()
    Image.new("L", (40, 30)).save(buffer, "TIFF", save_all=True, append_images=[Image.new("L", (41, 30))])
    width = b"\x00\x01\x04\x00\x01\x00\x00\x00\x29\x00\x00\x00"
    assert width in buffer.getvalue()
    with pytest.raises(ExtractionFailed, match="damaged"):
        read(buffer.getvalue().replace(width, b"\x00\xff" + width[2:]))


def with_text(document: PdfDocument) -> PdfPage:
    page = document.new_page(width=400, height=500)
    page.insert_text((72, 72), "High water at six.")
    return page


def saved(document: PdfDocument) -> bytes:
    data: bytes = document.tobytes()
    return data


def texts(extraction: Extraction) -> list[str]:
    return [block.text for block in extraction.document.blocks]


@pytest.mark.parametrize("contents", ["[{} 0 R 9999 0 R]", "[{} 0 R null]", "[{} 0 R 1 0 R]"])
def test_a_page_is_read_although_a_part_of_its_content_is_missing(read: Read, contents: str) -> None:
    with pymupdf.open() as document:
        page = with_text(document)
        (xref,) = page.get_contents()
        document.xref_set_key(page.xref, "Contents", contents.format(xref))
        assert texts(read(saved(document))) == ["High water at six."]


def test_a_page_is_read_although_its_content_has_a_filter_that_is_none(read: Read) -> None:
    with pymupdf.open() as document:
        with_text(document)
        data = saved(document)
    broken = data.replace(b"<</Length", b"<</Filter 9 9 R 3/Length", 1)
    assert broken != data
    assert read(broken).document.pages[0].status == "ok"


def test_a_turned_page_is_read_although_a_form_field_on_it_is_damaged(read: Read) -> None:
    with pymupdf.open() as document:
        page = with_text(document)
        field = pymupdf.Widget()
        field.rect, field.field_type = pymupdf.Rect(20, 320, 200, 340), pymupdf.PDF_WIDGET_TYPE_TEXT
        field.field_name = "level"
        page.add_widget(field)
        for xref, _, _ in page.annot_xrefs():
            document.xref_set_key(xref, "Parent", "9999 0 R")
        page.set_rotation(90)
        extraction = read(saved(document))
    assert texts(extraction) == ["High water at six."]
    assert extraction.document.pages[0].rotation == 90


def test_an_assertion_of_pymupdf_fails_the_page_and_not_the_child(tmp_path: Path) -> None:
    """It asserts that a page it loads anew is another object, which depends on who still holds the old one."""

    class Asserting:
        def load_page(self, number: int) -> None:
            raise AssertionError(f"refs_old=2 of {number}")

    draft = PdfReader(Asserting(), Limits(), tmp_path, NoRegions(), PipelineThresholds()).read(1)
    assert isinstance(draft, PageDraft)
    assert (draft.page.status, draft.page.error) == ("failed", "refs_old=2 of 0")


def test_a_scan_on_a_page_as_large_as_a_house_takes_the_memory_of_its_image(read: Read) -> None:
    image = Image.new("L", (1275, 1650), "white")
    draw = ImageDraw.Draw(image)
    for row in range(20):
        draw.text((100, 120 + 60 * row), "The sheet was damped before", font=ImageFont.load_default(40), fill="black")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    document = pymupdf.open()
    page = document.new_page(width=18_000, height=36_000)
    page.insert_image(page.rect, stream=buffer.getvalue())
    extraction = read(document.tobytes())
    assert "damped" in " ".join(block.text for block in extraction.document.blocks)
