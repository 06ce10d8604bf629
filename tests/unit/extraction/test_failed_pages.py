"""A document whose pages failed in part is read again: the failed pages alone, beside a result that stays whole."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from octavo.batches import ClaimedItem
from octavo.documents import Document
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import StaleLease, StorageUnavailable
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Failed, Outcome, Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from tests.observers import Following

KEY = "in/cust_1/2026-11-23/file_1"


class FailingObjects(MemoryObjects):
    """Storage that is gone for whoever writes a key that ends so."""

    last = "nothing"

    def write(self, key: str, data: bytes, content_type: str) -> None:
        if key.endswith(self.last):
            raise StorageUnavailable("killed here")
        super().write(key, data, content_type)


@dataclass
class Desk:
    """One document, and the readings of it; each by another process, as that of a worker that was started anew."""

    objects: FailingObjects
    folder: Path
    item: ClaimedItem

    def read(
        self,
        first: Succeeded | None = None,
        between_pages: Callable[[], object] = lambda: None,
        rendering: ExtractPage = ExtractPage(),  # noqa: B008 - it is frozen
    ) -> Outcome:
        item = self.item
        if first is not None:
            item = replace(item, attempts=1, result_id=first.result_id, failed_pages=first.failed_pages)
        registry = EngineRegistry(TEST_ENGINES)
        with Extractor(processes=1, limits=Limits(), registry=registry) as extractor:
            work = ItemWork(self.objects, extractor, folder=self.folder)
            with work.fetch(item) as found:
                options = ItemOptions(ParseOptions(engine="failing"), rendering)
                progress = Following(check=between_pages, is_again=item.attempts > 0)
                return work.do(item, found, options, progress)

    def stored(self) -> dict[str, bytes]:
        found = [info.key for info in self.objects.list("results/")]
        return {key.split("/", 3)[3]: self.objects.read(key, max_bytes=10**6) for key in found}

    def kept(self) -> list[str]:
        return [name for name in self.stored() if name.startswith("kept/")]

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stored()["extract-page.json"])
        return found

    def readers(self) -> list[str]:
        return [chunk["page_content"] for chunk in self.result()["chunks"] if chunk["chunk_type"] == "text"]

    def figures(self) -> list[bytes]:
        """The images that the document names, as they lie in storage."""
        stored = self.stored()
        document = Document.from_json(stored["document.json"].decode())
        return [stored[f"images/{figure.image_index}"] for figure in document.figures]


@pytest.fixture
def desk_of(tmp_path: Path) -> Callable[[bytes], Desk]:
    def make(data: bytes) -> Desk:
        objects = FailingObjects()
        objects.write(KEY, data, "application/pdf")
        item = ClaimedItem(
            item_id=ItemId("item_1"),
            batch_id=BatchId("batch_1"),
            customer_id=CustomerId("cust_1"),
            file_id=FileId("file_1"),
            position=0,
            lease_no=1,
            attempts=0,
            lost_leases=0,
            object_key=KEY,
            filename="a.pdf",
            content_type=None,
            size_bytes=len(data),
        )
        return Desk(objects, tmp_path, item)

    return make


MakeDesk = Callable[[bytes], Desk]


def first_of(desk: Desk) -> Succeeded:
    outcome = desk.read()
    assert isinstance(outcome, Succeeded)
    assert outcome.failed_pages
    return outcome


def test_only_the_failed_pages_are_read_again(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 4 2,3 -")
    first = first_of(desk)
    assert (first.page_count, first.failed_pages, len(desk.kept())) == (4, 2, 1)
    (former,) = set(desk.readers())
    outcome = desk.read(first)
    assert isinstance(outcome, Succeeded)
    assert (outcome.result_id, outcome.page_count, outcome.failed_pages) == (first.result_id, 4, 0)
    assert [reader == former for reader in desk.readers()] == [True, False, False, True]
    assert [page["status"] for page in desk.result()["pages"]] == ["ok"] * 4
    assert desk.kept() == [], "a whole result leaves no pieces"
    assert [image[-1:] for image in desk.figures()] == [b"1", b"2", b"3", b"4"]


def test_a_page_that_fails_again_can_be_read_a_third_time(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 4 2,3 3")
    second = desk.read(first_of(desk))
    assert isinstance(second, Succeeded)
    assert second.failed_pages == 1
    assert [page["status"] for page in desk.result()["pages"]] == ["ok", "ok", "failed", "ok"]
    assert desk.kept()
    assert len(set(desk.readers())) == 2


@pytest.mark.parametrize("data", [b"holes 4 2,3 2,3", b"holes 4 2,3 bad-page"])
def test_a_reading_that_is_no_better_changes_no_result(desk_of: MakeDesk, data: bytes) -> None:
    desk = desk_of(data)
    first = first_of(desk)
    before = {name: body for name, body in desk.stored().items() if not name.startswith("kept/")}
    desk.read(replace(first, failed_pages=1))
    assert {name: body for name, body in desk.stored().items() if not name.startswith("kept/")} == before
    assert desk.kept(), "and the pages that are finished stay for the next"


def test_a_reading_that_crashes_is_a_failure_and_changes_no_result(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 4 2,3 crash")
    first = first_of(desk)
    before = desk.stored()
    assert isinstance(desk.read(first), Failed)
    assert desk.stored() == before


@pytest.mark.parametrize("last", ["/images/3", "/document.json", "/extract-page.json"])
def test_a_worker_killed_among_its_writes_leaves_a_whole_result(desk_of: MakeDesk, last: str) -> None:
    desk = desk_of(b"holes 4 2,3 -")
    first = first_of(desk)
    before = desk.stored()
    desk.objects.last = last
    with pytest.raises(StorageUnavailable):
        desk.read(first)
    assert {name: body for name, body in desk.stored().items() if name.startswith("images/")}.items() >= {
        name: body for name, body in before.items() if name.startswith("images/")
    }.items(), "images that the old result names stay as they were"
    if last != "/document.json":
        assert len(desk.figures()) in (2, 4), "what the document names is there"
    if last != "/images/3":
        assert desk.result()["page_count"] == 4
    desk.objects.last = "nothing"
    outcome = desk.read(first)
    assert isinstance(outcome, Succeeded)
    assert (outcome.failed_pages, [image[-1:] for image in desk.figures()]) == (0, [b"1", b"2", b"3", b"4"])


def test_who_has_lost_the_item_touches_no_result(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 4 2,3 -")
    first = first_of(desk)
    before = desk.stored()

    def lose() -> None:
        raise StaleLease("it was taken away")

    with pytest.raises(StaleLease):
        desk.read(first, lose)
    assert desk.stored() == before


def test_a_document_whose_pages_are_all_read_keeps_none(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 3 - -")
    desk.read()
    assert desk.kept() == []


def test_a_further_reading_leaves_no_rendering_of_the_one_before(desk_of: MakeDesk) -> None:
    desk = desk_of(b"holes 4 2,3 -")
    first = desk.read(rendering=ExtractPage(extract_images=False))
    assert isinstance(first, Succeeded)
    assert "extract-page.json" not in desk.stored()
    former = next(name for name in desk.stored() if name.startswith("extract-page-"))
    outcome = desk.read(first)
    assert isinstance(outcome, Succeeded)
    assert (outcome.result_id, outcome.failed_pages) == (first.result_id, 0)
    assert former not in desk.stored()
    assert [page["status"] for page in desk.result()["pages"]] == ["ok"] * 4
