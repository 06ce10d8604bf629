"""Internal errors: what a customer is told, and what not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import Response

from api.http.failures import failure_of
from api.http.problems import problem_answer
from octavo.errors import OctavoError, OrchestratorUnavailable, StorageUnavailable, UploadsNotConfigured
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.contract import PresignedUrl
from octavo.objects.memory import MemoryObjects
from tests.ledger_tables import count
from tests.unit.api.service import Api, MovableClock, make_service, settings

pytestmark = pytest.mark.anyio


class DefectiveObjects(MemoryObjects):
    """A store with a defect in one place."""

    def presign_put(self, key: str, *, size_bytes: int, expires_seconds: int) -> PresignedUrl:
        raise RuntimeError("the secret inside")


@pytest.fixture
async def defective(anyio_backend: str, clock: MovableClock, tmp_path: Path) -> AsyncIterator[Api]:
    objects = DefectiveObjects()
    made = Api.make(make_service(settings(tmp_path), memory_ledger(clock), objects), objects, clock)
    yield made
    await made.close()


async def test_a_defect_is_a_500_that_tells_nothing_of_the_inside(defective: Api) -> None:
    answer = await defective.http.post("/v1/files", json={"size_bytes": 5})
    assert answer.status_code == 500
    assert answer.json()["error"] == "internal_error"
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert count(defective.ledger, "files") == 0


async def test_a_ledger_that_fails_is_told_as_trouble_that_passes(api: Api) -> None:
    file_id = await api.upload()
    api.ledger.close()
    answer = await api.submit([file_id])
    assert answer.status_code == 503
    assert answer.json()["error"] == "ledger_unavailable"
    assert answer.json()["message"]
    assert int(answer.headers["Retry-After"]) > 0


def told(error: OctavoError) -> Response:
    return problem_answer(failure_of(error, {}))


def test_only_trouble_that_passes_says_when_to_come_again() -> None:
    for passing in (StorageUnavailable("It is down."), OrchestratorUnavailable("It is down.")):
        assert told(passing).status_code == 503
        assert int(told(passing).headers["Retry-After"]) > 0
    lasting = told(UploadsNotConfigured("There is none."))
    assert lasting.status_code == 503
    assert "Retry-After" not in lasting.headers


async def test_an_address_that_does_not_exist_is_told_in_our_words(api: Api) -> None:
    answer = await api.http.get("/v2/files")
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"
    assert "/docs" in answer.json()["message"]


async def test_a_method_that_does_not_exist_is_told_in_our_words(api: Api) -> None:
    answer = await api.http.delete("/v1/batches")
    assert answer.status_code == 405
    assert answer.json()["error"] == "method_not_allowed"
    assert answer.json()["message"]
    assert answer.headers["Allow"]


async def test_health_tells_of_each_part_and_needs_no_key(api: Api) -> None:
    answer = await api.client().get("/health")
    assert answer.status_code == 503
    found = answer.json()
    assert found["status"] == "degraded"
    states = {name: part["status"] for name, part in found["parts"].items()}
    up = dict.fromkeys(("ledger", "storage", "disk", "archive", "schedules", "work"), "ok")
    assert states == up | {"prefect": "down", "worker": "down"}
    api.objects.available = False
    parts = (await api.client().get("/health")).json()["parts"]
    assert (parts["storage"]["status"], parts["storage"]["message"]) == ("down", "Storage is switched off.")


async def test_the_front_page_shows_the_way_to_everything_else(api: Api) -> None:
    answer = await api.client().get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/docs"' in answer.text
    assert 'href="/health"' in answer.text


async def test_pages_of_allowed_origins_may_call_and_no_others(tmp_path: Path, anyio_backend: str) -> None:
    given = settings(tmp_path, api={"allowed_origins": ["https://app.example"]})
    objects = MemoryObjects()
    open_api = Api.make(make_service(given, memory_ledger(), objects), objects, MovableClock())
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-KEY"}
    allowed = await open_api.client().options("/v1/batches", headers={"Origin": "https://app.example"} | asked)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    refused = await open_api.client().options("/v1/batches", headers={"Origin": "https://evil.example"} | asked)
    assert "Access-Control-Allow-Origin" not in refused.headers
    told = await open_api.http.get("/v1/batches/nobody", headers={"Origin": "https://app.example"})
    assert (told.status_code, told.headers["Access-Control-Allow-Origin"]) == (404, "https://app.example")
    await open_api.close()


async def test_without_allowed_origins_no_page_may_call(api: Api) -> None:
    answer = await api.http.get("/v1/batches", headers={"Origin": "https://app.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
