"""The same bytes are read once, however they are shown: the real engine, and the items of a worker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from octavo.batches import ClaimedItem
from octavo.engines.contract import Limits, Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from tests.observers import Following

PARTS = [(True, True), (False, True), (True, False), (False, False)]
CUSTOMER = CustomerId("cust_1")
Do = Callable[..., Succeeded]


class CountingExtractor(Extractor):
    """Says what it was asked to read."""

    def __init__(self) -> None:
        super().__init__(processes=1, limits=Limits(), registry=EngineRegistry())
        self.readings: list[ParseOptions] = []

    def extract(
        self, source: Source, options: ParseOptions, observer: ReadingObserver | None = None, **more: Any
    ) -> Extraction:
        self.readings.append(options)
        return super().extract(source, options, observer, **more)


@pytest.fixture(scope="module")
def extractor() -> Iterator[CountingExtractor]:
    with CountingExtractor() as extractor:
        yield extractor


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def do(objects: MemoryObjects, extractor: CountingExtractor, samples: Path, tmp_path: Path) -> Do:
    extractor.readings.clear()
    data = (samples / "report.pdf").read_bytes()
    objects.write("in/file_1", data, "application/pdf")
    item = ClaimedItem(
        item_id=ItemId("item_1"),
        batch_id=BatchId("batch_1"),
        customer_id=CUSTOMER,
        file_id=FileId("file_1"),
        position=0,
        lease_no=1,
        attempts=0,
        lost_leases=0,
        object_key="in/file_1",
        filename="report.pdf",
        content_type=None,
        size_bytes=len(data),
    )
    work = ItemWork(objects, extractor, folder=tmp_path)

    def do(text: bool, images: bool, on_counted: Callable[[int], object] = lambda _: None) -> Succeeded:
        options = ItemOptions(ParseOptions(engine="fast"), ExtractPage(text, images))
        with work.fetch(item) as found:
            outcome = work.do(item, found, options, Following(on_counted=on_counted))
        assert isinstance(outcome, Succeeded)
        return outcome

    return do


def shown(objects: MemoryObjects, outcome: Succeeded, text: bool, images: bool) -> set[str]:
    """Return the kinds of chunks in a rendering that is in storage."""
    asked = ExtractPage(text, images)
    key = keys.rendering_key(CUSTOMER, outcome.result_id, asked.name, asked.options())
    return {chunk["chunk_type"] for chunk in json.loads(objects.read(key, max_bytes=10**7))["chunks"]}


@pytest.mark.parametrize("first", PARTS, ids=str)
def test_bytes_that_are_shown_in_another_way_are_read_once(
    do: Do, objects: MemoryObjects, extractor: CountingExtractor, first: tuple[bool, bool]
) -> None:
    parts = [first, *(part for part in PARTS if part != first)]
    outcomes = [do(text, images) for text, images in parts]
    assert [outcome.reused for outcome in outcomes] == [False, True, True, True]
    assert extractor.readings == [ParseOptions(engine="fast")], "the engine has read once, and everything"
    assert len({(outcome.result_id, outcome.engine, outcome.page_count) for outcome in outcomes}) == 1
    for (text, images), outcome in zip(parts, outcomes, strict=True):
        kinds = ({"text", "table"} if text else set()) | ({"image"} if images else set())
        assert shown(objects, outcome, text, images) == kinds


def test_a_rendering_is_the_same_whether_it_is_made_with_the_reading_or_later(do: Do, objects: MemoryObjects) -> None:
    def stored() -> dict[str, bytes]:
        return {info.key: objects.read(info.key, max_bytes=10**7) for info in objects.list("results/")}

    for part in PARTS:
        do(*part)
    made_by_one_reading = stored()
    for part in PARTS:
        objects.delete(list(stored()))
        do(*part)
        assert stored().items() <= made_by_one_reading.items()


def test_an_image_that_is_gone_when_a_rendering_is_made_has_the_document_read_again(
    do: Do, objects: MemoryObjects
) -> None:
    first = do(True, False)
    image = keys.result_image_key(CUSTOMER, first.result_id, 0)
    second = do(True, True, lambda pages: objects.delete([image]))
    assert not second.reused
    assert objects.sizes([image], time_limit_seconds=1), "it is there again"
    assert "image" in shown(objects, second, True, True)
