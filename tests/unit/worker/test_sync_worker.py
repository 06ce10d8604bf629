"""Sync extractions on a worker: real documents in real children, behind a real API; nothing goes on for nobody."""

import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import create_app
from api.http.dependencies import Service
from octavo.client.worker import WorkerClient
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.identifiers import WorkerId
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.outbound import Allowed, Outbound
from octavo.worker.sync_worker import SyncWorker
from tests.small_disk import SmallDisk, small_disk
from tests.unit.api.service import WORKER_TOKEN, add_customer, make_service, settings
from tests.unit.api.serving import served, until

REGISTRY = EngineRegistry({**TEST_ENGINES, "auto": TEST_ENGINES["failing"]})
LIMITS = replace(Limits(), wall_seconds=60.0, page_seconds=60.0)
LIMIT_SECONDS = 30.0
BOUNDARY = "b0undary"


class SyncStack:
    """An API with one customer, and a worker with one place for calls."""

    def __init__(self, service: Service, url: str, extractor: Extractor) -> None:
        self.service, self.url = service, url
        self.customer, self.key = add_customer(service.ledger, "acme")
        self.extractor = extractor
        self.client = WorkerClient(url, WORKER_TOKEN, WorkerId("worker/one"))
        self.worker = SyncWorker(self.client, extractor, Outbound(allowed=Allowed.read([])), slots=1, max_bytes=10**6)
        self.worker.start()

    def close(self) -> None:
        self.worker.drain()
        self.client.close()

    def send(self, word: str, key: str | None = None) -> httpx.Response:
        return httpx.post(
            f"{self.url}/v1/extract/file",
            files={"file": ("document", word.encode())},
            headers={"X-API-KEY": key or self.key},
            timeout=LIMIT_SECONDS,
        )

    def begin(self, word: str) -> http.client.HTTPConnection:
        """Send a document and do not wait for the answer."""
        body = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="document"\r\n\r\n'
            f"{word}\r\n--{BOUNDARY}--\r\n"
        )
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=LIMIT_SECONDS)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        connection.request("POST", "/v1/extract/file", body, {"X-API-KEY": self.key, "Content-Type": kind})
        return connection

    def is_in_work(self) -> bool:
        return any(job.worker_id is not None for job in self.service.sync_extractions.broker.jobs)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=LIMITS, registry=REGISTRY) as made:
        made.warm_up()
        yield made


@pytest.fixture
def sync(extractor: Extractor, tmp_path: Path) -> Iterator[SyncStack]:
    service = replace(make_service(settings(tmp_path), memory_ledger(), MemoryObjects()), engines=REGISTRY)
    with served(create_app(service)) as url:
        made = SyncStack(service, url, extractor)
        yield made
        made.close()


def test_a_document_is_read_and_its_text_is_the_answer(sync: SyncStack) -> None:
    answer = sync.send("seven")
    assert answer.status_code == 200, answer.text
    assert "seven" in json.dumps(answer.json())
    assert sync.service.ledger.billing.pages_used(sync.customer.customer_id) == 1


def test_a_child_reads_for_one_customer_only(sync: SyncStack) -> None:
    _, other = add_customer(sync.service.ledger, "other")
    first, of_other, second = (sync.send("pid", key).json() for key in (None, other, None))
    assert first == second != of_other


def test_a_reading_ends_when_its_sender_goes_away_and_the_place_is_free_at_once(sync: SyncStack) -> None:
    connection = sync.begin("hang")
    until(sync.is_in_work, "the worker has it")
    connection.close()
    began = time.monotonic()
    assert sync.send("next").status_code == 200
    assert time.monotonic() - began < LIMITS.page_seconds / 2
    assert sync.service.ledger.billing.pages_used(sync.customer.customer_id) == 1


def test_a_reading_ends_when_its_sender_is_told_504(sync: SyncStack) -> None:
    sync.service.sync_extractions.seconds = 2.0
    assert sync.send("hang").status_code == 504
    assert sync.send("next").status_code == 200


def test_a_reading_that_was_ended_is_no_failure_of_a_child(sync: SyncStack) -> None:
    before = sync.extractor.child_failures
    connection = sync.begin("hang")
    until(sync.is_in_work, "the worker has it")
    connection.close()
    assert sync.send("next").status_code == 200
    assert sync.extractor.child_failures == before


def test_a_reading_goes_on_while_its_sender_waits(sync: SyncStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octavo.worker.sync_worker.WATCH_AFTER_SECONDS", 0.05)
    monkeypatch.setattr("octavo.worker.sync_worker.WAIT_SECONDS", 0.1)
    answer = sync.send("pages 3 0.5")
    assert answer.status_code == 200
    assert answer.json()["page_count"] == 3


def test_watching_ends_with_the_call(sync: SyncStack) -> None:
    def watchers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("octavo-watch-")]

    assert sync.send("pages 2 0.8").status_code == 200
    until(lambda: not watchers(), "nobody watches any more")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A small disk for all that is temporary."""
    with small_disk(tmp_path / "disk", 4) as made:
        monkeypatch.setattr(tempfile, "tempdir", str(made.folder))
        yield made


@pytest.mark.parametrize("size_bytes", [10, 2_000_000])
def test_a_full_disk_of_the_api_is_503_and_no_bug(sync: SyncStack, small: SmallDisk, size_bytes: int) -> None:
    small.fill()
    refused = sync.send("x" * size_bytes)
    assert (refused.status_code, refused.json()["error"]) == (503, "storage_unavailable")
    assert "Retry-After" in refused.headers
    small.make_room()
    assert sync.send("next").status_code == 200


def test_a_document_that_fails_on_a_full_disk_of_the_worker_is_not_to_blame(sync: SyncStack, small: SmallDisk) -> None:
    # The whole disk is smaller than what a worker needs for documents in progress.
    refused = sync.send("crash")
    assert (refused.status_code, refused.json()["error"]) == (503, "storage_unavailable")
    assert small.folder.exists()
