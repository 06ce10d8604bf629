"""Page images from end to end: an API, a worker's renderer, real storage over S3, real children."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image

from api.app import create_app
from api.http.dependencies import Service
from octavo.batches import Batch, ClaimedItem
from octavo.client.worker import WorkerClient
from octavo.engines.contract import Limits, PageToRender, Source
from octavo.engines.mupdf import pymupdf
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger.contract import ClaimRequest, Report, ReportKind
from octavo.ledger.duckdb import memory_ledger
from octavo.objects import keys
from octavo.objects.s3 import S3Objects
from octavo.outcomes import Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from octavo.worker.page_render_worker import PageRenderWorker
from tests.observers import Following
from tests.storage_server import storage_server
from tests.unit.api.service import WORKER_TOKEN, MovableClock, add_customer, make_service, settings
from tests.unit.api.serving import served, until

OPTIONS = ItemOptions(ParseOptions(engine="fast"), ExtractPage())
LIMIT_SECONDS = 60.0


class Counting(Extractor):
    """An extractor that counts what it is asked to draw, and can be made to wait before it does."""

    drawn = 0
    customer: str | None = None
    go = threading.Event()

    def render_page(self, source: Source, page: PageToRender, *, seconds: float, customer: str | None = None) -> bytes:
        self.drawn += 1
        self.customer = customer
        assert self.go.wait(LIMIT_SECONDS)
        return super().render_page(source, page, seconds=seconds, customer=customer)


@dataclass
class Stack:
    """An API with one customer, its storage, and a worker that draws."""

    service: Service
    url: str
    key: str
    clock: MovableClock
    extractor: Counting

    def call(self, method: str, path: str, *, timeout: float = LIMIT_SECONDS) -> httpx.Response:
        return httpx.request(
            method, f"{self.url}{path}", headers={"X-API-KEY": self.key}, timeout=timeout, trust_env=False
        )

    def get(self, path: str) -> httpx.Response:
        return self.call("GET", path)

    def image(self, path: str) -> Image.Image:
        answer = self.get(path)
        assert answer.status_code == 302, answer.text
        found = httpx.get(answer.headers["location"], trust_env=False)
        assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
        return Image.open(io.BytesIO(found.content))

    def stored(self) -> list[str]:
        return sorted(info.key for info in self.service.objects.list(keys.RESULTS) if "/pages/" in info.key)

    def worked_off(self, data: bytes, name: str) -> str:
        """Submit a document and have it read; returns where its pages are."""
        headers = {"X-API-KEY": self.key}
        with httpx.Client(base_url=self.url, headers=headers, timeout=LIMIT_SECONDS, trust_env=False) as http:
            staged = http.post("/v1/files", json={"size_bytes": len(data), "filename": name}).json()
            assert httpx.put(staged["upload"]["url"], content=data, trust_env=False).status_code == 200
            answer = http.post("/v1/batches", json={"source": {"file_ids": [staged["id"]]}})
            assert answer.status_code == 200, answer.text
        batch_id = BatchId(answer.json()["id"])
        item = self._claimed(batch_id)
        work = ItemWork(self.service.objects, self.extractor, folder=None)
        with work.fetch(item) as found:
            outcome = work.do(item, found, OPTIONS, Following())
        assert isinstance(outcome, Succeeded), outcome
        word = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome)
        assert self.service.ledger.work.report([word])[0].accepted
        return f"/v1/batches/{batch_id}/items/{item.item_id}/pages"

    def _claimed(self, batch_id: BatchId) -> ClaimedItem:
        run = RunId("11111111-1111-4111-8111-111111111111")
        request = ClaimRequest(batch_id=batch_id, run_id=run, worker_id=WorkerId("reader/1"), slots=1)
        (piece,) = self.service.ledger.work.claim(request).slices
        return piece.items[0]

    def batch(self) -> Batch:
        return self.service.ledger.batches.of_customer(self.service.ledger.accounts.customers()[0].customer_id)[0]


@pytest.fixture(scope="module")
def extractor() -> Iterator[Counting]:
    with Counting(processes=1, limits=Limits(), registry=EngineRegistry()) as made:
        made.warm_up()
        yield made


@pytest.fixture
def stack(extractor: Counting, tmp_path: Path) -> Iterator[Stack]:
    extractor.drawn = 0
    extractor.go.set()
    clock = MovableClock()
    with storage_server() as storage:
        objects = S3Objects(storage)
        service = make_service(settings(tmp_path), memory_ledger(clock), objects)
        with served(create_app(service)) as url:
            client = WorkerClient(url, WORKER_TOKEN, WorkerId("worker/one"))
            renderer = PageRenderWorker(client, extractor, objects, slots=1)
            renderer.start()
            yield Stack(service, url, add_customer(service.ledger, "acme")[1], clock, extractor)
            renderer.drain()
            service.page_renders.close()
            until(lambda: not drawing_threads(), "the renderer has left")
        client.close()


def drawing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("octavo-renders-")]


def pdf(rotation: int = 90) -> bytes:
    document = pymupdf.open()
    for number in (1, 2):
        page = document.new_page(width=600, height=800)
        page.insert_text((100, 200), f"The sheet was damped before it went to press, page {number}.")
        page.set_rotation(rotation)
    return bytes(document.tobytes())


def test_a_page_is_drawn_once_and_found_in_storage_afterwards(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    for _ in range(2):
        assert stack.image(f"{path}/2/image?width=800").size == (800, 600)
    assert stack.image(f"{path}/2/image?width=200").size == (200, 150)
    assert stack.extractor.drawn == 2
    assert stack.extractor.customer == stack.service.ledger.accounts.customers()[0].customer_id
    assert [key.rpartition("/")[2] for key in stack.stored()] == ["2-200.png", "2-800.png"]


def test_two_who_ask_at_the_same_time_have_one_drawing(stack: Stack) -> None:
    path = f"{stack.worked_off(pdf(), 'paper.pdf')}/1/image"
    stack.extractor.go.clear()
    with ThreadPoolExecutor(2) as askers:
        answers = [askers.submit(stack.get, path) for _ in range(2)]
        until(lambda: [one.askers for one in stack.service.page_renders.broker.jobs] == [2], "both wait")
        stack.extractor.go.set()
        assert [answer.result().status_code for answer in answers] == [302, 302]
    assert stack.extractor.drawn == 1


def test_who_goes_away_leaves_a_picture_for_the_next_and_no_place_taken(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    stack.extractor.go.clear()
    with pytest.raises(httpx.TimeoutException):
        stack.call("GET", f"{path}/1/image", timeout=1.0)
    with pytest.raises(httpx.TimeoutException):
        stack.call("GET", f"{path}/2/image", timeout=1.0)
    until(lambda: [one.askers for one in stack.service.page_renders.broker.jobs] == [0], "the second is forgotten")
    stack.extractor.go.set()
    until(lambda: not stack.service.page_renders.broker.jobs, "the first is drawn to its end")
    assert len(stack.stored()) == 1
    assert stack.image(f"{path}/1/image").size == (1200, 900)
    assert stack.extractor.drawn == 1


def test_page_images_go_with_their_result(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    stack.image(f"{path}/1/image")
    assert len(stack.stored()) == 1
    stack.clock.shift = timedelta(hours=73)
    stack.service.retention.expiry.look()
    assert stack.stored() == []
    assert list(stack.service.objects.list(keys.RESULTS)) == []


@pytest.mark.parametrize(
    ("name", "data"), [("notes.md", b"# A title\n\nSome words of prose."), ("table.csv", b"name,age\nAda,36\n")]
)
def test_a_format_without_pages_says_so(stack: Stack, name: str, data: bytes) -> None:
    answer = stack.get(f"{stack.worked_off(data, name)}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (422, "no_page_images")


def test_bytes_that_are_gone_from_storage_are_a_404(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    stack.service.objects.delete([info.key for info in stack.service.objects.list(keys.INPUTS)])
    answer = stack.get(f"{path}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (404, "file_not_found")


def test_a_result_that_is_gone_from_storage_is_a_410(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    stack.service.objects.delete([info.key for info in stack.service.objects.list(keys.RESULTS)])
    answer = stack.get(f"{path}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")


def test_a_page_over_the_pixel_budget_is_not_drawn(stack: Stack) -> None:
    document = pymupdf.open()
    document.new_page(width=20, height=14_000).insert_text((2, 50), "Word")
    path = stack.worked_off(bytes(document.tobytes()), "narrow.pdf")
    answer = stack.get(f"{path}/1/image?width=400")
    assert (answer.status_code, answer.json()["error"]) == (422, "page_not_drawn")
    assert "pixels" in answer.json()["message"]
    assert stack.image(f"{path}/1/image?width=200").size == (200, 140_000)


def test_a_damaged_page_is_not_drawn(stack: Stack) -> None:
    path = stack.worked_off(pdf(), "paper.pdf")
    (found,) = list(stack.service.objects.list(keys.INPUTS))
    stack.service.objects.write(found.key, b"%PDF-1.7" + bytes(found.size - 8), "application/pdf")
    answer = stack.get(f"{path}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (422, "page_not_drawn")
