"""Page images on a real stack: rendered by the worker on demand, kept, and deleted with the result."""

import io
import secrets
from pathlib import Path

import httpx
from PIL import Image

from octavo.client.customer import CustomerClient
from octavo.samples import make_report
from tests.acceptance.stack import Batch, Stack


def succeeded(client: CustomerClient, path: Path) -> tuple[Batch, str]:
    """Return a batch with one item that has succeeded, and that item's address."""
    staged = client.stage(path)
    client.upload(staged, path)
    made = client.submit([staged.file_id], engine="fast", idempotency_key=secrets.token_hex(8))
    batch = Batch(client, made["id"])
    (item,) = batch.wait_until_ended()["items"]
    assert item["status"] == "succeeded", item
    return batch, f"/v1/batches/{batch.batch_id}/items/{item['id']}"


def test_a_page_is_drawn_once_and_goes_with_its_result(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    make_report(path)
    with stack.customer() as client, stack.customer() as other:
        batch, address = succeeded(client, path)

        def ask(number: int, width: int = 800) -> httpx.Response:
            return client._api.get(f"{address}/pages/{number}/image", params={"width": width}, follow_redirects=False)

        first, second = ask(1), ask(1)
        assert [first.status_code, second.status_code] == [302, 302], first.text
        image = Image.open(io.BytesIO(httpx.get(first.headers["Location"], trust_env=False, timeout=60).content))
        assert (image.format, image.width) == ("PNG", 800)
        drawn = list((stack.data / "objects").rglob("pages/1-800*"))
        assert len(drawn) == 1, "the second asker found what the first had drawn"
        assert ask(99).status_code == 404
        assert other._api.get(f"{address}/pages/1/image", follow_redirects=False).status_code == 404
        assert client._api.delete(f"/v1/batches/{batch.batch_id}").status_code == 204
        assert not drawn[0].exists()
        assert ask(1).status_code == 404
