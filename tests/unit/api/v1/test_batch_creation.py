"""`POST /v1/batches`: what makes a batch, what does not, and that a refusal leaves nothing behind."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from octavo.engines.registry import DEFAULT_ENGINE
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
BATCH_KEYS = {
    "object", "id", "status", "counts", "total_items", "engine", "options", "metadata",
    "created_at", "started_at", "completed_at", "expires_at",
    "eta_seconds", "reason",
}  # fmt: skip


def assert_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error"] == code
    assert len(body["message"]) > 20
    assert "detail" not in body
    return body


async def replay(api: Api, key: str, file_ids: list[str], **fields: object) -> httpx.Response:
    body = {"source": {"file_ids": file_ids}, **fields}
    return await api.http.post("/v1/batches", json=body, headers={"Idempotency-Key": key})


# What a new batch is


@BOTH
async def test_a_new_batch_has_every_documented_key(api: Api) -> None:
    answer = await api.submit([await api.upload(), await api.upload()])
    assert answer.status_code == 200
    batch = answer.json()
    assert set(batch) == BATCH_KEYS
    assert batch["object"] == "batch"
    assert re.fullmatch(r"batch_[0-9a-z]{26}", batch["id"])
    assert batch["status"] == "pending"
    assert batch["counts"] == {"pending": 2, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0}
    assert batch["total_items"] == 2
    assert (batch["engine"], batch["metadata"], batch["started_at"], batch["completed_at"]) == (None,) * 4


async def test_a_new_batch_is_kept_until_creation_plus_retention(api: Api) -> None:
    await api.batch()
    (batch,) = api.batches()
    assert batch.expires_at - batch.created_at == timedelta(hours=72)


async def test_the_effective_options_are_echoed(api: Api) -> None:
    file_id = await api.upload()
    plain = (await api.submit([file_id])).json()["options"]
    engine = api.service.engines.resolve(None)
    assert plain == {
        "extract_text": True,
        "extract_images": True,
        "ocr": "auto",
        "engine": DEFAULT_ENGINE,
        "engine_version": engine.version,
    }
    chosen = (await api.submit([file_id], engine="sleep", ocr="force", extract_text=False, extract_images=False)).json()
    assert chosen["engine"] == "sleep"
    assert chosen["options"]["engine"] == "sleep"
    assert chosen["options"]["ocr"] == "force"
    assert (chosen["options"]["extract_text"], chosen["options"]["extract_images"]) == (False, False)


async def test_auto_is_the_default_engine(api: Api) -> None:
    batch = (await api.submit([await api.upload()], engine="auto")).json()
    assert (batch["engine"], batch["options"]["engine"]) == ("auto", DEFAULT_ENGINE)


@BOTH
async def test_metadata_comes_back_as_it_was_sent(api: Api) -> None:
    metadata = {"a": [1, 2.5, None, True, {"b": "\u4e2d\U0001f4c4\x00"}], "": {}, "big": 10**25, "e": 1e-30}
    batch = (await api.submit([await api.upload()], metadata=metadata)).json()
    assert batch["metadata"] == metadata
    assert (await api.http.get(f"/v1/batches/{batch['id']}")).json()["metadata"] == metadata


@BOTH
async def test_a_file_twice_in_a_batch_is_one_item_per_position(api: Api) -> None:
    one, other = await api.upload(), await api.upload()
    batch = (await api.submit([one, other, one])).json()
    assert batch["total_items"] == 3
    assert [(item.position, item.file_id) for item in api.items(batch["id"])] == [(0, one), (1, other), (2, one)]


async def test_a_file_may_be_in_two_batches(api: Api) -> None:
    file_id = await api.upload()
    assert [(await api.submit([file_id])).status_code for _ in range(2)] == [200, 200]
    assert len(api.batches()) == 2


async def test_a_batch_is_answered_while_the_orchestrator_is_away(api: Api) -> None:
    await api.batch()
    assert len(api.batches()) == 1


@BOTH
async def test_ten_thousand_files_are_one_batch(api: Api) -> None:
    file_id = await api.upload()
    answer = await api.submit([file_id] * 10_000)
    assert answer.status_code == 200
    assert answer.json()["total_items"] == 10_000


# Files


@BOTH
async def test_an_upload_that_has_just_finished_is_never_a_conflict(api: Api) -> None:
    file_ids = [await api.upload() for _ in range(3)]
    assert {api.file_status(file_id) for file_id in file_ids} == {"pending"}
    assert (await api.submit(file_ids)).status_code == 200
    assert {api.file_status(file_id) for file_id in file_ids} == {"ready"}


@BOTH
async def test_files_without_bytes_are_listed_in_order_each_once(api: Api) -> None:
    ready = await api.upload()
    missing = [(await api.stage())["id"] for _ in range(2)]
    answer = await api.submit([missing[1], ready, missing[0], missing[1]])
    assert assert_refused(answer, 409, "file_not_uploaded")["file_ids"] == [missing[1], missing[0]]
    assert not api.batches()


@pytest.mark.parametrize("data", [b"", b"1234", b"123456"], ids=["none", "shorter", "longer"])
async def test_bytes_of_another_length_do_not_count_as_uploaded(api: Api, data: bytes) -> None:
    staged = await api.stage(5)
    # As if storage had taken them: it does not, but then the batch would be refused all the same.
    api.objects.write(f"in/{api.customer.customer_id}/{staged['created_at'][:10]}/{staged['id']}", data, "text/plain")
    answer = await api.submit([staged["id"]])
    assert assert_refused(answer, 409, "file_not_uploaded")["file_ids"] == [staged["id"]]
    assert not api.batches()


@BOTH
async def test_unknown_files_are_listed_in_order_each_once(api: Api) -> None:
    ready, missing = await api.upload(), (await api.stage())["id"]
    answer = await api.submit(["file_b", ready, "file_a", missing, "file_b"])
    assert assert_refused(answer, 404, "file_not_found")["file_ids"] == ["file_b", "file_a"]
    assert not api.batches()


@BOTH
async def test_another_customers_files_are_not_found(api: Api) -> None:
    mine = await api.upload()
    stranger = api.stranger()
    answer = await stranger.post("/v1/batches", json={"source": {"file_ids": [mine, "file_x"]}})
    assert assert_refused(answer, 404, "file_not_found")["file_ids"] == [mine, "file_x"]
    assert (await stranger.get("/v1/batches")).json()["data"] == []


@BOTH
async def test_an_expired_file_is_not_found(api: Api) -> None:
    file_id = await api.upload()
    api.clock.shift = timedelta(hours=73)
    answer = await api.submit([file_id])
    assert assert_refused(answer, 404, "file_not_found")["file_ids"] == [file_id]
    assert not api.batches()


@BOTH
@pytest.mark.parametrize("file_id", ["", "\x00", "x" * 5000, "' or '1'='1", "../..", "\U0001f4c4"])
async def test_an_odd_file_id_is_not_found(api: Api, file_id: str) -> None:
    assert assert_refused(await api.submit([file_id]), 404, "file_not_found")["file_ids"] == [file_id]


async def test_files_that_were_seen_need_no_storage(api: Api) -> None:
    file_id = await api.upload()
    assert (await api.http.get(f"/v1/files/{file_id}")).json()["status"] == "ready"
    api.objects.available = False
    assert (await api.submit([file_id])).status_code == 200


async def test_storage_that_is_down_is_told_with_when_to_come_again(api: Api) -> None:
    file_id = await api.upload()
    api.objects.available = False
    answer = await api.submit([file_id])
    assert_refused(answer, 503, "storage_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert not api.batches()


# Bodies


@pytest.mark.parametrize("count", [0, 10_001])
async def test_a_batch_has_one_to_ten_thousand_files(api: Api, count: int) -> None:
    file_id = await api.upload()
    answer = await api.submit([file_id] * count)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "source", "file_ids"]
    assert not api.batches()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["body", "source"]),
        ({"source": None}, ["body", "source"]),
        ({"source": {}}, ["body", "source", "file_ids"]),
        ({"source": {"file_ids": "file_a"}}, ["body", "source", "file_ids"]),
        ({"source": {"file_ids": [5]}}, ["body", "source", "file_ids", 0]),
        ({"source": {"file_ids": [None]}}, ["body", "source", "file_ids", 0]),
        ({"source": {"type": "urls", "file_ids": ["a"]}}, ["body", "source", "type"]),
        ({"source": {"file_ids": ["a"]}, "ocr": "sometimes"}, ["body", "ocr"]),
        ({"source": {"file_ids": ["a"]}, "ocr": None}, ["body", "ocr"]),
        ({"source": {"file_ids": ["a"]}, "engine": "x" * 65}, ["body", "engine"]),
        ({"source": {"file_ids": ["a"]}, "extract_text": "perhaps"}, ["body", "extract_text"]),
        ({"source": {"file_ids": ["a"]}, "metadata": []}, ["body", "metadata"]),
        ({"source": {"file_ids": ["a"]}, "metadata": "text"}, ["body", "metadata"]),
    ],
)
async def test_a_body_of_another_shape_is_refused_with_the_place(
    api: Api, body: dict[str, Any], where: list[str]
) -> None:
    answer = await api.http.post("/v1/batches", json=body)
    assert answer.status_code == 422
    found = answer.json()["detail"][0]
    assert found["loc"] == where
    assert {"loc", "msg", "type"} <= set(found)


@pytest.mark.parametrize("engine", ["nobody", "", "AUTO", "fast ", "sleep:much", "fast:1", "sleep:nan"])
async def test_an_unknown_engine_is_refused_with_the_list(api: Api, engine: str) -> None:
    answer = await api.submit([await api.upload()], engine=engine)
    body = assert_refused(answer, 422, "unknown_engine")
    assert body["engines"] == list(api.service.engines.names())
    assert {"auto", DEFAULT_ENGINE} <= set(body["engines"])
    assert not api.batches()


def nested(depth: int) -> dict[str, Any]:
    """Return objects in objects, `depth` of them."""
    found: dict[str, Any] = {}
    for _ in range(depth - 1):
        found = {"a": found}
    return found


async def test_metadata_may_be_32_deep_and_no_deeper(api: Api) -> None:
    file_id = await api.upload()
    assert (await api.submit([file_id], metadata=nested(32))).status_code == 200
    for depth in (33, 100, 400):
        assert_refused(await api.submit([file_id], metadata=nested(depth)), 422, "metadata_too_large")
    assert len(api.batches()) == 1


async def test_lists_count_as_levels_too(api: Api) -> None:
    file_id = await api.upload()
    assert (await api.submit([file_id], metadata={"a": [[[]]]})).status_code == 200
    deep: Any = []
    for _ in range(31):
        deep = [deep]
    assert_refused(await api.submit([file_id], metadata={"a": deep}), 422, "metadata_too_large")


async def test_metadata_may_have_64_kib_as_json_and_no_more(api: Api) -> None:
    file_id = await api.upload()
    around = len('{"a":""}')
    fits = await api.submit([file_id], metadata={"a": "x" * (64 * 1024 - around)})
    assert fits.status_code == 200
    over = await api.submit([file_id], metadata={"a": "x" * (64 * 1024 - around + 1)})
    assert_refused(over, 422, "metadata_too_large")
    assert len(api.batches()) == 1


async def test_metadata_in_any_script_has_its_64_kib_in_utf_8(api: Api) -> None:
    file_id = await api.upload()
    assert (await api.submit([file_id], metadata={"a": "\u4e2d" * 21_000})).status_code == 200
    assert_refused(await api.submit([file_id], metadata={"a": "\u4e2d" * 22_000}), 422, "metadata_too_large")


# Order of checks


async def test_the_key_is_checked_before_the_body(api: Api) -> None:
    answer = await api.client().post("/v1/batches", json={"source": {"file_ids": []}})
    assert assert_refused(answer, 401, "invalid_api_key")


async def test_the_body_is_checked_before_a_replay(api: Api) -> None:
    file_id = await api.upload()
    assert (await replay(api, "k", [file_id])).status_code == 200
    assert (await replay(api, "k", [])).status_code == 422
    assert_refused(await replay(api, "k", [file_id], engine="nobody"), 422, "unknown_engine")


async def test_unknown_files_come_before_files_without_bytes(api: Api) -> None:
    missing = (await api.stage())["id"]
    body = assert_refused(await api.submit([missing, "file_x"]), 404, "file_not_found")
    assert body["file_ids"] == ["file_x"]


async def test_a_replay_is_answered_before_files_and_storage_are_looked_at(api: Api) -> None:
    file_id = await api.upload()
    first = (await replay(api, "k", [file_id])).json()
    api.finish_all(first["id"])
    api.clock.shift = timedelta(hours=23, minutes=59)
    api.objects.available = False
    again = await replay(api, "k", [file_id])
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]


# Idempotency


@BOTH
async def test_the_same_key_and_body_give_the_same_batch_as_it_is_now(api: Api) -> None:
    file_id = await api.upload()
    first = await replay(api, "key-1", [file_id])
    await api.http.post(f"/v1/batches/{first.json()['id']}/cancel")
    again = await replay(api, "key-1", [file_id])
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "cancelled"
    assert len(api.batches()) == 1


async def test_the_same_body_in_other_words_is_the_same_body(api: Api) -> None:
    file_id = await api.upload()
    first = await replay(api, "k", [file_id])
    again = await replay(api, "k", [file_id], ocr="auto", extract_text=True, engine=None, metadata=None)
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("change", [{"extract_text": False}, {"metadata": {"a": 1}}, {"engine": "sleep"}])
async def test_the_same_key_with_another_body_is_refused(api: Api, change: dict[str, Any]) -> None:
    file_id = await api.upload()
    assert (await replay(api, "k", [file_id])).status_code == 200
    assert_refused(await replay(api, "k", [file_id], **change), 422, "idempotency_key_reused")
    assert len(api.batches()) == 1


async def test_a_key_is_the_customers_own(api: Api) -> None:
    mine = (await replay(api, "k", [await api.upload()])).json()
    stranger = api.stranger()
    staged = (await stranger.post("/v1/files", json={"size_bytes": 5})).json()
    api.objects.put_through(staged["upload"]["url"], b"bytes")
    body = {"source": {"file_ids": [staged["id"]]}}
    theirs = await stranger.post("/v1/batches", json=body, headers={"Idempotency-Key": "k"})
    assert theirs.status_code == 200
    assert theirs.json()["id"] != mine["id"]


@BOTH
async def test_a_key_is_held_for_24_hours(api: Api) -> None:
    file_id = await api.upload()
    first = (await replay(api, "k", [file_id])).json()["id"]
    api.clock.shift = timedelta(hours=23, minutes=59)
    assert (await replay(api, "k", [file_id])).json()["id"] == first
    api.clock.shift = timedelta(hours=24)
    assert (await replay(api, "k", [file_id])).json()["id"] != first


async def test_a_refused_batch_does_not_hold_its_key(api: Api) -> None:
    staged = await api.stage()
    assert_refused(await replay(api, "k", [staged["id"]]), 409, "file_not_uploaded")
    assert_refused(await replay(api, "k", ["file_x"]), 404, "file_not_found")
    api.objects.put_through(staged["upload"]["url"], b"bytes")
    assert (await replay(api, "k", [staged["id"]])).status_code == 200


@BOTH
async def test_32_at_the_same_moment_make_one_batch(api: Api) -> None:
    file_id = await api.upload()
    answers = await asyncio.gather(*(replay(api, "k", [file_id]) for _ in range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(api.batches()) == 1


async def test_batches_without_a_key_are_all_different(api: Api) -> None:
    file_id = await api.upload()
    answers = await asyncio.gather(*(api.submit([file_id]) for _ in range(5)))
    assert len({answer.json()["id"] for answer in answers}) == 5


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_characters(api: Api, key: str) -> None:
    file_id = await api.upload()
    assert_refused(await replay(api, key, [file_id]), 422, "invalid_idempotency_key")
    assert not api.batches()
    assert (await replay(api, "x" * 255, [file_id])).status_code == 200
