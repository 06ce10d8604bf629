"""Long documents on a worker: followed page by page, stopped between two, continued elsewhere."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.batches import Item, ItemStatus
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemWork
from octavo.extraction.reading_progress import ReadingProgress
from octavo.identifiers import BatchId, RunId
from octavo.ledger.contract import Retry
from octavo.objects import keys
from octavo.worker import SliceWorker
from octavo.worker.leased_slice import SliceEnd
from octavo.worker.progress_reporter import ProgressReporter
from octavo.worker.slice_worker import CLAIM_WAIT_SECONDS
from tests.ledger_tables import looked_up
from tests.unit.api.serving import until
from tests.unit.client.stack import RUN, Stack, running_stack

PAGES = 60
LONG = f"pages {PAGES} 0.02".encode()
LIMITS = Limits()
NEXT_RUN = RunId("33333333-3333-4333-8333-333333333333")
MakeWorker = Callable[..., SliceWorker]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path) as made:
        yield made


@pytest.fixture
def worker_of(stack: Stack, tmp_path: Path) -> Iterator[MakeWorker]:
    """Make workers of workers that beat five times a second and keep pages ten times a second."""
    workers: list[SliceWorker] = []
    readers: list[Extractor] = []

    def make(name: str, limits: Limits = LIMITS) -> SliceWorker:
        readers.append(Extractor(processes=1, limits=limits, registry=EngineRegistry(TEST_ENGINES)))
        work = ItemWork(stack.objects, readers[-1], folder=tmp_path, keep_seconds=0.1)
        made = SliceWorker(stack.worker(f"{name}/1"), work, slots=4, lease_seconds=0.6, on_change=lambda: None)
        workers.append(made)
        made.start()
        return made

    yield make
    for worker in workers:
        worker.close()
    for reader in readers:
        reader.close()


def begin(stack: Stack, worker: SliceWorker, document: bytes = LONG) -> tuple[BatchId, "Future[SliceEnd]"]:
    """Submit a document and begin to work it off."""
    batch_id = stack.batch(stack.file(document), engine="failing")
    return batch_id, go_on(stack, worker, batch_id, RUN)


def go_on(stack: Stack, worker: SliceWorker, batch_id: BatchId, run_id: RunId) -> "Future[SliceEnd]":
    worker.open_run(stack.named_run(batch_id, run_id), batch_id)
    (slice_id,) = next(worker.claims(run_id))
    return ThreadPoolExecutor(1).submit(worker.process, slice_id, is_last_attempt=False)


def kept(stack: Stack) -> list[str]:
    return [info.key for info in stack.objects.list("results/") if not keys.count_result_parts([info.key])]


def item_of(stack: Stack, batch_id: BatchId) -> Item:
    (item,) = stack.items(batch_id)
    return item


def readers_of(stack: Stack, item: Item) -> list[str]:
    """Return which process has read each page."""
    assert item.result_id is not None
    key = keys.result_key(stack.customer.customer_id, item.result_id, "extract-page.json")
    return [chunk["page_content"] for chunk in json.loads(stack.objects.read(key, max_bytes=10**6))["chunks"]]


def assert_finished_by_two(stack: Stack, batch_id: BatchId) -> None:
    item = item_of(stack, batch_id)
    assert (item.status, item.attempts, item.page_count) == (ItemStatus.SUCCEEDED, 2, PAGES)
    readers = readers_of(stack, item)
    first = readers.count(readers[0])
    assert 1 <= first < PAGES
    assert readers == [readers[0]] * first + [readers[-1]] * (PAGES - first), "each page was read once"
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == PAGES
    assert kept(stack) == [], "a result leaves no pieces"


def test_a_running_item_shows_its_pages_to_the_customer(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id, working = begin(stack, worker_of("first"), b"pages 300 0.02")

    seen: dict[str, Any] = {}

    def look() -> None:
        (item,) = http.get(f"/v1/batches/{batch_id}").json()["items"]
        seen.update(item)

    def shows_ten_pages() -> bool:
        look()
        return (seen["pages_done"] or 0) >= 10

    headers = {"Authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=120) as http:
        until(shows_ten_pages, "ten pages are shown")
        assert (seen["status"], seen["pages_total"], seen["page_count"]) == ("running", 300, None)
        assert working.result(timeout=120).counts == (1, 0)
        look()
        assert (seen["pages_done"], seen["pages_total"], seen["page_count"]) == (None, None, 300)


def test_a_lost_lease_ends_the_reading_between_two_pages(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id, working = begin(stack, worker_of("first"), b"pages 900 0.05")
    until(lambda: (item_of(stack, batch_id).pages_done or 0) >= 3, "it reads")
    stack.ledger.work.revoke(run_id=RUN)
    assert working.result(timeout=40).counts == (0, 0), "sooner than the 45 s it would have taken"
    assert item_of(stack, batch_id).status is ItemStatus.PENDING


def test_the_next_worker_goes_on_with_the_pages_that_were_kept(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id, working = begin(stack, worker_of("first"))
    until(lambda: len(kept(stack)) >= 2, "pages are kept")
    stack.ledger.work.revoke(run_id=RUN)
    assert working.result(timeout=120).counts == (0, 0)
    assert go_on(stack, worker_of("second"), batch_id, NEXT_RUN).result(timeout=120).counts == (1, 0)
    assert_finished_by_two(stack, batch_id)


def test_a_worker_that_drains_gives_a_long_document_back_with_its_pages(stack: Stack, worker_of: MakeWorker) -> None:
    first = worker_of("first")
    batch_id, working = begin(stack, first)
    until(lambda: len(kept(stack)) >= 1, "pages are kept")
    first.drain()
    assert working.result(timeout=120).counts == (0, 0)
    assert item_of(stack, batch_id).status is ItemStatus.PENDING
    assert looked_up(stack.ledger, "SELECT lost_leases FROM items") == [(0,)]
    assert go_on(stack, worker_of("second"), batch_id, NEXT_RUN).result(timeout=120).counts == (1, 0)
    assert_finished_by_two(stack, batch_id)


def test_a_worker_that_drains_finishes_what_has_kept_nothing(stack: Stack, worker_of: MakeWorker) -> None:
    first = worker_of("first")
    batch_id, working = begin(stack, first, b"busy")
    until(lambda: item_of(stack, batch_id).status is ItemStatus.RUNNING, "it runs")
    first.drain()
    assert working.result(timeout=120).counts == (1, 0)


def test_a_child_that_is_killed_is_followed_by_one_that_goes_on(stack: Stack, worker_of: MakeWorker) -> None:
    first = worker_of("first")
    batch_id, working = begin(stack, first)
    until(lambda: len(kept(stack)) >= 2, "pages are kept")
    extractor = first._processor._work._extractor
    fork_server = extractor._pool._fork_server
    assert fork_server is not None
    for pid in list(fork_server._living):
        fork_server.kill(pid)
    assert working.result(timeout=120).counts == (1, 0)
    assert_finished_by_two(stack, batch_id)


def test_a_deleted_batch_takes_the_pages_that_were_kept_with_it(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id, working = begin(stack, worker_of("first"), b"pages 900 0.02")
    until(lambda: looked_up(stack.ledger, "SELECT kept_in FROM items") != [(None,)], "the ledger knows")
    stack.ledger.work.revoke(run_id=RUN)
    working.result(timeout=120)
    assert kept(stack)
    customer_id = stack.customer.customer_id
    stack.ledger.batches.cancel(customer_id, batch_id)
    stack.service.retention.expiry.finish(stack.ledger.batches.delete(customer_id, batch_id))
    assert kept(stack) == []


def test_a_failed_item_that_is_run_again_reads_only_the_pages_that_are_missing(
    stack: Stack, worker_of: MakeWorker
) -> None:
    batch_id, working = begin(stack, worker_of("hasty", Limits(wall_seconds=0.8)))
    assert working.result(timeout=120).counts == (0, 1)
    item = item_of(stack, batch_id)
    assert (item.status, item.error_code) == (ItemStatus.FAILED, "extraction_failed")
    assert kept(stack)
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 0
    stack.ledger.batches.retry_failed(Retry(customer_id=stack.customer.customer_id, batch_id=batch_id))
    assert go_on(stack, worker_of("second"), batch_id, NEXT_RUN).result(timeout=120).counts == (1, 0)
    assert_finished_by_two(stack, batch_id)


def test_items_that_take_less_than_a_heartbeat_are_never_told_of(stack: Stack, worker_of: MakeWorker) -> None:
    first = worker_of("first")
    batch_id, working = begin(stack, first)
    until(lambda: any(leased.readings for leased in first._slices.in_work()), "it is in work")
    (leased,) = first._slices.in_work()
    reading = ReadingProgress()
    reading.pages_total, reading.pages_done = 3, 1
    leased.readings = {leased.slice.items[0].item_id: reading}
    reporter = ProgressReporter()
    assert reporter.due([leased], least_seconds=3.0) == ()
    (told,) = reporter.due([leased], least_seconds=0.0)
    assert (told.pages_done, told.pages_total, told.item_id) == (1, 3, item_of(stack, batch_id).item_id)
    assert reporter.due([leased], least_seconds=0.0) == (told,), "until it has arrived"
    reporter.note_reported([told])
    assert reporter.due([leased], least_seconds=0.0) == (), "and once"
    assert working.result(timeout=CLAIM_WAIT_SECONDS).counts == (1, 0)


def with_failed_pages(stack: Stack, worker: SliceWorker, document: bytes) -> BatchId:
    """An item that succeeded without two of its four pages, and is to be read again."""
    batch_id, working = begin(stack, worker, document)
    assert working.result(timeout=120).counts == (1, 0)
    item = item_of(stack, batch_id)
    assert (item.status, item.page_count, item.failed_pages) == (ItemStatus.SUCCEEDED, 4, 2)
    asked = Retry(customer_id=stack.customer.customer_id, batch_id=batch_id, codes=(), failed_pages=True)
    assert stack.ledger.batches.retry_failed(asked).items == 1
    return batch_id


def test_another_worker_reads_only_the_pages_that_failed(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id = with_failed_pages(stack, worker_of("first"), b"holes 4 2,3 -")
    first = item_of(stack, batch_id)
    assert kept(stack)
    assert go_on(stack, worker_of("second"), batch_id, NEXT_RUN).result(timeout=120).counts == (1, 0)
    item = item_of(stack, batch_id)
    assert (item.status, item.attempts, item.failed_pages) == (ItemStatus.SUCCEEDED, 2, 0)
    assert item.result_id == first.result_id
    one, two, three, four = [reader for reader in readers_of(stack, item) if reader]
    assert (one, two) == (four, three)
    assert one != two
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 4
    assert kept(stack) == []


def test_a_worker_lost_in_a_second_reading_takes_no_result_with_it(stack: Stack, worker_of: MakeWorker) -> None:
    batch_id = with_failed_pages(stack, worker_of("first", Limits(page_seconds=2)), b"holes 4 2,3 hang")
    before = {info.key: stack.objects.read(info.key, max_bytes=10**6) for info in stack.objects.list("results/")}
    working = go_on(stack, worker_of("second", Limits(page_seconds=2)), batch_id, NEXT_RUN)
    until(lambda: item_of(stack, batch_id).status is ItemStatus.RUNNING, "it is read again")
    stack.ledger.work.revoke(run_id=NEXT_RUN)
    assert item_of(stack, batch_id).status is ItemStatus.PENDING
    stack.ledger.batches.cancel(stack.customer.customer_id, batch_id)
    assert working.result(timeout=120).counts[0] == 0
    item = item_of(stack, batch_id)
    assert (item.status, item.failed_pages, item.error_code) == (ItemStatus.SUCCEEDED, 2, None)
    after = {info.key: stack.objects.read(info.key, max_bytes=10**6) for info in stack.objects.list("results/")}
    assert after == before
