"""Renderings of stored results: made on demand, kept in step with the document."""

import json
from collections.abc import Sequence

import pytest

from octavo.errors import StorageUnavailable
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectTooLarge
from octavo.objects.memory import MemoryObjects
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import ExtractPage, Html, Markdown, RenderInput
from octavo.results import renderings
from octavo.results.renderings import StoredRenderings
from tests.unit.results.stored import CUSTOMER, ENGINE, IMAGES, RESULT, document, keep, rendered

EVERY_PART = [ExtractPage(text, images) for text in (True, False) for images in (True, False)]
ONLY_IMAGES = ExtractPage(extract_text=False)
DOCUMENT_KEY = keys.result_key(CUSTOMER, RESULT, "document.json")


class WatchedObjects(MemoryObjects):
    """Storage that says what was read from it, and lets something happen when a rendering is written."""

    def __init__(self) -> None:
        super().__init__()
        self.has_read: list[str] = []
        self.then: list[object] = []

    def read(self, key: str, *, max_bytes: int) -> bytes:
        self.has_read.append(key)
        return super().read(key, max_bytes=max_bytes)

    def write(self, key: str, data: bytes, content_type: str) -> None:
        super().write(key, data, content_type)
        if "extract-page-" in key and self.then:
            then = self.then.pop()
            assert callable(then)
            then()


@pytest.fixture
def objects() -> WatchedObjects:
    return WatchedObjects()


@pytest.fixture
def made(objects: WatchedObjects) -> StoredRenderings:
    return StoredRenderings(objects)


def stored(objects: MemoryObjects) -> list[str]:
    return sorted(key for info in objects.list("results/") if "/images/" not in (key := info.key))


@pytest.mark.parametrize("shown", EVERY_PART, ids=str)
def test_what_is_made_on_demand_is_what_the_worker_would_have_written(
    objects: WatchedObjects, made: StoredRenderings, shown: ExtractPage
) -> None:
    keep(objects, document(images=2), ExtractPage(extract_text=False, extract_images=False))
    key = made.provide(CUSTOMER, RESULT, shown, engine=ENGINE)
    assert objects.read(key, max_bytes=10**6) == rendered(document(images=2), shown)
    assert keys.result_image_key(CUSTOMER, RESULT, 1) not in objects.has_read, "what is linked is not read"
    objects.has_read.clear()
    assert made.provide(CUSTOMER, RESULT, shown, engine=ENGINE) == key
    assert objects.has_read == [], "the second time it is there"


def test_different_options_have_different_keys(made: StoredRenderings) -> None:
    found = [made.key(CUSTOMER, RESULT, shown) for shown in EVERY_PART]
    assert len(set(found)) == 4
    assert found[0] == keys.result_key(CUSTOMER, RESULT, "extract-page.json")


def test_pages_for_people_are_made_and_not_stored(objects: WatchedObjects, made: StoredRenderings) -> None:
    keep(objects, document(images=1))
    before = stored(objects)
    assert made.make(CUSTOMER, RESULT, Markdown(), engine=ENGINE) == b"High water\n"
    assert b"data:image/png" in made.make(CUSTOMER, RESULT, Html(), engine=ENGINE)
    assert b"data:image/png" not in made.make(CUSTOMER, RESULT, Html(extract_images=False), engine=ENGINE)
    assert made.make(CUSTOMER, RESULT, Markdown(extract_text=False), engine=ENGINE) == b""
    assert stored(objects) == before


@pytest.mark.parametrize(("most", "most_bytes", "shown"), [(9, 10**6, 2), (1, 10**6, 1), (9, 20, 1), (0, 0, 0)])
def test_a_page_shows_so_many_figures_and_reads_no_others(
    objects: WatchedObjects, made: StoredRenderings, most: int, most_bytes: int, shown: int
) -> None:
    keep(objects, document(images=2))
    page = made.make(CUSTOMER, RESULT, Html(most_figures=most, most_figure_bytes=most_bytes), engine=ENGINE)
    assert page.count(b"data:image/png") == shown
    assert sum("/images/" in key for key in objects.has_read) == shown


@pytest.mark.parametrize("gone", [DOCUMENT_KEY, keys.result_image_key(CUSTOMER, RESULT, 0)])
def test_of_a_result_that_is_gone_nothing_is_made(objects: WatchedObjects, made: StoredRenderings, gone: str) -> None:
    keep(objects, document(images=2))
    objects.delete([gone])
    before = stored(objects)
    with pytest.raises(ObjectMissing):
        made.provide(CUSTOMER, RESULT, ExtractPage(extract_text=False), engine=ENGINE)
    assert stored(objects) == before


def test_a_document_that_is_too_large_is_not_even_read(objects: WatchedObjects) -> None:
    keep(objects, document())
    with pytest.raises(ObjectTooLarge):
        StoredRenderings(objects, max_document_bytes=100).provide(CUSTOMER, RESULT, ONLY_IMAGES, engine=ENGINE)


def test_large_documents_are_taken_one_at_a_time(
    objects: WatchedObjects, made: StoredRenderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderings, "WAIT_SECONDS", 0.01)
    keep(objects, document(text="word " * 250_000))
    with renderings._large, pytest.raises(StorageUnavailable, match="large results"):
        made.provide(CUSTOMER, RESULT, ONLY_IMAGES, engine=ENGINE)
    assert made.provide(CUSTOMER, RESULT, ONLY_IMAGES, engine=ENGINE)
    keep(objects, document())
    objects.delete([made.key(CUSTOMER, RESULT, ONLY_IMAGES)])
    with renderings._large:
        assert made.provide(CUSTOMER, RESULT, ONLY_IMAGES, engine=ENGINE), "small ones wait for nobody"


def test_a_rendering_of_a_result_that_was_deleted_meanwhile_does_not_stay(
    objects: WatchedObjects, made: StoredRenderings
) -> None:
    keep(objects, document())
    objects.then.append(lambda: objects.delete([DOCUMENT_KEY]))
    with pytest.raises(ObjectMissing):
        made.provide(CUSTOMER, RESULT, ONLY_IMAGES, engine=ENGINE)
    assert made.key(CUSTOMER, RESULT, ONLY_IMAGES) not in stored(objects)


def test_a_rendering_of_a_document_that_was_replaced_meanwhile_is_made_again(
    objects: WatchedObjects, made: StoredRenderings
) -> None:
    keep(objects, document(failed=True))
    better, shown = document(text="Low water"), ExtractPage(extract_images=False)
    objects.then.append(lambda: objects.write(DOCUMENT_KEY, better.to_json().encode(), "application/json"))
    key = made.provide(CUSTOMER, RESULT, shown, engine=ENGINE)
    assert objects.read(key, max_bytes=10**6) == rendered(better, shown)


@pytest.mark.parametrize("before", [[ExtractPage()], EVERY_PART, EVERY_PART[1:]], ids=["default", "all", "others"])
def test_a_document_that_is_replaced_takes_its_renderings_with_it(
    objects: WatchedObjects, made: StoredRenderings, before: Sequence[ExtractPage]
) -> None:
    keep(objects, document(failed=True), *before)
    better = document(text="Low water", images=2)
    read = RenderInput(better, ImagesInMemory(IMAGES), ENGINE, RESULT)
    made.write(CUSTOMER, RESULT, ONLY_IMAGES, ONLY_IMAGES.render(read))
    made.renew_others(CUSTOMER, RESULT, ONLY_IMAGES, read)
    usual, own = made.key(CUSTOMER, RESULT, ExtractPage()), made.key(CUSTOMER, RESULT, ONLY_IMAGES)
    assert stored(objects) == sorted([DOCUMENT_KEY, own, *([usual] if ExtractPage() in before else [])])
    if ExtractPage() in before:
        assert json.loads(objects.read(usual, max_bytes=10**6))["chunks"][0]["page_content"] == "Low water"
