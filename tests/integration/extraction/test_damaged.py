"""Damage that `bench.fuzz` has met: what it comes to, and that no child of the sandbox dies of it."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from octavo.engines.contract import ExtractOptions, Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import ExtractionFailed
from octavo.extraction.extractor import Extraction, Extractor

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
        return extractor.extract(Source(path), ExtractOptions())

    yield read
    assert extractor.child_failures == {}


def test_a_tiff_whose_second_page_says_no_width_is_damaged(read: Read) -> None:
    buffer = io.BytesIO()
    Image.new("L", (40, 30)).save(buffer, "TIFF", save_all=True, append_images=[Image.new("L", (41, 30))])
    width = b"\x00\x01\x04\x00\x01\x00\x00\x00\x29\x00\x00\x00"
    assert width in buffer.getvalue()
    with pytest.raises(ExtractionFailed, match="damaged"):
        read(buffer.getvalue().replace(width, b"\x00\xff" + width[2:]))
