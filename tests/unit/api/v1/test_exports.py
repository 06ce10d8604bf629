"""`GET /v1/batches/{id}/results`: everything in one stream, whatever state the batch is in."""

import asyncio
import io
import json
import secrets
import threading
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from octavo.identifiers import BatchId, ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Succeeded
from octavo.service import exports
from tests.unit.api.service import WORKER, Api, failed
from tests.unit.api.serving import served
from tests.unit.api.v1.test_results import BOTH
from tests.unit.api.v1.test_waiting import until

pytestmark = pytest.mark.anyio


def result(api: Api, number: int, size: int = 0) -> Succeeded:
    """An outcome whose result, one chunk that says its number, is in storage."""
    result_id = ResultId(f"res_{number}")
    body = json.dumps(
        {"chunks": [{"page_content": f"page {number}"}], "filler": secrets.token_hex(size // 2)}, separators=(",", ":")
    )
    key = keys.result_key(api.customer.customer_id, result_id, "extract-page.json")
    api.objects.write(key, body.encode(), "application/json")
    return Succeeded(page_count=1, result_id=result_id, sha256="0" * 64, engine="e 1", seconds=0.1)


async def get(api: Api, batch_id: str, kind: str | None = None) -> httpx.Response:
    return await api.http.get(f"/v1/batches/{batch_id}/results", params={"format": kind} if kind else {})


async def lines(api: Api, batch_id: str) -> list[dict[str, Any]]:
    answer = await get(api, batch_id, "jsonl")
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("\n") or not answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


@BOTH
async def test_lines_are_the_items_that_have_ended_by_position(api: Api) -> None:
    batch_id = await api.batch(4)
    items = [item for piece in api.claim(batch_id).slices for item in piece.items]
    api.finish(items[2], result(api, 2))
    api.finish(items[0], result(api, 0))
    api.finish(items[1], failed("unsupported_input"))
    found = await lines(api, batch_id)
    assert [row["item"]["position"] for row in found] == [0, 1, 2]
    assert [row["item"]["status"] for row in found] == ["succeeded", "failed", "succeeded"]
    assert all(set(row) == {"item", "result"} for row in found)
    assert [row["result"] and row["result"]["chunks"][0]["page_content"] for row in found] == ["page 0", None, "page 2"]
    shown = {item["id"]: item for item in (await api.http.get(f"/v1/batches/{batch_id}")).json()["items"]}
    assert all(row["item"] == shown[row["item"]["id"]] for row in found)


async def test_the_stream_says_what_it_is(api: Api) -> None:
    batch_id = await api.batch(1)
    for kind, media_type in (("jsonl", "application/x-ndjson"), ("zip", "application/zip")):
        answer = await get(api, batch_id, kind)
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-disposition"] == f'attachment; filename="{batch_id}.{kind}"'
    assert (await get(api, batch_id)).headers["content-type"] == "application/x-ndjson"
    assert (await get(api, batch_id, "csv")).status_code == 422


async def test_a_batch_of_which_nothing_has_ended_is_an_empty_export(api: Api) -> None:
    batch_id = await api.batch(2)
    assert await lines(api, batch_id) == []
    with zipfile.ZipFile(io.BytesIO((await get(api, batch_id, "zip")).content)) as archive:
        assert archive.namelist() == ["items.jsonl"]
        assert archive.read("items.jsonl") == b""


@BOTH
async def test_an_archive_has_a_file_for_each_result_and_a_list_of_all_items(api: Api) -> None:
    names = ["../../etc/passwd", "r\u00e9sum\u00e9 \u4e2d.pdf", None, "same.pdf", "same.pdf"]
    file_ids = [await api.upload(filename=name) for name in names]
    batch_id = BatchId((await api.submit(file_ids)).json()["id"])
    api.finish_all(batch_id, *(failed() if number == 3 else result(api, number) for number in range(5)))
    answer = await get(api, batch_id, "zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "00000-.._.._etc_passwd.json",
            "00001-r\u00e9sum\u00e9 \u4e2d.pdf.json",
            "00002-document.json",
            "00004-same.pdf.json",
            "items.jsonl",
        ]
        assert json.loads(archive.read("00004-same.pdf.json"))["chunks"][0]["page_content"] == "page 4"
        rows = [json.loads(line) for line in archive.read("items.jsonl").splitlines()]
    assert [row["file"] for row in rows] == [*archive.namelist()[:3], None, archive.namelist()[3]]
    assert [row["item"]["position"] for row in rows] == [0, 1, 2, 3, 4]


async def test_expired_and_missing_results_are_null(api: Api) -> None:
    # Of a batch whose items ended 73 hours ago, seen from now; the ledger's clock never goes back.
    api.clock.shift = -timedelta(hours=73)
    old = await api.batch(1)
    api.finish_all(old, result(api, 2))
    api.clock.shift = timedelta()
    (row,) = await lines(api, old)
    assert (row["item"]["status"], row["result"]) == ("succeeded", None)
    batch_id = await api.batch(2)
    api.finish_all(batch_id, result(api, 0), result(api, 1))
    api.objects.delete([keys.result_key(api.customer.customer_id, ResultId("res_1"), "extract-page.json")])
    assert [row["result"] is None for row in await lines(api, batch_id)] == [False, True]


async def test_many_pages_of_items_come_whole_and_in_order(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ITEMS", 3)
    batch_id = await api.batch(8)
    api.finish_all(batch_id, *(result(api, number) for number in range(8)))
    found = await lines(api, batch_id)
    assert [row["result"]["chunks"][0]["page_content"] for row in found] == [f"page {number}" for number in range(8)]


async def test_unknown_batches_and_those_of_others_are_not_found(api: Api) -> None:
    batch_id = await api.batch(1)
    for client, asked in ((api.http, "batch_nobody"), (api.stranger(), batch_id)):
        answer = await client.get(f"/v1/batches/{asked}/results")
        assert (answer.status_code, answer.json()["error"]) == (404, "batch_not_found")


async def test_storage_that_is_down_is_told_before_the_stream_begins(api: Api) -> None:
    batch_id = await api.batch(1)
    api.finish_all(batch_id, result(api, 0))
    api.objects.available = False
    answer = await get(api, batch_id)
    assert (answer.status_code, answer.json()["error"]) == (503, "storage_unavailable")


class Counting(MemoryObjects):
    """Storage that knows how much of it was read, and how many at once."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.at_once = 0
        self.most_at_once = 0
        self._counting = threading.Lock()

    def read(self, key: str, *, max_bytes: int) -> bytes:
        with self._counting:
            self.reads += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return super().read(key, max_bytes=max_bytes)
        finally:
            with self._counting:
                self.at_once -= 1


@pytest.fixture
def counting(api: Api) -> Counting:
    counting = Counting()
    counting._objects, counting._secret = api.objects._objects, api.objects._secret
    # The service is frozen, and its store is what this test is about.
    object.__setattr__(api.service, "objects", counting)
    return counting


@pytest.fixture
def address(api: Api) -> Iterator[str]:
    with served(api.app) as url:
        yield url


@pytest.mark.parametrize("kind", ["jsonl", "zip"])
async def test_a_client_that_takes_nothing_holds_up_its_export_and_ends_it_by_going(
    api: Api, counting: Counting, address: str, kind: str
) -> None:
    batch_id = await api.batch(60)
    while slices := api.claim(batch_id, 8).slices:
        for item in [item for piece in slices for item in piece.items]:
            api.service.workers.heartbeat(WORKER)  # on a busy machine this takes longer than a worker may be silent
            api.finish(item, result(api, item.position, size=1_000_000))
    async with (
        httpx.AsyncClient(base_url=address, headers={"X-API-KEY": api.key}, trust_env=False, timeout=60) as client,
        client.stream("GET", f"/v1/batches/{batch_id}/results", params={"format": kind}) as answer,
    ):
        assert answer.status_code == 200
        async for _ in answer.aiter_raw(1024):
            break
        read = -1
        while read != counting.reads:
            read = counting.reads
            await asyncio.sleep(0.2)
        assert 0 < read < 40, "what is not taken is not read"
    await until(lambda: counting.at_once == 0)
    assert counting.reads <= read + exports.READ_AHEAD
    assert counting.most_at_once <= exports.READ_AHEAD
