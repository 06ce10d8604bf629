"""A worker's hello: it is told where storage is, and its earlier lives are over."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.http.dependencies import Service
from api.wiring import Secrets, assemble
from octavo.batch_options import BatchOptions
from octavo.batches import FileStatus, NewBatch, NewItem, RunStatus, StagedFile
from octavo.engines.registry import EngineRegistry
from octavo.identifiers import BatchId, RunId, WorkerId, new_batch_id, new_file_id
from octavo.ledger.contract import ClaimRequest
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.objects.s3 import S3Settings
from octavo.settings import Settings
from octavo.timestamps import now

TOKEN = "the-workers-token"
FIRST, SECOND, OTHER = WorkerId("left/1"), WorkerId("left/2"), WorkerId("right/1")
STORAGE = S3Settings(
    endpoint_url="http://127.0.0.1:9",
    public_url="https://storage.example",
    bucket="octavo",
    access_key="access",
    secret_key="secret",
    region="eu-north-1",
)


@pytest.fixture
def ledger() -> DuckdbLedger:
    return memory_ledger()


@pytest.fixture
def service(ledger: DuckdbLedger) -> Service:
    return assemble(
        Settings(),
        ledger=ledger,
        objects=MemoryObjects(),
        storage=STORAGE,
        engines=EngineRegistry(),
        secrets=Secrets(admin_token="the-admins-token", worker_token=TOKEN, webhook_key="key"),
    )


def say_hello(service: Service, worker_id: str, token: str = TOKEN) -> httpx.Response:
    """Return the API's answer to a worker's hello."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.post(
                "/internal/workers/hello",
                json={"worker_id": worker_id},
                headers={"Authorization": f"Bearer {token}"},
            )

    return asyncio.run(ask())


def submitted(ledger: DuckdbLedger, files: int) -> BatchId:
    """Return a batch of so many uploaded files."""
    customer = ledger.accounts.ensure_customer("acme")
    staged = [
        StagedFile(
            file_id=new_file_id(),
            customer_id=customer.customer_id,
            status=FileStatus.READY,
            filename="report.pdf",
            content_type=None,
            size_bytes=3,
            sha256=None,
            object_key="in/cust/2026-11-23/file",
            created_at=now(),
            expires_at=now() + timedelta(hours=72),
        )
        for _ in range(files)
    ]
    ledger.files.add(staged)
    options: dict[str, Any] = {"extract_text": True}
    batch, _ = ledger.batches.create(
        NewBatch(
            batch_id=new_batch_id(),
            customer_id=customer.customer_id,
            items=NewItem.of_files(tuple(file.file_id for file in staged)),
            engine=None,
            options=BatchOptions.of_values(options),
            metadata=None,
        )
    )
    return batch.batch_id


def works_on(ledger: DuckdbLedger, batch_id: BatchId, worker_id: WorkerId, run: str) -> RunId:
    """Return a run of the batch in which this worker holds one item."""
    run_id = RunId(run)
    ledger.runs.name(batch_id, ledger.runs.add(batch_id).run_no, run_id)
    ledger.runs.open(run_id, worker_id)
    claim = ledger.work.claim(ClaimRequest(batch_id=batch_id, run_id=run_id, worker_id=worker_id, slots=1))
    assert len(claim.slices) == 1
    return run_id


def status_of(ledger: DuckdbLedger, run_id: RunId) -> RunStatus:
    """Return where a run stands."""
    run = ledger.runs.get(run_id)
    assert run is not None
    return run.status


def test_a_worker_is_told_where_storage_is(service: Service) -> None:
    answer = say_hello(service, FIRST)
    assert answer.status_code == 200
    assert answer.json()["storage"] == {
        "endpoint_url": "http://127.0.0.1:9",
        "public_url": "https://storage.example",
        "bucket": "octavo",
        "access_key": "access",
        "secret_key": "secret",
        "region": "eu-north-1",
    }


def test_a_wrong_token_is_told_nothing(service: Service) -> None:
    answer = say_hello(service, FIRST, token="the-admins-token")
    assert answer.status_code == 401
    assert "storage" not in answer.json()


def test_a_new_life_of_a_worker_takes_the_leases_of_the_old_one(service: Service, ledger: DuckdbLedger) -> None:
    batch_id = submitted(ledger, 2)
    run_id = works_on(ledger, batch_id, FIRST, "run-1")
    assert say_hello(service, SECOND).status_code == 200
    (found,) = ledger.runs.open_batches()
    assert found.unleased == 2
    assert status_of(ledger, run_id) is RunStatus.LOST
    assert [run.run_id for run in ledger.runs.lost()] == [run_id]


def test_a_worker_of_another_name_keeps_its_leases(service: Service, ledger: DuckdbLedger) -> None:
    batch_id = submitted(ledger, 2)
    run_id = works_on(ledger, batch_id, OTHER, "run-1")
    assert say_hello(service, SECOND).status_code == 200
    assert ledger.runs.open_batches()[0].unleased == 1
    assert status_of(ledger, run_id) is RunStatus.ACTIVE


def test_the_same_life_may_say_hello_again(service: Service, ledger: DuckdbLedger) -> None:
    batch_id = submitted(ledger, 1)
    run_id = works_on(ledger, batch_id, FIRST, "run-1")
    assert say_hello(service, FIRST).status_code == 200
    assert status_of(ledger, run_id) is RunStatus.ACTIVE
