"""Finished pages as a piece: what comes back is what went in, or nothing."""

import pickle
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.documents import Box, Cell, Page
from octavo.engines.contract import Limits
from octavo.engines.pages import finished_pages
from octavo.engines.pages.draft import FigureDraft, PageDraft, TableDraft
from octavo.engines.pages.finished_pages import FinishedPages, pack, unpack
from octavo.engines.pages.page_view import NoRegions
from octavo.engines.pages.reading import DocumentReader
from octavo.engines.pages.text.lines import Row, TextLine
from octavo.engines.pages.text.paragraphs import Paragraph
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

BOX = Box(72.123456789, 72, 300, 84)
FAILED = replace(Page(3, 0.0, 0.0), status="failed", error="torn")


def page(number: int) -> PageDraft:
    line = TextLine("Zeile \u00e9", BOX, 11.0, confidence=91.5, label="text", region=2)
    cells = (Cell("a", 0, 0, number, BOX, is_header=True),)
    figure = FigureDraft(BOX, "image/png", 2, 3, b"\x89PNG")
    contents = (Paragraph((Row((line,)), Row((line, line)))), TableDraft(BOX, 1, 1, cells), figure)
    return PageDraft(Page(number, 595.0, 842.0, rotation=90), contents, ("page 1: a warning",))


class Keeper:
    """Keeps every offer."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.done: list[int] = []

    def counted(self, pages: int) -> None: ...

    def working(self, pages: int) -> None: ...

    def finished(self, pages: int) -> None:
        self.done.append(pages)

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        if (piece := pack()) is not None:
            self.pieces.append(piece)

    def kept(self) -> Sequence[bytes]:
        return self.pieces


def test_pages_come_back_as_they_were() -> None:
    pages = [page(1), page(7)]
    assert unpack(pack(pages)) == pages


def test_a_piece_cut_short_or_changed_gives_no_page() -> None:
    piece = pack([page(1)])
    for length in (0, 1, 32, 33, len(piece) // 2, len(piece) - 1):
        assert unpack(piece[:length]) == []
    for place in range(0, len(piece), 7):
        changed = piece[:place] + bytes([piece[place] ^ 255]) + piece[place + 1 :]
        assert unpack(changed) in ([], [page(1)])


@pytest.mark.parametrize("harm", [print, [Keeper()], {"page": 1}, "pages", ([page(1)], 2)])
def test_a_piece_that_holds_anything_but_pages_gives_none(harm: object) -> None:
    assert unpack(finished_pages._SHAPE + zlib.compress(pickle.dumps(harm))) == []


def test_a_piece_of_drafts_of_another_shape_is_not_taken_up() -> None:
    piece = pack([page(1)])
    assert unpack(bytes(len(finished_pages._SHAPE)) + piece[len(finished_pages._SHAPE) :]) == []


def test_a_reading_goes_on_where_an_earlier_one_was_broken_off() -> None:
    first = Keeper()
    finished = FinishedPages(first, 4)
    assert finished.missing() == [1, 2, 3, 4]
    finished.add([page(2)])
    finished.add([PageDraft(FAILED), page(1)])
    second = Keeper(*first.pieces, b"broken")
    again = FinishedPages(second, 4)
    assert again.missing() == [3, 4], "a page that failed is tried again"
    assert second.done == [2]
    again.add([page(3), page(4)])
    assert again.pages() == [page(number) for number in (1, 2, 3, 4)]
    assert len(list(again.figures())) == 4


def test_pages_beyond_the_last_one_are_not_taken_up() -> None:
    assert FinishedPages(Keeper(pack([page(9)])), 2).missing() == [1, 2]


class Patient(Keeper):
    """Takes the last offer only, as whoever keeps pages does of a short reading."""

    def keep(self, pack: Callable[[], bytes | None], *, is_last: bool = False) -> None:
        if is_last:
            super().keep(pack)


def test_beside_pages_that_failed_the_others_are_kept_however_short_the_reading(tmp_path: Path) -> None:
    keeper = Patient()

    def read(page_no: int) -> PageDraft:
        return PageDraft(FAILED) if page_no == FAILED.page_no else page(page_no)

    reader = DocumentReader(Limits(), keeper, tmp_path, ("eng",), NoRegions(), PipelineThresholds())
    reader.read_pages(read, FinishedPages(keeper, 2), ())
    assert keeper.pieces == [], "a reading without failed pages keeps nothing"
    found = reader.read_pages(read, FinishedPages(keeper, 4), ())
    assert [one.status for one in found.document.pages] == ["ok", "ok", "failed", "ok"]
    assert FinishedPages(keeper, 4).missing() == [3]
