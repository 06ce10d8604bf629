"""`GET .../result?format=markdown|html`: a result to read, rendered from the document that is stored."""

from datetime import timedelta

import httpx
import pytest

from octavo.documents import Block, Box, Document, Figure, Page
from octavo.identifiers import BatchId, ResultId
from octavo.objects import keys
from octavo.outcomes import Succeeded
from tests.unit.api.service import Api, failed

pytestmark = pytest.mark.anyio
BOX = Box(10, 10, 100, 100)
DOCUMENT = Document(
    pages=(Page(1, 595.0, 842.0),),
    blocks=(
        Block(page_no=1, order=0, role="title", text="Letter", bbox=BOX),
        Block(page_no=1, order=1, role="paragraph", text="<script>alert(1)</script>", bbox=BOX),
    ),
    figures=(
        Figure(page_no=1, order=2, bbox=BOX, mime="image/png", width=2, height=2, image_index=0, caption="A seal"),
        Figure(page_no=1, order=3, bbox=BOX, mime="image/png", width=2, height=2, image_index=1, caption="Lost"),
    ),
)


async def read(api: Api, kind: str, **options: bool) -> tuple[BatchId, httpx.Response]:
    """Submit a batch with these options, let it succeed and ask for its result."""
    submitted = await api.submit([await api.upload(filename="a <b>.pdf")], **options)
    batch_id = BatchId(submitted.json()["id"])
    result_id = ResultId("res_1")
    api.objects.write(
        keys.result_key(api.customer.customer_id, result_id, "document.json"), DOCUMENT.to_json().encode(), "x/y"
    )
    api.objects.write(keys.result_image_key(api.customer.customer_id, result_id, 0), b"picture", "image/png")
    api.finish_all(batch_id, Succeeded(page_count=1, result_id=result_id, sha256="0" * 64, engine="e 1", seconds=0.1))
    return batch_id, await get(api, batch_id, kind)


async def get(api: Api, batch_id: BatchId, kind: str) -> httpx.Response:
    (item,) = api.items(batch_id)
    return await api.http.get(f"/v1/batches/{batch_id}/items/{item.item_id}/result", params={"format": kind})


async def test_a_result_as_markdown(api: Api) -> None:
    _, answer = await read(api, "markdown")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert answer.text == "# Letter\n\n&lt;script&gt;alert(1)&lt;/script&gt;\n"


async def test_a_result_as_a_page_that_may_do_nothing(api: Api) -> None:
    _, answer = await read(api, "html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Letter</h1>" in answer.text
    assert "<title>a &lt;b&gt;.pdf</title>" in answer.text
    assert "<script>" not in answer.text
    assert "data:image/png;base64,cGljdHVyZQ==" in answer.text
    assert "[Lost]" in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_only_what_the_batch_asked_for_is_shown(api: Api) -> None:
    _, answer = await read(api, "html", extract_text=False)
    assert "Letter" not in answer.text
    assert "cGljdHVyZQ==" in answer.text
    _, answer = await read(api, "html", extract_images=False)
    assert "Letter" in answer.text
    assert "figure>" not in answer.text


async def test_json_is_the_redirect_it_always_was(api: Api) -> None:
    batch_id, _ = await read(api, "markdown")
    assert (await get(api, batch_id, "json")).status_code == 302
    assert (await get(api, batch_id, "pdf")).status_code == 422


@pytest.mark.parametrize("kind", ["markdown", "html"])
async def test_refusals_are_those_of_the_json(api: Api, kind: str) -> None:
    api.clock.shift = -timedelta(hours=73)
    old, _ = await read(api, kind)
    api.clock.shift = timedelta()
    answer = await get(api, old, kind)
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    batch_id = await api.batch(1)
    answer = await get(api, batch_id, kind)
    assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (409, "result_not_ready", "pending")
    api.finish_all(batch_id, failed())
    answer = await get(api, batch_id, kind)
    assert (answer.status_code, answer.json()["status"]) == (409, "failed")


async def test_a_document_that_is_gone_has_expired(api: Api) -> None:
    batch_id, _ = await read(api, "markdown")
    api.objects.delete([keys.result_key(api.customer.customer_id, ResultId("res_1"), "document.json")])
    answer = await get(api, batch_id, "markdown")
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
