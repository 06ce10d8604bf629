"""Every failure is answered in the shape of the dialect whose path was asked: here `/v1` and a made-up second one."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.app import create_app
from api.http.auth import CustomerDep
from api.http.dialects import Dialect, Dialects
from api.http.failures import Failure
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problem_answer
from api.http.rate_limit import counted
from api.http.submission_rates import Standing
from octavo.errors import BatchNotFound, LedgerUnavailable
from octavo.ledger.contract import Ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, client_of, make_service, settings

pytestmark = pytest.mark.anyio
SHORT_BODY_BYTES = 100
LONG_BODY_BYTES = 300
router = APIRouter(prefix="/made-up", route_class=StrictJsonRoute)


class Thing(BaseModel):
    size: int


@router.post("/things", dependencies=[Depends(counted("POST /made-up/things"))])
async def make_thing(thing: Thing, _: CustomerDep) -> Thing:
    return thing


@router.post("/albums")
async def make_album(thing: Thing, _: CustomerDep) -> Thing:
    return thing


@router.get("/things")
async def list_things(_: CustomerDep, limit: Annotated[int, Query(ge=1)] = 1) -> int:
    return limit


@router.get("/lost")
async def lose_thing(_: CustomerDep) -> None:
    raise BatchNotFound("There is no such thing.")


@router.get("/trouble")
async def meet_trouble(_: CustomerDep) -> None:
    raise LedgerUnavailable("the disk is full")


@router.get("/defect")
async def meet_defect(_: CustomerDep) -> None:
    raise RuntimeError("the secret inside")


def write(failure: Failure) -> Response:
    body = {
        "oops": failure.code.upper(),
        "again": failure.is_retryable,
        "where": [".".join(map(str, row["loc"])) for row in failure.invalid],
    }
    status = 400 if failure.invalid else failure.status
    return JSONResponse(body, status_code=status, headers={**failure.headers, "X-Made-Up": "yes"})


def fields(standing: Standing) -> Mapping[str, str]:
    return {"X-Left": str(standing.left)}


MADE_UP = Dialect(
    prefix="/made-up",
    write_failure=write,
    max_body_bytes=SHORT_BODY_BYTES,
    larger_bodies={"/made-up/albums": LONG_BODY_BYTES},
    rate_limit_fields=fields,
    routers=[router],
)


@pytest.fixture
async def api(anyio_backend: str, ledger: Ledger, clock: MovableClock, tmp_path: Path) -> AsyncIterator[Api]:
    objects = MemoryObjects()
    service = make_service(settings(tmp_path, limits={"submissions_per_minute": 1}), ledger, objects)
    made = Api.make(service, objects, clock)
    made.http = client_of(create_app(service, further=[MADE_UP]), {"X-API-KEY": made.key})
    yield made
    await made.close()


async def asked(api: Api, case: str, prefix: str) -> httpx.Response:
    """Return the answer to a request that fails in this way, at one dialect or the other."""
    things = {"/v1": "/v1/files"}.get(prefix, "/made-up/things")
    good = {"size_bytes": 5, "size": 5}
    match case:
        case "no_such_address":
            return await api.http.get(f"{prefix}/nothing/here")
        case "no_such_method":
            return await api.http.put(things)
        case "declared_too_long" | "too_long":
            content = b" " * (5 * 1024 * 1024)
            headers = {"Content-Type": "application/json"}
            return await api.http.post(things, content=content if case[0] == "d" else pieces(content), headers=headers)
        case "invalid":
            return await api.http.post(things, json={})
        case "no_json":
            return await api.http.post(things, content=b"{", headers={"Content-Type": "application/json"})
        case "limited":
            await api.http.post(things, json=good)
            return await api.http.post(things, json=good)
        case "no_key":
            return await api.client().get({"/v1": "/v1/batches"}.get(prefix, "/made-up/things"))
    raise AssertionError(case)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


CASES = {
    "no_such_address": (404, "not_found", False),
    "no_such_method": (405, "method_not_allowed", False),
    "declared_too_long": (413, "request_too_large", False),
    "too_long": (413, "request_too_large", False),
    "invalid": (422, "invalid_request", False),
    "no_json": (422, "invalid_request", False),
    "limited": (429, "rate_limited", True),
    "no_key": (401, "invalid_api_key", False),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_failure_under_the_second_dialect_has_its_shape(api: Api, case: str) -> None:
    status, code, again = CASES[case]
    answer = await asked(api, case, "/made-up")
    assert answer.status_code == (400 if status == 422 else status)
    assert (answer.json()["oops"], answer.json()["again"]) == (code.upper(), again)
    assert answer.headers["X-Made-Up"] == "yes"


@pytest.mark.parametrize("case", CASES)
async def test_the_same_failure_under_v1_has_the_shape_of_v1(api: Api, case: str) -> None:
    status, code, _ = CASES[case]
    answer = await asked(api, case, "/v1")
    assert answer.status_code == status
    body: dict[str, Any] = answer.json()
    if status == 422:
        assert set(body) == {"detail"}
        assert body["detail"][0]["msg"]
    else:
        assert body["error"] == code
        assert body["message"]
    assert "X-Made-Up" not in answer.headers
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


async def test_errors_of_the_taxonomy_the_ledger_and_defects_have_its_shape(api: Api) -> None:
    found = {}
    for path in ("lost", "trouble", "defect"):
        answer = await api.http.get(f"/made-up/{path}")
        assert "secret" not in answer.text
        assert "disk" not in answer.text
        found[path] = (answer.status_code, answer.json()["oops"], answer.json()["again"])
    assert found == {
        "lost": (404, "BATCH_NOT_FOUND", False),
        "trouble": (503, "LEDGER_UNAVAILABLE", True),
        "defect": (500, "INTERNAL_ERROR", True),
    }


async def test_a_defect_under_v1_has_the_shape_of_v1(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.objects, "presign_put", lambda *_, **__: 1 / 0)
    answer = await api.http.post("/v1/files", json={"size_bytes": 5})
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")


async def test_each_dialect_says_in_its_own_fields_how_many_submissions_are_left(api: Api) -> None:
    here = await api.http.post("/made-up/things", json={"size": 5})
    assert (here.status_code, here.headers["X-Left"]) == (200, "0")
    assert "RateLimit" not in here.headers
    there = await api.http.post("/v1/files", json={"size_bytes": 5})
    assert there.headers["RateLimit"].startswith('"submissions";r=0')
    assert "X-Left" not in there.headers


async def test_each_dialect_and_path_has_its_own_longest_body(api: Api) -> None:
    async def status(path: str, count: int) -> int:
        content = b'{"size": 5}'.ljust(count)
        return (await api.http.post(path, content=content, headers={"Content-Type": "application/json"})).status_code

    assert await status("/made-up/things", SHORT_BODY_BYTES) == 200
    assert await status("/made-up/things", SHORT_BODY_BYTES + 1) == 413
    assert await status("/made-up/albums", LONG_BODY_BYTES) == 200
    assert await status("/made-up/albums", LONG_BODY_BYTES + 1) == 413
    assert await status("/v1/files", LONG_BODY_BYTES + 1) == 422


async def test_addresses_of_no_dialect_are_answered_as_the_services_own(api: Api) -> None:
    for path in ("/nothing", "/made-up-not", "/v1beta/files", "/internals", "/administer"):
        answer = await api.http.get(path)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_the_longest_prefix_decides() -> None:
    outer, inner, own = (
        Dialect(prefix=prefix, write_failure=problem_answer, max_body_bytes=1) for prefix in ("/a", "/a/b", "")
    )
    dialects = Dialects([outer, inner], otherwise=own)
    assert [dialects.of(path) for path in ("/a", "/a/c", "/a/b", "/a/b/c", "/ab", "/")] == [
        outer, outer, inner, inner, own, own,
    ]  # fmt: skip
