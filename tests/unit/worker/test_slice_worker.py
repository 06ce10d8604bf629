"""A slice worker with a real API and real children."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from octavo.batches import MAX_LOST_LEASES, BatchStatus, Item, ItemStatus
from octavo.documents import Block, Document
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import DOCUMENT_ERRORS, OcrProviderError, StaleLease
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, FileId, RunId
from octavo.objects import keys
from octavo.worker import SliceWorker
from tests.ledger_tables import alter, count, looked_up
from tests.unit.api.serving import until
from tests.unit.client.stack import RUN, Stack, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    registry = EngineRegistry(TEST_ENGINES)
    with Extractor(processes=1, limits=Limits(), registry=registry) as made:
        yield made


@pytest.fixture
def worker(stack: Stack, extractor: Extractor, tmp_path: Path) -> Iterator[SliceWorker]:
    work = ItemWork(stack.objects, extractor, folder=tmp_path)
    made = SliceWorker(stack.worker(), work, slots=4, lease_seconds=90.0, on_change=lambda: None)
    yield made
    made.close()


def open_batch(stack: Stack, worker: SliceWorker, *documents: bytes | FileId, engine: str = "failing") -> BatchId:
    """Submit these documents and open a run of their batch on the worker."""
    files = [stack.file(one) if isinstance(one, bytes) else one for one in documents]
    batch_id = stack.batch(*files, engine=engine)
    worker.open_run(stack.named_run(batch_id), batch_id)
    return batch_id


def claim(worker: SliceWorker) -> tuple[str, ...]:
    return next(worker.claims(RUN))


def process(stack: Stack, worker: SliceWorker, document: bytes | FileId) -> Item:
    """Submit one document and work it off; returns its item."""
    batch_id = open_batch(stack, worker, document)
    (slice_id,) = claim(worker)
    worker.process(slice_id, is_last_attempt=False)
    assert count(stack.ledger, "slices") == 0, "no lease is left"
    return stack.items(batch_id)[0]


def test_a_document_is_worked_off_and_its_result_kept(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"hello")
    (slice_id,) = claim(worker)
    assert worker.process(slice_id, is_last_attempt=False).counts == (1, 0)
    (item,) = stack.items(batch_id)
    assert (item.status, item.attempts, item.page_count) == (ItemStatus.SUCCEEDED, 1, 1)
    assert item.result_id is not None
    key = keys.result_key(stack.customer.customer_id, item.result_id, "extract-page.json")
    assert b"hello" in stack.objects.read(key, max_bytes=10**6)
    assert stack.shown(batch_id).status is BatchStatus.COMPLETED
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 1


def test_claims_go_on_until_nothing_is_left(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, *[b"words"] * 10)
    succeeded = 0
    for slice_ids in worker.claims(RUN):
        assert len(slice_ids) <= 4
        for slice_id in slice_ids:
            done, failed = worker.process(slice_id, is_last_attempt=False).counts
            assert failed == 0
            succeeded += done
    assert succeeded == 10
    assert stack.shown(batch_id).status is BatchStatus.COMPLETED
    assert worker.percent(RUN) == 100
    summary = worker.end_run(RUN)
    assert (summary.succeeded, summary.unfinished, summary.status) == (10, 0, BatchStatus.COMPLETED)


def test_a_slice_that_nobody_works_off_goes_back_and_is_claimed_again(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"words")
    claims = worker.claims(RUN)
    ((slice_id,),) = [next(claims)]
    worker.give_up(slice_id)
    worker.give_up(slice_id)
    assert worker.slots_by_customer() == {}
    ((again,),) = [next(claims)]
    assert worker.process(again, is_last_attempt=False).counts == (1, 0)
    assert stack.shown(batch_id).status is BatchStatus.COMPLETED


def test_a_worker_that_drains_begins_nothing_more(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"words")
    ((slice_id,),) = [next(worker.claims(RUN))]
    worker.drain()
    assert worker.process(slice_id, is_last_attempt=False).counts == (0, 0)
    (item,) = stack.ledger.batches.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 0)
    assert worker.slots_by_customer() == {}


@pytest.mark.parametrize("code", sorted(set(DOCUMENT_ERRORS) - {"ocr_provider_error"}))
def test_every_error_of_a_document_becomes_a_failed_item(stack: Stack, worker: SliceWorker, code: str) -> None:
    item = process(stack, worker, code.encode())
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, code, 1)
    assert item.error_retryable is DOCUMENT_ERRORS[code].retryable


def test_bytes_deleted_behind_our_back_are_a_missing_upload(stack: Stack, worker: SliceWorker) -> None:
    file_id = stack.file()
    stack.objects.delete([found.key for found in stack.objects.list("in/")])
    item = process(stack, worker, file_id)
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, "upload_missing", 1)


def test_bytes_of_another_length_fail_as_extraction_failed(stack: Stack, worker: SliceWorker) -> None:
    item = process(stack, worker, stack.file(b"words", size=6))
    assert (item.status, item.error_code) == (ItemStatus.FAILED, "extraction_failed")
    assert "declared" in (item.error_message or "")


def test_trouble_with_recognition_is_tried_three_times(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"ocr_provider_error")
    (slice_id,) = claim(worker)
    for attempt in (1, 2):
        with pytest.raises(OcrProviderError):
            worker.process(slice_id, is_last_attempt=False)
        (item,) = stack.items(batch_id)
        assert (item.status, item.attempts) == (ItemStatus.RUNNING, attempt)
    assert worker.process(slice_id, is_last_attempt=True).counts == (0, 1)
    (item,) = stack.items(batch_id)
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, "ocr_provider_error", 3)
    assert item.error_retryable


def test_an_item_taken_away_before_it_began_has_no_outcome(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"words")
    (slice_id,) = claim(worker)
    stack.ledger.work.revoke(run_id=RUN)
    assert worker.process(slice_id, is_last_attempt=False).counts == (0, 0)
    (item,) = stack.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 0)
    with pytest.raises(StaleLease):
        worker.process(slice_id, is_last_attempt=False)


def test_an_item_taken_away_during_the_work_has_no_outcome(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"words", engine="sleep:0.3")
    (slice_id,) = claim(worker)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(worker.process, slice_id, is_last_attempt=False)
        until(lambda: stack.items(batch_id)[0].status is ItemStatus.RUNNING, "the item runs")
        stack.ledger.work.revoke(run_id=RUN)
        assert working.result(timeout=60).counts == (0, 0)
    (item,) = stack.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 1)
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 0


def test_a_run_that_was_given_up_claims_no_more(stack: Stack, worker: SliceWorker) -> None:
    open_batch(stack, worker, b"words")
    stack.ledger.work.revoke(worker_id=stack.clients[0].worker_id)
    assert list(worker.claims(RUN)) == []


def test_storage_that_is_away_for_a_while_is_waited_for(
    stack: Stack, worker: SliceWorker, caplog: pytest.LogCaptureFixture
) -> None:
    batch_id = open_batch(stack, worker, b"words")
    (slice_id,) = claim(worker)
    stack.objects.available = False
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        working = pool.submit(worker.process, slice_id, is_last_attempt=False)
        until(lambda: "storage" in caplog.text.lower(), "the outage is met")
        assert not working.done()
        stack.objects.available = True
        assert working.result(timeout=60).counts == (1, 0)
    (item,) = stack.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.SUCCEEDED, 1)


def test_a_worker_that_drains_while_storage_is_away_gives_the_item_back(
    stack: Stack, worker: SliceWorker, caplog: pytest.LogCaptureFixture
) -> None:
    batch_id = open_batch(stack, worker, b"words")
    (slice_id,) = claim(worker)
    stack.objects.available = False
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        working = pool.submit(worker.process, slice_id, is_last_attempt=False)
        until(lambda: "storage" in caplog.text.lower(), "the outage is met")
        worker.drain()
        assert working.result(timeout=60).counts == (0, 0)
    (item,) = stack.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 0)
    assert [found.unleased for found in stack.ledger.runs.open_batches()] == [1]


def test_a_document_whose_child_is_killed_five_times_is_an_internal_error(stack: Stack, worker: SliceWorker) -> None:
    item = process(stack, worker, b"killed")
    assert (item.status, item.error_code) == (ItemStatus.FAILED, "internal_error")
    assert item.error_retryable
    assert str(MAX_LOST_LEASES) in (item.error_message or "")


def test_a_document_whose_parser_dies_by_itself_twice_has_failed_and_lost_no_lease(
    stack: Stack, worker: SliceWorker
) -> None:
    item = process(stack, worker, b"crash")
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, "extraction_failed", 1)
    assert item.error_retryable is False
    assert "twice" in (item.error_message or "")
    assert looked_up(stack.ledger, "SELECT lost_leases FROM items WHERE item_id = ?", item.item_id) == [(0,)]


def lose_leases(stack: Stack, item: Item, lost: int) -> None:
    """Let an item have lost so many leases."""
    alter(stack.ledger, "UPDATE items SET lost_leases = ? WHERE item_id = ?", lost, item.item_id)


def lease_ends(stack: Stack, slice_id: str) -> datetime:
    """Return when the lease of a slice runs out."""
    ((expires_at,),) = looked_up(stack.ledger, "SELECT expires_at FROM slices WHERE slice_id = ?", slice_id)
    assert isinstance(expires_at, datetime)
    return expires_at


def test_the_last_life_of_an_item_is_alone_in_a_fresh_child(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"pid 1", b"pid 2", b"pid 3")
    for item, lost in zip(stack.items(batch_id), (0, MAX_LOST_LEASES - 2, MAX_LOST_LEASES - 1), strict=True):
        lose_leases(stack, item, lost)
    for slice_id in claim(worker):
        worker.process(slice_id, is_last_attempt=False)
    first, second, last = (process_that_read(stack, item) for item in stack.items(batch_id))
    assert first == second != last


def process_that_read(stack: Stack, item: Item) -> str:
    """Return the pid that a document which asked for it holds."""
    assert item.result_id is not None
    key = keys.result_key(stack.customer.customer_id, item.result_id, "document.json")
    (block,) = Document.from_json(stack.objects.read(key, max_bytes=10**6)).blocks
    assert isinstance(block, Block)
    return block.text


def test_an_item_that_lost_its_worker_four_times_fails_with_the_fifth_death_of_its_child(
    stack: Stack, worker: SliceWorker
) -> None:
    batch_id = open_batch(stack, worker, b"killed")
    (item,) = stack.items(batch_id)
    lose_leases(stack, item, MAX_LOST_LEASES - 1)
    (slice_id,) = claim(worker)
    assert worker.process(slice_id, is_last_attempt=False).counts == (0, 1)
    (item,) = stack.items(batch_id)
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, "internal_error", 1)
    assert item.error_retryable


def test_a_bad_document_harms_no_other_of_the_batch(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"good", b"crash", b"unsupported_input", b"good too")
    for slice_ids in worker.claims(RUN):
        for slice_id in slice_ids:
            worker.process(slice_id, is_last_attempt=False)
    codes = [item.error_code for item in stack.items(batch_id)]
    assert codes == [None, "extraction_failed", "unsupported_input", None]
    assert stack.shown(batch_id).status is BatchStatus.PARTIALLY_FAILED


def test_leases_of_what_lies_on_the_bench_are_renewed(stack: Stack, extractor: Extractor, tmp_path: Path) -> None:
    work = ItemWork(stack.objects, extractor, folder=tmp_path)
    worker = SliceWorker(stack.worker(), work, slots=4, lease_seconds=0.6, on_change=lambda: None)
    open_batch(stack, worker, b"words")
    (slice_id,) = claim(worker)
    before = lease_ends(stack, slice_id)
    worker.start()
    until(lambda: lease_ends(stack, slice_id) > before, "the lease is renewed")
    assert worker.process(slice_id, is_last_attempt=False).counts == (1, 0)
    worker.close()


def test_a_slice_that_was_lost_is_not_begun(stack: Stack, extractor: Extractor, tmp_path: Path) -> None:
    work = ItemWork(stack.objects, extractor, folder=tmp_path)
    worker = SliceWorker(stack.worker(), work, slots=4, lease_seconds=0.6, on_change=lambda: None)
    batch_id = open_batch(stack, worker, b"words")
    (slice_id,) = claim(worker)
    stack.ledger.work.revoke(run_id=RUN)
    worker.start()
    leased = worker._slices.get(slice_id)
    assert leased is not None
    until(lambda: leased.is_lost, "the loss is heard of")
    assert worker.process(slice_id, is_last_attempt=False).counts == (0, 0)
    assert stack.items(batch_id)[0].attempts == 0
    worker.close()


def test_a_worker_that_drains_claims_no_more(stack: Stack, worker: SliceWorker) -> None:
    open_batch(stack, worker, b"words")
    worker.drain()
    assert worker.is_draining
    assert list(worker.claims(RUN)) == []


def test_a_cancel_in_the_orchestrator_cancels_the_batch(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"words")
    assert not worker.is_cancelled(RUN)
    worker.cancel_run(RUN)
    assert worker.is_cancelled(RUN)
    assert stack.shown(batch_id).status is BatchStatus.CANCELLED
    assert list(worker.claims(RUN)) == []


def test_a_slice_is_named_by_customer_and_file(stack: Stack, worker: SliceWorker) -> None:
    named, unnamed = stack.file(b"1", "a.pdf"), stack.file(b"2")
    open_batch(stack, worker, named, unnamed)
    first, second = claim(worker)
    assert worker.label(first) == "acme: a.pdf"
    assert worker.label(second) == f"acme: {unnamed}"
    assert worker.label("slice_x") == "slice_x"


def test_slots_taken_are_counted_by_customer(stack: Stack, worker: SliceWorker) -> None:
    open_batch(stack, worker, b"one", b"two")
    slice_ids = claim(worker)
    assert worker.slots_by_customer() == {stack.customer.customer_id: 2}
    worker.process(slice_ids[0], is_last_attempt=False)
    assert worker.slots_by_customer() == {stack.customer.customer_id: 1}
    worker.forget_run(RunId(RUN))
    assert worker.slots_by_customer() == {}
