"""A reading interrupted between two pages is continued, and the result does not show it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.drawing import BODY, HEADING, Sheets, scanned
from octavo.engines.mupdf import pymupdf
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.samples import LETTER, REPORT_TABLE
from tests.observers import Observing

PAGES = 20
SCANNED = 5
MANY = 1000
GIBI = 1024**3


class BrokenOff(Exception):
    """The worker is told to stop."""


@dataclass
class Keeper:
    """Keeps every piece; breaks off after so many pages."""

    pieces: list[bytes] = field(default_factory=list)
    last: int = MANY
    done: list[int] = field(default_factory=list)

    def on_page(self, done: int) -> None:
        self.done.append(done)
        if done >= self.last:
            raise BrokenOff

    def observer(self, keep_seconds: float = 0.0) -> Observing:
        return Observing(on_page=self.on_page, keep=self.pieces.append, kept=self.pieces, keep_seconds=keep_seconds)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry.installed()) as made:
        yield made


def draw(path: Path, count: int) -> Path:
    """Pages of prose with a word broken over two of them, tables that go on, and one without a text layer."""
    sheets = Sheets()
    for number in range(1, count + 1):
        sheet = sheets.page()
        sheet.text(f"{number} Of the harbour", HEADING)
        sheet.text(f"Page {number} tells of the water-level in the basin. " * 12, BODY)
        if number % 5 == 0:
            sheet.table(REPORT_TABLE, (150, 130, 130), span_first=True)
    sheets.save(path)
    return path


def with_scan(path: Path, folder: Path) -> Path:
    """Put a page that must be recognised in the middle."""
    letter = Sheets()
    letter.page().text("\n".join(LETTER))
    picture = folder / "scan.png"
    scanned(letter.pixels(0, 150), 0.0).save(picture)
    with pymupdf.open(path) as document:
        page = document.new_page(SCANNED - 1, width=595, height=842)
        page.insert_image(page.rect, filename=str(picture))
        document.save(folder / "whole.pdf")
    return folder / "whole.pdf"


def read(extractor: Extractor, path: Path, keeper: Keeper | None, engine: str = "fast") -> Extraction:
    return extractor.extract(Source(path), ParseOptions(engine=engine), None if keeper is None else keeper.observer())


@pytest.mark.parametrize("engine", ["fast", "auto"])
def test_a_reading_that_was_broken_off_twice_has_the_result_of_one_that_was_not(
    extractor: Extractor, tmp_path: Path, engine: str
) -> None:
    path = with_scan(draw(tmp_path / "harbour.pdf", PAGES - 1), tmp_path)
    whole = read(extractor, path, None, engine)
    assert whole.document.pages[SCANNED - 1].ocr
    keeper = Keeper(last=7)
    with pytest.raises(BrokenOff):
        read(extractor, path, keeper, engine)
    keeper.last = 13
    with pytest.raises(BrokenOff):
        read(extractor, path, keeper, engine)
    after, keeper.last, keeper.done = len(keeper.pieces), MANY, []
    found = read(extractor, path, keeper, engine)
    assert (found.document, found.images) == (whole.document, whole.images)
    assert keeper.done[0] == 13, "pages that are finished are not read again"
    assert len(keeper.pieces) - after <= PAGES - 13


def test_pieces_that_are_no_pages_are_passed_over(extractor: Extractor, tmp_path: Path) -> None:
    path = draw(tmp_path / "harbour.pdf", 3)
    keeper = Keeper(pieces=[b"", b"nonsense", bytes(5000)])
    assert read(extractor, path, keeper).document == read(extractor, path, None).document
    assert keeper.done[0] == 0


def test_a_child_whose_reading_was_broken_off_reads_nothing_more(extractor: Extractor, tmp_path: Path) -> None:
    path = draw(tmp_path / "harbour.pdf", 10)
    with pytest.raises(BrokenOff):
        read(extractor, path, Keeper(last=2))
    assert read(extractor, path, None).document.page_count == 10


def many_times(path: Path, times: int, whole: Path) -> Path:
    with pymupdf.open(path) as short, pymupdf.open() as long:
        for _ in range(times):
            long.insert_pdf(short)
        long.save(whole)
    return whole


def peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_a_thousand_pages_are_read_in_less_than_a_gibibyte(extractor: Extractor, tmp_path: Path) -> None:
    path = many_times(draw(tmp_path / "short.pdf", 20), MANY // 20, tmp_path / "long.pdf")
    keeper = Keeper()
    with extractor._pool.child(fresh=True) as child:
        child.read(Source(path), ParseOptions(engine="fast"), keeper.observer(keep_seconds=1.0))
        assert peak_bytes(child.pid) < GIBI
    assert keeper.done == list(range(MANY))
