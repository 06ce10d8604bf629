"""A service without storage: it says so, keeps nothing, and does not ask a storage that is not there."""

import logging
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.objects.unconfigured import UnconfiguredObjects
from tests.ledger_tables import count
from tests.unit.api.service import WORKER_TOKEN, Api, add_customer, client_of, make_service, settings
from tests.unit.api.serving import served

pytestmark = pytest.mark.anyio


async def test_uploads_are_refused_for_good_and_nothing_is_kept(tmp_path: Path) -> None:
    ledger = memory_ledger()
    service = replace(make_service(settings(tmp_path), ledger, UnconfiguredObjects()), storage=None)
    _, key = add_customer(ledger, "acme")
    async with client_of(create_app(service), {"X-API-KEY": key}) as client:
        for path, body in (
            ("/v1/files", {"size_bytes": 5}),
            ("/v1/files/bulk", {"files": [{"size_bytes": 5}, {"size_bytes": 6}]}),
        ):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["error"]) == (503, "uploads_not_configured"), path
            assert "storage.endpoint_url" in answer.json()["message"]
            assert "retry-after" not in answer.headers, "trying again does not help"
    assert count(ledger, "files") == 0


async def test_what_was_staged_with_storage_cannot_be_submitted_without(api: Api) -> None:
    staged = await api.stage(5)
    service = replace(api.service, objects=UnconfiguredObjects(), storage=None)
    async with client_of(create_app(service), {"X-API-KEY": api.key}) as client:
        answer = await client.post("/v1/batches", json={"source": {"file_ids": [staged["id"]]}})
        assert (answer.status_code, answer.json()["error"]) == (503, "storage_unavailable")
    assert api.batches() == []


def test_it_serves_and_health_names_what_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = replace(make_service(settings(tmp_path), memory_ledger(), UnconfiguredObjects()), storage=None)
    with caplog.at_level(logging.WARNING), served(create_app(service)) as url:
        answer = httpx.get(f"{url}/health", timeout=60)
        worker = httpx.post(
            f"{url}/internal/workers/hello",
            json={"worker_id": "worker/one", "slots": 1, "protection": []},
            headers={"Authorization": f"Bearer {WORKER_TOKEN}"},
        )
    assert answer.status_code == 503
    assert answer.json()["parts"]["storage"]["status"] == "down"
    assert "no storage configured" in answer.json()["parts"]["storage"]["message"]
    assert (worker.status_code, worker.json()["error"]) == (503, "uploads_not_configured")
    assert "storage" not in caplog.text, "nothing asks again and again"


def test_a_service_with_storage_is_no_other(tmp_path: Path) -> None:
    service = make_service(settings(tmp_path), memory_ledger(), MemoryObjects())
    with served(create_app(service)) as url:
        assert httpx.get(f"{url}/health", timeout=60).json()["parts"]["storage"]["status"] == "ok"
