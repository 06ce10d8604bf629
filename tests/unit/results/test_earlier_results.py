"""Results as version 0.1.0 stored them: of `report.pdf` of the samples, with three choices of options.

Their ids and objects are what that version wrote. With other options than the defaults their documents are a part of
what was in the file, and lie under ids that are given no more.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from octavo.identifiers import CustomerId, ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage, Html, Markdown
from octavo.results.renderings import StoredRenderings
from octavo.results.stored_results import StoredResults

CUSTOMER = CustomerId("cust_1")
SHA256 = "82695cbed8477aa48b5ecf51514ea3d8d8df230a076be82a56ab4fa6f3e23290"
STORED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "stored_by_0_1_0.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Earlier:
    """One of these results, and the options it was asked for with."""

    objects: MemoryObjects
    result_id: ResultId
    engine: str
    shown: ExtractPage
    extract_page: bytes


@pytest.fixture(params=STORED, ids=lambda one: f"text={one['extract_text']}, images={one['extract_images']}")
def earlier(request: pytest.FixtureRequest) -> Earlier:
    stored: dict[str, Any] = request.param
    objects, result_id = MemoryObjects(), ResultId(stored["result_id"])
    for name, text in stored["objects"].items():
        objects.write(keys.result_prefix(CUSTOMER, result_id) + name, text.encode(), "application/json")
    for number, image in enumerate(stored["images"]):
        objects.write(keys.result_image_key(CUSTOMER, result_id, number), base64.b64decode(image), "image/png")
    shown = ExtractPage(stored["extract_text"], stored["extract_images"])
    return Earlier(objects, result_id, stored["engine"], shown, stored["objects"]["extract-page.json"].encode())


def test_it_is_served_with_the_bytes_it_had(earlier: Earlier) -> None:
    renderings = StoredRenderings(earlier.objects)
    key = renderings.provide(CUSTOMER, earlier.result_id, earlier.shown, engine=earlier.engine)
    assert earlier.objects.read(key, max_bytes=10**6) == earlier.extract_page


def test_it_can_be_read_by_people(earlier: Earlier) -> None:
    renderings = StoredRenderings(earlier.objects)
    parts = earlier.shown.extract_text, earlier.shown.extract_images
    markdown = renderings.make(CUSTOMER, earlier.result_id, Markdown(*parts), engine=earlier.engine)
    page = renderings.make(CUSTOMER, earlier.result_id, Html(*parts), engine=earlier.engine)
    assert (b"Water Levels" in markdown, b"Water Levels" in page) == (earlier.shown.extract_text,) * 2
    assert (b"<img" in page) is earlier.shown.extract_images


def test_it_serves_again_if_it_was_a_whole_reading_and_is_never_taken_for_one_otherwise(earlier: Earlier) -> None:
    engine, _, version = earlier.engine.partition(" ")
    asked = keys.result_id(CUSTOMER, SHA256, ParseOptions(engine=engine, engine_version=version))
    usual = keys.rendering_key(CUSTOMER, asked, "extract-page", {})
    found = StoredResults(earlier.objects).find(CUSTOMER, asked, usual)
    if earlier.shown == ExtractPage():
        assert found is not None
        assert (found.serves, found.is_rendered, found.page_count) == (True, True, 2)
    else:
        assert asked != earlier.result_id
        assert found is None


def test_it_is_deleted_whole(earlier: Earlier) -> None:
    StoredRenderings(earlier.objects).provide(CUSTOMER, earlier.result_id, earlier.shown, engine=earlier.engine)
    gone = earlier.objects.delete_below([keys.result_prefix(CUSTOMER, earlier.result_id)])
    assert keys.count_result_parts(*gone.values()) == 2 + earlier.shown.extract_images
    assert list(earlier.objects.list("results/")) == []
