"""Items whose bytes were read before: what is read is one thing, what is shown of it another."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.batches import ClaimedItem
from octavo.errors import OctavoError
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Outcome, Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from tests.observers import Following

TABLE = b"day,level\nMonday,412\n"
Do = Callable[..., Outcome]


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def do(objects: MemoryObjects, extractor: Extractor, tmp_path: Path) -> Do:
    def do(
        data: bytes = TABLE,
        *,
        customer: str = "cust_1",
        name: str = "tides.csv",
        engine: str = "fast",
        text: bool = True,
        images: bool = True,
        reuse: bool = True,
        on_counted: Callable[[int], object] = lambda _: None,
    ) -> Outcome:
        objects.write("in/file_1", data, "text/csv")
        item = ClaimedItem(
            item_id=ItemId("item_1"),
            batch_id=BatchId("batch_1"),
            customer_id=CustomerId(customer),
            file_id=FileId("file_1"),
            position=0,
            lease_no=1,
            attempts=0,
            lost_leases=0,
            object_key="in/file_1",
            filename=name,
            content_type=None,
            size_bytes=len(data),
        )
        work = ItemWork(objects, extractor, folder=tmp_path, reuse=reuse)
        options = ItemOptions(ParseOptions(engine=engine), ExtractPage(text, images))
        with work.fetch(item) as found:
            return work.do(item, found, options, Following(on_counted=on_counted))

    return do


def reused(outcome: Outcome) -> bool:
    assert isinstance(outcome, Succeeded)
    return outcome.reused


def test_what_was_read_before_is_not_read_again(do: Do, objects: MemoryObjects) -> None:
    first = do()
    written = {info.key: info.last_modified for info in objects.list("results/")}
    counted: list[int] = []
    second = do(on_counted=counted.append)
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert (first.reused, second.reused) == (False, True)
    assert second == replace(first, reused=True, seconds=second.seconds)
    assert counted == [1], "its pages are set aside as those of any other"
    assert {info.key: info.last_modified for info in objects.list("results/")} == written


@pytest.mark.parametrize(
    "other",
    [{"data": TABLE + b"Tuesday,398\n"}, {"customer": "cust_2"}, {"engine": "auto"}, {"reuse": False}],
    ids=lambda other: next(iter(other)),
)
def test_other_bytes_customers_and_engines_are_read(do: Do, other: dict[str, object]) -> None:
    assert not reused(do())
    assert not reused(do(**other))


def test_the_same_text_is_another_document_under_another_kind_of_name(do: Do) -> None:
    as_table, as_text = do(name="tides.csv"), do(name="tides.txt")
    assert isinstance(as_table, Succeeded)
    assert isinstance(as_text, Succeeded)
    assert as_text.result_id != as_table.result_id
    assert not as_text.reused
    assert reused(do(name="levels.csv")), "the name itself says nothing"


def test_an_engine_that_is_not_repeatable_is_asked_again(do: Do) -> None:
    assert [reused(do(b"words", engine="failing")) for _ in range(2)] == [False, False]


def test_pages_for_which_there_is_no_quota_are_not_reused(do: Do) -> None:
    class NoQuotaLeft(OctavoError):
        code = "quota_exceeded"

    def refuse(pages: int) -> None:
        raise NoQuotaLeft(f"{pages} pages are too many.")

    do()
    with pytest.raises(NoQuotaLeft):
        do(on_counted=refuse)


PARTS = [(True, True), (False, True), (True, False), (False, False)]


def test_a_reading_with_failed_pages_leaves_no_rendering_of_the_reading_before(do: Do, objects: MemoryObjects) -> None:
    outcomes = [do(text=text, images=images) for text, images in PARTS]
    assert isinstance(outcomes[0], Succeeded)
    result_id: ResultId = outcomes[0].result_id
    key = keys.result_key(CustomerId("cust_1"), result_id, "document.json")
    failed = json.loads(objects.read(key, max_bytes=10**6))
    failed["pages"][0] |= {"status": "failed", "error": "broken"}
    objects.write(key, json.dumps(failed).encode(), "application/json")
    for info in objects.list(keys.result_prefix(CustomerId("cust_1"), result_id)):
        if info.key != key:
            objects.write(info.key, b"of the failed reading", "application/json")
    assert not reused(do(text=False))
    left = keys.rendering_keys(info.key for info in objects.list(keys.result_prefix(CustomerId("cust_1"), result_id)))
    assert len(left) == 2
    assert all(b"failed reading" not in objects.read(key, max_bytes=10**6) for key in left)
    assert reused(do(images=False))
