"""A PDF that PyMuPDF cannot read, and a second reader can: read in a real child, with what was lost said."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import ExtractionFailed
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.samples import make_report
from tests.observers import Observing


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry.installed()) as extractor:
        yield extractor


def damage(path: Path, changes: dict[bytes, bytes]) -> Path:
    content = path.read_bytes()
    for old, new in changes.items():
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("change", [b"/Count -2", b"/Counx 2", b"/Count 0"])
def test_what_pymupdf_cannot_read_is_read_by_a_second_reader(
    extractor: Extractor, tmp_path: Path, change: bytes
) -> None:
    make_report(tmp_path / "report.pdf")
    whole = extractor.extract(Source(tmp_path / "report.pdf"), ParseOptions(engine="fast")).document
    path = damage(tmp_path / "report.pdf", {b"/Count 2": change})
    counted: list[int] = []
    found = extractor.extract(Source(path), ParseOptions(engine="fast"), Observing(on_counted=counted.append)).document
    assert (found.page_count, counted) == (2, [2])
    words = {word for block in whole.blocks for word in block.text.split()}
    assert len(words & {word for block in found.blocks for word in block.text.split()}) > 0.8 * len(words)
    assert any("second reader" in warning for warning in found.warnings)


def test_what_neither_can_read_fails_with_the_first_ones_reason(extractor: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "nothing.pdf"
    path.write_bytes(b"%PDF-1.7\nnothing of a PDF follows\n" * 20)
    with pytest.raises(ExtractionFailed, match="damaged"):
        extractor.extract(Source(path), ParseOptions(engine="fast"))
