"""The same document twice on a real stack: read once, billed twice, and deleted with the last item that uses it."""

import json
import secrets
from pathlib import Path
from typing import Any

from octavo.client.customer import CustomerClient
from octavo.samples import make_report
from tests.acceptance.stack import Batch, Stack


def submit(client: CustomerClient, path: Path, **options: bool) -> tuple[Batch, dict[str, Any]]:
    staged = client.stage(path)
    client.upload(staged, path)
    asked = {"source": {"type": "files", "file_ids": [staged.file_id]}, "engine": "fast", **options}
    answer = client._api.post("/v1/batches", json=asked, headers={"Idempotency-Key": secrets.token_hex(8)})
    batch = Batch(client, answer.json()["id"])
    (item,) = batch.wait_until_ended()["items"]
    assert item["status"] == "succeeded", item
    return batch, item


def result(batch: Batch, item: dict[str, Any]) -> bytes:
    answer = batch.client._api.get(item["result_url"], follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.content


def pages_billed(client: CustomerClient) -> int:
    return sum(day["pages"] for day in client._api.get("/v1/usage").json()["data"])


def test_the_same_document_is_read_once_billed_twice_and_kept_as_long_as_somebody_names_it(
    stack: Stack, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    make_report(path)
    with stack.customer() as client, stack.customer() as other:
        (first, one), (second, two) = submit(client, path), submit(client, path)
        assert [item["reused"] for item in (one, two)] == [False, True]
        assert two["page_count"] == one["page_count"]
        assert result(second, two) == result(first, one)
        assert pages_billed(client) == 2 * one["page_count"]
        third, three = submit(client, path, extract_text=False)
        assert three["reused"], "other options show another part of what was read"
        kinds = [chunk["chunk_type"] for chunk in json.loads(result(third, three))["chunks"]]
        assert kinds == ["image"]
        assert client._api.delete(f"/v1/batches/{third.batch_id}").status_code == 204
        assert not submit(other, path)[1]["reused"], "another customer's document is nobody's business"
        assert client._api.delete(f"/v1/batches/{first.batch_id}").status_code == 204
        assert result(second, two), "the second batch names it still"
        assert client._api.delete(f"/v1/batches/{second.batch_id}").status_code == 204
        assert not submit(client, path)[1]["reused"], "it went with the last that named it"
