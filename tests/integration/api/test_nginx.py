"""The documented nginx in front of an API: nothing that works without it breaks."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from api.http.dependencies import Service
from api.http.long_poll import LONGEST_WAIT_SECONDS
from octavo.client.sync_protocol import SyncResult, SyncTask
from octavo.client.worker import WorkerClient
from octavo.directory import free_port
from octavo.identifiers import WorkerId
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.settings import Settings
from tests import nginx
from tests.unit.api.doors import opened
from tests.unit.api.service import WORKER_TOKEN, add_customer, make_service, settings

PUBLIC = "octavo.example"
MEGABYTE = 1024 * 1024
LONGEST_SECONDS = 240.0


@dataclass(frozen=True)
class Proxied:
    """An API behind nginx, its one customer, and a worker at the other listener."""

    service: Service
    http: httpx.Client
    worker: WorkerClient
    folder: Path

    def sync_call(self, work: Callable[[SyncTask], SyncResult], content: bytes) -> httpx.Response:
        """Send a document, and have the worker end it."""

        def serve() -> None:
            task = self.worker.claim_sync(20.0)
            assert task is not None
            self.worker.end_sync(task, work(task))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return self.http.post("/v1/extract/file", files={"file": ("a.txt", content, "text/plain")})
        finally:
            thread.join(LONGEST_SECONDS)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    ledger = memory_ledger()
    service = make_service(settings(folder, api={"public_url": f"https://{PUBLIC}"}), ledger, MemoryObjects())
    _, key = add_customer(ledger, "acme")
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with (
        temporary_settings({PREFECT_API_URL: nowhere}),
        opened(service) as doors,
        nginx.running(folder, {8000: doors.public, 9000: free_port()}) as url,
        httpx.Client(
            base_url=url, headers={"X-API-KEY": key, "Host": PUBLIC}, trust_env=False, timeout=LONGEST_SECONDS
        ) as http,
    ):
        worker = WorkerClient(doors.url(internal=True), WORKER_TOKEN, WorkerId("worker/1"))
        yield Proxied(service, http, worker, folder)
        worker.close()
    ledger.close()


def seconds_of(name: str) -> list[int]:
    return [int(found) for found in re.findall(rf"{name} (\d+)s;", nginx.recipe())]


def test_the_recipe_waits_longer_than_the_service_and_takes_what_it_takes() -> None:
    limits = Settings().limits
    api, _ = seconds_of("proxy_read_timeout")
    assert api > max(limits.sync_seconds, LONGEST_WAIT_SECONDS)
    sizes = [int(found) * MEGABYTE for found in re.findall(r"client_max_body_size (\d+)m;", nginx.recipe())]
    assert sizes == [limits.max_file_bytes + MEGABYTE, limits.max_file_bytes]


def test_a_document_of_100_mb_arrives_whole(proxied: Proxied) -> None:
    content = b"0123456789abcdef" * (100 * MEGABYTE // 16)
    found: list[str] = []

    def work(task: SyncTask) -> SyncResult:
        path = proxied.folder / "document"
        proxied.worker.fetch_sync_document(task, path)
        found.append(hashlib.sha256(path.read_bytes()).hexdigest())
        return SyncResult(pages=1, content=b'{"chunks": []}')

    answer = proxied.sync_call(work, content)
    assert (answer.status_code, answer.text) == (200, '{"chunks": []}')
    assert found == [hashlib.sha256(content).hexdigest()]


def slow_sync_call(proxied: Proxied, seconds: float) -> httpx.Response:
    """Have a document read for so long; 90 s is what was tried by hand."""

    def work(task: SyncTask) -> SyncResult:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            assert proxied.worker.watch_sync(task, min(left, 20.0)), "the caller is gone"
        return SyncResult(pages=1, content=b"{}")

    return proxied.sync_call(work, b"text")


def test_a_slow_sync_call_is_waited_for(proxied: Proxied) -> None:
    assert slow_sync_call(proxied, 1.5).status_code == 200


def test_a_long_poll_is_held_and_an_export_comes_through(proxied: Proxied) -> None:
    staged = proxied.http.post("/v1/files", json={"size_bytes": 4}).json()
    objects = proxied.service.objects
    assert isinstance(objects, MemoryObjects)
    assert objects.put_through(staged["upload"]["url"], b"text").status == 200
    batch = proxied.http.post("/v1/batches", json={"source": {"file_ids": [staged["id"]]}}).json()
    address = f"/v1/batches/{batch['id']}"
    cursor = proxied.http.get(address).json()["next_cursor"]
    began = time.monotonic()
    polled = proxied.http.get(address, params={"wait": 1.5, "cursor": cursor})
    assert polled.json()["status"] == "pending"
    assert time.monotonic() - began >= 1.4
    proxied.http.post(f"{address}/cancel").raise_for_status()
    (line,) = proxied.http.get(f"{address}/results").text.splitlines()
    assert json.loads(line)["item"]["status"] == "cancelled"


def test_a_large_body_without_a_key_is_refused_in_words(proxied: Proxied) -> None:
    for size in (3 * MEGABYTE, 30 * MEGABYTE):
        answer = httpx.post(
            f"{proxied.http.base_url}/v1/batches", headers={"Host": PUBLIC}, content=b" " * size, trust_env=False
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_api_key")


def test_the_proxy_reaches_neither_workers_nor_admin(proxied: Proxied) -> None:
    for path in ("/admin/customers", "/internal/claims"):
        assert proxied.http.get(path).status_code == 404
