"""An API that serves on loopback, and what tests do to it."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from api.app import create_app
from api.http.dependencies import Service
from octavo.batch_options import BatchOptions
from octavo.batches import Batch, Customer, FileStatus, Item, NewBatch, NewItem, StagedFile
from octavo.client.worker import WorkerClient
from octavo.client.worker_protocol import OpenRun
from octavo.directory import free_port
from octavo.engines.registry import DEFAULT_ENGINE
from octavo.identifiers import BatchId, FileId, RunId, WorkerId, new_batch_id, new_file_id
from octavo.ledger.contract import ClaimRequest
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.timestamps import now
from tests.unit.api.service import WORKER_TOKEN, add_customer, make_service, settings
from tests.unit.api.serving import served

RUN = RunId("22222222-2222-4222-8222-222222222222")


@dataclass
class Stack:
    """The parts of the API behind `url`."""

    service: Service
    ledger: DuckdbLedger
    objects: MemoryObjects
    customer: Customer
    key: str
    url: str
    clients: list[WorkerClient] = field(default_factory=list)

    def worker(self, worker_id: str = "worker/1", *, token: str = WORKER_TOKEN, patience: float = 5.0) -> WorkerClient:
        made = WorkerClient(self.url, token, WorkerId(worker_id), patience_seconds=patience)
        self.clients.append(made)
        return made

    def file(self, data: bytes = b"words", filename: str | None = None, *, size: int | None = None) -> FileId:
        """Stage a file whose bytes are in storage; `size` is what was declared where that differs."""
        moment, file_id = now(), new_file_id()
        file = StagedFile(
            file_id=file_id,
            customer_id=self.customer.customer_id,
            status=FileStatus.READY,
            filename=filename,
            content_type=None,
            size_bytes=len(data) if size is None else size,
            sha256=None,
            object_key=keys.input_key(self.customer.customer_id, moment.date(), file_id),
            created_at=moment,
            expires_at=moment.replace(year=moment.year + 1),
        )
        self.ledger.files.add([file])
        self.objects.write(file.object_key, data, "application/octet-stream")
        return file_id

    def batch(self, *file_ids: FileId, engine: str = DEFAULT_ENGINE) -> BatchId:
        new = NewBatch(
            batch_id=new_batch_id(),
            customer_id=self.customer.customer_id,
            items=NewItem.of_files(file_ids or (self.file(),)),
            engine=None,
            options=BatchOptions.of_values(
                {
                    "extract_text": True,
                    "extract_images": True,
                    "ocr": "auto",
                    "engine": engine,
                    "engine_version": "1",
                }
            ),
            metadata={"a": 1},
        )
        return self.ledger.batches.create(new)[0].batch_id

    def named_run(self, batch_id: BatchId, run_id: RunId = RUN) -> RunId:
        """Let the batch have a flow run of this id."""
        run = self.ledger.runs.add(batch_id)
        self.ledger.runs.name(batch_id, run.run_no, run_id)
        return run_id

    def opened(self, worker: WorkerClient, batch_id: BatchId, run_id: RunId = RUN) -> RunId:
        self.named_run(batch_id, run_id)
        worker.open_run(OpenRun(run_id=run_id, batch_id=batch_id, worker_id=worker.worker_id))
        return run_id

    def request(self, worker: WorkerClient, batch_id: BatchId, lanes: int = 8, run_id: RunId = RUN) -> ClaimRequest:
        return ClaimRequest(batch_id=batch_id, run_id=run_id, worker_id=worker.worker_id, slots=lanes)

    def shown(self, batch_id: BatchId) -> Batch:
        return self.ledger.batches.get(self.customer.customer_id, batch_id)

    def items(self, batch_id: BatchId) -> list[Item]:
        return sorted(self.ledger.batches.items(batch_id, limit=10_000), key=lambda item: item.position)

    def ring(self) -> None:
        """Ring the bell, as the dispatcher does when it has made a run."""
        loop = self.service.dispatcher._loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(self.service.workers.notify(), loop).result(timeout=10)

    def close(self) -> None:
        """Let the connections of all workers go."""
        for client in self.clients:
            client.close()


@contextlib.contextmanager
def running_stack(data: Path) -> Iterator[Stack]:
    """Serve an API whose parts live in memory; Prefect's address is one where nobody listens."""
    ledger, objects = memory_ledger(), MemoryObjects()
    # On a busy machine a worker that sends no heartbeats here must not count as lost before its test has ended.
    service = make_service(settings(data), ledger, objects, silence_seconds=120.0)
    customer, key = add_customer(ledger, "acme")
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), served(create_app(service)) as url:
        made = Stack(service=service, ledger=ledger, objects=objects, customer=customer, key=key, url=url)
        yield made
        made.close()
