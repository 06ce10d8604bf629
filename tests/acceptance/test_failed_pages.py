"""Pages that failed are read again on a real stack, and nothing else of their document is."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from octavo.client.customer import CustomerClient
from tests.acceptance.stack import Batch, Stack


def the_item(batch: Batch) -> dict[str, Any]:
    (item,) = batch.wait_until_ended()["items"]
    return dict(item)


def pages_of(client: CustomerClient, item: dict[str, Any]) -> dict[int, str]:
    answer = client._api.get(item["result_url"], follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return {page["page_no"]: page["status"] for page in answer.json()["pages"]}


@pytest.mark.parametrize(("word", "left"), [("holes 4 2,3 9", 0), ("holes 4 2,3 3", 1), ("holes 4 2,3 2,3", 2)])
def test_a_result_is_mended_page_by_page_and_billed_once(stack: Stack, tmp_path: Path, word: str, left: int) -> None:
    path = tmp_path / "holed.bin"
    path.write_text(word)
    with stack.customer() as client:
        staged = client.stage(path)
        client.upload(staged, path)
        made = client.submit([staged.file_id], engine="failing", idempotency_key=secrets.token_hex(8))
        batch = Batch(client, made["id"])
        item = the_item(batch)
        assert (item["status"], item["page_count"], item["failed_pages"]) == ("succeeded", 4, 2)
        assert pages_of(client, item) == {1: "ok", 2: "failed", 3: "failed", 4: "ok"}
        retried = client._api.post(f"/v1/batches/{batch.batch_id}/retry_failed", json={"failed_pages": True})
        assert (retried.status_code, retried.json()["retried"]) == (200, 1)
        item = the_item(batch)
        assert (item["status"], item["page_count"], item["failed_pages"]) == ("succeeded", 4, left)
        assert list(pages_of(client, item).values()).count("failed") == left
        assert sum(day["pages"] for day in client._api.get("/v1/usage").json()["data"]) == 4
