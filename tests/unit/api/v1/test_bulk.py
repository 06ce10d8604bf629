"""`POST /v1/files/bulk`: many files in one call, all or none."""

import json

import pytest

from tests.unit.api.service import Api
from tests.unit.api.v1.test_files import BOTH, FILE_KEYS, stored_files

pytestmark = pytest.mark.anyio
MAX_BODY = 16 * 1024 * 1024


def entries(count: int) -> list[dict[str, object]]:
    return [{"filename": f"page {number}.pdf", "size_bytes": 5 + number} for number in range(count)]


@BOTH
async def test_files_are_staged_in_the_order_given(api: Api) -> None:
    given = entries(3)
    given[1]["content_type"] = "application/pdf"
    answer = await api.http.post("/v1/files/bulk", json={"files": given})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"object", "data"}
    assert body["object"] == "list"
    assert [row["size_bytes"] for row in body["data"]] == [5, 6, 7]
    assert [row["content_type"] for row in body["data"]] == [None, "application/pdf", None]
    for row in body["data"]:
        assert set(row) == FILE_KEYS | {"upload"}
        shown = (await api.http.get(f"/v1/files/{row['id']}")).json()
        assert shown == {name: value for name, value in row.items() if name != "upload"}
        data = b"x" * row["size_bytes"]
        assert api.objects.put_through(row["upload"]["url"], data).status == 200
    assert (await api.submit([row["id"] for row in body["data"]])).status_code == 200


@BOTH
async def test_ten_thousand_files_are_staged_at_once(api: Api) -> None:
    body = (await api.http.post("/v1/files/bulk", json={"files": entries(10_000)})).json()
    assert len({row["id"] for row in body["data"]}) == 10_000


async def test_names_of_full_length_fit_ten_thousand_times(api: Api) -> None:
    content = json.dumps({"files": [{"filename": "\u6587" * 256, "size_bytes": 5}] * 10_000}, ensure_ascii=True)
    assert 4 * 1024 * 1024 < len(content) < MAX_BODY
    answer = await api.http.post("/v1/files/bulk", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


async def test_a_body_over_16_mib_is_refused(api: Api) -> None:
    answer = await api.http.post("/v1/files/bulk", content=b" " * (MAX_BODY + 1))
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")
    assert answer.json()["limit_bytes"] == MAX_BODY


async def test_one_entry_over_the_cap_is_named_and_nothing_is_staged(api: Api) -> None:
    given = entries(5)
    given[3]["size_bytes"] = 150 * 1024 * 1024 + 1
    answer = await api.http.post("/v1/files/bulk", json={"files": given})
    assert answer.status_code == 413
    body = answer.json()
    assert (body["error"], body["index"], body["limit_bytes"]) == ("file_too_large", 3, 150 * 1024 * 1024)
    assert "3" in body["message"]
    assert stored_files(api) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"files": []},
        {"files": [{"size_bytes": 5}] * 10_001},
        {"files": [{"size_bytes": 5}, {"size_bytes": 0}]},
        {"files": [{"size_bytes": 5, "filename": "x" * 513}]},
        {"files": "all of them"},
        {},
        [],
    ],
    ids=["none", "10,001", "empty file", "long name", "a word", "nothing", "a list"],
)
async def test_a_body_of_another_shape_is_refused_and_nothing_is_staged(api: Api, body: object) -> None:
    answer = await api.http.post("/v1/files/bulk", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert stored_files(api) == 0
