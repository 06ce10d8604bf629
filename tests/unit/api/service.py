"""One API made of real parts: the app, a ledger, objects in memory; no socket, no Prefect."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.http import auth
from api.http.dependencies import Service
from api.wiring import Secrets, assemble
from octavo.batches import Batch, ClaimedItem, Customer, Item
from octavo.engines.registry import EngineRegistry
from octavo.identifiers import BatchId, FileId, ResultId, RunId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, Ledger, Report, ReportKind
from octavo.objects.contract import ObjectStore
from octavo.objects.memory import MemoryObjects
from octavo.objects.s3 import S3Settings
from octavo.outcomes import Failed, Outcome, Succeeded
from octavo.settings import Settings
from octavo.timestamps import now

URL = "http://api.invalid"
ADMIN_TOKEN = "admin-token-of-a-test"
WORKER_TOKEN = "worker-token-of-a-test"
WEBHOOK_KEY = "webhook-key-of-a-test"
STORAGE = S3Settings(
    endpoint_url="http://127.0.0.1:1",
    public_url="http://127.0.0.1:1",
    bucket="octavo",
    access_key="access",
    secret_key="secret",
    region="us-east-1",
)
WORKER = WorkerId("worker/one")
ENGINES = EngineRegistry.installed(test_engines=True)
RUN = RunId("11111111-1111-4111-8111-111111111111")


class MovableClock:
    """Tells the real time, shifted."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return now() + self.shift


def settings(data: Path, **groups: dict[str, Any]) -> Settings:
    """Return the default settings on this data directory, with these groups given; the rate limit is out of the way."""
    limits = {"submissions_per_minute": 100_000} | groups.pop("limits", {})
    return Settings.model_validate({"data": data, "limits": limits, **groups})


def make_service(given: Settings, ledger: Ledger, objects: ObjectStore, *, silence_seconds: float = 600.0) -> Service:
    """Put the parts of an API process together, as `python -m api` does."""
    worker = given.worker.model_copy(update={"silence_seconds": silence_seconds})
    return assemble(
        given.model_copy(update={"worker": worker}),
        ledger=ledger,
        objects=objects,
        storage=STORAGE,
        engines=ENGINES,
        secrets=Secrets(admin_token=ADMIN_TOKEN, worker_token=WORKER_TOKEN, webhook_key=WEBHOOK_KEY),
    )


def add_customer(ledger: Ledger, name: str) -> tuple[Customer, str]:
    """Return a customer and the secret of a key of theirs."""
    customer = ledger.accounts.ensure_customer(name)
    secret, prefix, digest = auth.new_secret()
    ledger.accounts.add_key(customer.customer_id, prefix=prefix, digest=digest)
    return customer, secret


def succeeded(pages: int = 1) -> Succeeded:
    return Succeeded(page_count=pages, result_id=ResultId("res_1"), sha256="0" * 64, engine="sleep 1", seconds=0.1)


def failed(code: str = "extraction_failed") -> Failed:
    return Failed(code=code, message="It is damaged.", retryable=False)


@dataclass
class Api:
    """An app, what is behind it, and one customer's client of it."""

    service: Service
    objects: MemoryObjects
    customer: Customer
    key: str
    clock: MovableClock
    http: httpx.AsyncClient
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @classmethod
    def make(cls, service: Service, objects: MemoryObjects, clock: MovableClock) -> "Api":
        customer, key = add_customer(service.ledger, "acme")
        app = create_app(service)
        return cls(service, objects, customer, key, clock, client_of(app, {"X-API-KEY": key}))

    @property
    def app(self) -> FastAPI:
        transport = self.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        assert isinstance(transport.app, FastAPI)
        return transport.app

    @property
    def ledger(self) -> Ledger:
        return self.service.ledger

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Return a further client with other headers and no key of its own."""
        made = client_of(self.app, {name.replace("_", "-"): value for name, value in headers.items()})
        self.clients.append(made)
        return made

    def worker(self) -> httpx.AsyncClient:
        return self.client(Authorization=f"Bearer {WORKER_TOKEN}")

    def stranger(self) -> httpx.AsyncClient:
        """Return the client of another customer."""
        return self.client(X_API_KEY=add_customer(self.ledger, "stranger")[1])

    async def close(self) -> None:
        for client in (self.http, *self.clients):
            await client.aclose()

    # What a customer does

    async def stage(self, size_bytes: int = 5, **fields: object) -> dict[str, Any]:
        answer = await self.http.post("/v1/files", json={"size_bytes": size_bytes, **fields})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def upload(self, data: bytes = b"bytes", **fields: object) -> str:
        """Stage a file and PUT its bytes; returns its id."""
        staged = await self.stage(len(data), **fields)
        assert self.objects.put_through(staged["upload"]["url"], data).status == 200
        return str(staged["id"])

    async def submit(self, file_ids: Sequence[str], **fields: object) -> httpx.Response:
        return await self.http.post("/v1/batches", json={"source": {"file_ids": list(file_ids)}, **fields})

    async def batch(self, files: int = 1) -> BatchId:
        """Submit so many fresh files; returns the batch's id."""
        answer = await self.submit([await self.upload() for _ in range(files)])
        assert answer.status_code == 200, answer.text
        return BatchId(answer.json()["id"])

    # What a worker does

    def claim(self, batch_id: BatchId, lanes: int = 100, run_id: RunId = RUN, worker: WorkerId = WORKER) -> Claim:
        return self.ledger.work.claim(ClaimRequest(batch_id=batch_id, run_id=run_id, worker_id=worker, slots=lanes))

    def begin(self, item: ClaimedItem) -> None:
        (verdict,) = self.ledger.work.report(
            [Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no)]
        )
        assert verdict.accepted

    def finish(self, item: ClaimedItem, outcome: Outcome | None = None) -> None:
        word = Report(
            kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome or succeeded()
        )
        (verdict,) = self.ledger.work.report([word])
        assert verdict.accepted

    def finish_all(self, batch_id: BatchId, *outcomes: Outcome) -> None:
        """End the first items of a batch with these outcomes, in order of position."""
        items = [item for piece in self.claim(batch_id, len(outcomes)).slices for item in piece.items]
        for item, outcome in zip(items, outcomes, strict=True):
            self.finish(item, outcome)

    # What is stored

    def batches(self) -> list[Batch]:
        return self.ledger.batches.of_customer(self.customer.customer_id, limit=1000)

    def items(self, batch_id: BatchId) -> list[Item]:
        return sorted(self.ledger.batches.items(batch_id, limit=100_000), key=lambda item: item.position)

    def file_status(self, file_id: str) -> str:
        return self.ledger.files.find(self.customer.customer_id, [FileId(file_id)])[FileId(file_id)].status.value


def client_of(app: FastAPI, headers: dict[str, str]) -> httpx.AsyncClient:
    # A defect shall be seen as a customer sees it: as an answer.
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=60)
