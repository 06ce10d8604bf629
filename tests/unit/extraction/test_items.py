"""One item, from its bytes in storage to its result in storage."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from octavo.batches import ClaimedItem
from octavo.documents import Document
from octavo.errors import DOCUMENT_ERRORS, OcrProviderError, StaleLease, StorageUnavailable
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Failed, Outcome, Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from tests.observers import Following

Do = Callable[..., Outcome]


class Begin:
    """Counts how often work was begun."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.times = 0
        self._trouble = trouble

    def __call__(self) -> None:
        self.times += 1
        if self._trouble is not None:
            raise self._trouble


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def begin() -> Begin:
    return Begin()


@pytest.fixture
def do(objects: MemoryObjects, extractor: Extractor, begin: Begin, tmp_path: Path) -> Do:
    work = ItemWork(objects, extractor, folder=tmp_path)

    def do(
        data: bytes = b"words",
        *,
        engine: str = "failing",
        size: int | None = None,
        text: bool = True,
        begin: Callable[[], None] = begin,
        is_stored: bool = True,
        customer: str = "cust_1",
    ) -> Outcome:
        if is_stored:
            objects.write("in/cust_1/2026-11-23/file_1", data, "application/pdf")
        item = ClaimedItem(
            item_id=ItemId("item_1"),
            batch_id=BatchId("batch_1"),
            customer_id=CustomerId(customer),
            file_id=FileId("file_1"),
            position=0,
            lease_no=1,
            attempts=0,
            lost_leases=0,
            object_key="in/cust_1/2026-11-23/file_1",
            filename="a.pdf",
            content_type=None,
            size_bytes=len(data) if size is None else size,
        )
        with work.fetch(item) as found:
            options = ItemOptions(ParseOptions(engine=engine), ExtractPage(extract_text=text))
            outcome = work.do(item, found, options, Following(on_begin=begin))
        assert not list(tmp_path.iterdir()), "nothing is left on disk"
        return outcome

    return do


def stored(objects: MemoryObjects) -> list[str]:
    return sorted(found.key.rpartition("/")[2] for found in objects.list("results/"))


def test_a_success_leaves_the_document_and_its_chunks_in_storage(do: Do, objects: MemoryObjects, begin: Begin) -> None:
    outcome = do(b"hello")
    assert isinstance(outcome, Succeeded)
    assert (outcome.page_count, outcome.engine) == (1, "failing 1")
    assert outcome.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert stored(objects) == ["document.json", "extract-page.json"]
    folder = f"results/cust_1/{outcome.result_id}"
    chunks = json.loads(objects.read(f"{folder}/extract-page.json", max_bytes=10**6))
    assert [chunk["page_content"] for chunk in chunks["chunks"]] == ["hello"]
    document = Document.from_json(objects.read(f"{folder}/document.json", max_bytes=10**6).decode())
    assert document.page_count == 1
    assert begin.times == 1


def test_a_child_reads_for_one_customer_only(do: Do, objects: MemoryObjects) -> None:
    readers = []
    for customer in ("cust_1", "cust_2", "cust_1"):
        outcome = do(b"pid", customer=customer)
        assert isinstance(outcome, Succeeded)
        readers.append(objects.read(f"results/{customer}/{outcome.result_id}/document.json", max_bytes=10**6))
    assert readers[0] == readers[2] != readers[1]


def test_the_same_reading_has_the_same_result_id_whatever_is_shown_of_it(do: Do, objects: MemoryObjects) -> None:
    outcomes = [do(b"one"), do(b"one"), do(b"one", text=False), do(b"two"), do(b"one", engine="sleep:0")]
    ids = [outcome.result_id for outcome in outcomes if isinstance(outcome, Succeeded)]
    assert len(ids) == 5
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == 3
    shown = keys.rendering_keys(info.key for info in objects.list(f"results/cust_1/{ids[0]}/"))
    assert [len(json.loads(objects.read(key, max_bytes=10**6))["chunks"]) for key in sorted(shown)] == [0, 1]


@pytest.mark.parametrize("code", sorted(set(DOCUMENT_ERRORS) - {"ocr_provider_error"}))
def test_what_a_document_came_to_is_a_value(do: Do, objects: MemoryObjects, begin: Begin, code: str) -> None:
    outcome = do(code.encode())
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, DOCUMENT_ERRORS[code].retryable)
    assert outcome.message == f"the document asked for {code}"
    assert outcome.sha256 == hashlib.sha256(code.encode()).hexdigest()
    assert begin.times == 1
    assert not stored(objects)


def test_trouble_with_recognition_is_raised_for_another_attempt(do: Do, begin: Begin) -> None:
    with pytest.raises(OcrProviderError):
        do(b"ocr_provider_error")
    assert begin.times == 1


@pytest.mark.parametrize(
    ("deed", "words"), [(b"crash", "crashed"), (b"defect", "crashed"), (b"only-bad-pages", "no page")]
)
def test_a_parser_that_breaks_on_a_document_fails_it(do: Do, begin: Begin, deed: bytes, words: str) -> None:
    outcome = do(deed)
    assert isinstance(outcome, Failed)
    assert outcome.code == "extraction_failed"
    assert words in outcome.message
    assert begin.times == 1


def test_one_bad_page_does_not_fail_a_document(do: Do) -> None:
    outcome = do(b"bad-page")
    assert isinstance(outcome, Succeeded)
    assert outcome.page_count == 2


def test_bytes_that_vanished_are_a_missing_upload(do: Do, begin: Begin) -> None:
    outcome = do(is_stored=False)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable, outcome.sha256) == ("upload_missing", False, None)
    assert "upload it again" in outcome.message
    assert begin.times == 1


@pytest.mark.parametrize("size", [4, 6, 999_999])
def test_bytes_of_another_length_than_declared_fail(do: Do, begin: Begin, size: int) -> None:
    outcome = do(b"words", size=size)
    assert isinstance(outcome, Failed)
    assert outcome.code == "extraction_failed"
    assert "declared" in outcome.message
    assert str(size) in outcome.message
    assert begin.times == 1


def test_bytes_over_the_cap_of_the_reader_are_refused_whatever_was_declared(do: Do) -> None:
    for declared in (5, 1001):
        outcome = do(b"x" * 1001, size=declared)
        assert isinstance(outcome, Failed)
        assert outcome.code == ("extraction_failed" if declared == 5 else "document_too_large")


def test_an_empty_document_is_unsupported(do: Do) -> None:
    outcome = do(b"")
    assert isinstance(outcome, Failed)
    assert outcome.code == "unsupported_input"


def test_storage_that_is_down_says_nothing_of_the_document(do: Do, objects: MemoryObjects, begin: Begin) -> None:
    objects.write("in/cust_1/2026-11-23/file_1", b"words", "application/pdf")
    objects.available = False
    with pytest.raises(StorageUnavailable):
        do(is_stored=False)
    assert begin.times == 0


def test_storage_that_goes_down_before_the_result_is_kept_is_raised(do: Do, objects: MemoryObjects) -> None:
    def go_down() -> None:
        objects.available = False

    with pytest.raises(StorageUnavailable):
        do(begin=go_down)


def test_work_that_may_not_begin_is_not_done(do: Do, objects: MemoryObjects) -> None:
    with pytest.raises(StaleLease):
        do(begin=Begin(StaleLease("It is another's.")))
    with pytest.raises(StaleLease):
        do(is_stored=True, size=4, begin=Begin(StaleLease("It is another's.")))
    assert not stored(objects)


def test_options_are_read_from_the_batchs_own() -> None:
    options = {"engine": "fast", "engine_version": "1", "extract_text": False, "extract_images": True, "ocr": "auto"}
    assert ItemOptions.of_batch(options) == ItemOptions(ParseOptions(engine="fast"), ExtractPage(extract_text=False))
