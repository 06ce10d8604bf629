"""Slices are begun as soon as they are claimed; task runs attach to the work, late or never."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.batches import ItemStatus
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import OcrProviderError, ServiceUnreachable
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId
from octavo.worker import SliceWorker
from tests.ledger_tables import count
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
    folder = tmp_path / "scratch"
    folder.mkdir()
    made = SliceWorker(
        stack.worker(),
        ItemWork(stack.objects, extractor, folder=folder),
        slots=4,
        lease_seconds=90.0,
        on_change=lambda: None,
    )
    yield made
    made.close()
    until(lambda: not list(folder.iterdir()), "what was fetched is taken away")


def open_batch(stack: Stack, worker: SliceWorker, *documents: bytes, engine: str = "sleep:0") -> BatchId:
    batch_id = stack.batch(*[stack.file(one) for one in documents], engine=engine)
    worker.open_run(stack.named_run(batch_id), batch_id)
    return batch_id


def statuses(stack: Stack, batch_id: BatchId) -> list[ItemStatus]:
    return [item.status for item in stack.items(batch_id)]


def test_work_begins_before_anybody_asks_for_it(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"one", b"two", b"three")
    claims = worker.started_claims(RUN)
    slice_ids = list(next(claims))
    until(lambda: statuses(stack, batch_id) == [ItemStatus.SUCCEEDED] * 3, "all items have succeeded")
    for more in claims:
        slice_ids += more
    assert [worker.process(slice_id, is_last_attempt=False).counts for slice_id in slice_ids] == [(1, 0)] * 3
    assert not worker.slots_by_customer()


def test_a_slot_is_free_though_its_task_run_has_not_come_yet(stack: Stack, worker: SliceWorker) -> None:
    stack.ledger.accounts.update_customer(stack.customer.customer_id, item_cap=1)
    batch_id = open_batch(stack, worker, b"one", b"two")
    claims = worker.started_claims(RUN)
    first, second = next(claims), next(claims)
    until(lambda: statuses(stack, batch_id) == [ItemStatus.SUCCEEDED] * 2, "both items have succeeded")
    assert worker.label(first[0]), "a task run that comes late still has its name"
    for slice_id in (*first, *second):
        assert worker.process(slice_id, is_last_attempt=False).counts == (1, 0)


def test_work_that_nobody_asks_for_any_more_ends_by_itself(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"one", engine="sleep:0.2")
    (slice_id,) = next(worker.started_claims(RUN))
    worker.give_up(slice_id)
    until(lambda: statuses(stack, batch_id) == [ItemStatus.SUCCEEDED], "the item has succeeded")
    until(lambda: not worker.slots_by_customer(), "its slot is free")


def test_trouble_with_recognition_reaches_the_task_run_which_tries_again(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"ocr_provider_error", engine="failing")
    (slice_id,) = next(worker.started_claims(RUN))
    for is_last in (False, False):
        with pytest.raises(OcrProviderError):
            worker.process(slice_id, is_last_attempt=is_last)
    assert worker.process(slice_id, is_last_attempt=True).counts == (0, 1)
    (item,) = stack.items(batch_id)
    assert (item.status, item.error_code, item.attempts) == (ItemStatus.FAILED, "ocr_provider_error", 3)


def test_trouble_that_nobody_asks_about_gives_the_slice_back(stack: Stack, worker: SliceWorker) -> None:
    batch_id = open_batch(stack, worker, b"ocr_provider_error", engine="failing")
    (slice_id,) = next(worker.started_claims(RUN))
    worker.give_up(slice_id)
    until(lambda: statuses(stack, batch_id) == [ItemStatus.PENDING], "the item is pending again")
    until(lambda: count(stack.ledger, "slices") == 0 or RUN in worker._runs, "no lease is left")


def test_what_ends_the_claims_is_told_to_who_takes_them(stack: Stack, worker: SliceWorker) -> None:
    open_batch(stack, worker, b"one")
    trouble = ServiceUnreachable("The API has gone.")

    def no_claim(*_: object, **__: object) -> object:
        raise trouble

    worker._client.claim = no_claim  # type: ignore[assignment,method-assign] # an API that has gone for good
    with pytest.raises(ServiceUnreachable):
        list(worker.started_claims(RUN))


def test_claims_end_when_nobody_takes_them(stack: Stack, worker: SliceWorker) -> None:
    stack.ledger.accounts.update_customer(stack.customer.customer_id, item_cap=1)
    open_batch(stack, worker, *[b"%d" % number for number in range(40)])
    claims = worker.started_claims(RUN)
    next(claims)
    claims.close()  # type: ignore[attr-defined] # a generator
    until(lambda: not any("octavo-claims" in thread.name for thread in threading.enumerate()), "the thread has ended")


def test_a_slice_of_many_is_fetched_ahead_and_worked_off_in_order(stack: Stack, worker: SliceWorker) -> None:
    documents = [b"document %d" % number for number in range(24)]
    batch_id = open_batch(stack, worker, *documents)
    for slice_ids in worker.started_claims(RUN):
        for slice_id in slice_ids:
            worker.process(slice_id, is_last_attempt=False)
    assert set(statuses(stack, batch_id)) == {ItemStatus.SUCCEEDED}
    assert {item.attempts for item in stack.items(batch_id)} == {1}
