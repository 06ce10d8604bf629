"""`/v1/files`: what is staged, what is refused, what is seen in storage."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from octavo.timestamps import now
from tests.ledger_tables import count
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FILE_KEYS = {
    "object", "id", "customer_id", "status", "filename", "content_type",
    "size_bytes", "sha256", "created_at", "expires_at",
}  # fmt: skip


def stored_files(api: Api) -> int:
    return count(api.ledger, "files")


async def test_a_staged_file_has_every_documented_key(api: Api) -> None:
    staged = await api.stage(5)
    assert set(staged) == FILE_KEYS | {"upload"}
    assert set(staged["upload"]) == {"method", "url", "expires_at"}
    assert staged["object"] == "file"
    assert staged["id"].startswith("file_")
    assert staged["customer_id"] == api.customer.customer_id
    assert staged["status"] == "pending"
    assert staged["upload"]["method"] == "PUT"
    assert (staged["filename"], staged["content_type"], staged["sha256"]) == (None, None, None)


@BOTH
async def test_a_file_is_shown_as_it_was_staged(api: Api) -> None:
    staged = await api.stage(5, filename="r\u00e9sum\u00e9 \u4e2d.pdf", content_type="application/pdf")
    shown = (await api.http.get(f"/v1/files/{staged['id']}")).json()
    staged.pop("upload")
    assert shown == staged
    assert set(shown) == FILE_KEYS


async def test_timestamps_are_rfc_3339_with_microseconds_and_z(api: Api) -> None:
    staged = await api.stage()
    for moment in (staged["created_at"], staged["expires_at"], staged["upload"]["expires_at"]):
        assert MICROSECONDS.fullmatch(moment), moment


async def test_a_file_lives_72_hours_and_its_url_one_hour(api: Api) -> None:
    staged = await api.stage()
    created, expires = (datetime.fromisoformat(staged[name]) for name in ("created_at", "expires_at"))
    assert expires - created == timedelta(hours=72)
    left = datetime.fromisoformat(staged["upload"]["expires_at"]) - now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


@BOTH
async def test_a_file_becomes_ready_once_its_bytes_were_seen(api: Api) -> None:
    file_id = await api.upload(b"bytes")
    assert api.file_status(file_id) == "pending"
    assert (await api.http.get(f"/v1/files/{file_id}")).json()["status"] == "ready"
    assert api.file_status(file_id) == "ready"


@pytest.mark.parametrize("data", [b"", b"byte", b"bytes!"], ids=["none", "shorter", "longer"])
async def test_bytes_of_another_length_are_refused_by_storage_and_the_file_stays_pending(api: Api, data: bytes) -> None:
    staged = await api.stage(5)
    assert api.objects.put_through(staged["upload"]["url"], data).status == 403
    assert (await api.http.get(f"/v1/files/{staged['id']}")).json()["status"] == "pending"
    assert not list(api.objects.list("in/"))


@pytest.mark.parametrize("size", [0, -1, None, "5", 5.0, 1.5, True, "many", [], {}])
async def test_a_size_that_is_no_positive_integer_is_refused(api: Api, size: object) -> None:
    answer = await api.http.post("/v1/files", json={"size_bytes": size})
    assert answer.status_code == 422
    (found,) = answer.json()["detail"]
    assert found["loc"] == ["body", "size_bytes"]
    assert found["msg"]
    assert found["type"]
    assert stored_files(api) == 0


async def test_a_size_must_be_given(api: Api) -> None:
    answer = await api.http.post("/v1/files", json={"filename": "a.pdf"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "missing"


@pytest.mark.parametrize("over", [1, 10**12, 10**30])
async def test_a_file_over_the_cap_is_refused_with_the_limit(api: Api, over: int) -> None:
    cap = api.service.settings.limits.max_file_bytes
    assert cap == 150 * 1024 * 1024
    answer = await api.http.post("/v1/files", json={"size_bytes": cap + over})
    assert answer.status_code == 413
    body = answer.json()
    assert body["error"] == "file_too_large"
    assert body["limit_bytes"] == cap
    assert str(cap) in body["message"]
    assert stored_files(api) == 0


async def test_a_file_of_exactly_the_cap_is_taken(api: Api) -> None:
    cap = api.service.settings.limits.max_file_bytes
    assert (await api.stage(cap))["size_bytes"] == cap


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"filename": "x" * 513}, "filename"),
        ({"content_type": "x" * 129}, "content_type"),
        ({"filename": 5}, "filename"),
    ],
)
async def test_names_and_types_have_a_length(api: Api, fields: dict[str, Any], where: str) -> None:
    answer = await api.http.post("/v1/files", json={"size_bytes": 5, **fields})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", where]
    assert stored_files(api) == 0


@BOTH
async def test_names_of_full_length_and_odd_characters_are_kept(api: Api) -> None:
    for name in ("x" * 512, "../../etc/passwd", "a\nb\r\tc", "\x00", "' ; drop table files --", "\U0001f4c4"):
        staged = await api.stage(5, filename=name)
        assert (await api.http.get(f"/v1/files/{staged['id']}")).json()["filename"] == name


@BOTH
@pytest.mark.parametrize("file_id", ["file_nobody", "x" * 3000, "%00", "%ED%A0%80", "file_' or 1=1"])
async def test_an_unknown_file_is_not_found(api: Api, file_id: str) -> None:
    answer = await api.http.get(f"/v1/files/{file_id}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "file_not_found"
    assert "POST /v1/files" in answer.json()["message"]


async def test_another_customers_file_is_not_found(api: Api) -> None:
    file_id = await api.upload()
    answer = await api.stranger().get(f"/v1/files/{file_id}")
    assert answer.status_code == 404
    assert answer.json()["error"] == "file_not_found"
    assert answer.json()["file_ids"] == [file_id]
    assert api.file_status(file_id) == "pending"


@BOTH
async def test_a_file_past_its_time_is_expired(api: Api) -> None:
    file_id = await api.upload()
    api.clock.shift = timedelta(hours=73)
    assert (await api.http.get(f"/v1/files/{file_id}")).json()["status"] == "expired"


async def test_a_pending_file_cannot_be_looked_up_while_storage_is_down(api: Api) -> None:
    file_id = await api.upload()
    api.objects.available = False
    answer = await api.http.get(f"/v1/files/{file_id}")
    assert answer.status_code == 503
    assert answer.json()["error"] == "storage_unavailable"
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_file_can_be_staged_while_storage_is_down(api: Api) -> None:
    api.objects.available = False
    assert (await api.stage())["status"] == "pending"
