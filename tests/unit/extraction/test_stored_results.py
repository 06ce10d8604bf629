"""Results of earlier work that serve again, and those that do not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.batches import ClaimedItem
from octavo.documents import Block, Box, Document, Figure, Page
from octavo.errors import OctavoError, StorageUnavailable
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemOptions, ItemWork
from octavo.extraction.stored_results import StoredResult, StoredResults
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Outcome, Succeeded

CUSTOMER, RESULT = CustomerId("cust_1"), ResultId("res_1")
TABLE = b"day,level\nMonday,412\n"
Do = Callable[..., Outcome]


def document(*, images: int = 0, failed: bool = False) -> Document:
    pages = (Page(1, 595.0, 842.0), *((Page(2, 595.0, 842.0, status="failed", error="broken"),) if failed else ()))
    figures = tuple(
        Figure(1, number + 1, Box(0, 0, 9, 9), "image/png", width=9, height=9, image_index=number)
        for number in range(images)
    )
    return Document(
        pages=pages,
        blocks=(Block(page_no=1, order=0, role="paragraph", text="High water", bbox=Box(72, 72, 300, 84)),),
        figures=figures,
    )


def keep(objects: MemoryObjects, stored: Document) -> None:
    objects.write(keys.result_key(CUSTOMER, RESULT, "document.json"), stored.to_json().encode(), "application/json")
    objects.write(keys.result_key(CUSTOMER, RESULT, "extract-page.json"), b"{}", "application/json")
    for figure in stored.figures:
        objects.write(keys.result_image_key(CUSTOMER, RESULT, figure.image_index), b"png", "image/png")


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def find(objects: MemoryObjects) -> Callable[[], StoredResult | None]:
    return lambda: StoredResults(objects).find(CUSTOMER, RESULT)


def test_a_whole_result_is_found_with_its_pages(
    objects: MemoryObjects, find: Callable[[], StoredResult | None]
) -> None:
    assert find() is None
    keep(objects, document(images=2))
    assert find() == StoredResult(page_count=1)
    assert StoredResults(objects).find(CustomerId("cust_2"), RESULT) is None


@pytest.mark.parametrize("part", ["document.json", "extract-page.json", "images/1"])
def test_a_result_of_which_a_part_is_gone_is_none(
    objects: MemoryObjects, find: Callable[[], StoredResult | None], part: str
) -> None:
    keep(objects, document(images=2))
    objects.delete([keys.result_prefix(CUSTOMER, RESULT) + part])
    assert find() is None


def test_a_result_with_a_failed_page_is_read_again(
    objects: MemoryObjects, find: Callable[[], StoredResult | None]
) -> None:
    keep(objects, document(failed=True))
    assert find() is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"pages": []}', b'{"schema_version": 0, "pages": [], "figures": []}']
)
def test_a_document_that_cannot_be_read_is_none(
    objects: MemoryObjects, find: Callable[[], StoredResult | None], data: bytes
) -> None:
    keep(objects, document())
    objects.write(keys.result_key(CUSTOMER, RESULT, "document.json"), data, "application/json")
    assert find() is None


def test_storage_that_is_down_is_raised(objects: MemoryObjects, find: Callable[[], StoredResult | None]) -> None:
    objects.available = False
    with pytest.raises(StorageUnavailable):
        find()


# Items


@pytest.fixture
def do(objects: MemoryObjects, extractor: Extractor, tmp_path: Path) -> Do:
    def do(
        data: bytes = TABLE,
        *,
        customer: str = "cust_1",
        name: str = "tides.csv",
        engine: str = "fast",
        text: bool = True,
        reuse: bool = True,
        on_counted: Callable[[int], None] | None = None,
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
        options = ItemOptions(engine, extract_text=text, extract_images=True)
        with work.fetch(item) as found:
            return work.do(item, found, options, begin=lambda: None, on_counted=on_counted)

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
    [{"data": TABLE + b"Tuesday,398\n"}, {"customer": "cust_2"}, {"text": False}, {"engine": "auto"}, {"reuse": False}],
    ids=lambda other: next(iter(other)),
)
def test_other_bytes_customers_options_and_engines_are_read(do: Do, other: dict[str, object]) -> None:
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
