"""Results of earlier work: which may be used again, and which are read again."""

from collections.abc import Callable

import pytest

from octavo.documents import Document
from octavo.errors import StorageUnavailable
from octavo.identifiers import CustomerId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.results.stored_results import StoredResult, StoredResults
from tests.unit.results.stored import CUSTOMER, RESULT, document, keep

SHOWN = keys.rendering_key(CUSTOMER, RESULT, "extract-page", {})
Find = Callable[[], StoredResult | None]


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def find(objects: MemoryObjects) -> Find:
    return lambda: StoredResults(objects).find(CUSTOMER, RESULT, SHOWN)


def serves(found: StoredResult | None) -> bool:
    assert found is not None
    return found.serves


def test_a_whole_result_is_found_with_its_document(objects: MemoryObjects, find: Find) -> None:
    assert find() is None
    stored = document(images=2)
    keep(objects, stored)
    found = find()
    assert found is not None
    assert (found.serves, found.page_count, found.is_rendered) == (True, 1, True)
    assert Document.from_json(found.document_json) == stored
    assert StoredResults(objects).find(CustomerId("cust_2"), RESULT, SHOWN) is None


def test_a_result_serves_without_the_rendering_that_is_wanted(objects: MemoryObjects, find: Find) -> None:
    keep(objects, document(images=2))
    objects.delete([SHOWN])
    found = find()
    assert found is not None
    assert (found.serves, found.is_rendered) == (True, False)


def test_a_result_without_its_document_is_none(objects: MemoryObjects, find: Find) -> None:
    keep(objects, document(images=2))
    objects.delete([keys.result_key(CUSTOMER, RESULT, "document.json")])
    assert find() is None


def test_a_result_of_which_an_image_is_gone_is_read_again(objects: MemoryObjects, find: Find) -> None:
    keep(objects, document(images=2))
    objects.delete([keys.result_image_key(CUSTOMER, RESULT, 1)])
    assert not serves(find())


def test_a_result_with_a_failed_page_is_read_again(objects: MemoryObjects, find: Find) -> None:
    keep(objects, document(failed=True))
    assert not serves(find())


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"pages": []}', b'{"schema_version": 0, "pages": [], "figures": []}']
)
def test_a_document_that_cannot_be_read_is_read_again(objects: MemoryObjects, find: Find, data: bytes) -> None:
    keep(objects, document())
    objects.write(keys.result_key(CUSTOMER, RESULT, "document.json"), data, "application/json")
    assert not serves(find())


def test_storage_that_is_down_is_raised(objects: MemoryObjects, find: Find) -> None:
    objects.available = False
    with pytest.raises(StorageUnavailable):
        find()
