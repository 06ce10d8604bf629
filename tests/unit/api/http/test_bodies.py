"""Bodies that are too long, no JSON, or JSON that means trouble: refused clearly, never a 5xx, nothing stored."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.api.service import ADMIN_TOKEN, WORKER_TOKEN, Api

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
JSON = {"Content-Type": "application/json"}
MAX = 4 * 1024 * 1024


async def post(api: Api, content: bytes, path: str = "/v1/batches", **headers: str) -> httpx.Response:
    return await api.http.post(path, content=content, headers=JSON | headers)


async def with_metadata(api: Api, metadata: str) -> httpx.Response:
    """Submit a good file with this text in the place of the metadata."""
    file_id = await api.upload()
    return await post(api, f'{{"source": {{"file_ids": ["{file_id}"]}}, "metadata": {metadata}}}'.encode())


def assert_told(answer: httpx.Response) -> None:
    """A client error with a body in one of the two shapes of the contract, itself strict JSON."""
    assert 400 <= answer.status_code < 500, answer.text
    body = json.loads(answer.content.decode("utf-8"), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    if "detail" in body:
        assert body["detail"][0]["msg"]
    else:
        assert body["error"]
        assert len(body["message"]) > 20


async def test_a_body_over_4_mib_by_its_declared_length_is_refused(api: Api) -> None:
    answer = await post(api, b" " * (MAX + 1))
    assert answer.status_code == 413
    body = answer.json()
    assert body["error"] == "request_too_large"
    assert body["limit_bytes"] == MAX
    assert str(MAX) in body["message"]


async def test_a_body_over_4_mib_that_declares_no_length_is_refused(api: Api) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1024 * 1024
            yield b" " * (1024 * 1024)

    answer = await api.http.post("/v1/batches", content=chunks(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"] == "request_too_large"
    assert answer.json()["limit_bytes"] == MAX
    assert sent <= MAX + 2 * 1024 * 1024


async def test_a_body_of_exactly_4_mib_is_read(api: Api) -> None:
    file_id = await api.upload()
    body = json.dumps({"source": {"file_ids": [file_id]}}).encode()
    assert (await post(api, body.ljust(MAX))).status_code == 200


async def test_the_cap_is_for_every_route(api: Api) -> None:
    for path in ("/v1/files", "/v1/batches", "/v1/batches/x/cancel"):
        assert (await post(api, b" " * (MAX + 1), path)).status_code == 413
    for path, token in (("/internal/claims", WORKER_TOKEN), ("/admin/keys", ADMIN_TOKEN)):
        assert (await post(api, b" " * (MAX + 1), path, Authorization=f"Bearer {token}")).status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"\xff\xfe\xfa",
        b'{"source": {"file_ids": ["\xff"]}}',
        '{"source": {"file_ids": ["a"]}}'.encode("utf-16-le"),
        b'{"source": {"file_ids": ["a"]}} trailing',
        b'{"source": {"file_ids": ["\\ud800"]}}',
        b'{"source": {"file_ids": [NaN]}}',
        b'{"source": {"file_ids": -Infinity}}',
        b'{"source": {"file_ids": [1e999]}}',
        b'{"source": {"file_ids": [' + b"9" * 5000 + b"]}}",
        b'{"source": ' + b"[" * 500 + b"]" * 500 + b"}",
        b"[" * 900 + b"]" * 900,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"source": {"file_ids": ["a"]}, "engine": "\\ud800"}',
        b'{"source": {"file_ids": ["a"], "\\udfff": 1}, "ocr": "\\ud800"}',
    ],
)
async def test_a_body_that_cannot_be_used_is_a_client_error(api: Api, content: bytes) -> None:
    assert_told(await post(api, content))
    assert not api.batches()


@pytest.mark.parametrize(
    "content",
    [
        b'{"size_bytes": NaN}',
        b'{"size_bytes": 1e999}',
        b'{"size_bytes": -Infinity}',
        b'{"size_bytes": 5, "filename": "\\ud800"}',
        b'{"size_bytes": 5, "filename": "\xff"}',
        b'{"size_bytes": {"\\ud800": NaN}}',
        b'{"size_bytes": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"size_bytes": ' + b"9" * 5000 + b"}",
    ],
)
async def test_a_file_that_cannot_be_understood_is_a_client_error(api: Api, content: bytes) -> None:
    assert_told(await post(api, content, "/v1/files"))


async def test_a_body_that_is_not_called_json_is_told_so(api: Api) -> None:
    good = json.dumps({"source": {"file_ids": [await api.upload()]}}).encode()
    for content_type in ("text/plain", "application/octet-stream", "nonsense"):
        answer = await api.http.post("/v1/batches", content=good, headers={"Content-Type": content_type})
        assert_told(answer)
    assert not api.batches()


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.x+json"])
async def test_json_under_its_other_names_is_read(api: Api, content_type: str) -> None:
    good = json.dumps({"source": {"file_ids": [await api.upload()]}}).encode()
    answer = await api.http.post("/v1/batches", content=good, headers={"Content-Type": content_type})
    assert answer.status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "[[-1e999]]", '{"a": NaN}'])
async def test_metadata_with_a_number_that_json_cannot_say_is_refused(api: Api, number: str) -> None:
    assert_told(await with_metadata(api, f'{{"a": {number}}}'))
    assert not api.batches()


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": [["\\ud800x"]]}'])
async def test_metadata_with_half_a_character_is_refused(api: Api, text: str) -> None:
    assert_told(await with_metadata(api, text))
    assert not api.batches()


@pytest.mark.parametrize("depth", [33, 300, 900, 1000, 100_000])
async def test_metadata_of_any_depth_is_refused_and_never_a_5xx(api: Api, depth: int) -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]")):
        answer = await with_metadata(api, '{"b":' + opening * depth + "1" + closing * depth + "}")
        assert_told(answer)
        if depth < 900:
            assert answer.json()["error"] == "metadata_too_large"
    assert not api.batches()


@BOTH
async def test_metadata_with_odd_but_whole_content_is_kept(api: Api) -> None:
    text = (
        '{"\\u0000": "\\u0000", "a\\"b": "\\ud83d\\udcc4", "big": 123456789012345678901234567890, "dup": 1, "dup": 2}'
    )
    answer = await with_metadata(api, text)
    assert answer.status_code == 200, answer.text
    shown = (await api.http.get(f"/v1/batches/{answer.json()['id']}")).json()["metadata"]
    assert shown == json.loads(text)


@BOTH
@pytest.mark.parametrize("batch_id", ["%00", "%ED%A0%80", "x" * 4000, "batch_'%20or%201=1"])
async def test_an_odd_id_in_a_path_is_not_found(api: Api, batch_id: str) -> None:
    for answer in (
        await api.http.get(f"/v1/batches/{batch_id}"),
        await api.http.post(f"/v1/batches/{batch_id}/cancel"),
        await api.http.get(f"/v1/batches/{batch_id}/items/{batch_id}/result"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"] == "batch_not_found"
