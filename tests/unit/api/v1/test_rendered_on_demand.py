"""A result that its batch asked for with other options than the defaults: served, and made if it is not there."""

import json
from typing import Any

import httpx
import pytest

from octavo.batches import Item
from octavo.documents import Block, Box, Document, Figure, Page
from octavo.identifiers import BatchId, ResultId
from octavo.objects import keys
from octavo.outcomes import Succeeded
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import ExtractPage, RenderInput
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio
BOX, RESULT, ENGINE = Box(10.0, 10.0, 100.0, 100.0), ResultId("res_1"), "fast of the worker 7"
DOCUMENT = Document(
    pages=(Page(1, 595.0, 842.0),),
    blocks=(Block(page_no=1, order=0, role="title", text="Letter", bbox=BOX),),
    figures=(Figure(page_no=1, order=1, bbox=BOX, mime="image/png", width=2, height=2, image_index=0),),
)


async def finished(api: Api, *, with_document: bool = True, **options: bool) -> tuple[BatchId, Item]:
    """A batch that asked for these options, whose item has succeeded; only its document and image are in storage."""
    batch_id = BatchId((await api.submit([await api.upload()], **options)).json()["id"])
    customer_id = api.customer.customer_id
    if with_document:
        key = keys.result_key(customer_id, RESULT, "document.json")
        api.objects.write(key, DOCUMENT.to_json().encode(), "application/json")
    api.objects.write(keys.result_image_key(customer_id, RESULT, 0), b"picture", "image/png")
    api.finish_all(batch_id, Succeeded(page_count=1, result_id=RESULT, sha256="0" * 64, engine=ENGINE, seconds=0.1))
    (item,) = api.items(batch_id)
    return batch_id, item


async def result(api: Api, batch_id: BatchId, item: Item) -> httpx.Response:
    return await api.http.get(f"/v1/batches/{batch_id}/items/{item.item_id}/result")


def rendered(**options: bool) -> Any:  # noqa: ANN401 - it is JSON
    read = RenderInput(DOCUMENT, ImagesInMemory([b"picture"]), ENGINE, RESULT)
    return json.loads(ExtractPage(**options).render(read))


@pytest.mark.parametrize("options", [{"extract_text": False}, {"extract_images": False}], ids=str)
async def test_it_is_made_of_the_document_once(api: Api, options: dict[str, bool]) -> None:
    batch_id, item = await finished(api, **options)
    links = [(await result(api, batch_id, item)).headers["Location"] for _ in range(2)]
    assert [json.loads(api.objects.get_through(link).body) for link in links] == [rendered(**options)] * 2
    key = keys.rendering_key(api.customer.customer_id, RESULT, "extract-page", options)
    api.objects.write(key, b"{}", "application/json")
    link = (await result(api, batch_id, item)).headers["Location"]
    assert api.objects.get_through(link).body == b"{}", "one that is there is not made again"


async def test_it_is_exported_as_its_batch_asked_for_it(api: Api) -> None:
    batch_id, _ = await finished(api, extract_images=False)
    (line,) = (await api.http.get(f"/v1/batches/{batch_id}/results", params={"format": "jsonl"})).text.splitlines()
    assert json.loads(line)["result"] == rendered(extract_images=False)


async def test_without_its_document_it_has_expired(api: Api) -> None:
    batch_id, item = await finished(api, with_document=False, extract_text=False)
    answer = await result(api, batch_id, item)
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    (line,) = (await api.http.get(f"/v1/batches/{batch_id}/results", params={"format": "jsonl"})).text.splitlines()
    assert json.loads(line)["result"] is None


async def test_two_batches_of_one_document_are_each_shown_what_they_asked_for(api: Api) -> None:
    asked = [{"extract_text": False}, {"extract_images": False}]
    for options, (batch_id, item) in [(options, await finished(api, **options)) for options in asked]:
        link = (await result(api, batch_id, item)).headers["Location"]
        assert json.loads(api.objects.get_through(link).body) == rendered(**options)
